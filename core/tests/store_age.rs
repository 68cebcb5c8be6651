//! The order in which items are evicted: across classes of expiry, rates and sizes, the last written goes last.

#[path = "common/aged.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod aged;
#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use aged::Aged;
use random::Random;
use wasmcached_core::command::Eviction;

const MIB: u64 = 1 << 20;

/// Largest share of the items that may be older than an evicted one.
const SHARE_OLDER_MAX: f64 = 0.02;

#[test]
fn a_few_items_with_an_expiry_do_not_vanish_together() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut aged = Aged::new(64 * MIB, eviction, 80 * 4002);
        for round in 0..80 {
            (0..2).for_each(|n| aged.set(round * 10_000 + n, 400, 3600));
            (2..4002).for_each(|n| aged.set(round * 10_000 + n, 400, 0));
            let older = aged.evicted.iter().map(|number| number / 10_000).max().unwrap_or(0);
            for young in older + 2..=round {
                assert!((0..2).all(|n| aged.holds(young * 10_000 + n)), "{eviction:?}: round {young} at {round}");
            }
        }
        assert!(aged.evicted.len() > 100_000);
        assert!(aged.share_older_max <= SHARE_OLDER_MAX, "{eviction:?}: {}", aged.share_older_max);
    }
}

/// Writes new keys of several classes until the store was filled `rounds` times. A class is a time to live, a size of
/// values, and how often it is written.
fn write_only(memory_bytes: u64, eviction: Eviction, rounds: u64, classes: &[(u32, usize, u32)], seed: u64) -> f64 {
    let weights: u32 = classes.iter().map(|class| class.2).sum();
    let mean: u64 = classes.iter().map(|class| class.1 as u64 * u64::from(class.2)).sum::<u64>() / u64::from(weights);
    let writes = rounds * memory_bytes / (mean + 50);
    let mut aged = Aged::new(memory_bytes, eviction, writes as usize);
    let mut random = Random::new(seed);
    for number in 0..writes {
        let mut point = random.within(0..weights as usize) as u32;
        let class = classes.iter().find(|class| {
            let found = point < class.2;
            point = point.saturating_sub(class.2);
            found
        });
        let &(ttl_s, value_bytes, _) = class.unwrap();
        aged.set(number, value_bytes / 2 + random.within(0..value_bytes), ttl_s);
    }
    aged.store.check();
    assert!(!aged.evicted.is_empty());
    aged.share_older_max
}

#[test]
fn new_items_go_in_the_order_in_which_they_were_written() {
    let classes: [&[(u32, usize, u32)]; 6] = [
        &[(0, 300, 1), (3600, 300, 1)],
        &[(0, 300, 1000), (3600, 300, 1)],
        &[(0, 300, 1), (60, 300, 30), (3600, 300, 1)],
        &[(0, 300, 100), (60, 300, 10), (86_400, 300, 1)],
        &[(0, 60, 300), (60, 2000, 10), (86_400, 300, 1)],
        &[(86_400, 100, 1), (0, 4000, 10), (60, 40, 10)],
    ];
    for memory_bytes in [4 * MIB, 16 * MIB] {
        for (seed, classes) in classes.iter().enumerate() {
            for eviction in [Eviction::Lru, Eviction::S3Fifo] {
                let rounds = if memory_bytes > 8 * MIB { 3 } else { 5 };
                let share = write_only(memory_bytes, eviction, rounds, classes, seed as u64);
                println!("{eviction:?} {memory_bytes} {classes:?}: {share:.4}");
                assert!(share <= SHARE_OLDER_MAX, "{eviction:?}, {memory_bytes} bytes, {classes:?}: {share}");
            }
        }
    }
}
