//! Puts the loops on a clock, wherever they run, and prints a line a result for `cargo xtask bench store`: work, items,
//! operations a batch, nanoseconds an operation; separated by tabs.
//!
//! A result is the median of many short rounds, so that what else the machine does disturbs little.

use super::store_loops::{ROUND_OPERATIONS, Work};
use std::{
    env, fs,
    time::{Duration, Instant},
};

/// Numbers of items that are measured when none are named.
const ITEMS: [u64; 3] = [10_000, 1_000_000, 10_000_000];
const ROUNDS: usize = 1000;
const BATCHES: [usize; 2] = [1, 16];
/// What the machine must have for an item, the pool's own bytes and some more.
const MEMORY_BYTES_AN_ITEM: u64 = 220;

/// See `store_loops::Loops`, whose functions these are.
pub(crate) trait Bench {
    /// False if there is no memory for it.
    fn create(&mut self, work: Work, items: u64) -> bool;
    fn turn_to(&mut self, work: Work);
    fn fill(&mut self);
    fn prepare(&mut self);
    fn run(&mut self, batch: usize) -> u64;
    fn items(&mut self) -> u64;
    /// What a call costs by itself; it is taken off.
    fn call_ns(&mut self) -> f64 {
        0.0
    }
}

/// Measures the numbers of items that the command line names.
pub(crate) fn measure(bench: &mut dyn Bench) {
    let named: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let call_ns = bench.call_ns();
    for items in if named.is_empty() { ITEMS.to_vec() } else { named } {
        if available_bytes().is_some_and(|bytes| bytes < items * MEMORY_BYTES_AN_ITEM) {
            eprintln!("{items} items: not measured, because this machine has too little free memory");
            continue;
        }
        for own_pool in [false, true] {
            measure_pool(bench, items, own_pool, call_ns);
        }
    }
}

/// All work that shares a store; the one that wants a full pool has its own.
fn measure_pool(bench: &mut dyn Bench, items: u64, own_pool: bool, call_ns: f64) {
    let works: Vec<Work> = Work::ALL.into_iter().filter(|work| (*work == Work::EvictingSet) == own_pool).collect();
    if !bench.create(works[0], items) {
        eprintln!("{items} items: not measured, because there is no memory for the pool");
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

/// The median round.
fn median_round_ns(bench: &mut dyn Bench, work: Work, batch: usize) -> f64 {
    let expected = if work == Work::GetHit { ROUND_OPERATIONS as u64 } else { 0 };
    median_ns(ROUNDS, || {
        bench.prepare();
        let start = Instant::now();
        let found = bench.run(batch);
        let time = start.elapsed();
        assert_eq!(found, expected, "{work:?} finds another number of keys");
        time
    })
}

/// The median of so many times.
pub(crate) fn median_ns(count: usize, time: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = std::iter::repeat_with(time).take(count).collect();
    times.sort_unstable();
    times[count / 2].as_nanos() as f64
}

fn report(work: &str, items: u64, batch: usize, ns: f64) {
    println!("{work}\t{items}\t{batch}\t{ns:.1}");
}

/// What the machine has left; `None` where it does not say.
fn available_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
