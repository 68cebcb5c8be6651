//! Replays one load through all caches, in five sizes.

use std::sync::Mutex;
use std::thread;

use wasmcached_core::limits::SHARD_BYTES_MIN;
use wasmcached_core::statistics::Counters;

use super::load::Load;
use super::lru::Expired;
use super::memcached::Held;
use super::request::MissCount;
use super::store::{STORES, StoreKind};
use super::{lru, memcached, s3fifo, store};
use crate::outcome::Outcome;
use crate::server::Program;

/// Cache sizes, in percent of the load's footprint.
pub const SIZES_PERCENT: [u64; 5] = [1, 3, 10, 20, 40];

/// Results of one load.
#[derive(Clone, Debug)]
pub struct LoadResult {
    /// The load's name.
    pub name: &'static str,
    /// Description.
    pub about: String,
    /// Distinct keys without intruders.
    pub keys: usize,
    /// Bytes of all these keys in this store.
    pub footprint_bytes: u64,
    /// One row per size.
    pub rows: Vec<Row>,
}

/// Results of one load in one size.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Cache size in percent of the footprint.
    pub percent: u64,
    /// Memory of the exact LRU and of the stores.
    pub cache_bytes: u64,
    /// All requests, intruders included.
    pub requested: MissCount,
    /// The exact LRU.
    pub lru: Miss,
    /// The exact LRU that removes expired items at once, if any expire.
    pub lru_expiring: Option<Miss>,
    /// The exact S3-FIFO.
    pub s3fifo: Miss,
    /// Results of the [`STORES`].
    pub stores: Vec<StoreResult>,
    /// Real memcached, if it ran this load.
    pub memcached: Option<MemcachedResult>,
}

/// Miss ratios.
#[derive(Clone, Copy, Debug, Default)]
pub struct Miss {
    /// Share of the requests.
    pub ratio: f64,
    /// Share of the bytes of their values.
    pub bytes: f64,
}

/// Results of this store.
#[derive(Clone, Debug, Default)]
pub struct StoreResult {
    /// Miss ratios.
    pub miss: Miss,
    /// Counters at the end.
    pub counters: Counters,
}

/// Results of memcached.
#[derive(Clone, Debug, Default)]
pub struct MemcachedResult {
    /// Its `-m`.
    pub memory_mib: u64,
    /// Miss ratios.
    pub miss: Miss,
    /// Memory and items at the end.
    pub held: Held,
    /// Miss ratios of the default store in as much memory as memcached held.
    pub store_miss: Miss,
}

/// A replay for a row.
#[derive(Clone, Copy, Debug)]
enum Job {
    Lru(Expired),
    S3Fifo,
    Store(usize),
    Memcached,
}

/// Result of a [`Job`].
enum Done {
    Lru(Expired, MissCount),
    S3Fifo(MissCount),
    Store(usize, MissCount, Box<Counters>),
    /// `-m`, misses, memory, and the misses of the store in as much memory.
    Memcached(u64, MissCount, Held, MissCount),
}

/// Replays `load` in each size on `threads` threads, through `memcached` too if given.
pub fn compare(load: &Load, threads: usize, memcached: Option<&Program>) -> Outcome<LoadResult> {
    let footprint_bytes = load.footprint_bytes();
    let mut rows: Vec<Row> = SIZES_PERCENT.iter().map(|&percent| Row::new(load, footprint_bytes, percent)).collect();
    let sizes: Vec<u64> = rows.iter().map(|row| row.cache_bytes).collect();
    // memcached runs by the wall clock only: an hour of a load would take an hour.
    let program = memcached.filter(|_| !load.has_expiry());
    let local = Mutex::new(jobs(sizes.len(), local_jobs(load)));
    let served = Mutex::new(jobs(sizes.len(), program.map(|_| Job::Memcached).into_iter().collect()));
    let results = Mutex::new(Vec::new());
    let work = |queue: &Mutex<Vec<(usize, Job)>>| {
        while let Some((row, job)) = pop(queue) {
            let done = job.run(load, sizes[row], program);
            results.lock().expect("no panic").push((row, done));
        }
    };
    thread::scope(|scope| {
        // One server at a time: its background threads need processor time to keep up.
        scope.spawn(|| [&served, &local].map(work));
        (1..threads).for_each(|_| drop(scope.spawn(|| work(&local))));
    });
    for (row, done) in results.into_inner().expect("no panic") {
        rows[row].take(done?);
    }
    let keys = load.distinct_keys();
    Ok(LoadResult { name: load.name, about: load.about.clone(), keys, footprint_bytes, rows })
}

