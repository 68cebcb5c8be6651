//! Room and the item at hand: a read never misses for lack of memory, an invalidation never fails, and making room for a
//! command never takes the item that the command is about.

#[path = "common/aged.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod aged;

use aged::{Aged, NOW};
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Broadcast, Command, Discard, Eviction, Fetch, Operation, Renew, StoreMode, StoreOptions, Touched},
    hash::Seed,
    reply::Reply,
    store::{Store, StoreConfig},
};

const SEED: Seed = Seed(21, 22);
const MIB: u64 = 1 << 20;
const LATER: Expiry = Expiry(NOW + 3600);

const FETCH: Fetch = Fetch {
    value: false,
    unless: None,
    is_use: false,
    asks_use: false,
    touch: None,
    create: None,
    renew: Renew::No,
    tentative: false,
};

struct Full {
    store: Store,
    items: u64,
    value_bytes: usize,
}

impl Full {
    /// A store without evictions into which no further value of this length fits.
    fn new(value_bytes: usize) -> Self {
        let store = Store::new(StoreConfig {
            memory_bytes: MIB,
            memory_bytes_capacity: MIB,
            segment_bytes: 0,
            item_bytes_max: 1 << 20,
            evictions: false,
            eviction: Eviction::default(),
            cas: true,
            seed: SEED,
        });
        let mut full = Self { store: store.unwrap(), items: 0, value_bytes };
        while full.set(full.items, 0) {
            full.items += 1;
        }
        // The last bytes too.
        for number in 0..1000 {
            full.execute(1 << 40 | number, Operation::set(b"", Expiry::NEVER), NOW);
        }
        assert!(full.items > 2 && full.store.counters().store_no_memory > 1);
        full
    }

