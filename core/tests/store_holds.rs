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
    reply::{Reply, Unread, Value},
    store::{Store, StoreConfig},
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(41, 42);
const MEMORY_BYTES: u64 = 1 << 20;
/// Beyond this, a value is read in pieces.
const PIECE_BYTES: usize = 700;
/// Keys whose values are long enough for pieces.
const LONG_KEYS: usize = 12;

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
    let mut store = Store::new(StoreConfig {
        memory_bytes: MEMORY_BYTES,
        memory_bytes_capacity: MEMORY_BYTES,
        item_bytes_max: 1 << 19,
        eviction,
        seed: SEED,
        ..StoreConfig::default()
    })
    .unwrap();
    store.set_piece_bytes(PIECE_BYTES);
    let mut random = Random::new(seed);
    let mut readers: Vec<Reader> = Vec::new();
    let (mut now, mut whole, mut lost) = (NOW, 0, 0);
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
        if is_long && let Reply::Found(found) = execute(&mut store, &key, Operation::Get { touch: None }, now) {
            let received = bytes_of(&found.value);
            let unread = found.value.unread().unwrap();
            readers.push(Reader { expected: value, received, unread });
        }
        if !readers.is_empty() {
            let at = random.within(0..readers.len());
            let is_held = read_on(&mut store, &mut readers[at], now);
            if !is_held || readers[at].received.len() == readers[at].expected.len() {
                readers.swap_remove(at);
                if is_held { whole += 1 } else { lost += 1 }
            }
        }
        if round % 500 == 0 {
            store.sweep(now, 4);
            store.check();
        }
    }
    let counters = store.counters();
    assert!(counters.evictions > 0 && counters.slabs_moved > 0, "{counters:?}");
    assert!(whole > 1000 && lost < whole, "{eviction:?}: {whole} read, {lost} lost");
}

#[test]
fn a_value_is_read_to_its_end_while_its_segments_are_reclaimed() {
    for (seed, eviction) in [Eviction::Lru, Eviction::S3Fifo].into_iter().enumerate() {
        readers_get_what_they_began(eviction, seed as u64);
    }
}
