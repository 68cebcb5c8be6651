//! This store, in process, with a simulated clock.

use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation},
    hash::Seed,
    reply::Reply,
    statistics::Counters,
    store::{Store, StoreConfig},
};

use super::load::Load;
use super::request::{MissCount, Request};
use super::weight::KEY_BYTES;
use crate::outcome::Outcome;

/// A configuration of the store.
#[derive(Debug)]
pub struct StoreKind {
    /// Name in tables.
    pub name: &'static str,
    /// Bar: the highest ratio of its misses to those of the exact LRU.
    pub to_lru_max: f64,
    /// Whether it is the default, which is compared with memcached.
    pub is_default: bool,
    configure: fn(&mut StoreConfig),
}

/// The configurations that are compared.
pub const STORES: [StoreKind; 2] = [
    StoreKind { name: "lru", to_lru_max: 1.02, is_default: false, configure: |config| config.eviction = Eviction::Lru },
    StoreKind {
        name: "s3fifo",
        to_lru_max: 1.01,
        is_default: true,
        configure: |config| config.eviction = Eviction::S3Fifo,
    },
];

impl StoreKind {
    /// The default configuration.
    pub fn default_kind() -> &'static Self {
        STORES.iter().find(|kind| kind.is_default).unwrap_or(&STORES[0])
    }
}

const SEED: Seed = Seed(3, 4);
const BEGIN: Seconds = 1_800_000_000;
const ITEM_BYTES_MAX: u32 = 2 << 20;
/// Steps of a sweep, as in the host.
const SWEEP_STEPS: u32 = 8;
const SWEEPS_A_SECOND_MAX: u32 = 10_000;

/// Misses of a read-through replay in a pool of `pool_bytes`, and the final counters; the load's scans are as large as
/// `cache_bytes`.
///
/// # Panics
///
/// If the store breaks its invariants, or returns a value of another size.
pub fn replay(kind: &StoreKind, load: &Load, cache_bytes: u64, pool_bytes: u64) -> Outcome<(MissCount, Counters)> {
    let mut replay = Replay::new(kind, pool_bytes)?;
    for request in load.requests(cache_bytes) {
        replay.request(&request);
    }
    replay.store.check();
    let counters = replay.counters();
    assert_eq!(counters.get_misses, replay.missed.requests, "the store counts its misses truthfully");
    Ok((replay.missed, counters))
}

/// A store during a replay.
pub struct Replay {
    store: Store,
    now: Seconds,
    missed: MissCount,
    value: Vec<u8>,
}

impl Replay {
    /// An empty store of `pool_bytes`.
    pub fn new(kind: &StoreKind, pool_bytes: u64) -> Outcome<Self> {
        let mut config = StoreConfig {
            memory_bytes: pool_bytes,
            memory_bytes_capacity: pool_bytes,
            segment_bytes: 0,
            item_bytes_max: ITEM_BYTES_MAX,
            evictions: true,
            eviction: Eviction::default(),
            cas: true,
            seed: SEED,
        };
        (kind.configure)(&mut config);
        let store = Store::new(config).ok_or_else(|| format!("no store of {pool_bytes} bytes can be made"))?;
        Ok(Self { store, now: BEGIN, missed: MissCount::default(), value: vec![b'v'; ITEM_BYTES_MAX as usize] })
    }

    /// Gets, and sets after a miss; returns whether it was a hit.
    pub fn request(&mut self, request: &Request) -> bool {
        self.advance(BEGIN + request.second);
        let key = key(request.key);
        let hash = SEED.hash(&key);
        let command = |operation| Command { hash, key: &key, operation };
        if let Reply::Found(found) = self.store.execute(&command(Operation::Get { touch: None }), self.now) {
            assert_eq!(found.value.len(), request.value_bytes as usize, "key {}", request.key);
            return true;
        }
        self.missed.add(request);
        let value = &self.value[..request.value_bytes as usize];
        let expiry = Expiry::from_exptime(i64::from(request.ttl_s), &self.now.into());
        let set = Operation::set(value, expiry);
        let reply = self.store.execute(&command(set), self.now);
        // The largest values may exceed a small cache.
        assert!(matches!(reply, Reply::Stored { .. } | Reply::TooLarge | Reply::OutOfMemory), "{reply:?}");
        false
    }

    /// The store's counters.
    pub fn counters(&self) -> Counters {
        self.store.counters()
    }

    fn advance(&mut self, now: Seconds) {
        if now == self.now {
            return;
        }
        self.now = now;
        let mut sweeps = 0;
        while self.store.sweep(now, SWEEP_STEPS) && sweeps < SWEEPS_A_SECOND_MAX {
            sweeps += 1;
        }
    }
}

/// The key of a number: decimal, zero-padded.
pub fn key(number: u32) -> [u8; KEY_BYTES] {
    let mut key = [b'0'; KEY_BYTES];
    let mut rest = number;
    for digit in key.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::weight::log_bytes;
    use super::*;

    #[test]
    fn weights_equal_the_bytes_of_the_store() {
        // With `lru` an item has a word for its last use, which costs the memory of the cache that is compared.
        for (kind, last_use_bytes) in [(&STORES[0], 4), (&STORES[1], 0)] {
            let mut store = Replay::new(kind, 64 << 20).unwrap();
            let sizes = [0, 1, 2, 3, 4, 100, 4095, 4096, 65_535, 65_536, 500_000];
            let requests = (0..).zip(sizes).flat_map(|(key, value_bytes)| {
                [0, 60].map(|ttl_s| Request { key: key * 2 + u32::from(ttl_s != 0), value_bytes, ttl_s, second: 0 })
            });
            let mut sum = 0;
            for request in requests {
                store.request(&request);
                sum += log_bytes(&request) + last_use_bytes;
            }
            assert_eq!(store.counters().bytes, sum, "{}", kind.name);
        }
    }
}
