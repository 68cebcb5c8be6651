//! The memory of the store: how much it holds, what it reclaims first, and that it keeps its limit.

use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Broadcast, Command, Eviction, Operation},
    hash::Seed,
    reply::Reply,
    store::{SegmentContent, Store, StoreConfig},
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(5, 6);
const MIB: u64 = 1 << 20;

fn new_store(memory_bytes: u64, capacity: u64, evictions: bool) -> Store {
    Store::new(StoreConfig {
        memory_bytes,
        memory_bytes_capacity: capacity,
        segment_bytes: 0,
        item_bytes_max: 1 << 20,
        evictions,
        eviction: Eviction::default(),
        cas: true,
        seed: SEED,
    })
    .unwrap()
}

fn set(store: &mut Store, number: u64, value: &[u8], expiry: Expiry, now: Seconds) -> bool {
    let key = format!("{number:020}");
    let operation = Operation::set(value, expiry);
    let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
    matches!(store.execute(&command, now), Reply::Stored { .. })
}

fn has(store: &mut Store, number: u64, now: Seconds) -> bool {
    let key = format!("{number:020}");
    let operation = Operation::Get { touch: None };
    let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
    matches!(store.execute(&command, now), Reply::Found(_))
}

/// Sets values of `value_bytes` until the first eviction. Returns the number of items before it.
fn items_held(value_bytes: usize) -> u64 {
    let mut store = new_store(64 * MIB, 64 * MIB, true);
    let value = vec![b'v'; value_bytes];
    let mut held = 0;
    for number in 0.. {
        assert!(set(&mut store, number, &value, Expiry::NEVER, NOW));
        let counters = store.counters();
        if counters.evictions > 0 {
            break;
        }
        held = counters.curr_items;
    }
    store.check();
    held
}

#[test]
fn large_values_fill_the_pool() {
    assert!(items_held(1_048_400) >= 60);
    assert!(items_held(600_000) >= 100);
}

#[test]
fn bookkeeping_stays_under_32_bytes_an_item() {
    for (value_bytes, eviction) in
        [2, 30, 100].into_iter().flat_map(|bytes| [(bytes, Eviction::S3Fifo), (bytes, Eviction::Lru)])
    {
        let mut store = new_store(4 * MIB, 4 * MIB, true);
        store.broadcast(Broadcast::Evict(eviction), NOW, &mut Vec::new());
        let value = vec![b'v'; value_bytes];
        let mut number = 0;
        while store.counters().evictions == 0 {
            set(&mut store, number, &value, Expiry::NEVER, NOW);
            number += 1;
            // At each size of the index, not only at the end.
            if number == 10 || number % 1009 == 0 {
                assert_bookkeeping(&store, value_bytes);
            }
        }
        assert_bookkeeping(&store, value_bytes);
    }
}

fn assert_bookkeeping(store: &Store, value_bytes: usize) {
    let counters = store.counters();
    let payload = counters.curr_items * (20 + value_bytes as u64);
    let each = (counters.bytes + counters.hash_bytes - payload) as f64 / counters.curr_items as f64;
    assert!(each <= 32.0, "{each} bytes each for {} items", counters.curr_items);
}

#[test]
fn expired_memory_is_used_before_anything_live_is_evicted() {
    let mut store = new_store(4 * MIB, 4 * MIB, true);
    let value = [b'v'; 100];
    let mut number = 0;
    // Alternately with and without expiry, until the pool is nearly full.
    while store.counters().pool_free_bytes > MIB / 4 {
        let expiry = if number % 2 == 0 { Expiry(NOW + 10) } else { Expiry::NEVER };
        set(&mut store, number, &value, expiry, NOW);
        number += 1;
    }
    assert_eq!(store.counters().evictions, 0);
    let later = NOW + 10;
    for new in 0..number * 2 / 5 {
        assert!(set(&mut store, number + new, &value, Expiry::NEVER, later));
    }
    store.check();
    assert_eq!(store.counters().evictions, 0);
    let kept = (0..number).filter(|&number| has(&mut store, number, later)).count() as u64;
    assert_eq!(kept, number / 2);
}

#[test]
fn the_sweep_frees_what_expired_and_what_was_flushed() {
    let mut store = new_store(4 * MIB, 4 * MIB, true);
    for number in 0..10_000 {
        let expiry = if number % 2 == 0 { Expiry(NOW + 5) } else { Expiry::NEVER };
        set(&mut store, number, b"value", expiry, NOW);
    }
    let mut sweeps = 1;
    while store.sweep(NOW + 5, 2) {
        sweeps += 1;
    }
    assert!(sweeps > 5, "a sweep is bounded");
    assert_eq!(store.counters().curr_items, 5_000);
    assert_eq!(store.counters().crawler_reclaimed, 5_000);
    assert_eq!(store.counters().expired_unfetched, 5_000);
    store.broadcast(Broadcast::Flush { at: NOW + 6 }, NOW + 6, &mut Vec::new());
    set(&mut store, 1, b"survives", Expiry::NEVER, NOW + 6);
    while store.sweep(NOW + 6, 2) {}
    assert_eq!(store.counters().curr_items, 1);
    assert!(has(&mut store, 1, NOW + 6));
    store.check();
}

