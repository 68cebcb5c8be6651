//! Values that are read in pieces: the version that was begun is read to its end, whatever eviction, compaction and writes
//! in place do to its segments meanwhile.

#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use random::Random;
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation},
    hash::Seed,
    limits::HOLD_S,
    reply::{Reply, Unread, Value, ValueCursor},
    store::{Store, StoreConfig},
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(41, 42);
const MEMORY_BYTES: u64 = 1 << 20;
/// Beyond this, a value is read in pieces.
const PIECE_BYTES: usize = 700;
/// Keys whose values are long enough for pieces.
const LONG_KEYS: usize = 12;

/// Readers at a time: together they hold less than half of the memory.
const READERS_MAX: usize = 32;

struct Reader {
    expected: Vec<u8>,
    received: Vec<u8>,
    unread: Unread,
}

fn bytes_of(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.for_each_piece(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn execute<'s>(store: &'s mut Store, key: &str, operation: Operation<'_>, now: Seconds) -> Reply<'s> {
    store.execute(&Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation }, now)
}

/// Reads the next piece; false if the value is no longer held.
fn read_on(store: &mut Store, reader: &mut Reader, now: Seconds) -> bool {
    let Unread { cursor, value_bytes, .. } = reader.unread;
    let position = reader.received.len() as u32;
    let length = (value_bytes - position).min(PIECE_BYTES as u32);
    match execute(store, "", Operation::Piece { cursor, position, length }, now) {
        Reply::Piece(value) => {
            reader.received.extend_from_slice(&bytes_of(&value));
            assert!(reader.expected.starts_with(&reader.received), "a reader got bytes of something else");
            true
        }
        _ => false,
    }
}

fn readers_get_what_they_began(eviction: Eviction, seed: u64) {
    let mut store = new_store(eviction, true);
    let mut random = Random::new(seed);
    let mut readers: Vec<Reader> = Vec::new();
    let (mut now, mut whole, mut held_most) = (NOW, 0, 0);
    for round in 0..60_000u32 {
        now += u32::from(round % 64 == 0);
        let is_long = random.once_in(12);
        let (key, bytes) = match is_long {
            // Mostly one size, so that items are overwritten in place.
            true => (format!("long{}", random.within(0..LONG_KEYS)), [5000, 5000, 1500, 9000][random.within(0..4)]),
            false => (format!("short{}", random.within(0..8000)), random.within(0..200)),
        };
        let value = vec![random.within(0..256) as u8; bytes];
        let expiry = if random.once_in(3) { Expiry(now + 1 + random.within(0..40) as u32) } else { Expiry::NEVER };
        execute(&mut store, &key, Operation::set(&value, expiry), now);
        if is_long
            && readers.len() < READERS_MAX
            && let Reply::Found(found) = execute(&mut store, &key, Operation::Get { touch: None }, now)
        {
            let received = bytes_of(&found.value);
            let unread = found.value.unread().unwrap();
            readers.push(Reader { expected: value, received, unread });
        }
        if !readers.is_empty() && random.once_in(4) {
            let at = random.within(0..readers.len());
            assert!(read_on(&mut store, &mut readers[at], now), "{eviction:?}: what is held is less than half");
            let is_whole = readers[at].received.len() == readers[at].expected.len();
            // Some clients leave early.
            if is_whole || random.once_in(50) {
                store.leave(readers.swap_remove(at).unread.cursor);
                whole += u32::from(is_whole);
            }
            held_most = held_most.max(store.held_bytes());
        }
        if round % 500 == 0 {
            store.sweep(now, 4);
            store.check();
        }
    }
    let counters = store.counters();
    assert!(counters.evictions > 0 && counters.slabs_moved > 0, "{counters:?}");
    assert!(whole > 1000 && held_most > MEMORY_BYTES / 16, "{eviction:?}: {whole} read, {held_most} bytes held");
    assert_eq!(counters.values_lost, 0);
    readers.drain(..).for_each(|reader| store.leave(reader.unread.cursor));
    assert_eq!(store.held_bytes(), 0);
    store.check();
}

#[test]
fn a_value_is_read_to_its_end_while_its_segments_are_reclaimed() {
    for (seed, eviction) in [Eviction::Lru, Eviction::S3Fifo].into_iter().enumerate() {
        readers_get_what_they_began(eviction, seed as u64);
    }
}

fn new_store(eviction: Eviction, evictions: bool) -> Store {
    let config = StoreConfig {
        memory_bytes: MEMORY_BYTES,
        memory_bytes_capacity: MEMORY_BYTES,
        item_bytes_max: 1 << 19,
        eviction,
        evictions,
        seed: SEED,
        ..StoreConfig::default()
    };
    let mut store = Store::new(config).unwrap();
    store.set_piece_bytes(PIECE_BYTES);
    store
}

/// A store in which a value of so many bytes is read, and the reader's place.
fn store_with_reader(value_bytes: usize) -> (Store, ValueCursor) {
    let mut store = new_store(Eviction::S3Fifo, true);
    let cursor = begin(&mut store, "k", value_bytes);
    (store, cursor)
}

/// Stores a value and begins to read it.
fn begin(store: &mut Store, key: &str, value_bytes: usize) -> ValueCursor {
    execute(store, key, Operation::set(&vec![b'v'; value_bytes], Expiry::NEVER), NOW);
    let Reply::Found(found) = execute(store, key, Operation::Get { touch: None }, NOW) else { panic!("it is stored") };
    found.value.unread().unwrap().cursor
}

fn is_readable(store: &mut Store, cursor: ValueCursor, now: Seconds) -> bool {
    let piece = Operation::Piece { cursor, position: 0, length: 1 };
    matches!(execute(store, "", piece, now), Reply::Piece(_))
}

#[test]
fn the_last_reader_to_leave_releases_a_value() {
    let (mut store, one) = store_with_reader(100_000);
    let Reply::Found(found) = execute(&mut store, "k", Operation::Get { touch: None }, NOW) else { panic!() };
    let other = found.value.unread().unwrap().cursor;
    execute(&mut store, "k", Operation::Delete, NOW);
    let held = store.held_bytes();
    assert!((95_000..104_000).contains(&held), "{held}");
    store.leave(one);
    assert_eq!(store.held_bytes(), held);
    assert!(is_readable(&mut store, other, NOW));
    store.leave(other);
    assert_eq!(store.held_bytes(), 0);
    assert!(!is_readable(&mut store, other, NOW));
    // Nothing happens to what another reader holds under the same number.
    let later = begin(&mut store, "k", 100_000);
    store.leave(other);
    assert!(is_readable(&mut store, later, NOW));
    store.check();
}

#[test]
fn readers_that_are_lost_hold_for_a_while() {
    let (mut store, cursor) = store_with_reader(100_000);
    execute(&mut store, "k", Operation::Delete, NOW);
    store.sweep(NOW + HOLD_S, 1);
    assert!(store.held_bytes() > 0 && is_readable(&mut store, cursor, NOW + HOLD_S));
    store.sweep(NOW + 2 * HOLD_S, 1);
    assert!(store.held_bytes() > 0);
    store.sweep(NOW + 2 * HOLD_S + 1, 1);
    assert_eq!(store.held_bytes(), 0);
    store.check();
}

/// Beyond half of the pool, the value that was read longest ago is dropped.
#[test]
fn held_values_take_at_most_half_of_the_pool() {
    let (mut store, first) = store_with_reader(100_000);
    let mut cursors = vec![first];
    execute(&mut store, "k", Operation::Delete, NOW);
    for number in 1..10 {
        let key = format!("k{number}");
        cursors.push(begin(&mut store, &key, 100_000));
        assert!(is_readable(&mut store, first, NOW + number));
        execute(&mut store, &key, Operation::Delete, NOW);
        assert!(store.held_bytes() <= MEMORY_BYTES / 2);
        store.check();
    }
    let readable: Vec<bool> = cursors.iter().map(|&cursor| is_readable(&mut store, cursor, NOW + 20)).collect();
    assert_eq!(readable, [true, false, false, false, false, false, true, true, true, true]);
    // A lower limit has a lower half.
    assert!(store.set_limit(MEMORY_BYTES / 2));
    assert!((150_000..MEMORY_BYTES / 4).contains(&store.held_bytes()));
    store.check();
}

/// A value that has no room otherwise takes that of a held one.
#[test]
fn a_store_without_room_drops_what_is_held() {
    for evictions in [true, false] {
        let mut store = new_store(Eviction::S3Fifo, evictions);
        let cursor = begin(&mut store, "k", 450_000);
        execute(&mut store, "k", Operation::Delete, NOW);
        assert!(store.held_bytes() > 440_000);
        for key in ["a", "b"] {
            let stored = execute(&mut store, key, Operation::set(&[b'v'; 450_000], Expiry::NEVER), NOW);
            assert!(matches!(stored, Reply::Stored { .. }), "{key}: {stored:?}");
        }
        assert_eq!((store.held_bytes() > 0, is_readable(&mut store, cursor, NOW)), (evictions, evictions));
        store.check();
    }
}

fn is_stored(store: &mut Store, key: &str) -> bool {
    matches!(execute(store, key, Operation::Inspect, NOW), Reply::Item(_))
}

/// Stores so many small values, one after the other. Returns the most items that one of them evicts or moves.
fn fill(store: &mut Store, values: usize) -> u64 {
    let touched = |store: &Store| {
        let counters = store.counters();
        counters.evictions + counters.moves_within_lru + counters.slab_reassign_rescues
    };
    let mut most = 0;
    for number in 0..values {
        let before = touched(store);
        let stored = execute(store, &format!("fill{number}"), Operation::set(&[b'f'; 60], Expiry::NEVER), NOW);
        assert!(matches!(stored, Reply::Stored { .. }), "{number}: {stored:?}");
        most = most.max(touched(store) - before);
    }
    assert!(store.counters().evictions > 0);
    most
}

/// Eviction passes over the segments that are read, as long as half of the pool is left: it would gain nothing there.
#[test]
fn values_that_are_read_are_not_evicted() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut store = new_store(eviction, true);
        let mut readers: Vec<(String, ValueCursor)> = Vec::new();
        for number in 0..20 {
            let key = format!("k{number}");
            let cursor = begin(&mut store, &key, 18_000);
            readers.push((key, cursor));
        }
        fill(&mut store, 40_000);
        store.check();
        assert_eq!(store.held_bytes(), 0, "{eviction:?}");
        for (key, cursor) in &readers {
            assert!(is_stored(&mut store, key) && is_readable(&mut store, *cursor, NOW), "{eviction:?} {key}");
        }
        // Once nobody reads them they are the oldest.
        readers.iter().for_each(|&(_, cursor)| store.leave(cursor));
        fill(&mut store, 40_000);
        store.check();
        let stored = readers.iter().filter(|(key, _)| is_stored(&mut store, key)).count();
        // With the other policy they were used, and stay in the main part.
        assert!(stored == 0 || eviction == Eviction::S3Fifo, "{eviction:?}: {stored}");
    }
}

