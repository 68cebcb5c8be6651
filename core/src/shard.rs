//! A store with its prefix statistics, the settings that commands change, and the execution of batches.

use crate::{
    boundary::{
        batch::{self, Order},
        config::Config,
        event::Events,
    },
    clock::Seconds,
    command::{Broadcast, Command, Detail, Eviction, Operation, Touched, Tuning},
    reply::Reply,
    settings::Setting,
    statistics::Prefixes,
    store::Store,
    wire::Reader,
};
use alloc::vec::Vec;

/// A part of the cache.
pub struct Shard {
    store: Store,
    prefixes: Prefixes,
    /// Settings that commands changed, and their values.
    tuned: Vec<(Setting, u64)>,
}

impl Shard {
    /// An empty one. `None` if there is not enough address space for its pool.
    pub fn new(config: &Config) -> Option<Self> {
        let mut store = Store::new(config.store)?;
        store.partition_uniques(config.shard, config.shards);
        if config.track_sizes {
            store.track_sizes();
        }
        store.keep_events(config.number(Setting::WorkerLogbufSize));
        let mut shard =
            Self { store, prefixes: Prefixes::new(config.prefix_delimiter, config.detail), tuned: Vec::new() };
        if config.setting(Setting::LruCrawler) == "no" {
            shard.tune(Setting::LruCrawler, 0);
        }
        Some(shard)
    }

    /// Loads the memory of these commands into the caches of the processor: first all index lines, then the items.
    #[inline]
    pub fn touch_lines(&mut self, hashes: impl Iterator<Item = u64> + Clone) {
        self.store.touch_lines(hashes);
    }

    /// Executes one command.
    #[inline]
    pub fn execute<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        #[cfg(feature = "fault-injection")]
        crate::fault::inject(command.key, b"shard");
        if !self.prefixes.enabled {
            return self.store.execute(command, now);
        }
        let reply = self.store.execute(command, now);
        if let Some(counts) = self.prefixes.counts(command.key) {
            match command.operation {
                Operation::Get { .. } => {
                    counts.gets += 1;
                    counts.hits += u64::from(matches!(reply, Reply::Found(_)));
                }
                Operation::Store { .. } | Operation::RefuseLarge { .. } | Operation::RefuseData => counts.sets += 1,
                Operation::Fetch(_) if matches!(reply, Reply::Contended) => {}
                Operation::Fetch(_) => {
                    counts.gets += 1;
                    counts.hits += u64::from(matches!(reply, Reply::Item(_)));
                }
                Operation::Delete | Operation::Discard(_) => counts.deletes += 1,
                Operation::Touch { touched: Touched::Attributes | Touched::Value, .. } => {
                    counts.gets += 1;
                    counts.hits += u64::from(matches!(reply, Reply::Found(_)));
                }
                Operation::Arithmetic { .. } | Operation::Touch { .. } | Operation::Inspect => {}
            }
        }
        reply
    }

    /// Executes an operation on the whole shard; its answer is appended to `answer`.
    pub fn broadcast(&mut self, operation: Broadcast, now: Seconds, answer: &mut Vec<u8>) {
        match operation {
            Broadcast::Detail(detail @ (Detail::On | Detail::Off)) => {
                self.prefixes.enabled = detail == Detail::On;
                self.tune(Setting::DetailEnabled, self.prefixes.enabled.into());
            }
            Broadcast::Detail(Detail::Dump) => self.prefixes.encode(answer),
            Broadcast::ResetCounters => {
                self.prefixes.clear();
                self.store.broadcast(operation, now, answer);
            }
            Broadcast::Tune(tuning) => {
                for (number, (setting, value)) in tuning.iter().enumerate() {
                    let before = self.tune(setting, value);
                    if number == 0 {
                        answer.extend_from_slice(&before.unwrap_or(u64::MAX).to_le_bytes());
                    }
                }
            }
            Broadcast::Tuned => {
                for &(setting, value) in &self.tuned {
                    batch::encode_tuning(answer, &Tuning::one(setting, value));
                }
            }
            Broadcast::Evict(eviction) => {
                self.tune(Setting::LruSegmented, (eviction != Eviction::Lru).into());
                self.store.broadcast(operation, now, answer);
            }
            _ => self.store.broadcast(operation, now, answer),
        }
    }

    /// Remembers a setting. Returns its previous value if a command changed it before.
    fn tune(&mut self, setting: Setting, value: u64) -> Option<u64> {
        if setting == Setting::LruCrawler {
            self.store.set_expiry(value != 0);
        }
        if let Some((_, tuned)) = self.tuned.iter_mut().find(|(tuned, _)| *tuned == setting) {
            return Some(core::mem::replace(tuned, value));
        }
        self.tuned.push((setting, value));
        None
    }

    /// Executes the `count` orders in `orders` and appends a reply for each (broadcasts: their answer) to `replies`,
    /// but stops when that holds more than `room` bytes, and before a read that has to be sent again in order
    /// ([`Reply::Contended`]). Returns how many were executed: at least one, if the first is no such read.
    pub fn execute_batch(
        &mut self,
        orders: &[u8],
        count: u32,
        now: Seconds,
        room: usize,
        replies: &mut Vec<u8>,
    ) -> u32 {
        self.touch_lines(Hashes(Reader(orders)));
        let mut r = Reader(orders);
        let mut executed = 0;
        while executed < count {
            match batch::decode_order(&mut r) {
                Some(Order::Command(command)) => {
                    let reply = self.execute(&command, now);
                    if matches!(reply, Reply::Contended) {
                        break;
                    }
                    batch::encode_reply(replies, &reply);
                }
                Some(Order::RepeatedRead(command)) => {
                    if !self.repeat_read(&command, now, replies) {
                        break;
                    }
                }
                Some(Order::Broadcast(broadcast)) => self.broadcast(broadcast, now, replies),
                None => break,
            }
            executed += 1;
            if replies.len() > room {
                break;
            }
        }
        executed
    }

    /// Executes a read that is counted already. `false`: it has to be sent again in order.
    #[cold]
    fn repeat_read(&mut self, command: &Command<'_>, now: Seconds, replies: &mut Vec<u8>) -> bool {
        let counts = self.store.read_counts();
        let reply = self.store.execute(command, now);
        let is_contended = matches!(reply, Reply::Contended);
        if !is_contended {
            batch::encode_reply(replies, &reply);
        }
        self.store.restore_read_counts(&counts);
        !is_contended
    }

    /// Bounded upkeep: `true` if there is more to do at once.
    pub fn sweep(&mut self, now: Seconds, steps: u32) -> bool {
        self.store.sweep(now, steps)
    }

    /// Changes the pool's size.
    pub fn set_limit(&mut self, memory_bytes: u64) -> bool {
        self.store.set_limit(memory_bytes)
    }

    /// See [`Store::reclaimable`].
    pub fn reclaimable(&mut self) -> Option<&mut [u8]> {
        self.store.reclaimable()
    }

    /// See [`Store::events`].
    pub fn events(&mut self) -> &mut Events {
        self.store.events()
    }

    /// The store, for tests that look inside.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// The hashes of the commands of a batch.
#[derive(Clone)]
struct Hashes<'a>(Reader<'a>);

impl Iterator for Hashes<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        match batch::decode_order(&mut self.0)? {
            Order::Command(command) | Order::RepeatedRead(command) => Some(command.hash),
            Order::Broadcast(_) => None,
        }
    }
}
