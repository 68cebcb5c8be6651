//! A shard of stripes answers as a shard of one store does, however many threads use it.

#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use random::Random;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use wasmcached_core::{
    boundary::{
        batch,
        config::{Config, Role, StoreConfig},
        listing,
    },
    clock::{Expiry, Seconds},
    command::{
        ArithmeticOptions, Broadcast, Command, Direction, Extent, Operation, StoreMode, StoreOptions, Touched, Walk,
    },
    hash::Seed,
    reply::{Reply, Unread},
    shard::Shard,
    statistics::{Classes, Counters, Prefixes, Sizes},
    stripes::{Batch, LimitChange, Processor, Stripes},
    wire::Reader,
};

const MIB: u64 = 1 << 20;
const SEED: Seed = Seed(11, 12);
const NOW: Seconds = 1_800_000_000;
const ROOM: usize = 1 << 20;

/// A processor that finds another word in memory than is there, as if another thread had just changed it: it decides nothing.
struct Outdated;

impl Processor for Outdated {
    fn peek(&self, address: usize) -> u32 {
        (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) as u32
    }
}

fn config(memory_bytes: u64) -> Config {
    let store =
        StoreConfig { memory_bytes, memory_bytes_capacity: 2 * memory_bytes, seed: SEED, ..StoreConfig::default() };
    Config { role: Role::Shard, store, track_sizes: true, ..Config::default() }
}

fn stripes(config: &Config, desks: usize) -> Stripes {
    let stripes = Stripes::new(config, desks).expect("memory");
    assert!(stripes.count() > 1);
    stripes
}

fn command<'a>(key: &'a [u8], operation: Operation<'a>) -> Command<'a> {
    Command { hash: SEED.hash(key), key, operation }
}

fn set(value: &[u8], compare: Option<u64>) -> Operation<'_> {
    let (mode, expiry) = (StoreMode::Set, Expiry::NEVER);
    Operation::Store { mode, flags: 7, expiry, compare, options: StoreOptions::default(), value }
}

fn arithmetic() -> Operation<'static> {
    Operation::Arithmetic { direction: Direction::Increment, delta: 1, options: ArithmeticOptions::default() }
}

/// Executes a batch at a desk, as often as locks of other threads demand it.
fn execute(stripes: &Stripes, desk: usize, orders: &[u8], count: u32) -> Vec<u8> {
    let mut replies = Vec::new();
    let (mut from, mut left) = (0, count);
    loop {
        let batch = Batch { orders, tail: &[], from, count: left, now: NOW, room: ROOM };
        let executed = stripes.execute_batch(desk, &batch, &mut replies, &Outdated);
        if !executed.is_interrupted {
            return replies;
        }
        (from, left) = (executed.end, left - executed.count);
        thread::yield_now();
    }
}

fn broadcast(stripes: &Stripes, desk: usize, operation: Broadcast) -> Vec<u8> {
    let mut orders = Vec::new();
    batch::encode_broadcast(&mut orders, operation);
    execute(stripes, desk, &orders, 1)
}

fn broadcast_to_one(shard: &mut Shard, operation: Broadcast) -> Vec<u8> {
    let mut answer = Vec::new();
    shard.broadcast(operation, NOW, &mut answer);
    answer
}

/// A random operation on one of a few hundred keys; `values` live as long as the batch.
fn random_operation<'a>(random: &mut Random, value: &'a [u8]) -> Operation<'a> {
    let modes = [StoreMode::Set, StoreMode::Add, StoreMode::Replace, StoreMode::Append, StoreMode::Prepend];
    match random.within(0..12) {
        0..4 => {
            let (mode, expiry) = (modes[random.within(0..modes.len())], Expiry([0, NOW + 100][random.within(0..2)]));
            Operation::Store { mode, flags: 1, expiry, compare: None, options: StoreOptions::default(), value }
        }
        4..8 => Operation::Get { touch: None },
        8 => Operation::Get { touch: Some(Expiry(NOW + 50)) },
        9 => Operation::Touch { expiry: Expiry(NOW + 70), touched: Touched::Nothing },
        10 => arithmetic(),
        _ => Operation::Delete,
    }
}

