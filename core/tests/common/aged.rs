//! A store that is watched from outside: which items it evicts, and how many of those that it keeps were last used
//! before them.

use std::collections::HashMap;
use wasmcached_core::{
    boundary::event::{Event, Kinds},
    clock::{Expiry, Seconds},
    command::{ArithmeticOptions, Command, Direction, Eviction, Operation, StoreMode, StoreOptions, Touched},
    hash::Seed,
    reply::Reply,
    store::{Store, StoreConfig},
    wire::Reader,
};

pub(crate) const NOW: Seconds = 1_800_000_000;
const SEED: Seed = Seed(11, 12);
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Number of used positions before each position (a Fenwick tree). Position 0 is not used.
struct Ranks(Vec<u32>);

impl Ranks {
    fn add(&mut self, mut at: usize, change: i32) {
        while at < self.0.len() {
            self.0[at] = self.0[at].wrapping_add_signed(change);
            at += at & at.wrapping_neg();
        }
    }

    fn before(&self, mut at: usize) -> u32 {
        let mut sum = 0;
        at -= 1;
        while at > 0 {
            sum += self.0[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

/// See the module.
pub(crate) struct Aged {
    pub(crate) store: Store,
    /// Position of the last use of each item that the store holds.
    held: HashMap<u64, usize>,
    ranks: Ranks,
    uses: usize,
    /// Evicted items in order.
    pub(crate) evicted: Vec<u64>,
    /// The largest share of the items that were held when an item was evicted though their last use was older.
    pub(crate) share_older_max: f64,
    value: Vec<u8>,
}

impl Aged {
    /// A full store of `memory_bytes` that will be used at most `uses_max` times.
    pub(crate) fn new(memory_bytes: u64, eviction: Eviction, uses_max: usize) -> Self {
        let mut store = Store::new(StoreConfig {
            memory_bytes,
            memory_bytes_capacity: memory_bytes,
            eviction,
            seed: SEED,
            ..StoreConfig::default()
        })
        .unwrap();
        store.keep_events(EVENT_BYTES_MAX);
        store.events().watch(Kinds::EVICTIONS);
        Self {
            store,
            held: HashMap::new(),
            ranks: Ranks(vec![0; uses_max + 2]),
            uses: 0,
            evicted: Vec::new(),
            share_older_max: 0.0,
            value: vec![b'7'; 1 << 20],
        }
    }

    fn execute(&mut self, number: u64, operation: Operation<'_>, now: Seconds) -> bool {
        let key = format!("{number:020}");
        let command = Command { hash: SEED.hash(key.as_bytes()), key: key.as_bytes(), operation };
        let reply = self.store.execute(&command, now);
        let done = !matches!(reply, Reply::Missing | Reply::NotStored);
        assert!(!matches!(reply, Reply::OutOfMemory | Reply::TooLarge | Reply::NonNumeric), "{reply:?}");
        self.note_evictions(number);
        if done {
            self.note_use(number);
        }
        done
    }

    fn note_use(&mut self, number: u64) {
        self.uses += 1;
        self.ranks.add(self.uses, 1);
        if let Some(before) = self.held.insert(number, self.uses) {
            self.ranks.add(before, -1);
        }
    }

    /// Takes the evictions of a command about the key `number`.
    fn note_evictions(&mut self, number: u64) {
        if self.store.events().is_empty() {
            return;
        }
        let mut records = Vec::new();
        let (_, dropped) = self.store.events().take(&mut records);
        assert_eq!(dropped, 0);
        let mut reader = Reader(&records);
        while let Some(Event::Evicted { key, .. }) = Event::decode(&mut reader) {
            let evicted: u64 = core::str::from_utf8(key).unwrap().parse().unwrap();
            assert_ne!(evicted, number, "making room took the item at hand");
            let used = self.held.remove(&evicted).unwrap();
            self.ranks.add(used, -1);
            let share = f64::from(self.ranks.before(used)) / self.held.len() as f64;
            self.share_older_max = self.share_older_max.max(share);
            self.evicted.push(evicted);
        }
    }

    pub(crate) fn holds(&self, number: u64) -> bool {
        self.held.contains_key(&number)
    }

    pub(crate) fn items(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn get(&mut self, number: u64) -> bool {
        self.execute(number, Operation::Get { touch: None }, NOW)
    }

    /// Stores a value of this length that expires `ttl_s` seconds later; 0: never.
    pub(crate) fn set(&mut self, number: u64, value_bytes: usize, ttl_s: u32) {
        let value = core::mem::take(&mut self.value);
        let expiry = Expiry::from_exptime(i64::from(ttl_s), &NOW.into());
        assert!(self.execute(number, Operation::set(&value[..value_bytes], expiry), NOW));
        self.value = value;
    }

    pub(crate) fn touch(&mut self, number: u64, ttl_s: u32) -> bool {
        let expiry = Expiry::from_exptime(i64::from(ttl_s), &NOW.into());
        self.execute(number, Operation::Touch { expiry, touched: Touched::Nothing }, NOW)
    }

    pub(crate) fn get_and_touch(&mut self, number: u64, ttl_s: u32) -> bool {
        let expiry = Expiry::from_exptime(i64::from(ttl_s), &NOW.into());
        self.execute(number, Operation::Get { touch: Some(expiry) }, NOW)
    }

    pub(crate) fn append(&mut self, number: u64, bytes: &[u8]) -> bool {
        let (options, expiry) = (StoreOptions::default(), Expiry::NEVER);
        let mode = StoreMode::Append;
        self.execute(number, Operation::Store { mode, flags: 0, expiry, compare: None, options, value: bytes }, NOW)
    }

    pub(crate) fn increment(&mut self, number: u64) -> bool {
        self.add(number, 1)
    }

    pub(crate) fn add(&mut self, number: u64, delta: u64) -> bool {
        let (direction, options) = (Direction::Increment, ArithmeticOptions::default());
        self.execute(number, Operation::Arithmetic { direction, delta, options }, NOW)
    }
}