#[test]
fn a_lower_limit_is_reached_and_a_higher_one_is_used() {
    let mut store = new_store(8 * MIB, 16 * MIB, true);
    let value = [b'v'; 1000];
    let mut number = 0;
    let mut fill = |store: &mut Store| {
        for _ in 0..20_000 {
            set(store, number, &value, Expiry::NEVER, NOW);
            number += 1;
        }
        store.check();
        store.counters().bytes
    };
    let held = fill(&mut store);
    assert!(!store.set_limit(64 * MIB), "above the capacity");
    assert!(store.set_limit(4 * MIB));
    while store.sweep(NOW, 8) {}
    let lowered = store.counters();
    let mut given_back = 0;
    while let Some(bytes) = store.reclaimable() {
        given_back += bytes.len() as u64;
        bytes.fill(0xa5);
    }
    assert!((3 * MIB..=4 * MIB).contains(&given_back), "{given_back}");
    assert!(lowered.bytes + lowered.hash_bytes <= 4 * MIB && lowered.bytes > 3 * MIB);
    store.check();
    assert!(store.set_limit(2 * MIB));
    let halved = fill(&mut store);
    assert!(halved <= 2 * MIB, "sets alone do not reach the limit");
    assert!(store.set_limit(16 * MIB));
    let raised = fill(&mut store);
    assert!(raised > held * 19 / 10);
}

#[test]
fn a_change_of_sizes_strands_nothing() {
    let mut store = new_store(8 * MIB, 8 * MIB, true);
    for (round, bytes) in [100usize, 4000, 100, 60_000, 30].into_iter().enumerate() {
        let value = vec![b'v'; bytes];
        let count = 3 * 8 * MIB / (bytes as u64 + 40);
        for number in 0..count {
            assert!(set(&mut store, (round as u64) << 40 | number, &value, Expiry::NEVER, NOW));
        }
        store.check();
        let counters = store.counters();
        let (used, limit) = (counters.bytes + counters.hash_bytes, counters.pool_bytes);
        assert!(used * 100 >= limit * 93, "{bytes}: {used} of {limit}, {counters:?}");
    }
}

#[test]
fn without_evictions_a_full_store_says_so_and_deleting_helps() {
    let mut store = new_store(MIB, MIB, false);
    let value = [b'v'; 500];
    let mut number = 0;
    while set(&mut store, number, &value, Expiry::NEVER, NOW) {
        number += 1;
    }
    assert!(store.counters().store_no_memory > 0 && store.counters().bytes > MIB * 9 / 10);
    assert!((0..number).all(|number| has(&mut store, number, NOW)));
    // Every third item is deleted; nearly as many fit again.
    for number in (0..number).step_by(3) {
        let key = format!("{number:020}");
        let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation: Operation::Delete };
        assert!(matches!(store.execute(&command, NOW), Reply::Deleted));
    }
    let mut again = 0;
    while set(&mut store, number + again, &value, Expiry::NEVER, NOW) {
        again += 1;
    }
    assert!(again > number / 4, "{again} of {number}");
    store.check();
}

#[test]
fn the_index_follows_the_number_of_items_down() {
    let mut store = new_store(8 * MIB, 8 * MIB, true);
    let mut number = 0;
    while store.counters().evictions == 0 {
        set(&mut store, number, b"v", Expiry::NEVER, NOW);
        number += 1;
    }
    let full = store.counters();
    let value = [b'v'; 4000];
    for number in number..number + 5000 {
        set(&mut store, number, &value, Expiry::NEVER, NOW);
    }
    store.check();
    let few = store.counters();
    assert!(few.hash_bytes * 20 < full.hash_bytes, "{} of {}", few.hash_bytes, full.hash_bytes);
    assert!(few.bytes > 8 * MIB * 97 / 100, "{}", few.bytes);
}

#[test]
fn map_shows_every_byte_of_the_items() {
    let mut store = new_store(MIB, MIB, true);
    for number in 0..20_000 {
        assert!(set(&mut store, number % 9_000, &[b'v'; 100], Expiry::NEVER, NOW));
        assert!(!has(&mut store, number + 20_000, NOW));
        has(&mut store, number / 2, NOW);
    }
    let map: Vec<_> = (0..store.segments()).map(|number| store.segment_use(number)).collect();
    let counters = store.counters();
    // The table of the segments is a part of the budget.
    let table = MIB - map.len() as u64 * u64::from(store.segment_bytes());
    assert!(table < MIB / 32, "{table}");
    assert_eq!(map.iter().map(|part| u64::from(part.live_bytes)).sum::<u64>(), counters.bytes);
    let dead = map.iter().map(|part| u64::from(part.dead_bytes)).sum::<u64>();
    // Header and key lie in one segment, so the end of a closed one may be too short for them.
    let ends = counters.pool_dead_bytes - dead - table;
    assert!(dead > 0 && ends < map.len() as u64 * 32, "{dead} dead, {ends} at ends");
    let count = |content| map.iter().filter(|part| part.content == content).count() as u64;
    let index = count(SegmentContent::Index) * u64::from(store.segment_bytes());
    assert!((counters.hash_bytes..counters.hash_bytes + MIB / 8).contains(&index), "{index} for {counters:?}");
    assert!(count(SegmentContent::Main) > 0 && count(SegmentContent::Probation) > 0);
    assert_eq!(count(SegmentContent::Held), 0);
    let beyond = store.segment_use(store.segments());
    assert_eq!((beyond.content, beyond.live_bytes, beyond.dead_bytes), (SegmentContent::Free, 0, 0));
}