/// The keys that a walk reports.
fn walked(mut piece: impl FnMut(Walk) -> Vec<u8>) -> Vec<Vec<u8>> {
    let (mut cursor, mut keys) = (listing::BEGIN, Vec::new());
    while cursor != listing::END {
        let answer = piece(Walk { cursor, classes: u64::MAX, room: 2000 });
        let mut piece = listing::Piece::decode(&answer);
        keys.extend(piece.by_ref().map(|listed| listed.key.to_vec()));
        assert!(piece.cursor > cursor, "a walk makes progress");
        cursor = piece.cursor;
    }
    keys
}

/// Every answer is that of one store: replies, counters, classes, sizes, prefixes, walks. Uniques are off, because each
/// stripe has its own.
#[test]
fn every_answer_is_that_of_one_store() {
    let config =
        Config { store: StoreConfig { cas: false, ..config(64 * MIB).store }, detail: true, ..config(64 * MIB) };
    let (stripes, mut shard) = (stripes(&config, 3), Shard::new(&config).expect("memory"));
    let mut random = Random::new(5);
    for round in 0..2000_usize {
        let mut orders = Vec::new();
        let count = random.within(1..20) as u32;
        let keys: Vec<String> =
            (0..count).map(|_| format!("p{}:{}", random.within(0..30), random.within(0..400))).collect();
        let values: Vec<Vec<u8>> = (0..count)
            .map(|_| if random.within(0..3) == 0 { b"41".to_vec() } else { vec![b'v'; random.within(0..3000)] })
            .collect();
        for (key, value) in keys.iter().zip(&values) {
            batch::encode_command(&mut orders, &command(key.as_bytes(), random_operation(&mut random, value)));
        }
        let mut expected = Vec::new();
        shard.execute_batch((&orders, &[]), count, NOW, ROOM, &mut expected);
        assert_eq!(execute(&stripes, round % 3, &orders, count), expected, "round {round}");
        if round % 500 == 499 {
            compare_state(&stripes, &mut shard);
        }
        if round == 1200 {
            for operation in [Broadcast::Flush { at: NOW }, Broadcast::ResetCounters, Broadcast::BeginWalk] {
                let answer = broadcast(&stripes, round % 3, operation);
                assert_eq!(answer, broadcast_to_one(&mut shard, operation), "{operation:?}");
            }
        }
    }
    stripes.check();
}

fn compare_state(stripes: &Stripes, shard: &mut Shard) {
    let numbers = |answer: Vec<u8>| Counters {
        // These depend on where items lie.
        index_buckets: 0,
        hash_bytes: 0,
        pool_free_bytes: 0,
        pool_dead_bytes: 0,
        ..Counters::decode_merged(&answer)
    };
    let [ours, one] = [broadcast(stripes, 1, Broadcast::Counters), broadcast_to_one(shard, Broadcast::Counters)];
    let whole = Counters::decode_merged(&ours);
    let sum = whole.bytes + whole.hash_bytes + whole.pool_free_bytes + whole.pool_dead_bytes;
    assert_eq!(sum, whole.pool_bytes, "every byte is accounted for");
    assert_eq!(numbers(ours), numbers(one));
    let [ours, one] = [broadcast(stripes, 2, Broadcast::Classes), broadcast_to_one(shard, Broadcast::Classes)];
    assert_eq!(Classes::decode_merged(&ours), Classes::decode_merged(&one));
    let extent = Extent { from: 0, room: 1 << 20 };
    let sizes = Broadcast::Sizes(extent);
    assert_eq!(Sizes::merge(&broadcast(stripes, 0, sizes)), Sizes::merge(&broadcast_to_one(shard, sizes)));
    let prefixes = Broadcast::Prefixes(extent);
    let [ours, one] = [broadcast(stripes, 0, prefixes), broadcast_to_one(shard, prefixes)];
    let [ours, one] = [&ours, &one].map(|answer| Prefixes::merge(answer).0.collect::<BTreeMap<_, _>>());
    assert_eq!(ours.len(), 30);
    assert_eq!(ours, one);
    let ours = walked(|walk| broadcast(stripes, 0, Broadcast::Walk(walk)));
    let one = walked(|walk| broadcast_to_one(shard, Broadcast::Walk(walk)));
    let unique: BTreeSet<&[u8]> = ours.iter().map(Vec::as_slice).collect();
    assert_eq!(unique.len(), ours.len(), "each item once");
    assert_eq!(unique, one.iter().map(Vec::as_slice).collect());
}

