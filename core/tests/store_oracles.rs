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

const MEMORY_BYTES: u64 = 4 << 20;
/// Header, padding on average, and the share of the index; an item with an expiry has four bytes more.
const BOOKKEEPING_BYTES: u64 = 12 + 2 + 10;
const KEY_BYTES: u64 = 20;
/// Part of its requests that a class may lose as hits. The store has free segments, segments that are partly written and
/// segments that are partly walked, about 3 % of this memory; the exact caches have none. The share of probation is learned
/// for all classes together, so rare classes can lose a little more.
const LOST_MAX: [(Eviction, f64); 2] = [(Eviction::Lru, 0.02), (Eviction::S3Fifo, 0.03)];

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
fn requests(classes: &[Class], seed: u64) -> Vec<(usize, u64)> {
    let mut random = Random::new(seed);
    let weights: usize = classes.iter().map(|class| class.weight).sum();
    let keys = |class: &Class| {
        (MEMORY_BYTES / classes.len() as u64 / (class.value_bytes as u64 + 45) * class.keys_tenths / 10).max(4) as usize
    };
    let count = 5 * classes.iter().map(keys).sum::<usize>();
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

/// Hit ratio of each class in the second half of the requests.
fn ratios(classes: &[Class], requests: &[(usize, u64)], mut hit: impl FnMut(usize, u64) -> bool) -> Vec<f64> {
    let mut counts = vec![(0u32, 0u32); classes.len()];
    for (at, &(class, key)) in requests.iter().enumerate() {
        let is_hit = hit(class, key);
        if at > requests.len() / 2 {
            counts[class].0 += u32::from(is_hit);
            counts[class].1 += 1;
        }
    }
    counts.iter().map(|&(hits, requests)| f64::from(hits) / f64::from(requests.max(1))).collect()
}

fn store_ratios(eviction: Eviction, classes: &[Class], requests: &[(usize, u64)]) -> Vec<f64> {
    let mut aged = Aged::new(MEMORY_BYTES, eviction, requests.len() * 2);
    let ratios = ratios(classes, requests, |class, key| {
        let is_hit = aged.get(key);
        if !is_hit {
            aged.set(key, classes[class].value_bytes, classes[class].ttl_s);
        }
        is_hit
    });
    aged.store.check();
    assert!(!aged.evicted.is_empty());
    ratios
}

fn oracle_ratios(oracle: &mut dyn Oracle, classes: &[Class], requests: &[(usize, u64)]) -> Vec<f64> {
    ratios(classes, requests, |class, key| {
        let Class { ttl_s, value_bytes, .. } = classes[class];
        let expiry = if ttl_s == 0 && value_bytes < 4096 { 0 } else { 4 };
        oracle.request(key, KEY_BYTES + value_bytes as u64 + BOOKKEEPING_BYTES + expiry)
    })
}

#[test]
fn no_class_loses_hits_against_the_exact_caches() {
    let loads: [&[Class]; 6] = [
        &[class(0, 300, 1, 20), class(3600, 300, 1, 20)],
        &[class(0, 300, 1000, 40), class(3600, 300, 1, 1)],
        &[class(0, 300, 10, 30), class(60, 300, 1, 10), class(86_400, 300, 100, 30)],
        &[class(0, 400, 100, 60), class(60, 60, 30, 5), class(86_400, 100, 10, 2)],
        &[class(0, 4000, 10, 20), class(60, 40, 10, 20), class(3600, 600, 1, 5)],
        &[class(60, 200, 30, 60), class(3600, 200, 1, 2)],
    ];
    for (seed, classes) in loads.iter().enumerate() {
        let requests = requests(classes, seed as u64);
        let exact = [
            oracle_ratios(&mut ExactLru::new(MEMORY_BYTES), classes, &requests),
            oracle_ratios(&mut ExactS3Fifo::new(MEMORY_BYTES), classes, &requests),
        ];
        for ((eviction, lost_max), exact) in LOST_MAX.into_iter().zip(exact) {
            let ours = store_ratios(eviction, classes, &requests);
            let what = format!("{eviction:?}, load {seed}: {ours:.3?}, exact {exact:.3?}");
            println!("{what}");
            assert!(ours.iter().zip(exact).all(|(ours, exact)| *ours >= exact - lost_max), "{what}");
        }
    }
}