    fn execute(&mut self, number: u64, operation: Operation<'_>, now: Seconds) -> Reply<'_> {
        let key = format!("{number:020}");
        let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
        self.store.execute(&command, now)
    }

    fn set(&mut self, number: u64, flags: u32) -> bool {
        let value = vec![b'7'; self.value_bytes];
        let options = StoreOptions::default();
        let (mode, expiry) = (StoreMode::Set, Expiry::NEVER);
        let set = Operation::Store { mode, flags, expiry, compare: None, options, value: &value };
        matches!(self.execute(number, set, NOW), Reply::Stored { .. })
    }

    fn has(&mut self, number: u64, now: Seconds) -> bool {
        let value_bytes = self.value_bytes;
        match self.execute(number, Operation::Get { touch: None }, now) {
            Reply::Found(found) => {
                assert_eq!(found.value.len(), value_bytes);
                true
            }
            Reply::Missing => false,
            other => panic!("{other:?}"),
        }
    }
}

const VALUE_BYTES: [usize; 5] = [2, 100, 3000, 20_000, 200_000];

#[test]
fn in_a_full_store_reads_that_set_an_expiry_find_every_item() {
    for value_bytes in VALUE_BYTES {
        let mut full = Full::new(value_bytes);
        for number in 0..full.items {
            let (gat, touch) = (Operation::Get { touch: Some(LATER) }, Touched::Nothing);
            assert!(matches!(full.execute(number, gat, NOW), Reply::Found(found) if found.value.len() == value_bytes));
            let again = full.execute(number, Operation::Touch { expiry: LATER, touched: touch }, NOW);
            assert!(matches!(again, Reply::Touched), "{again:?}");
            let fetch = Fetch { value: true, touch: Some(LATER), is_use: true, ..FETCH };
            match full.execute(number, Operation::Fetch(fetch), NOW) {
                Reply::Item(item) => {
                    assert_eq!((item.value.map(|value| value.len()), item.expiry), (Some(value_bytes), LATER));
                }
                other => panic!("{other:?}"),
            }
        }
        full.store.check();
        assert!((0..full.items).all(|number| full.has(number, NOW + 3599)));
        assert!((0..full.items).all(|number| !full.has(number, NOW + 3600)));
    }
}

#[test]
fn in_a_full_store_no_invalidation_fails() {
    for value_bytes in VALUE_BYTES {
        let mut full = Full::new(value_bytes);
        let stale = Discard { stale: true, ..Discard::default() };
        for number in 0..full.items {
            let touch = Operation::Touch { expiry: Expiry::PAST, touched: Touched::Nothing };
            let discards = [
                stale,
                Discard { touch: Some(LATER), ..stale },
                // A unique that has no room in the header.
                Discard { unique: Some(1 << 40 | number), ..stale },
                Discard { empty: Some(0), ..Discard::default() },
                Discard { empty: Some(7), ..stale },
            ];
            match number % 7 {
                kind @ 0..5 => {
                    let discard = discards[kind as usize];
                    let reply = full.execute(number, Operation::Discard(discard), NOW);
                    assert!(matches!(reply, Reply::Deleted), "{discard:?}: {reply:?}");
                    let fetch = Fetch { value: true, ..FETCH };
                    match full.execute(number, Operation::Fetch(fetch), NOW) {
                        // In place of a mark without room.
                        Reply::Missing => assert!(kind >= 2, "{discard:?}"),
                        Reply::Item(item) => assert_eq!(item.stale, discard.stale),
                        other => panic!("{other:?}"),
                    }
                }
                5 => {
                    assert!(matches!(full.execute(number, touch, NOW), Reply::Touched));
                    assert!(!full.has(number, NOW));
                }
                _ => {
                    assert!(matches!(full.execute(number, Operation::Delete, NOW), Reply::Deleted));
                    assert!(!full.has(number, NOW));
                }
            }
        }
        full.store.check();
        full.store.broadcast(Broadcast::Flush { at: NOW }, NOW, &mut Vec::new());
        assert!((0..full.items).all(|number| !full.has(number, NOW)));
        // The memory is free again.
        assert!((0..full.items).all(|number| full.set(number, 0)));
    }
}

#[test]
fn the_bookkeeping_of_a_store_without_evictions_stays_under_32_bytes_an_item() {
    for value_bytes in [2, 30, 100] {
        let full = Full::new(value_bytes);
        let counters = full.store.counters();
        let payload = full.items * (20 + value_bytes as u64) + (counters.curr_items - full.items) * 20;
        let each = (counters.bytes + counters.hash_bytes - payload) as f64 / counters.curr_items as f64;
        assert!(each <= 32.0, "{each}");
    }
}

/// Items of the store, each used by a command for which it has to be written again, in the order in which they are
/// evicted next.
fn each_item(
    eviction: Eviction,
    memory_bytes: u64,
    value_bytes: usize,
    mut command: impl FnMut(&mut Aged, u64) -> bool,
) {
    let items = 2 * memory_bytes / (value_bytes as u64 + 40);
    let mut aged = Aged::new(memory_bytes, eviction, 4 * items as usize + 100);
    for number in 0..items {
        aged.set(number, value_bytes, 0);
    }
    assert!(!aged.evicted.is_empty());
    for number in 0..items {
        let is_held = aged.holds(number);
        assert_eq!(command(&mut aged, number), is_held, "{eviction:?}, {memory_bytes}, {value_bytes}: item {number}");
    }
    aged.store.check();
}

#[test]
fn making_room_never_takes_the_item_at_hand() {
    let sizes = [(64 << 10, 200), (64 << 10, 3000), (64 << 10, 12_000), (MIB, 10), (MIB, 5000), (4 * MIB, 600_000)];
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        for (memory_bytes, value_bytes) in sizes {
            each_item(eviction, memory_bytes, value_bytes, |aged, number| aged.touch(number, 3600));
            each_item(eviction, memory_bytes, value_bytes, |aged, number| aged.get_and_touch(number, 3600));
            each_item(eviction, memory_bytes, value_bytes, |aged, number| aged.append(number, b"more and more"));
        }
        each_item(eviction, MIB, 18, |aged, number| aged.add(number, 999_999_999_999_999_999));
    }
}

#[test]
fn what_is_written_all_the_time_stays() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        for memory_bytes in [MIB, 4 * MIB] {
            let items = memory_bytes / 340;
            let mut aged = Aged::new(memory_bytes, eviction, 40 * items as usize);
            let names = [1 << 40, 1 << 41, 1 << 42, 1 << 43];
            aged.set(names[0], 6, 0);
            aged.set(names[1], 10, 0);
            aged.set(names[2], 10, 60);
            aged.set(names[3], 10, 60);
            for number in 0..6 * items {
                if number % 50 == 0 {
                    assert!(aged.increment(names[0]), "{eviction:?}: the counter, at {number}");
                    assert!(aged.append(names[1], b"+"), "{eviction:?}: the log, at {number}");
                    assert!(aged.touch(names[2], 60), "{eviction:?}: the session, at {number}");
                    aged.set(names[3], number as usize % 100, 60);
                    assert!(aged.holds(names[3]));
                }
                // Everything else is read as well, so that everything is in use.
                aged.get(number - number.min(number * 7919 % items));
                aged.get(number - number.min(number * 104_729 % items));
                aged.set(number, 300, 0);
                aged.get(number);
            }
        }
    }
}