/// A few short values that are read lie in each of half of the segments, among small ones.
#[test]
fn a_set_does_little_work_beside_what_is_read() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut store = new_store(eviction, true);
        let mut cursors = Vec::new();
        for number in 0..230 {
            cursors.push(begin(&mut store, &format!("k{number}"), PIECE_BYTES + 1));
            for small in 0..8 {
                let key = format!("small{}", number * 8 + small);
                execute(&mut store, &key, Operation::set(&[b's'; 60], Expiry::NEVER), NOW);
            }
        }
        let most = fill(&mut store, 40_000);
        assert!(most <= 160, "{eviction:?}: {most}");
        store.check();
        assert!(cursors.iter().all(|&cursor| is_readable(&mut store, cursor, NOW)), "{eviction:?}");
    }
}

/// Where more than half of the pool is read, stores go on, and half of the pool is read to its end.
#[test]
fn readers_of_everything_stop_no_store() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut store = new_store(eviction, true);
        let cursors: Vec<ValueCursor> =
            (0..45).map(|number| begin(&mut store, &format!("k{number}"), 18_000)).collect();
        fill(&mut store, 40_000);
        store.check();
        let readable = cursors.iter().filter(|&&cursor| is_readable(&mut store, cursor, NOW)).count();
        assert!((25..45).contains(&readable), "{eviction:?}: {readable}");
        assert!(store.held_bytes() <= MEMORY_BYTES / 2);
        cursors.iter().for_each(|&cursor| store.leave(cursor));
        assert_eq!(store.held_bytes(), 0);
        store.check();
    }
}
