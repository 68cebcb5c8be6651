//! The work of one set: how many items it looks at, moves and removes while it makes room.

#[path = "common/random.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod random;

use random::Random;
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Eviction, Operation},
    hash::Seed,
    statistics::Counters,
    store::{Store, StoreConfig},
};

const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(31, 32);
const MIB: u64 = 1 << 20;

/// Most items that one set of a small value looks at, moves or removes. It was 14,000 where items expire, and 4,000 where
/// all items are in use.
const ITEMS_A_SET_MAX: u64 = 640;
/// The same where nothing expires.
const ITEMS_A_LASTING_SET_MAX: u64 = 160;

struct Load {
    memory_bytes: u64,
    value_bytes: usize,
    /// Reads of random keys between two sets.
    reads: usize,
    /// Whether a third of the items expires soon.
    expires: bool,
    /// Whether one in two sets replaces an item by one of another size.
    resizes: bool,
}

fn items_touched(counters: &Counters) -> u64 {
    counters.evictions
        + counters.moves_within_lru
        + counters.slab_reassign_rescues
        + counters.reclaimed
        + counters.crawler_items_checked
}

/// The most items that a set touches, after the store was full once.
fn most_work(eviction: Eviction, load: &Load) -> u64 {
    let &Load { memory_bytes, value_bytes, .. } = load;
    let mut store = Store::new(StoreConfig {
        memory_bytes,
        memory_bytes_capacity: memory_bytes,
        eviction,
        seed: SEED,
        ..StoreConfig::default()
    })
    .unwrap();
    let mut random = Random::new(1);
    let items = memory_bytes / (value_bytes as u64 + 45);
    let value = vec![b'v'; 2 * value_bytes];
    let (mut now, mut most, mut before) = (NOW, 0, 0);
    for number in 0..4 * items {
        if number % (items / 40) == 0 {
            now += 1;
        }
        let recent = |random: &mut Random| number.saturating_sub(random.within(0..items as usize) as u64);
        for _ in 0..load.reads {
            let key = format!("{:020}", recent(&mut random));
            let get = Operation::Get { touch: None };
            store.execute(&Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation: get }, now);
        }
        let is_again = load.resizes && random.once_in(2);
        let key = format!("{:020}", if is_again { recent(&mut random) } else { number });
        let bytes = if load.resizes { random.within(0..2 * value_bytes) } else { value_bytes };
        let expires = load.expires && random.once_in(3);
        let expiry = if expires { Expiry(now + 1 + random.within(0..20) as u32) } else { Expiry::NEVER };
        let operation = Operation::set(&value[..bytes], expiry);
        store.execute(&Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation }, now);
        let touched = items_touched(&store.counters());
        most = most.max(touched - before);
        before = touched;
    }
    assert!(store.counters().evictions > 0);
    store.check();
    most
}

#[test]
fn a_set_does_a_bounded_amount_of_work() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        for (memory_bytes, value_bytes) in [(MIB, 10), (4 * MIB, 400), (8 * MIB, 100)] {
            for (reads, expires, resizes) in
                [(0, false, false), (2, false, false), (0, true, false), (2, true, true), (0, false, true)]
            {
                let load = Load { memory_bytes, value_bytes, reads, expires, resizes };
                let most = most_work(eviction, &load);
                let what = format!("{eviction:?} {memory_bytes} {value_bytes} {reads} {expires} {resizes}");
                println!("{what}: {most}");
                assert!(most <= if expires { ITEMS_A_SET_MAX } else { ITEMS_A_LASTING_SET_MAX }, "{what}: {most}");
            }
        }
    }
}