fn local_jobs(load: &Load) -> Vec<Job> {
    let oracles = [Expired::Kept, Expired::Removed].into_iter().take(if load.has_expiry() { 2 } else { 1 });
    oracles.map(Job::Lru).chain([Job::S3Fifo]).chain((0..STORES.len()).map(Job::Store)).collect()
}

fn jobs(rows: usize, each: Vec<Job>) -> Vec<(usize, Job)> {
    (0..rows).flat_map(|row| each.iter().map(move |&job| (row, job))).collect()
}

fn pop<T>(jobs: &Mutex<Vec<T>>) -> Option<T> {
    jobs.lock().expect("no panic").pop()
}

impl Job {
    fn run(self, load: &Load, cache_bytes: u64, program: Option<&Program>) -> Outcome<Done> {
        match self {
            Self::Lru(expired) => Ok(Done::Lru(expired, lru::replay(load, expired, cache_bytes))),
            Self::S3Fifo => Ok(Done::S3Fifo(s3fifo::replay(load, cache_bytes))),
            Self::Store(kind) => {
                let (missed, counters) = store::replay(&STORES[kind], load, cache_bytes, cache_bytes)?;
                Ok(Done::Store(kind, missed, Box::new(counters)))
            }
            Self::Memcached => {
                let program = program.ok_or("no memcached")?;
                let memory_mib = memcached::memory_mib(cache_bytes);
                let (missed, held) = memcached::replay(program, memory_mib, load, cache_bytes)?;
                let (store, _) = store::replay(StoreKind::default_kind(), load, cache_bytes, held.cache_bytes())?;
                Ok(Done::Memcached(memory_mib, missed, held, store))
            }
        }
    }
}

impl Row {
    fn new(load: &Load, footprint_bytes: u64, percent: u64) -> Self {
        let cache_bytes = (footprint_bytes * percent / 100).max(SHARD_BYTES_MIN);
        let mut requested = MissCount::default();
        load.requests(cache_bytes).for_each(|request| requested.add(&request));
        let stores = vec![StoreResult::default(); STORES.len()];
        Self { percent, cache_bytes, requested, stores, ..Self::default() }
    }

    fn take(&mut self, done: Done) {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let miss = |missed: MissCount| Miss {
            ratio: share(missed.requests, self.requested.requests),
            bytes: share(missed.bytes, self.requested.bytes),
        };
        match done {
            Done::Lru(Expired::Kept, missed) => self.lru = miss(missed),
            Done::Lru(Expired::Removed, missed) => self.lru_expiring = Some(miss(missed)),
            Done::S3Fifo(missed) => self.s3fifo = miss(missed),
            Done::Store(kind, missed, counters) => {
                self.stores[kind] = StoreResult { miss: miss(missed), counters: *counters };
            }
            Done::Memcached(memory_mib, missed, held, store) => {
                let (miss, store_miss) = (miss(missed), miss(store));
                self.memcached = Some(MemcachedResult { memory_mib, miss, held, store_miss });
            }
        }
    }

    /// The miss ratio of a store as a multiple of the exact LRU's.
    pub fn to_lru(&self, kind: usize) -> f64 {
        self.stores[kind].miss.ratio / self.lru.ratio
    }
}

impl MemcachedResult {
    /// The store's miss ratio as a multiple of memcached's, in as much memory.
    pub fn store_to_memcached(&self) -> f64 {
        self.store_miss.ratio / self.miss.ratio
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;
    use super::*;

    #[test]
    fn every_row_is_filled_and_larger_caches_miss_less() {
        let load = synthetic::load("zipf-0.9", 0.02).unwrap();
        let result = compare(&load, 2, None).unwrap();
        assert_eq!(result.rows.len(), SIZES_PERCENT.len());
        for rows in result.rows.windows(2) {
            assert!(rows[0].cache_bytes <= rows[1].cache_bytes && rows[0].lru.ratio >= rows[1].lru.ratio);
        }
        for row in &result.rows {
            assert!(
                row.lru.ratio > 0.0 && row.lru.bytes < 1.0 && row.lru_expiring.is_none() && row.memcached.is_none()
            );
            assert!(row.s3fifo.ratio > 0.0 && row.s3fifo.ratio < row.lru.ratio);
            assert!(row.stores.iter().all(|store| store.miss.ratio > 0.0 && store.counters.curr_items > 0));
        }
    }

    #[test]
    fn expiry_is_compared_with_both_oracles() {
        let load = synthetic::load("ttl", 0.02).unwrap();
        let result = compare(&load, 1, None).unwrap();
        assert!(result.rows.iter().all(|row| row.lru_expiring.is_some_and(|miss| miss.ratio <= row.lru.ratio)));
    }
}
