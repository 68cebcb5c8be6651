//! How fast the store is and how much it holds: `cargo run --release -p wasmcached-core --example store_bench`.
//! Times are processor time where the system tells it (Linux), so that a busy machine disturbs less.

use std::{hint::black_box, time::Instant};
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Operation, StoreMode},
    hash::Seed,
    reply::Reply,
    store::{Eviction, Store, StoreConfig},
};

const SEED: Seed = Seed(1, 2);
const NOW: Seconds = 1_800_000_000;
const KEY_BYTES: usize = 20;
const VALUE_BYTES: usize = 100;
const BATCH: usize = 16;
const OPERATIONS: usize = 2_000_000;
const GET: Operation<'_> = Operation::Get { touch: None };

fn main() {
    for items in [10_000, 1_000_000] {
        speed(items);
    }
    println!();
    println!("{:>12} {:>12} {:>22}", "value bytes", "items in 64M", "bookkeeping bytes/item");
    for value_bytes in [2, 30, 100, 1000] {
        room(value_bytes);
    }
}

/// Nanoseconds that this thread has run, or of the wall clock.
fn clock_ns(start: Instant) -> f64 {
    let ran = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = ran.and_then(|text| text.split(' ').next()?.parse().ok());
    ran.unwrap_or_else(|| start.elapsed().as_nanos() as f64)
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
    Operation::Store { mode: StoreMode::Set, flags: 0, expiry: Expiry::NEVER, compare: None, value }
}

/// Runs `operation` on the keys that `number` names, in batches of `batch` (1: untouched).
fn run(
    store: &mut Store,
    batch: usize,
    count: usize,
    operation: Operation<'_>,
    mut number: impl FnMut() -> u64,
) -> f64 {
    let mut keys = vec![[0; KEY_BYTES]; batch];
    let mut hashes = vec![0; batch];
    let mut found = 0usize;
    let clock = Instant::now();
    let start = clock_ns(clock);
    for _ in 0..count / batch {
        for (key_bytes, hash) in keys.iter_mut().zip(&mut hashes) {
            *key_bytes = key(number());
            *hash = SEED.hash(key_bytes);
        }
        if batch > 1 {
            store.touch_lines(hashes.iter().copied());
        }
        for (key, &hash) in keys.iter().zip(&hashes) {
            if let Reply::Found(item) = store.execute(&Command { hash, key, operation }, NOW) {
                item.value.for_each_piece(|piece| found += usize::from(piece[0]));
            }
        }
    }
    black_box(found);
    (clock_ns(clock) - start) / count as f64
}

fn uniform(items: u64) -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(state) * u128::from(items)) >> 64) as u64
    }
}

fn counting(from: u64) -> impl FnMut() -> u64 {
    let mut next = from;
    move || {
        next += 1;
        next - 1
    }
}

fn speed(items: u64) {
    println!("{items} items of {KEY_BYTES}-byte keys and {VALUE_BYTES}-byte values, ns/op (key and hash included)");
    let value = [b'v'; VALUE_BYTES];
    let other = [b'w'; VALUE_BYTES + 40];
    let mut store = new_store(if items > 100_000 { 512 } else { 64 });
    let fill = run(&mut store, 1, items as usize, set(&value), counting(0));
    println!("  set new         1: {fill:6.1}");
    println!("  key and hash     : {:6.1}", hashing(items));
    for batch in [1, BATCH] {
        let hit = run(&mut store, batch, OPERATIONS, GET, uniform(items));
        let mut miss = uniform(items);
        let miss = run(&mut store, batch, OPERATIONS, GET, move || miss() + items);
        let overwrite = run(&mut store, batch, OPERATIONS, set(&value), uniform(items));
        let mut bigger = true;
        let resize = (0..8).map(|_| {
            bigger = !bigger;
            run(&mut store, batch, OPERATIONS / 8, set(if bigger { &value } else { &other }), uniform(items))
        });
        let resize = resize.sum::<f64>() / 8.0;
        println!("  get hit        {batch:2}: {hit:6.1}");
        println!("  get miss       {batch:2}: {miss:6.1}");
        println!("  set over       {batch:2}: {overwrite:6.1}");
        println!("  set other size {batch:2}: {resize:6.1}");
    }
    let mut store = new_store((items * 150) >> 20);
    run(&mut store, 1, items as usize * 2, set(&value), counting(0));
    for batch in [1, BATCH] {
        let evicting = run(&mut store, batch, OPERATIONS, set(&value), counting(1 << 40 << batch));
        println!("  set evicting   {batch:2}: {evicting:6.1}");
    }
    run(&mut store, BATCH, items as usize, GET, uniform(items));
    println!("  p99.9 of a set while evicting, us: {:.1}", longest(&mut store, &value));
}

fn hashing(items: u64) -> f64 {
    let mut number = uniform(items);
    let clock = Instant::now();
    let start = clock_ns(clock);
    black_box((0..OPERATIONS).fold(0, |folded, _| folded ^ SEED.hash(&key(number()))));
    (clock_ns(clock) - start) / OPERATIONS as f64
}

/// The 99.9th percentile: what is longer is the scheduler's.
fn longest(store: &mut Store, value: &[u8]) -> f64 {
    let mut times: Vec<u64> = (0..500_000u64)
        .map(|number| {
            let key = key((1 << 50) + number);
            let start = Instant::now();
            store.execute(&Command { hash: SEED.hash(&key), key: &key, operation: set(value) }, NOW);
            start.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    times[times.len() - times.len() / 1000] as f64 / 1000.0
}

fn room(value_bytes: usize) {
    let mut store = new_store(64);
    let value = vec![b'v'; value_bytes];
    let mut number = 0;
    while store.counters().evictions == 0 {
        run(&mut store, 1, 1000, set(&value), counting(number));
        number += 1000;
    }
    let full = store.counters();
    let items = full.curr_items;
    let bookkeeping = full.bytes - items * (KEY_BYTES + value_bytes) as u64 + full.hash_bytes;
    println!("{value_bytes:>12} {items:>12} {:>22.1}", bookkeeping as f64 / items as f64);
}
