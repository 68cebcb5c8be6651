//! Operations of the store for skins without a protocol.

use std::collections::{BTreeMap, BTreeSet};
use wasmcached_core::{
    clock::Expiry,
    command::{Command, Operation},
    hash::Seed,
    reply::{Reply, Value},
    store::{Departure, Store, StoreConfig, WALK_BEGIN, WALK_END},
};

const SEED: Seed = Seed(3, 4);

fn store(memory_bytes: u64) -> Store {
    Store::new(StoreConfig { seed: SEED, memory_bytes, ..StoreConfig::default() }).expect("a store")
}

fn set(store: &mut Store, key: &[u8], value: &[u8], expiry: Expiry, now: u32) {
    let command = Command { hash: SEED.hash(key), key, operation: Operation::set(value, expiry) };
    assert!(matches!(store.change(&command, now), Reply::Stored { .. }));
}

fn bytes(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.for_each_piece(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn name(number: u32) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

#[test]
fn a_read_tells_when_the_entry_expires() {
    let mut store = store(1 << 20);
    set(&mut store, b"a", b"1", Expiry(100), 10);
    set(&mut store, b"b", b"2", Expiry::NEVER, 10);
    let read = |store: &mut Store, key: &[u8], now| {
        store.get(SEED.hash(key), key, now).map(|entry| (bytes(&entry.found.value), entry.expiry))
    };
    assert_eq!(read(&mut store, b"a", 99), Some((b"1".to_vec(), Expiry(100))));
    assert_eq!(read(&mut store, b"b", 99), Some((b"2".to_vec(), Expiry::NEVER)));
    assert_eq!(read(&mut store, b"a", 100), None);
    assert!(store.peek(SEED.hash(b"b"), b"b", 100).is_some());
    let summary = store.summary();
    assert_eq!((summary.hits, summary.misses, summary.items, summary.expirations), (2, 1, 1, 1));
    store.check();
}

#[test]
fn operations_beside_changes_are_refused() {
    let mut store = store(1 << 20);
    let command = Command { hash: SEED.hash(b"a"), key: b"a", operation: Operation::Inspect };
    assert!(matches!(store.change(&command, 1), Reply::BadData));
}

#[test]
fn eviction_to_a_number_of_items_is_exact() {
    for most in [0, 1, 7, 500] {
        let mut store = store(4 << 20);
        for number in 0..2000 {
            let key = name(number);
            set(&mut store, &key, &vec![b'x'; number as usize % 90], Expiry::NEVER, 1);
            // Every third key is used, and must be passed over at least once.
            if number % 3 == 0 {
                assert!(store.get(SEED.hash(&key), &key, 1).is_some());
            }
            store.evict_to(most, (SEED.hash(&key), &key), 1);
            assert_eq!(store.items(), most.min(number + 1));
        }
        store.check();
        assert_eq!(store.summary().evictions, u64::from(2000 - most));
    }
}

#[test]
fn unused_items_go_before_used_ones() {
    let mut store = store(4 << 20);
    for number in 0..1000 {
        set(&mut store, &name(number), b"x", Expiry::NEVER, 1);
    }
    for number in (0..1000).step_by(2) {
        let key = name(number);
        assert!(store.get(SEED.hash(&key), &key, 1).is_some());
    }
    store.evict_to(500, (0, b""), 1);
    let used = (0..1000).step_by(2).filter(|&number| store.peek(SEED.hash(&name(number)), &name(number), 1).is_some());
    // Only so many bytes are reinserted for the bytes that become free.
    assert!(used.count() > 400);
}

#[test]
fn without_evictions_nothing_is_evicted_to_a_number() {
    let config = StoreConfig { seed: SEED, memory_bytes: 1 << 20, evictions: false, ..StoreConfig::default() };
    let mut store = Store::new(config).expect("a store");
    for number in 0..10 {
        set(&mut store, &name(number), b"x", Expiry::NEVER, 1);
    }
    store.evict_to(5, (0, b""), 1);
    assert_eq!(store.items(), 10);
}

#[test]
fn a_walk_visits_each_item_that_stays_once() {
    let mut store = store(16 << 20);
    let stays = 5000;
    for number in 0..stays {
        set(&mut store, &name(number), b"x", Expiry::NEVER, 1);
    }
    let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let (mut cursor, mut calls) = (WALK_BEGIN, 0);
    while cursor < WALK_END {
        let mut visited = 0;
        cursor = store.visit(cursor, 100, 1, |key, _| {
            *seen.entry(key.to_vec()).or_default() += 1;
            visited += 1;
            true
        });
        // A call ends with the bucket in which it has enough.
        assert!(visited < 164, "{visited} items in a call");
        calls += 1;
        // The index grows, and items move and go.
        for number in 0..60 {
            let key = format!("new {calls} {number}").into_bytes();
            set(&mut store, &key, &[b'y'; 100], Expiry::NEVER, 1);
        }
        let key = name(calls * 7 % stays);
        set(&mut store, &key, &vec![b'z'; calls as usize % 200], Expiry::NEVER, 1);
    }
    for number in 0..stays {
        assert_eq!(seen.get(&name(number)), Some(&1), "{number}");
    }
    assert!(seen.values().all(|&count| count == 1));
    assert_eq!(store.visit(WALK_END, 1, 1, |_, _| -> bool { unreachable!() }), WALK_END);
}

#[test]
fn a_walk_passes_over_what_has_expired_and_what_is_not_accepted() {
    let mut store = store(1 << 20);
    set(&mut store, b"expired", b"1", Expiry(5), 1);
    set(&mut store, b"one", b"1", Expiry(50), 1);
    set(&mut store, b"other", b"2", Expiry::NEVER, 1);
    let mut seen = BTreeSet::new();
    let (mut cursor, mut calls) = (WALK_BEGIN, 0);
    while cursor < WALK_END {
        calls += 1;
        cursor = store.visit(cursor, u32::MAX, 10, |key, entry| {
            seen.insert((key.to_vec(), bytes(&entry.found.value), entry.expiry.0));
            false
        });
    }
    assert_eq!(seen, BTreeSet::from([(b"one".to_vec(), b"1".to_vec(), 50), (b"other".to_vec(), b"2".to_vec(), 0)]));
    assert!(calls < 10, "{calls} calls for three items");
}

/// Key, value and reason of each record.
fn departed(mut records: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, u8)> {
    let mut found = Vec::new();
    while let Some((&reason, rest)) = records.split_first() {
        let word =
            |number: usize| u32::from_le_bytes(rest[4 * number..4 * number + 4].try_into().expect("a word")) as usize;
        let (key, value) = (word(0), word(1));
        found.push((rest[12..12 + key].to_vec(), rest[12 + key..12 + key + value].to_vec(), reason));
        records = &rest[12 + key + value..];
    }
    found
}

#[test]
fn each_entry_that_leaves_by_itself_is_recorded_once() {
    let mut store = store(1 << 20);
    store.keep_departures();
    let mut left = BTreeMap::new();
    let mut stored = BTreeMap::new();
    for number in 0..5000 {
        let (key, value) = (name(number), vec![number as u8; 300 + number as usize % 3000]);
        let expiry = if number % 4 == 0 { Expiry(number / 10 + 20) } else { Expiry::NEVER };
        set(&mut store, &key, &value, expiry, number / 10 + 1);
        stored.insert(key, value);
        for (key, value, reason) in departed(&store.take_departures()) {
            assert_eq!(stored.get(&key), Some(&value));
            assert!(left.insert(key, reason).is_none());
        }
    }
    let by = |reason: Departure| left.values().filter(|&&found| found == reason as u8).count() as u64;
    let summary = store.summary();
    assert_eq!(by(Departure::Evicted), summary.evictions);
    assert_eq!(by(Departure::Expired), summary.expirations);
    assert!(summary.expirations > 0, "nothing expired, so this tests less than it should");
    assert_eq!(left.len() + store.items() as usize, 5000);
    for key in stored.keys() {
        // The clock stands, so what has not left is there.
        assert_eq!(
            store.peek(SEED.hash(key), key, 500).is_some(),
            !left.contains_key(key) && !departed(&store.take_departures()).iter().any(|(one, ..)| one == key)
        );
    }
}

#[test]
fn nobody_who_does_not_ask_gets_records() {
    let mut store = store(1 << 20);
    for number in 0..5000 {
        set(&mut store, &name(number), &[1; 1000], Expiry::NEVER, 1);
    }
    assert!(store.summary().evictions > 0);
    assert!(store.take_departures().is_empty());
}
