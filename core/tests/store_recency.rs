//! Evictions, compared with the exact LRU: the crate `lru`, weighted with the bytes that an item takes in this store,
//! in as much memory. Loads are seeded, so the numbers are the same on every run.

use lru::LruCache;
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation, StoreMode, StoreOptions},
    hash::Seed,
    reply::Reply,
    store::{Store, StoreConfig},
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(3, 4);
const KEY_BYTES: u64 = 20;
/// Header, padding on average, and the item's share of the index.
const BOOKKEEPING_BYTES: u64 = 12 + 2 + 10;
/// The word for the last use, which items have with `lru`.
const LAST_USE_BYTES: u64 = 4;
const KEYS: u64 = 40_000;
const REQUESTS: u64 = 400_000;

/// Draws numbers below [`KEYS`] with the given skew, from a seed.
struct Zipf {
    cumulative: Vec<f64>,
    state: u64,
}

impl Zipf {
    fn new(skew: f64, seed: u64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=KEYS).map(|rank| {
            sum += (rank as f64).powf(-skew);
            sum
        });
        Self { cumulative: cumulative.collect(), state: seed }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let point = (self.state >> 11) as f64 / (1u64 << 53) as f64 * self.cumulative[KEYS as usize - 1];
        self.cumulative.partition_point(|&sum| sum < point) as u64
    }
}

/// The size of a key's value: 10 to 409 bytes, always the same for a key.
fn value_bytes(number: u64) -> u64 {
    10 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 400
}

/// Misses of a read-through cache that is the exact LRU.
fn lru_misses(memory_bytes: u64, word_bytes: u64, numbers: impl Iterator<Item = u64>) -> u64 {
    let mut cache = LruCache::unbounded();
    let (mut held, mut misses) = (0, 0);
    for number in numbers {
        if cache.get(&number).is_some() {
            continue;
        }
        misses += 1;
        let bytes = KEY_BYTES + value_bytes(number) + BOOKKEEPING_BYTES + word_bytes;
        cache.put(number, bytes);
        held += bytes;
        while held > memory_bytes {
            held -= cache.pop_lru().unwrap().1;
        }
    }
    misses
}

/// Misses of a read-through cache that is the store.
fn store_misses(eviction: Eviction, memory_bytes: u64, numbers: impl Iterator<Item = u64>) -> u64 {
    let mut store = Store::new(StoreConfig {
        memory_bytes,
        memory_bytes_capacity: memory_bytes,
        segment_bytes: 0,
        item_bytes_max: 100_000,
        evictions: true,
        eviction,
        cas: true,
        seed: SEED,
    })
    .unwrap();
    let mut misses = 0;
    for number in numbers {
        let key = format!("{number:020}");
        let command = |operation| Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
        let found = store.execute(&command(Operation::Get { touch: None }), NOW);
        if matches!(found, Reply::Found(_)) {
            continue;
        }
        misses += 1;
        let value = vec![b'v'; value_bytes(number) as usize];
        let (mode, expiry) = (StoreMode::Set, Expiry::NEVER);
        let set =
            Operation::Store { mode, flags: 0, expiry, compare: None, options: StoreOptions::default(), value: &value };
        assert!(matches!(store.execute(&command(set), NOW), Reply::Stored { .. }));
    }
    store.check();
    assert_eq!(store.counters().get_misses, misses);
    misses
}

fn compare(skew: f64, memory_bytes: u64, scanning: bool) {
    let mut zipf = Zipf::new(skew, 5);
    let numbers: Vec<u64> =
        (0..REQUESTS).map(|i| if scanning && i % 4 == 0 { KEYS + i } else { zipf.draw() }).collect();
    for (eviction, word_bytes, ratio_max) in [(Eviction::Lru, LAST_USE_BYTES, 1.02), (Eviction::S3Fifo, 0, 0.95)] {
        let exact = lru_misses(memory_bytes, word_bytes, numbers.iter().copied());
        let ours = store_misses(eviction, memory_bytes, numbers.iter().copied());
        let ratio = ours as f64 / exact as f64;
        println!("{eviction:?}, skew {skew}, {memory_bytes} bytes: {ours}, exact LRU {exact}, ratio {ratio:.4}");
        assert!(ratio < ratio_max, "{ours} misses where the exact LRU has {exact}");
    }
}

#[test]
fn zipf_09_in_a_tenth_of_the_footprint() {
    compare(0.9, 1 << 20, false);
}

#[test]
fn zipf_07_in_two_fifths_of_the_footprint() {
    compare(0.7, 4 << 20, false);
}

#[test]
fn zipf_11_in_a_twentieth_of_the_footprint_with_scans_between() {
    compare(1.1, 512 << 10, true);
}
