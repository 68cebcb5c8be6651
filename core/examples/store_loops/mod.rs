//! The loops that every measurement of the store runs: natively on a clock, natively under an instruction counter, and
//! inside a WebAssembly guest.
//!
//! A round is prepared (keys, hashes, the state of the store) and then run; only the run is measured. Knows no clock
//! and, so that a guest can include it, no `std`.

#![allow(dead_code, reason = "each measurement uses its part")]

extern crate alloc;

use alloc::{vec, vec::Vec};
use core::hint::black_box;
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation},
    hash::Seed,
    limits::ITEM_BYTES_MAX_DEFAULT,
    reply::Reply,
    store::{Store, StoreConfig},
};

/// Operations a round.
pub(crate) const ROUND_OPERATIONS: usize = 1024;
/// Length of every key.
pub(crate) const KEY_BYTES: usize = 20;
/// Length of a value.
pub(crate) const VALUE_BYTES: usize = 100;

const SEED: Seed = Seed(1, 2);
const NOW: Seconds = 1_800_000_000;
/// The length that values are overwritten with to change their size; shorter, so that the pool need not be larger.
const VALUE_BYTES_OTHER: usize = 60;
/// Room for an item and for what is dead or free.
const POOL_BYTES_AN_ITEM: u64 = 180;
/// Bytes of an item, so that the wanted number is left when the pool is full.
const POOL_BYTES_AN_ITEM_FULL: u64 = 146;
const GET: Operation<'_> = Operation::Get { touch: None };

/// The work of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Reads of keys that are there, at random.
    GetHit,
    /// Reads of keys that are not there.
    GetMiss,
    /// Sets of keys that are not there; between the rounds they are deleted again.
    SetNew,
    /// Sets of keys that are there, at random, with values as long as before.
    Overwrite,
    /// The same, with values of another length.
    OverwriteResized,
    /// Sets of new keys into a full pool; every fourth key is read once between the rounds, so some items are in use.
    EvictingSet,
}

impl Workload {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::GetHit, Self::GetMiss, Self::Overwrite, Self::OverwriteResized, Self::SetNew, Self::EvictingSet];

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GetHit => "get hit",
            Self::GetMiss => "get miss",
            Self::SetNew => "set new",
            Self::Overwrite => "overwrite",
            Self::OverwriteResized => "overwrite resized",
            Self::EvictingSet => "evicting set",
        }
    }
}

/// A store under one kind of work.
pub(crate) struct Loops {
    store: Store,
    work: Workload,
    items: u64,
    /// The first key number that was never used.
    fresh: u64,
    random: u64,
    resized: bool,
    round: Vec<([u8; KEY_BYTES], u64)>,
    value: [u8; VALUE_BYTES],
}

impl Loops {
    /// An empty store that is to hold `items` items. `None` if there is no memory for it.
    pub(crate) fn new(work: Workload, items: u64) -> Option<Self> {
        let each = if work == Workload::EvictingSet { POOL_BYTES_AN_ITEM_FULL } else { POOL_BYTES_AN_ITEM };
        let memory_bytes = (items * each).max(256 * 1024);
        let store = Store::new(StoreConfig {
            memory_bytes,
            memory_bytes_capacity: memory_bytes,
            segment_bytes: 0,
            item_bytes_max: ITEM_BYTES_MAX_DEFAULT,
            evictions: true,
            eviction: Eviction::default(),
            cas: true,
            seed: SEED,
        })?;
        let round = vec![([0; KEY_BYTES], 0); ROUND_OPERATIONS];
        Some(Self { store, work, items, fresh: 0, random: 1, resized: false, round, value: [b'v'; VALUE_BYTES] })
    }

    /// Continues with another kind of work on the same items. [`Workload::SetNew`] leaves other keys behind, so it comes
    /// last; [`Workload::EvictingSet`] needs a pool of its own.
    pub(crate) fn turn_to(&mut self, work: Workload) {
        assert!(work == self.work || (self.work != Workload::SetNew && self.work != Workload::EvictingSet));
        assert!(work == self.work || work != Workload::EvictingSet);
        self.work = work;
    }

