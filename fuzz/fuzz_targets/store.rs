//! Any sequence of operations on a small store, against a model of all stored items: a found item is the stored one,
//! and every invariant holds after each step.
//!
//! Five bytes choose the store, then three bytes a step: operation, key, size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcached_core::{clock::{Expiry, Seconds}, command::{ArithmeticOptions, Broadcast, Command, Direction, Eviction, Extent, Operation, StoreMode, StoreOptions, Touched}, hash::Seed, statistics::{Classes, Counters}, store::{Store, StoreConfig}, wire::Reader};

#[allow(dead_code, reason = "the tests of the core use the rest")]
#[path = "../../core/tests/common/store_model.rs"]
mod store_model;

use store_model::{Model, Rules};

const SEED: Seed = Seed(3, 5);
const START: Seconds = 1_800_000_000;
const STEPS_MAX: usize = 300;

fuzz_target!(|input: &[u8]| {
    let Some((&setup, steps)) = input.split_first_chunk::<5>() else { return };
    let Some(mut fuzz) = Fuzz::new(setup) else { return };
    for step in steps.as_chunks::<3>().0.iter().take(STEPS_MAX) {
        fuzz.step(*step);
        fuzz.store.check();
    }
    fuzz.finish();
});

struct Fuzz {
    config: StoreConfig,
    store: Store,
    model: Model,
    now: Seconds,
    steps: u8,
}

impl Fuzz {
    /// `None` if the store refuses to be so small.
    fn new([memory, segment, item, capacity, flags]: [u8; 5]) -> Option<Self> {
        // From too small for sixteen segments up to a pool that a few hundred steps hardly fill.
        let memory_bytes = 16 * 1024 + u64::from(memory) * 1024;
        let config = StoreConfig {
            memory_bytes,
            memory_bytes_capacity: memory_bytes * u64::from(1 + capacity % 4),
            segment_bytes: [0, 1024, 2048, 4096][usize::from(segment % 4)],
            item_bytes_max: 1024 + u32::from(item) * 128,
            evictions: flags & 1 == 0,
            eviction: if flags & 4 == 0 { Eviction::S3Fifo } else { Eviction::Lru },
            cas: flags & 2 == 0,
            seed: SEED,
        };
        let rules = Rules {
            item_bytes_max: config.item_bytes_max as usize,
            cas: config.cas,
            roomy: false,
            evictions: config.evictions,
        };
        Some(Self { config, store: Store::new(config)?, model: Model::new(rules), now: START, steps: 0 })
    }

    fn step(&mut self, [what, which, size]: [u8; 3]) {
        self.steps = self.steps.wrapping_add(1);
        match what % 32 {
            0..24 => self.command(what, which, size),
            24 | 25 => drop(self.store.sweep(self.now, 1 + u32::from(size % 16))),
            26 | 27 => self.pass(which, size),
            28 => self.flush(size),
            29 => self.change_limit(which, size),
            30 => self.crowd(which, size),
            _ => self.ask(size),
        }
    }

    /// Seconds, minutes, months, and now and then most of what is left of a clock of 32 bits.
    fn pass(&mut self, which: u8, size: u8) {
        let unit = [1, 1, 1, 60, 3600, 31 * 86_400, 365 * 86_400, 1 << 28][usize::from(which % 8)];
        self.now = self.now.saturating_add(u32::from(size).saturating_mul(unit));
    }

    fn flush(&mut self, size: u8) {
        let at = self.now.saturating_add(u32::from(size % 8)).saturating_sub(2);
        self.model.flush(at, self.now);
        self.store.broadcast(Broadcast::Flush { at }, self.now, &mut Vec::new());
    }

    fn change_limit(&mut self, which: u8, size: u8) {
        let bytes = match which % 4 {
            0 => self.config.memory_bytes,
            1 => self.config.memory_bytes_capacity,
            2 => self.config.memory_bytes_capacity * u64::from(size) / 255,
            _ => u64::from(size) << (which / 4 % 32),
        };
        let before = self.store.counters().pool_bytes;
        let done = self.store.set_limit(bytes);
        assert_eq!(self.store.counters().pool_bytes, if done { bytes } else { before });
        assert!(!done || bytes <= self.config.memory_bytes_capacity + 8192);
    }

    /// Many small items at once, so that the index grows and the log turns round.
    fn crowd(&mut self, which: u8, size: u8) {
        for number in 0..u16::from(size) {
            let key = (u32::from(which % 4) << 16 | u32::from(number)).to_le_bytes();
            let value = [size; 24];
            let operation = Operation::Store {
                mode: StoreMode::Set,
                flags: 0,
                expiry: self.expiry(which / 4),
                compare: None,
                options: StoreOptions::default(),
                value: &value[..usize::from(number % 24)],
            };
            self.execute(&key, operation);
        }
    }

