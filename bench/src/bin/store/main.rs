//! Speed and capacity of the store: `cargo run --release -p wasmcached-bench --bin store [ITEMS…]`.
//! `cargo xtask bench store` shows the times beside those of the same loops inside a guest.

#[path = "../../../../core/examples/store_loops/mod.rs"]
mod store_loops;
mod timing;

use std::{env, time::Instant};
use store_loops::{KEY_BYTES, Loops, VALUE_BYTES, Workload};
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation},
    hash::Seed,
    store::{Store, StoreConfig},
};

const SEED: Seed = Seed(1, 2);
const NOW: Seconds = 1_800_000_000;

/// Runs the loops in this process.
#[derive(Default)]
struct Native(Option<Loops>);

impl Native {
    fn loops(&mut self) -> &mut Loops {
        self.0.as_mut().expect("created first")
    }
}

impl timing::Bench for Native {
    fn create(&mut self, work: Workload, items: u64) -> bool {
        // Frees the old pool first: the largest two do not fit in memory together.
        self.0 = None;
        self.0 = Loops::new(work, items);
        self.0.is_some()
    }

    fn turn_to(&mut self, work: Workload) {
        self.loops().turn_to(work);
    }

    fn fill(&mut self) {
        self.loops().fill();
    }

    fn prepare(&mut self) {
        self.loops().prepare();
    }

    fn run(&mut self, batch: usize) -> u64 {
        self.loops().run(batch)
    }

    fn items(&mut self) -> u64 {
        self.loops().items()
    }
}

fn main() {
    timing::measure(&mut Native::default());
    if env::args().len() > 1 {
        return;
    }
    println!();
    for items in [10_000, 1_000_000] {
        println!("p99.9 of a set while evicting, {items} items: {:.1} us", p999_us(items));
    }
    println!("{:>12} {:>12} {:>22}", "value bytes", "items in 64M", "bookkeeping bytes/item");
    for value_bytes in [2, 30, 100, 1000] {
        print_capacity(value_bytes);
    }
}

fn new_store(mebibytes: u64) -> Store {
    let memory_bytes = mebibytes << 20;
    let config = StoreConfig {
        memory_bytes,
        memory_bytes_capacity: memory_bytes,
        segment_bytes: 0,
        item_bytes_max: 1 << 20,
        evictions: true,
        eviction: Eviction::default(),
        cas: true,
        seed: SEED,
    };
    Store::new(config).expect("memory")
}

fn key(number: u64) -> [u8; KEY_BYTES] {
    let mut key = [b'0'; KEY_BYTES];
    let mut rest = number;
    for digit in key.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn set(value: &[u8]) -> Operation<'_> {
    Operation::set(value, Expiry::NEVER)
}

fn run(store: &mut Store, number: u64, value: &[u8]) {
    let key = key(number);
    store.execute(&Command { hash: SEED.hash(&key), key: &key, operation: set(value) }, NOW);
}

/// The 99.9th percentile of an evicting set; longer outliers come from the scheduler.
fn p999_us(items: u64) -> f64 {
    let mut store = new_store((items * 150) >> 20);
    let value = [b'v'; VALUE_BYTES];
    (0..2 * items).for_each(|number| run(&mut store, number, &value));
    let mut times: Vec<u64> = (0..500_000u64)
        .map(|number| {
            let start = Instant::now();
            run(&mut store, (1 << 50) + number, &value);
            start.elapsed().as_nanos() as u64
        })
        .collect();
    assert!(store.counters().evictions > items);
    times.sort_unstable();
    times[times.len() - times.len() / 1000] as f64 / 1000.0
}

fn print_capacity(value_bytes: usize) {
    let mut store = new_store(64);
    let value = vec![b'v'; value_bytes];
    let mut number = 0u64;
    while store.counters().evictions == 0 {
        (number..number + 1000).for_each(|number| run(&mut store, number, &value));
        number += 1000;
    }
    let full = store.counters();
    let items = full.curr_items;
    let bookkeeping = full.bytes - items * (KEY_BYTES + value_bytes) as u64 + full.hash_bytes;
    println!("{value_bytes:>12} {items:>12} {:>22.1}", bookkeeping as f64 / items as f64);
}