    /// Sets the first items; for a full pool, twice as many as fit.
    pub(crate) fn fill(&mut self) {
        let value = self.value;
        while self.fresh < self.items {
            let count = ROUND_OPERATIONS.min((self.items - self.fresh) as usize);
            self.name_fresh(count);
            self.execute(count, 1, set(&value));
        }
        if self.work == Workload::EvictingSet {
            for _ in 0..self.items.div_ceil(ROUND_OPERATIONS as u64) {
                self.prepare();
                self.run(1);
            }
        }
    }

    /// Prepares the next round.
    pub(crate) fn prepare(&mut self) {
        match self.work {
            Workload::GetHit | Workload::Overwrite | Workload::OverwriteResized => self.name_known(0),
            Workload::GetMiss => self.name_known(1 << 40),
            Workload::SetNew => {
                if self.fresh > self.items {
                    self.execute(ROUND_OPERATIONS, 1, Operation::Delete);
                }
                self.name_fresh(ROUND_OPERATIONS);
            }
            Workload::EvictingSet => {
                if self.fresh > self.items {
                    self.read_every_fourth();
                }
                self.name_fresh(ROUND_OPERATIONS);
            }
        }
        self.resized = !self.resized;
    }

    /// Runs the round, in batches whose memory is touched first (1: untouched). Returns the number of found keys.
    pub(crate) fn run(&mut self, batch: usize) -> u64 {
        let value = self.value;
        let operation = match self.work {
            Workload::GetHit | Workload::GetMiss => GET,
            Workload::OverwriteResized if self.resized => set(&value[..VALUE_BYTES_OTHER]),
            _ => set(&value),
        };
        self.execute(ROUND_OPERATIONS, batch, operation)
    }

    /// Whether a round found the right number of keys: all of them for hits, else none.
    pub(crate) fn is_right(&self, found: u64) -> bool {
        found == if self.work == Workload::GetHit { ROUND_OPERATIONS as u64 } else { 0 }
    }

    /// Number of items.
    pub(crate) fn items(&self) -> u64 {
        self.store.counters().curr_items
    }

    /// Number of evicted items.
    pub(crate) fn evictions(&self) -> u64 {
        self.store.counters().evictions
    }

    fn name_fresh(&mut self, count: usize) {
        for place in &mut self.round[..count] {
            *place = named(self.fresh);
            self.fresh += 1;
        }
    }

    fn name_known(&mut self, offset: u64) {
        for place in &mut self.round {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *place = named(offset + (((self.random >> 32) * self.items) >> 32));
        }
    }

    fn read_every_fourth(&mut self) {
        for place in self.round.iter().step_by(4) {
            black_box(self.store.execute(&Command { hash: place.1, key: &place.0, operation: GET }, NOW));
        }
    }

    fn execute(&mut self, count: usize, batch: usize, operation: Operation<'_>) -> u64 {
        let mut found = 0;
        for batch_of in self.round[..count].chunks(batch) {
            if batch > 1 {
                self.store.touch_lines(batch_of.iter().map(|(_, hash)| *hash));
            }
            for (key, hash) in batch_of {
                if let Reply::Found(item) = self.store.execute(&Command { hash: *hash, key, operation }, NOW) {
                    // As an encoder would: every line of the value is read.
                    item.value.for_each_piece(|piece| _ = black_box(sum_of_lines(piece)));
                    found += 1;
                }
            }
        }
        found
    }
}

fn sum_of_lines(piece: &[u8]) -> u32 {
    piece.iter().step_by(64).map(|byte| u32::from(*byte)).sum()
}

fn set(value: &[u8]) -> Operation<'_> {
    Operation::set(value, Expiry::NEVER)
}

/// The key of a number, and its hash.
fn named(number: u64) -> ([u8; KEY_BYTES], u64) {
    let mut key = [b'0'; KEY_BYTES];
    let mut rest = number;
    for digit in key.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    (key, SEED.hash(&key))
}
