//! Hit ratios of each class of expiry, size and rate, compared with those of exact caches in as much memory.

#[path = "common/aged.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod aged;
#[path = "common/oracles.rs"]
mod oracles;
#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use aged::Aged;
use oracles::{ExactLru, ExactS3Fifo, Oracle};
use random::Random;
use wasmcached_core::command::Eviction;

/// Header, padding on average, and the share of the index; an item with an expiry has four bytes more.
const BOOKKEEPING_BYTES: u64 = 12 + 2 + 10;
/// The word for the last use, which items have with `lru`.
const LAST_USE_BYTES: u64 = 4;
const MIB: u64 = 1 << 20;
const KEY_BYTES: u64 = 20;
/// Part of its requests that a class may lose as hits.
const LOST_MAX: f64 = 0.02;
/// The same with `lru` below 4 and below 8 MiB: a class of small items that has only the room that large ones leave. It
/// loses a point for each hundredth of the memory that holds no items.
const LOST_MAX_LRU_2_MIB: f64 = 0.045;
const LOST_MAX_LRU_4_MIB: f64 = 0.028;
/// The same with `lru`, against the exact cache in as many bytes as the store has for items and index: what is lost by the
/// order of eviction.
const LOST_BY_ORDER_MAX: f64 = 0.005;

/// Requests of the rarest class that are counted.
const COUNTED_MIN: usize = 400;

/// A class of items: their time to live, the size of their values, how often one is requested, and how many there are
/// for each that fits if the memory is divided equally.
#[derive(Clone, Copy, Debug)]
struct Class {
    ttl_s: u32,
    value_bytes: usize,
    weight: usize,
    keys_tenths: u64,
}

const fn class(ttl_s: u32, value_bytes: usize, weight: usize, keys_tenths: u64) -> Class {
    Class { ttl_s, value_bytes, weight, keys_tenths }
}

/// Requests as class and key: lower numbers of a class are more popular.
fn requests(memory_bytes: u64, classes: &[Class], seed: u64) -> Vec<(usize, u64)> {
    let mut random = Random::new(seed);
    let weights: usize = classes.iter().map(|class| class.weight).sum();
    let keys = |class: &Class| {
        (memory_bytes / classes.len() as u64 / (class.value_bytes as u64 + 45) * class.keys_tenths / 10).max(4) as usize
    };
    let rarest = classes.iter().map(|class| class.weight).min().unwrap_or(1);
    let count = (5 * classes.iter().map(keys).sum::<usize>()).max(2 * COUNTED_MIN * weights / rarest);
    let draw = |_| {
        let mut point = random.within(0..weights);
        let mut at = 0;
        while point >= classes[at].weight {
            point -= classes[at].weight;
            at += 1;
        }
        let keys = keys(&classes[at]);
        let number = random.within(0..keys) * random.within(0..keys) / keys;
        (at, (at as u64) << 40 | number as u64)
    };
    (0..count).map(draw).collect()
}

/// A hit ratio that was counted.
#[derive(Clone, Copy)]
struct Ratio {
    hits: u32,
    requests: u32,
}

impl Ratio {
    fn get(self) -> f64 {
        f64::from(self.hits) / f64::from(self.requests.max(1))
    }

    /// Standard error: the rarest classes are requested only a few hundred times.
    fn error(self) -> f64 {
        (self.get() * (1.0 - self.get()) / f64::from(self.requests.max(1))).sqrt()
    }
}

impl std::fmt::Debug for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.get())
    }
}

/// Hit ratio of each class in the second half of the requests.
fn ratios(classes: &[Class], requests: &[(usize, u64)], mut hit: impl FnMut(usize, u64) -> bool) -> Vec<Ratio> {
    let mut ratios = vec![Ratio { hits: 0, requests: 0 }; classes.len()];
    for (at, &(class, key)) in requests.iter().enumerate() {
        let is_hit = hit(class, key);
        if at > requests.len() / 2 {
            ratios[class].hits += u32::from(is_hit);
            ratios[class].requests += 1;
        }
    }
    ratios
}

/// Hit ratios of the store, and the bytes of its items and its index at the end.
fn store_ratios(
    memory_bytes: u64,
    eviction: Eviction,
    classes: &[Class],
    requests: &[(usize, u64)],
) -> (Vec<Ratio>, u64) {
    let mut aged = Aged::new(memory_bytes, eviction, requests.len() * 2);
    let ratios = ratios(classes, requests, |class, key| {
        let is_hit = aged.get(key);
        if !is_hit {
            aged.set(key, classes[class].value_bytes, classes[class].ttl_s);
        }
        is_hit
    });
    aged.store.check();
    assert!(!aged.evicted.is_empty());
    let counters = aged.store.counters();
    (ratios, counters.bytes + counters.hash_bytes)
}

