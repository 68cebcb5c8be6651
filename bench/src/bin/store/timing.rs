//! Times the loops, natively or inside a guest, and prints one line per result for `cargo xtask bench store`: work, items,
//! operations per batch and nanoseconds per operation, separated by tabs.
//!
//! A result is the median of many short rounds, so that other programs disturb it little.

use super::store_loops::{ROUND_OPERATIONS, Workload};
use std::{
    env, fs,
    time::{Duration, Instant},
};

/// Numbers of items that are measured without arguments.
const ITEMS: [u64; 3] = [10_000, 1_000_000, 10_000_000];
const ROUNDS: usize = 1000;
const BATCHES: [usize; 2] = [1, 16];
/// Free memory needed per item: the pool's bytes and a margin.
const MEMORY_BYTES_PER_ITEM: u64 = 220;

/// The functions of `store_loops::Loops`, natively or through a guest's exports.
pub(crate) trait Bench {
    /// Returns false if memory is short.
    fn create(&mut self, work: Workload, items: u64) -> bool;
    fn turn_to(&mut self, work: Workload);
    fn fill(&mut self);
    fn prepare(&mut self);
    fn run(&mut self, batch: usize) -> u64;
    fn items(&mut self) -> u64;
    /// Cost of an empty call, which is subtracted.
    fn call_ns(&mut self) -> f64 {
        0.0
    }
}

/// Measures each number of items on the command line.
pub(crate) fn measure(bench: &mut dyn Bench) {
    let named: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let call_ns = bench.call_ns();
    for items in if named.is_empty() { ITEMS.to_vec() } else { named } {
        if available_bytes().is_some_and(|bytes| bytes < items * MEMORY_BYTES_PER_ITEM) {
            eprintln!("{items} items: not measured: this machine has too little free memory");
            continue;
        }
        for own_pool in [false, true] {
            measure_pool(bench, items, own_pool, call_ns);
        }
    }
}

/// Measures all work that shares a store. [`Workload::EvictingSet`] needs a full pool and gets a store of its own.
fn measure_pool(bench: &mut dyn Bench, items: u64, own_pool: bool, call_ns: f64) {
    let works: Vec<Workload> =
        Workload::ALL.into_iter().filter(|work| (*work == Workload::EvictingSet) == own_pool).collect();
    if !bench.create(works[0], items) {
        eprintln!("{items} items: not measured: there is no memory for the pool");
        return;
    }
    let start = Instant::now();
    bench.fill();
    if !own_pool {
        report("fill", items, 1, start.elapsed().as_nanos() as f64 / items as f64);
    }
    for work in works {
        bench.turn_to(work);
        for batch in BATCHES {
            report(
                work.name(),
                items,
                batch,
                (median_round_ns(bench, work, batch) - call_ns) / ROUND_OPERATIONS as f64,
            );
        }
    }
    let held = bench.items();
    let meant = items * 9 / 10..=items * 11 / 10 + ROUND_OPERATIONS as u64;
    assert!(meant.contains(&held), "{held} are held, {items} were meant");
}

/// Duration of the median round.
fn median_round_ns(bench: &mut dyn Bench, work: Workload, batch: usize) -> f64 {
    let expected = if work == Workload::GetHit { ROUND_OPERATIONS as u64 } else { 0 };
    median_ns(ROUNDS, || {
        bench.prepare();
        let start = Instant::now();
        let found = bench.run(batch);
        let time = start.elapsed();
        assert_eq!(found, expected, "{work:?} finds another number of keys");
        time
    })
}

/// The median of `count` times.
pub(crate) fn median_ns(count: usize, time: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = std::iter::repeat_with(time).take(count).collect();
    times.sort_unstable();
    times[count / 2].as_nanos() as f64
}

fn report(work: &str, items: u64, batch: usize, ns: f64) {
    println!("{work}\t{items}\t{batch}\t{ns:.1}");
}

/// Available memory of the machine; `None` without `/proc/meminfo`.
fn available_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
