//! The store against a naive model, from seeds. A cache may forget an item but never answers with a wrong value; with
//! room for everything it forgets nothing. `check()` walks all invariants on the way.

#[path = "common/store_model.rs"]
mod store_model;

use store_model::{Answer, Course, Model, Rules, answer_of};
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{
        ArithmeticOptions, Broadcast, Command, Direction, Eviction, Operation, StoreMode, StoreOptions, Touched,
    },
    hash::Seed,
    store::{Store, StoreConfig},
};

/// A small generator (SplitMix64): a run is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A kind of load.
#[derive(Clone, Copy)]
struct Load {
    memory_bytes: u64,
    capacity_bytes: u64,
    segment_bytes: u32,
    item_bytes_max: u32,
    evictions: bool,
    keys: u64,
    value_bytes_max: u64,
    /// Nothing may be forgotten.
    roomy: bool,
    /// Items of all lifetimes are equally frequent.
    lifetimes: bool,
    steps: u32,
    check_every: u32,
}

struct Simulation {
    load: Load,
    store: Store,
    model: Model,
    now: Seconds,
    random: Random,
    seed: Seed,
    forgotten: u64,
    stored: u64,
}

impl Simulation {
    fn new(load: Load, seed: u64) -> Self {
        let hash_seed = Seed(seed, !seed);
        let store = Store::new(StoreConfig {
            memory_bytes: load.memory_bytes,
            memory_bytes_capacity: load.capacity_bytes,
            segment_bytes: load.segment_bytes,
            item_bytes_max: load.item_bytes_max,
            evictions: load.evictions,
            eviction: if seed.is_multiple_of(2) { Eviction::Lru } else { Eviction::S3Fifo },
            cas: true,
            seed: hash_seed,
        });
        Self {
            load,
            store: store.unwrap(),
            model: Model::new(Rules {
                item_bytes_max: load.item_bytes_max as usize,
                cas: true,
                roomy: load.roomy,
                evictions: load.evictions,
            }),
            now: 1_800_000_000,
            random: Random(seed),
            seed: hash_seed,
            forgotten: 0,
            stored: 0,
        }
    }

    fn run(&mut self) {
        for step in 0..self.load.steps {
            self.step();
            if step % self.load.check_every == 0 {
                self.store.check();
            }
        }
        self.model.remove_expired(self.now);
        self.store.check();
    }

    fn step(&mut self) {
        match self.random.below(200) {
            0 if self.random.one_in(8) => self.flush(),
            1..=3 => {
                let steps = 1 + self.random.below(4) as u32;
                self.store.sweep(self.now, steps);
            }
            4 => self.jump(),
            5 if !self.load.roomy => self.change_limit(),
            _ => self.command(),
        }
    }

    /// Mostly a few seconds, sometimes a month.
    fn jump(&mut self) {
        let seconds = if self.random.one_in(20) { 60 * 60 * 24 * 31 } else { 1 + self.random.below(20) };
        self.now += seconds as Seconds;
    }

    fn flush(&mut self) {
        let delay = if self.random.one_in(2) { 0 } else { self.random.below(30) as Seconds };
        self.model.flush(self.now + delay, self.now);
        self.store.broadcast(Broadcast::Flush { at: self.now + delay }, self.now, &mut Vec::new());
    }

    fn change_limit(&mut self) {
        let least = self.load.memory_bytes / 2;
        let bytes = least + self.random.below(self.load.capacity_bytes - least + 1);
        let done = self.store.set_limit(bytes);
        if done {
            assert_eq!(self.store.counters().pool_bytes, bytes);
        }
    }

    fn key(&mut self) -> Vec<u8> {
        // Squared: low numbers are popular.
        let keys = self.load.keys;
        let number = self.random.below(keys) * self.random.below(keys) / keys;
        let mut key = format!("{number}").into_bytes();
        // Long ones and binary ones, always the same for a number.
        key.resize(
            1 + key.len() + (number * 7 % 13) as usize * usize::from(number.is_multiple_of(3)) * 19,
            number as u8,
        );
        key.truncate(250);
        key
    }

    fn value(&mut self) -> Vec<u8> {
        if self.random.one_in(4) {
            return format!("{}", self.random.next() >> self.random.below(64)).into_bytes();
        }
        let most = self.load.value_bytes_max;
        let bound = if self.random.one_in(8) { most + 1 } else { most / 16 + 2 };
        let length = self.random.below(bound);
        let start = self.random.next();
        (0..length).map(|i| (start.wrapping_add(i * 31) >> 3) as u8).collect()
    }

    fn expiry(&mut self) -> Expiry {
        if self.load.lifetimes {
            let most = [1, 40, 400][self.random.below(3) as usize];
            let seconds = self.random.below(most) as Seconds;
            return if seconds == 0 { Expiry::NEVER } else { Expiry(self.now + seconds) };
        }
        match self.random.below(24) {
            0 => Expiry::PAST,
            1..=3 => Expiry(self.now + self.random.below(40) as Seconds),
            _ => Expiry::NEVER,
        }
    }

    fn touched(&mut self) -> Touched {
        [Touched::Nothing, Touched::Attributes, Touched::Value][self.random.below(3) as usize]
    }

