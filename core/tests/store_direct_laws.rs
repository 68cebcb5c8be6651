//! Laws of eviction to a number of items.

use lru::LruCache;
use std::num::NonZeroUsize;
use wasmcached_core::{
    clock::Expiry,
    command::{Command, Operation},
    hash::Seed,
    reply::Reply,
    store::{Store, StoreConfig},
};

const SEED: Seed = Seed(3, 4);
/// Memory of the store: far more than the items take, so that their number alone limits them.
const MEMORY_BYTES: u64 = 32 << 20;

/// A store that holds at most `items_max` items.
struct Counted {
    store: Store,
    items_max: u32,
}

impl Counted {
    fn new(items_max: u32) -> Self {
        let config = StoreConfig { seed: SEED, memory_bytes: MEMORY_BYTES, ..StoreConfig::default() };
        Self { store: Store::new(config).expect("a store"), items_max }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let command = Command { hash: SEED.hash(key), key, operation: Operation::set(value, Expiry::NEVER) };
        assert!(matches!(self.store.change(&command, 1), Reply::Stored { .. }));
        self.store.evict_to(self.items_max, (SEED.hash(key), key), 1);
    }

    fn get(&mut self, key: &[u8]) -> bool {
        self.store.get(SEED.hash(key), key, 1).is_some()
    }
}

/// Pseudo-random numbers below 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Ranks of a Zipf distribution.
fn zipf(keys: usize, exponent: f64) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for rank in 1..=keys {
        sum += (rank as f64).powf(-exponent);
        sums.push(sum);
    }
    sums.iter().map(|part| part / sum).collect()
}

/// Hits of a cache that stores what it misses, and those of an exact LRU of as many items.
fn hits(items_max: u32, exponent: f64) -> (u32, u32) {
    let sums = zipf(10 * items_max as usize, exponent);
    let requests = (200 * items_max).clamp(20_000, 1_000_000);
    let (mut cache, mut random) = (Counted::new(items_max), Random(7));
    let mut lru = LruCache::new(NonZeroUsize::new(items_max as usize).expect("some items"));
    let (mut own, mut exact) = (0, 0);
    for _ in 0..requests {
        let at = random.next();
        let rank = sums.partition_point(|&sum| sum < at);
        let key = format!("key {rank}").into_bytes();
        if cache.get(&key) {
            own += 1;
        } else {
            cache.set(&key, &[b'x'; 100]);
        }
        if lru.get(&rank).is_some() {
            exact += 1;
        } else {
            lru.put(rank, ());
        }
    }
    (own, exact)
}

#[test]
fn few_items_are_chosen_better_than_by_an_exact_lru() {
    for exponent in [0.7, 0.9, 1.1] {
        for items_max in [1, 2, 3, 10, 100, 1000, 5000] {
            let (own, exact) = hits(items_max, exponent);
            assert!(own > exact, "{items_max} items, exponent {exponent}: {own} hits, an exact LRU has {exact}");
        }
    }
}

#[test]
fn the_item_that_was_stored_last_is_there() {
    for items_max in [1, 2, 3, 40] {
        let mut cache = Counted::new(items_max);
        let mut random = Random(11);
        for _ in 0..5000 {
            let key = format!("key {}", (random.next() * 200.0) as u32).into_bytes();
            cache.set(&key, &vec![b'x'; (random.next() * 300.0) as usize]);
            assert!(cache.get(&key), "at most {items_max} items");
            if random.next() < 0.5 {
                let other = format!("key {}", (random.next() * 200.0) as u32).into_bytes();
                cache.get(&other);
            }
        }
        cache.store.check();
    }
}