#[test]
fn memory_items_and_shards_decide_the_number_of_stripes() {
    for (memory_mib, item_bytes_max, shards, count) in [
        (8, 1 << 20, 1, 1),
        (16, 1 << 20, 1, 2),
        (64, 1 << 20, 1, 8),
        (64, 4 << 20, 1, 2),
        (64, 32 << 20, 1, 1),
        (1024, 1 << 20, 1, 64),
        (256, 1 << 20, 4, 16),
        (64, 1 << 20, 4, 8),
    ] {
        let store = StoreConfig { item_bytes_max, ..config(memory_mib * MIB).store };
        let config = Config { store, shards, ..config(memory_mib * MIB) };
        let stripes = Stripes::new(&config, 1).expect("memory");
        assert_eq!(stripes.count(), count, "{memory_mib} MiB, items of {item_bytes_max} bytes, {shards} shards");
    }
}

#[test]
fn the_largest_item_is_stored_in_each_stripe() {
    let stripes = stripes(&config(64 * MIB), 1);
    let value = vec![b'l'; (1 << 20) - 100];
    for number in 0..200 {
        let key = format!("large-{number}");
        let mut orders = Vec::new();
        batch::encode_command(&mut orders, &command(key.as_bytes(), set(&value, None)));
        batch::encode_command(&mut orders, &command(key.as_bytes(), Operation::Get { touch: None }));
        let replies = execute(&stripes, 0, &orders, 2);
        let mut r = Reader(&replies);
        assert!(matches!(batch::decode_reply(&mut r), Some(Reply::Stored { .. })), "{key}");
        assert!(matches!(batch::decode_reply(&mut r), Some(Reply::Found(_))), "{key}");
    }
    stripes.check();
}

/// Stores versions of a key, and begins to read each. Then reads the rest of all of them; returns how many were whole.
fn read_versions_late(stripes: &Stripes, versions: usize, bytes: usize) -> usize {
    let key = b"versions";
    let begin = |letter: u8| {
        let mut orders = Vec::new();
        batch::encode_command(&mut orders, &command(key, set(&vec![letter; bytes], None)));
        batch::encode_command(&mut orders, &command(key, Operation::Get { touch: None }));
        let replies = execute(stripes, 0, &orders, 2);
        let mut r = Reader(&replies);
        assert!(matches!(batch::decode_reply(&mut r), Some(Reply::Stored { .. })));
        let Some(Reply::Found(found)) = batch::decode_reply(&mut r) else { panic!("not found") };
        found.value.unread().expect("a long value")
    };
    let begun: Vec<_> = (0..versions as u8).map(|letter| (letter, begin(letter))).collect();
    let whole = begun.into_iter().filter(|&(letter, Unread { cursor, mut position, value_bytes })| {
        while position < value_bytes {
            let length = (value_bytes - position).min(1 << 18);
            let mut orders = Vec::new();
            batch::encode_command(&mut orders, &command(key, Operation::Piece { cursor, position, length }));
            let replies = execute(stripes, 0, &orders, 1);
            let Some(Reply::Piece(value)) = batch::decode_reply(&mut Reader(&replies)) else { return false };
            value.for_each_piece(|piece| assert!(piece.iter().all(|&byte| byte == letter), "another version"));
            position += length;
        }
        let mut orders = Vec::new();
        batch::encode_leave(&mut orders, SEED.hash(key), cursor);
        execute(stripes, 0, &orders, 1);
        true
    });
    whole.count()
}

/// All versions are in one stripe, which has 8 MiB. Beyond half of it, loans of a quarter of the shard are enough.
#[test]
fn readers_of_one_key_have_more_room_than_its_stripe() {
    let with_capacity = |memory_bytes_capacity| {
        let store = StoreConfig { memory_bytes_capacity, ..config(64 * MIB).store };
        stripes(&Config { store, ..config(64 * MIB) }, 1)
    };
    let bytes = 1_000_000;
    let stripes = with_capacity(256 * MIB);
    for _ in 0..3 {
        assert_eq!(read_versions_late(&stripes, 18, bytes), 18);
        stripes.check();
        let counters = Counters::decode_merged(&broadcast(&stripes, 0, Broadcast::Counters));
        assert_eq!(counters.held_value_bytes, 0);
    }
    let whole = read_versions_late(&stripes, 30, bytes);
    assert!((18..22).contains(&whole), "{whole}: readers hold half of a stripe, and the loans");
    stripes.check();
    // A pool that has no addresses beyond its limit gets no loans.
    let stripes = with_capacity(64 * MIB);
    let whole = read_versions_late(&stripes, 10, bytes);
    assert!((4..6).contains(&whole), "{whole}: half of a stripe, and the version that is stored");
    stripes.check();
}