    fn command(&mut self) {
        self.model.remove_expired(self.now);
        let key = self.key();
        let value = self.value();
        let expiry = self.expiry();
        let compare = self.model.items.get(&key).map_or(7, |item| item.cas + u64::from(self.random.one_in(3)));
        let flags = if self.random.one_in(2) { 0 } else { self.random.next() as u32 };
        let store = |mode, compare| Operation::Store {
            mode,
            flags,
            expiry,
            compare,
            options: StoreOptions::default(),
            value: &value,
        };
        let operation = match self.random.below(28) {
            0..=5 => Operation::Get { touch: None },
            6 => Operation::Get { touch: Some(expiry) },
            7 => Operation::Touch { expiry, touched: self.touched() },
            8 => Operation::Delete,
            9 => Operation::Arithmetic {
                direction: Direction::Increment,
                delta: self.random.below(1000),
                options: ArithmeticOptions::default(),
            },
            10 => Operation::Arithmetic {
                direction: Direction::Decrement,
                delta: self.random.below(1000),
                options: ArithmeticOptions::default(),
            },
            11 => store(StoreMode::Add, None),
            12 => store(StoreMode::Replace, None),
            13 => store(StoreMode::Append, None),
            14 => store(StoreMode::Prepend, None),
            15 => store(StoreMode::Set, Some(compare)),
            16 if self.random.one_in(20) => Operation::RefuseLarge { unlink: self.random.one_in(2) },
            _ => store(StoreMode::Set, None),
        };
        let command = Command { hash: self.seed.hash(&key), key: &key, operation };
        if self.random.one_in(2) {
            self.store.touch_lines([command.hash, 1, 2, 3].into_iter());
        }
        self.execute(&command);
    }

    fn execute(&mut self, command: &Command<'_>) {
        match self.model.follow(command, &self.store.execute(command, self.now), self.now) {
            Course::Remembered { stored } => self.stored += u64::from(stored),
            Course::Refused => {}
            Course::Forgotten => self.forgotten += 1,
        }
    }
}

/// Number of seeds of each load; `SIMULATION_SEEDS` asks for more.
fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

const ROOMY: Load = Load {
    memory_bytes: 16 << 20,
    capacity_bytes: 16 << 20,
    segment_bytes: 1024,
    item_bytes_max: 20_000,
    evictions: true,
    keys: 600,
    value_bytes_max: 12_000,
    roomy: true,
    lifetimes: false,
    steps: 12_000,
    check_every: 200,
};

const TIGHT: Load = Load {
    memory_bytes: 64 << 10,
    capacity_bytes: 128 << 10,
    segment_bytes: 1024,
    item_bytes_max: 24_000,
    evictions: true,
    keys: 4000,
    value_bytes_max: 1500,
    roomy: false,
    lifetimes: false,
    steps: 5_000,
    check_every: 3,
};

#[test]
fn with_room_for_everything_nothing_is_forgotten() {
    for seed in 0..seeds() {
        let mut simulation = Simulation::new(ROOMY, seed);
        simulation.run();
        let counters = simulation.store.counters();
        assert_eq!((counters.evictions, simulation.forgotten), (0, 0));
        assert!(simulation.stored > 2000);
        // The store has everything that the model still has.
        for (key, item) in core::mem::take(&mut simulation.model.items) {
            let command =
                Command { hash: simulation.seed.hash(&key), key: &key, operation: Operation::Get { touch: None } };
            let (answer, _) = answer_of(&simulation.store.execute(&command, simulation.now));
            assert_eq!(answer, Answer::Found { value: item.value, flags: item.flags, cas: item.cas });
        }
    }
}

#[test]
fn tiny_pools_forget_but_never_lie() {
    for seed in 0..seeds() {
        let mut simulation = Simulation::new(TIGHT, (1 << 32) + seed);
        simulation.run();
        assert!(simulation.forgotten > 0 && simulation.store.counters().evictions > 50, "{}", simulation.forgotten);
    }
}

#[test]
fn items_of_up_to_half_the_pool_never_lie() {
    let load = Load { value_bytes_max: 23_000, keys: 100, memory_bytes: 96 << 10, ..TIGHT };
    // Many seeds: with so few items, a walk easily meets only the item at hand.
    for seed in 0..seeds().max(12) {
        let mut simulation = Simulation::new(load, (2 << 32) + seed);
        simulation.run();
        assert!(simulation.store.counters().evictions > 50);
    }
}

#[test]
fn items_of_all_lifetimes_never_lie() {
    let load = Load { lifetimes: true, value_bytes_max: 400, keys: 2000, steps: 20_000, check_every: 20, ..TIGHT };
    for seed in 0..seeds().max(8) {
        let mut simulation = Simulation::new(load, (5 << 32) + seed);
        simulation.run();
        let counters = simulation.store.counters();
        assert!(counters.evictions > 50 && counters.slab_reassign_rescues > 50, "{counters:?}");
    }
}

#[test]
fn tiny_items_fill_the_index_and_never_lie() {
    let load = Load { value_bytes_max: 16, keys: 40_000, check_every: 50, steps: 16_000, ..TIGHT };
    for seed in 0..seeds() {
        let mut simulation = Simulation::new(load, (3 << 32) + seed);
        simulation.run();
        assert!(simulation.store.counters().evictions > 50);
    }
}

#[test]
fn without_evictions_nothing_live_is_forgotten() {
    let load = Load { evictions: false, keys: 4000, ..TIGHT };
    for seed in 0..seeds() {
        let mut simulation = Simulation::new(load, (4 << 32) + seed);
        simulation.run();
        let counters = simulation.store.counters();
        assert_eq!((counters.evictions, simulation.forgotten), (0, 0));
        assert!(counters.store_no_memory > 0);
    }
}
