//! A shard of stripes beside one store of the same memory: the same loads miss as seldom, and as many items are held.

#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use random::Random;
use wasmcached_core::{
    boundary::{
        batch,
        config::{Config, Role, StoreConfig},
    },
    clock::{Expiry, Seconds},
    command::{Broadcast, Command, Eviction, Operation},
    hash::Seed,
    limits,
    reply::Reply,
    statistics::Counters,
    stripes::{Batch, Processor, Stripes},
    wire::Reader,
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(21, 22);
const MIB: u64 = 1 << 20;

/// A processor that loads nothing ahead.
struct Plain;

impl Processor for Plain {
    fn peek(&self, _address: usize) -> u32 {
        0
    }
}

/// A load of a cache that reads through.
#[derive(Debug, Clone, Copy)]
struct Load {
    memory_mib: u64,
    keys: usize,
    requests: usize,
    /// Bytes of the shortest and of the longest value.
    value_bytes: [usize; 2],
}

/// Ranks with Zipf's distribution of skew 0.9.
fn ranks(load: &Load, seed: u64) -> impl Iterator<Item = usize> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=load.keys)
        .map(|rank| {
            sum += (rank as f64).powf(-0.9);
            sum
        })
        .collect();
    let mut random = Random::new(seed);
    (0..load.requests).map(move |_| {
        let point = random.within(0..1 << 40) as f64 / (1u64 << 40) as f64 * sum;
        cumulative.partition_point(|&sum| sum < point)
    })
}

fn execute(stripes: &Stripes, orders: &[u8], replies: &mut Vec<u8>) {
    replies.clear();
    let batch = Batch { orders, tail: &[], from: 0, count: 1, now: NOW, room: limits::REPLY_BYTES_HIGH };
    assert_eq!(stripes.execute_batch(0, &batch, replies, &Plain).count, 1);
}

/// Misses, and items at the end.
fn outcome(load: &Load, eviction: Eviction, item_bytes_max: u32) -> (u64, u64, usize) {
    let memory_bytes = load.memory_mib * MIB;
    let store = StoreConfig {
        memory_bytes,
        memory_bytes_capacity: memory_bytes,
        item_bytes_max,
        eviction,
        seed: SEED,
        ..StoreConfig::default()
    };
    let stripes = Stripes::new(&Config { role: Role::Shard, store, ..Config::default() }, 1).expect("memory");
    let (mut orders, mut replies) = (Vec::new(), Vec::new());
    let value = vec![b'v'; load.value_bytes[1]];
    for rank in ranks(load, 7) {
        let key = format!("{rank:020}");
        let mut ask = |operation| {
            let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
            orders.clear();
            batch::encode_command(&mut orders, &command);
            execute(&stripes, &orders, &mut replies);
            batch::decode_reply(&mut Reader(&replies)).map(|reply| matches!(reply, Reply::Found(_)))
        };
        if ask(Operation::Get { touch: None }) == Some(false) {
            let [shortest, longest] = load.value_bytes;
            let bytes = shortest + rank.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize) % (longest - shortest + 1);
            ask(Operation::set(&value[..bytes], Expiry::NEVER));
        }
    }
    orders.clear();
    batch::encode_broadcast(&mut orders, Broadcast::Counters);
    execute(&stripes, &orders, &mut replies);
    stripes.check();
    let counters = Counters::decode_merged(&replies);
    (counters.get_misses, counters.curr_items, stripes.count())
}

fn compare(load: &Load) {
    for eviction in [Eviction::S3Fifo, Eviction::Lru] {
        let (misses, items, stripes) = outcome(load, eviction, MIB as u32);
        // The largest item decides how many stripes there are.
        let (misses_of_one, items_of_one, one) = outcome(load, eviction, (load.memory_mib * MIB / 12) as u32);
        let (misses, items) = (misses as f64 / misses_of_one as f64, items as f64 / items_of_one as f64);
        println!("{eviction:?}, {load:?}: {stripes} stripes, misses {misses:.4}, items {items:.4}");
        assert!(stripes > 1 && one == 1);
        assert!(misses < 1.01 && items > 0.985);
    }
}

#[test]
fn small_items() {
    compare(&Load { memory_mib: 16, keys: 200_000, requests: 250_000, value_bytes: [10, 400] });
}

#[test]
fn large_items() {
    compare(&Load { memory_mib: 64, keys: 30_000, requests: 60_000, value_bytes: [1000, 20_000] });
}