#[test]
fn limits_are_shared_by_all_stripes_and_memory_is_returned() {
    let stripes = stripes(&config(64 * MIB), 1);
    let value = vec![b'v'; 1000];
    let fill = || {
        for number in 0..70_000 {
            let mut orders = Vec::new();
            batch::encode_command(&mut orders, &command(format!("k{number}").as_bytes(), set(&value, None)));
            execute(&stripes, 0, &orders, 1);
        }
    };
    fill();
    let bytes = || {
        let counters = Counters::decode_merged(&broadcast(&stripes, 0, Broadcast::Counters));
        (counters.pool_bytes, counters.bytes)
    };
    assert!(bytes().1 > 58 * MIB, "{:?}", bytes());
    assert_eq!(stripes.set_limit(0, 1000), LimitChange::Impossible);
    assert_eq!(stripes.set_limit(0, 129 * MIB), LimitChange::Impossible, "above the capacity");
    assert_eq!(bytes().0, 64 * MIB);
    assert_eq!(stripes.set_limit(0, 32 * MIB + 3), LimitChange::Done);
    while stripes.sweep(0, NOW, 64) {}
    let mut returned = 0;
    while let Some((address, length)) = stripes.reclaimable(0) {
        assert_eq!(address % 4096, 0);
        returned += length as u64;
    }
    assert!(returned > 30 * MIB, "{returned}");
    assert_eq!(bytes().0, 32 * MIB + 3);
    stripes.check();
    assert_eq!(stripes.set_limit(0, 64 * MIB), LimitChange::Done);
    fill();
    assert!(bytes().1 > 58 * MIB);
    stripes.check();
}

/// A command for a key, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Get(Option<(u64, u64)>),
    Set { value: u64, unique: u64 },
    Compare { unique: u64, value: u64, stored: Option<u64> },
    Increment(Option<(u64, u64)>),
    Delete(bool),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    begun: u64,
    ended: u64,
    step: Step,
}

impl Step {
    /// The item (value and unique) after the step; `None` if the answer was not possible then.
    fn apply(self, item: Option<(u64, u64)>) -> Option<Option<(u64, u64)>> {
        match self {
            Self::Get(found) => (found == item).then_some(item),
            Self::Set { value, unique } => Some(Some((value, unique))),
            Self::Compare { unique, value, stored } => match (item, stored) {
                (Some((_, present)), Some(new)) if present == unique => Some(Some((value, new))),
                (Some((_, present)), None) if present != unique => Some(item),
                (None, None) => Some(None),
                _ => None,
            },
            Self::Increment(result) => match (item, result) {
                (Some((value, _)), Some((after, unique))) if after == value + 1 => Some(Some((after, unique))),
                (None, None) => Some(None),
                _ => None,
            },
            Self::Delete(was_there) => (was_there == item.is_some()).then_some(None),
        }
    }
}

