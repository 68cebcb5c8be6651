//! All contenders on one load, in five sizes.

use std::sync::Mutex;
use std::thread;

use wasmcached_core::limits::SHARD_BYTES_MIN;

use super::load::Load;
use super::lru;
use super::store::{self, STORES};
use crate::load::Outcome;

/// Cache sizes, in percent of the load's footprint.
pub const SIZES_PERCENT: [u64; 5] = [1, 3, 10, 20, 40];

/// What came out of one load.
#[derive(Clone, Debug)]
pub struct LoadResult {
    /// The load's name.
    pub name: &'static str,
    /// What it is.
    pub about: String,
    /// Different keys, and the bytes that they take together.
    pub keys: usize,
    /// See `keys`.
    pub footprint_bytes: u64,
    /// A row for each size.
    pub rows: Vec<Row>,
}

/// What came out of one load in one size.
#[derive(Clone, Debug)]
pub struct Row {
    /// Of the footprint.
    pub percent: u64,
    /// What exact LRU and stores may take.
    pub cache_bytes: u64,
    /// How many requests there were, scans included.
    pub requests: u64,
    /// Miss ratio of the exact LRU.
    pub lru: f64,
    /// Miss ratios of [`STORES`].
    pub stores: Vec<f64>,
}

/// Replays `load` in each size, on `threads` threads.
pub fn compare(load: &Load, threads: usize) -> Outcome<LoadResult> {
    let footprint_bytes = load.footprint_bytes();
    let mut rows: Vec<Row> = SIZES_PERCENT.iter().map(|&percent| Row::new(load, footprint_bytes, percent)).collect();
    let jobs = rows.iter().enumerate().flat_map(|(row, _)| (0..=STORES.len()).map(move |contender| (row, contender)));
    let jobs = Mutex::new(jobs.collect::<Vec<_>>());
    let sizes: Vec<u64> = rows.iter().map(|row| row.cache_bytes).collect();
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((row, contender)) = pop(&jobs) {
                    let misses = misses(load, contender, sizes[row]);
                    done.lock().expect("no panic").push((row, contender, misses));
                }
            });
        }
    });
    for (row, contender, misses) in done.into_inner().expect("no panic") {
        let row = &mut rows[row];
        let ratio = misses? as f64 / row.requests as f64;
        *(if contender == 0 { &mut row.lru } else { &mut row.stores[contender - 1] }) = ratio;
    }
    Ok(LoadResult { name: load.name, about: load.about.clone(), keys: load.distinct_keys(), footprint_bytes, rows })
}

fn pop<T>(jobs: &Mutex<Vec<T>>) -> Option<T> {
    jobs.lock().expect("no panic").pop()
}

/// Contender 0 is the exact LRU, the others are the stores.
fn misses(load: &Load, contender: usize, cache_bytes: u64) -> Outcome<u64> {
    match contender.checked_sub(1) {
        None => Ok(lru::misses(load, cache_bytes)),
        Some(kind) => store::misses(&STORES[kind], load, cache_bytes, cache_bytes),
    }
}

impl Row {
    fn new(load: &Load, footprint_bytes: u64, percent: u64) -> Self {
        let cache_bytes = (footprint_bytes * percent / 100).max(SHARD_BYTES_MIN);
        let requests = load.requests(cache_bytes).count() as u64;
        Self { percent, cache_bytes, requests, lru: 0.0, stores: vec![0.0; STORES.len()] }
    }
}