fn oracle_ratios(oracle: &mut dyn Oracle, word_bytes: u64, classes: &[Class], requests: &[(usize, u64)]) -> Vec<Ratio> {
    ratios(classes, requests, |class, key| {
        let Class { ttl_s, value_bytes, .. } = classes[class];
        let expiry = if ttl_s == 0 && value_bytes < 4096 { 0 } else { 4 };
        oracle.request(key, KEY_BYTES + value_bytes as u64 + BOOKKEEPING_BYTES + word_bytes + expiry)
    })
}

fn lost_max(memory_bytes: u64, eviction: Eviction) -> f64 {
    match (eviction, memory_bytes / MIB) {
        (Eviction::Lru, 0..4) => LOST_MAX_LRU_2_MIB,
        (Eviction::Lru, 4..8) => LOST_MAX_LRU_4_MIB,
        _ => LOST_MAX,
    }
}

fn no_class_loses_hits(memory_bytes: u64, classes: &[Class], seed: u64) {
    let requests = requests(memory_bytes, classes, seed);
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let exact = |memory_bytes| match eviction {
            Eviction::Lru => oracle_ratios(&mut ExactLru::new(memory_bytes), LAST_USE_BYTES, classes, &requests),
            Eviction::S3Fifo => oracle_ratios(&mut ExactS3Fifo::new(memory_bytes), 0, classes, &requests),
        };
        let (ours, bytes) = store_ratios(memory_bytes, eviction, classes, &requests);
        let is_close = |exact: &[Ratio], lost_max| {
            ours.iter().zip(exact).all(|(ours, exact)| ours.get() >= exact.get() - lost_max - exact.error())
        };
        let in_all = exact(memory_bytes);
        let overhead = 100.0 - 100.0 * bytes as f64 / memory_bytes as f64;
        let mib = memory_bytes / MIB;
        let what =
            format!("{eviction:?}, {mib} MiB, load {seed}: {ours:?}, exact {in_all:?}; {overhead:.1} % overhead");
        println!("{what}");
        assert!(is_close(&in_all, lost_max(memory_bytes, eviction)), "{what}");
        if eviction == Eviction::Lru {
            let in_same = exact(bytes);
            assert!(is_close(&in_same, LOST_BY_ORDER_MAX), "{what}; exact in the same bytes {in_same:?}");
        }
    }
}

/// Times to live, sizes, and rates up to 1 : 1000.
const LOADS: [&[Class]; 11] = [
    &[class(0, 300, 1, 20), class(3600, 300, 1, 20)],
    &[class(0, 300, 1000, 40), class(3600, 300, 1, 1)],
    &[class(0, 300, 10, 30), class(60, 300, 1, 10), class(86_400, 300, 100, 30)],
    &[class(0, 400, 100, 60), class(60, 60, 30, 5), class(86_400, 100, 10, 2)],
    &[class(0, 4000, 10, 20), class(60, 40, 10, 20), class(3600, 600, 1, 5)],
    &[class(60, 200, 30, 60), class(3600, 200, 1, 2)],
    &[class(0, 100, 1, 5), class(60, 100, 1000, 40), class(3600, 100, 30, 10)],
    &[class(0, 40, 1000, 60), class(86_400, 4000, 30, 20), class(60, 600, 1, 2)],
    &[class(3600, 1000, 1, 30), class(86_400, 100, 1, 30), class(0, 1000, 1, 30), class(60, 100, 1, 30)],
    &[class(0, 300, 1, 30), class(60, 300, 100, 30)],
    &[class(0, 20, 100, 20), class(0, 300, 100, 20), class(0, 5000, 10, 20)],
];

/// Items that are large for a few MiB: the store keeps as many segments free as the largest takes, so that it can be moved.
const LARGE: &[Class] = &[class(0, 30_000, 10, 20), class(60, 300, 100, 20), class(3600, 300, 1000, 20)];

#[test]
fn no_class_loses_hits_against_the_exact_caches() {
    for memory_bytes in [2 * MIB, 4 * MIB] {
        for (seed, classes) in LOADS.into_iter().chain([LARGE]).enumerate() {
            no_class_loses_hits(memory_bytes, classes, seed as u64);
        }
    }
}

#[test]
fn no_class_loses_hits_in_larger_memories() {
    for (memory_bytes, seed) in [(8 * MIB, 4), (8 * MIB, 9), (16 * MIB, 4), (16 * MIB, 8)] {
        no_class_loses_hits(memory_bytes, LOADS[seed], seed as u64);
    }
    no_class_loses_hits(8 * MIB, LARGE, 11);
}