    /// Broadcasts that answer with records: each record must be whole.
    fn ask(&mut self, size: u8) {
        let broadcast = match size % 8 {
            0 => Broadcast::Counters,
            1 => Broadcast::Classes,
            2 => Broadcast::Sizes(Extent { from: u64::from(size), room: u32::from(size) }),
            3 => Broadcast::RefuseFlush,
            4 => Broadcast::ResetCounters,
            5 => Broadcast::CountPrefixes(size & 8 == 0),
            6 if size & 8 == 0 => Broadcast::Evict(Eviction::Lru),
            6 => Broadcast::Evict(Eviction::S3Fifo),
            _ => Broadcast::Prefixes(Extent { from: 0, room: u32::from(size) }),
        };
        let mut answer = Vec::new();
        self.store.broadcast(broadcast, self.now, &mut answer);
        match broadcast {
            Broadcast::Counters => {
                assert_eq!(Counters::decode_from(&mut Reader(&answer)), Some(self.store.counters()));
            }
            Broadcast::Classes => {
                let classes = Classes::decode_merged(&answer);
                let number: u64 = classes.0.iter().map(|class| class.store.number).sum();
                assert_eq!(number, self.store.counters().curr_items);
            }
            _ => {}
        }
    }

    fn expiry(&self, which: u8) -> Expiry {
        let later = |seconds: u32| Expiry(self.now.saturating_add(seconds));
        match which % 8 {
            0 => Expiry::PAST,
            1 => later(1),
            2 => later(9),
            3 => later(1000),
            4 => Expiry(Seconds::MAX),
            5 => Expiry(self.now),
            _ => Expiry::NEVER,
        }
    }

    fn command(&mut self, what: u8, which: u8, size: u8) {
        let key = key(which);
        let step = self.steps;
        // Up to the item limit and beyond; each byte depends on its position.
        let scale = [1, 1, 16, self.config.item_bytes_max as usize / 128][usize::from(what >> 6)];
        let value: Vec<u8> =
            (0..usize::from(size) * scale).map(|at| step.wrapping_add(((at * 31) >> 3) as u8)).collect();
        let number = (u64::MAX >> (size % 64)).wrapping_sub(u64::from(which)).to_string().into_bytes();
        let expiry = self.expiry(size);
        let known = self.model.items.get(&key).map_or(7, |item| item.cas);
        let flags = if what & 0x20 == 0 { 0 } else { u32::from(size) << 20 };
        let write = |mode, compare, value| Operation::Store { mode, flags, expiry, compare, options: StoreOptions::default(), value };
        let operation = match what % 32 {
            0..4 => write(StoreMode::Set, None, value.as_slice()),
            4 | 5 => write(StoreMode::Append, None, &value),
            6 | 7 => write(StoreMode::Prepend, None, &value),
            8 => write(StoreMode::Add, None, &value),
            9 => write(StoreMode::Replace, None, &value),
            10 => write(StoreMode::Set, Some(known), &value),
            11 => write(StoreMode::Set, Some(known ^ 1), &value),
            12 => write(StoreMode::Set, None, &number),
            13 | 14 => Operation::Delete,
            15 | 16 => Operation::Arithmetic {
                direction: if size & 1 == 0 { Direction::Increment } else { Direction::Decrement },
                delta: u64::from(size) << (which % 57),
                options: ArithmeticOptions::default(),
            },
            17 => Operation::Touch { expiry, touched: Touched::Nothing },
            18 => Operation::Get { touch: Some(expiry) },
            19 => Operation::RefuseLarge { unlink: size & 1 == 0 },
            20 => Operation::RefuseData,
            _ => Operation::Get { touch: None },
        };
        if what & 0x20 != 0 {
            self.store.touch_lines([SEED.hash(&key), u64::from(size), u64::MAX].into_iter());
        }
        self.execute(&key, operation);
    }

    fn execute(&mut self, key: &[u8], operation: Operation<'_>) {
        let command = Command { hash: SEED.hash(key), key, operation };
        self.model.follow(&command, &self.store.execute(&command, self.now), self.now);
    }

    /// Every item that is left has the right value and can be deleted; two rounds of the sweep find the rest.
    fn finish(&mut self) {
        for key in self.model.items.keys().cloned().collect::<Vec<_>>() {
            self.execute(&key, Operation::Get { touch: None });
            self.execute(&key, Operation::Delete);
        }
        assert!(self.model.items.is_empty());
        for _ in 0..2 {
            let calls = (0..100_000).find(|_| !self.store.sweep(self.now, 16));
            assert!(calls.is_some(), "a sweep ends");
        }
        self.store.check();
        assert_eq!(self.store.counters().curr_items, 0);
    }
}

/// From one byte to the longest key; the same for a number.
fn key(which: u8) -> Vec<u8> {
    let mut key = vec![which; 1 + usize::from(which >> 4) * 16];
    key.resize(key.len().min(250), 0);
    key
}
