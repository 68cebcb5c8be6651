//! The order of use with `-o eviction=lru`: whatever items are read and written, the one that was used last goes last.

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

/// Largest share of the items whose last use may be older than that of an evicted one.
const SHARE_OLDER_MAX: f64 = 0.02;
/// Bytes of key, header and index of an item, at least.
const OVERHEAD_BYTES: usize = 40;

/// Which items are read.
#[derive(Clone, Copy, Debug)]
enum Reads {
    /// Each with the same probability.
    Uniform,
    /// Mostly those that were written lately.
    Recent,
    /// Mostly the same few, as in Zipf's law.
    Popular,
}

/// A class of items: time to live, size of values, and how often one is written.
type Class = (u32, usize, usize);

#[derive(Clone, Copy, Debug)]
struct Load {
    memory_bytes: u64,
    classes: &'static [Class],
    reads: Reads,
    reads_a_set: usize,
    /// Whether a third of the uses are `touch`, `gat`, `incr` and `append`.
    changes: bool,
}

/// A key that was written before `written`, with the numbers of the classes mixed.
fn drawn(random: &mut Random, reads: Reads, written: u64, span: u64) -> u64 {
    let point = random.within(0..1 << 20) as f64 / f64::from(1 << 20);
    let oldest = written.saturating_sub(span);
    match reads {
        Reads::Uniform => oldest + ((written - oldest) as f64 * point) as u64,
        Reads::Recent => written - 1 - ((written - oldest - 1) as f64 * point.powi(3)) as u64,
        // Popular keys are spread over all ages: they stay popular for as long as they are held.
        Reads::Popular => {
            let rank = ((span as f64).powf(point) - 1.0) as u64;
            let step = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) % span;
            written - 1 - (written - 1 + step) % span.min(written)
        }
    }
}

/// The largest share over the whole run.
fn share_older(load: &Load) -> f64 {
    let &Load { memory_bytes, classes, reads, reads_a_set, changes } = load;
    let weights: usize = classes.iter().map(|class| class.2).sum();
    let mean = classes.iter().map(|class| (class.1 + OVERHEAD_BYTES) * class.2).sum::<usize>() / weights;
    let items = memory_bytes / mean as u64;
    let writes = 4 * items;
    let mut aged = Aged::new(memory_bytes, Eviction::Lru, writes as usize * (reads_a_set + 1) + 1);
    let mut random = Random::new(items ^ reads_a_set as u64);
    let mut sizes = Vec::new();
    for number in 0..writes {
        let mut point = random.within(0..weights);
        let class = classes.iter().find(|class| {
            let found = point < class.2;
            point = point.saturating_sub(class.2);
            found
        });
        let &(ttl_s, value_bytes, _) = class.unwrap();
        aged.set(number, value_bytes, ttl_s);
        sizes.push(value_bytes);
        let mut left = reads_a_set;
        while left > 0 {
            let key = drawn(&mut random, reads, number + 1, 2 * items);
            if !aged.holds(key) {
                continue;
            }
            left -= 1;
            let done = match if changes { random.within(0..12) } else { 11 } {
                0 => aged.touch(key, ttl_s),
                1 => aged.get_and_touch(key, 3600),
                2 if sizes[key as usize] <= 16 && !key.is_multiple_of(3) => aged.increment(key),
                3 if key.is_multiple_of(3) => aged.append(key, b"77777777"),
                _ => aged.get(key),
            };
            assert!(done);
        }
    }
    aged.store.check();
    assert!(aged.evicted.len() as u64 > items);
    println!("{load:?}: {:.4}", aged.share_older_max);
    aged.share_older_max
}

fn the_last_used_goes_last(memory_bytes: u64, classes: &'static [Class], changes: bool) {
    let mut worst = 0.0f64;
    for reads in [Reads::Uniform, Reads::Recent, Reads::Popular] {
        for reads_a_set in [1, 3] {
            worst = worst.max(share_older(&Load { memory_bytes, classes, reads, reads_a_set, changes }));
        }
    }
    assert!(worst <= SHARE_OLDER_MAX, "{memory_bytes} bytes, {classes:?}: {worst}");
}

#[test]
fn items_of_one_size() {
    for mib in [2, 4, 8, 16] {
        the_last_used_goes_last(mib * MIB, &[(0, 300, 1)], false);
    }
}

#[test]
fn small_items_beside_large_ones() {
    for mib in [4, 8, 16] {
        the_last_used_goes_last(mib * MIB, &[(0, 10, 10), (0, 4000, 1)], false);
    }
}

#[test]
fn classes_of_expiry_at_different_rates() {
    const CLASSES: &[Class] = &[(0, 300, 100), (60, 300, 10), (86_400, 60, 1)];
    for mib in [2, 4, 8] {
        the_last_used_goes_last(mib * MIB, CLASSES, false);
    }
}

#[test]
fn items_that_are_changed() {
    for mib in [2, 4, 8] {
        the_last_used_goes_last(mib * MIB, &[(0, 8, 10), (3600, 16, 1), (3600, 1000, 1)], true);
        the_last_used_goes_last(mib * MIB, &[(0, 8, 1), (60, 300, 1)], true);
        the_last_used_goes_last(mib * MIB, &[(0, 300, 1)], true);
    }
}