/// Whether some order of the events explains all answers and agrees with the time of those that did not overlap.
fn is_linearizable(events: &[Event]) -> bool {
    assert!(events.len() <= 64);
    let all = if events.len() == 64 { u64::MAX } else { (1 << events.len()) - 1 };
    let mut seen = HashSet::new();
    let mut open = vec![(0_u64, None)];
    while let Some((done, item)) = open.pop() {
        if done == all {
            return true;
        }
        let left = |at: &usize| done >> at & 1 == 0;
        let first_end = (0..events.len()).filter(left).map(|at| events[at].ended).min().unwrap_or(0);
        for at in (0..events.len()).filter(left).filter(|&at| events[at].begun < first_end) {
            if let Some(after) = events[at].step.apply(item) {
                let next = (done | 1 << at, after);
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    false
}

#[test]
fn the_checker_refuses_impossible_histories() {
    let event = |begun, ended, step| Event { begun, ended, step };
    let set = Step::Set { value: 5, unique: 1 };
    assert!(is_linearizable(&[event(0, 1, set), event(2, 3, Step::Get(Some((5, 1))))]));
    assert!(!is_linearizable(&[event(0, 1, set), event(2, 3, Step::Get(None))]), "a lost set");
    assert!(is_linearizable(&[event(0, 3, set), event(1, 2, Step::Get(None))]), "they overlap");
    let (one, other) = (Step::Increment(Some((6, 2))), Step::Increment(Some((6, 3))));
    assert!(!is_linearizable(&[event(0, 1, set), event(2, 5, one), event(3, 4, other)]), "a lost increment");
}

/// Executes one step on a key.
fn step(stripes: &Stripes, desk: usize, key: &[u8], random: &mut Random, last_unique: &mut u64) -> Step {
    let value = random.within(0..1000) as u64;
    let text = value.to_string();
    let kind = random.within(0..10);
    let compared = *last_unique;
    let operation = match kind {
        0..4 => Operation::Get { touch: None },
        4..6 => set(text.as_bytes(), None),
        6 => set(text.as_bytes(), Some(compared)),
        7..9 => arithmetic(),
        _ => Operation::Delete,
    };
    let mut orders = Vec::new();
    batch::encode_command(&mut orders, &command(key, operation));
    let replies = execute(stripes, desk, &orders, 1);
    let reply = batch::decode_reply(&mut Reader(&replies)).expect("a reply");
    match (kind, reply) {
        (0..4, Reply::Missing) => Step::Get(None),
        (0..4, Reply::Found(found)) => {
            *last_unique = found.cas;
            let mut text = Vec::new();
            found.value.for_each_piece(|piece| text.extend_from_slice(piece));
            let number = String::from_utf8(text).unwrap().trim_end().parse().unwrap();
            Step::Get(Some((number, found.cas)))
        }
        (4..6, Reply::Stored { cas, .. }) => Step::Set { value, unique: cas },
        (6, Reply::Stored { cas, .. }) => Step::Compare { unique: compared, value, stored: Some(cas) },
        (6, Reply::Exists | Reply::Missing) => Step::Compare { unique: compared, value, stored: None },
        (7..9, Reply::Missing) => Step::Increment(None),
        (7..9, Reply::Number { value, cas, .. }) => Step::Increment(Some((value, cas))),
        (_, Reply::Deleted) => Step::Delete(true),
        (_, Reply::Missing) => Step::Delete(false),
        (kind, reply) => panic!("{kind}: {reply:?}"),
    }
}

/// Threads change the same few keys while another asks for everything else that visits all stripes.
#[test]
fn commands_of_several_threads_are_linearizable() {
    const KEYS: usize = 4;
    const STEPS: usize = 30;
    let stripes = stripes(&config(64 * MIB), 5);
    let clock = AtomicU64::new(0);
    for round in 0..150 {
        let keys: Vec<String> = (0..KEYS).map(|key| format!("r{round}-{key}")).collect();
        let mut histories = vec![Vec::new(); KEYS];
        let parts: Vec<Vec<(usize, Event)>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|desk| {
                    let (stripes, keys, clock) = (&stripes, &keys, &clock);
                    scope.spawn(move || {
                        let mut random = Random::new(round * 8 + desk as u64 + 1);
                        let mut uniques = [0; KEYS];
                        let mut events = Vec::new();
                        for _ in 0..STEPS {
                            let at = random.within(0..KEYS);
                            let begun = clock.fetch_add(1, Ordering::SeqCst);
                            let step = step(stripes, desk, keys[at].as_bytes(), &mut random, &mut uniques[at]);
                            events.push((at, Event { begun, ended: clock.fetch_add(1, Ordering::SeqCst), step }));
                        }
                        events
                    })
                })
                .collect();
            let visitor = scope.spawn(|| {
                for _ in 0..5 {
                    broadcast(&stripes, 4, Broadcast::Counters);
                    broadcast(&stripes, 4, Broadcast::Classes);
                    walked(|walk| broadcast(&stripes, 4, Broadcast::Walk(walk)));
                    stripes.sweep(4, NOW, 8);
                }
            });
            visitor.join().unwrap();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        parts.into_iter().flatten().for_each(|(at, event)| histories[at].push(event));
        for history in &histories {
            assert!(is_linearizable(history), "round {round}: {history:#?}");
        }
    }
    stripes.check();
    let counters = Counters::decode_merged(&broadcast(&stripes, 0, Broadcast::Counters));
    assert_eq!(counters.get_hits + counters.get_misses, counters.cmd_get);
    assert!(counters.cmd_get > 5000);
}
