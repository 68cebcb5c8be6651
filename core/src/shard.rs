//! A store with its prefix statistics, the settings that commands change, and the execution of batches.

use crate::{
    boundary::{
        batch::{self, Order},
        config::{Config, StoreConfig},
        event::Events,
    },
    clock::Seconds,
    command::{Broadcast, Command, Eviction, Operation, Touched, Tuning},
    limits,
    reply::{Lender, Reply, ValueCursor},
    settings::Setting,
    statistics::{Counters, PrefixCounts, Prefixes},
    store::Store,
    wire::Reader,
};
use alloc::vec::Vec;
use core::ops::Range;

/// A part of the cache.
#[repr(C)]
pub struct Shard {
    store: Store,
    prefixes: Prefixes,
    /// Settings that commands changed, and their values.
    tuned: Vec<(Setting, u64)>,
    /// See [`Shard::hands_over`].
    hands_over: bool,
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
        let StoreConfig { seed, memory_bytes, .. } = config.store;
        let prefixes = Prefixes::new(config.prefix_delimiter, config.detail, seed, memory_bytes);
        let mut shard = Self { store, prefixes, tuned: Vec::new(), hands_over: false };
        if config.setting(Setting::LruCrawler) == "no" {
            shard.tune(Setting::LruCrawler, 0);
        }
        Some(shard)
    }

    /// Loads the memory of these commands into the caches of the processor: first all index lines, then the items.
    #[inline]
    pub fn touch_lines(&mut self, hashes: impl Iterator<Item = u64>) {
        self.store.touch_lines(hashes);
    }

    /// Executes one command.
    #[inline]
    pub fn execute<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        #[cfg(feature = "fault-injection")]
        crate::fault::inject(command.key, b"shard");
        if self.prefixes.enabled { self.execute_counted(command, now) } else { self.store.execute(command, now) }
    }

    /// Executes one command and counts it for the prefix of its key.
    #[inline(never)]
    fn execute_counted<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        let row = counts_prefix(&command.operation)
            .then(|| self.prefixes.entry(command.key, |bytes| self.store.reserve(bytes)))
            .flatten();
        let reply = self.store.execute(command, now);
        if let Some(counts) = row.and_then(|row| self.prefixes.counts(row)) {
            counts.add(&prefix_counts(&command.operation, &reply));
        }
        reply
    }

    /// Counts for the prefix of `key`, of which this shard has the row.
    #[cold]
    pub(crate) fn count_prefix(&mut self, key: &[u8], counts: &PrefixCounts) {
        let row = self.prefixes.entry(key, |bytes| self.store.reserve(bytes));
        if let Some(row) = row.and_then(|row| self.prefixes.counts(row)) {
            row.add(counts);
        }
    }

    /// Executes an operation on the whole shard; its answer is appended to `answer`.
    pub fn broadcast(&mut self, operation: Broadcast, now: Seconds, answer: &mut Vec<u8>) {
        match operation {
            Broadcast::CountPrefixes(enabled) => {
                self.prefixes.enabled = enabled;
                self.tune(Setting::DetailEnabled, enabled.into());
            }
            Broadcast::Prefixes(extent) => self.prefixes.encode(answer, extent),
            Broadcast::Counters => {
                let mut counters = self.store.counters_at(now);
                counters.prefix_bytes = self.prefixes.bytes();
                counters.prefixes_not_counted = self.prefixes.not_counted;
                counters.encode_to(answer);
            }
            Broadcast::ResetCounters => {
                self.prefixes.clear();
                self.prefixes.not_counted = 0;
                self.store.reserve(0);
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

    /// Executes the `count` orders in `orders`, whose keys and values may be in `tail`, and appends a reply for each (broadcasts: their answer) to `replies`,
    /// but stops when that holds more than `room` bytes, before a read that has to be sent again in order
    /// ([`Reply::Contended`]), and with the beginning of a long value. Returns how many were executed: at least one, if
    /// the first is no such read. The beginning of a value does not count as executed, so that the host carries no
    /// further run.
    pub fn execute_batch(
        &mut self,
        (orders, tail): (&[u8], &[u8]),
        count: u32,
        now: Seconds,
        mut room: usize,
        replies: &mut Vec<u8>,
    ) -> u32 {
        self.touch_lines(Hashes(Reader(orders)));
        self.store.set_piece_bytes(limits::PIECE_BYTES);
        self.hands_over = false;
        let mut r = Reader(orders);
        let mut executed = 0;
        while executed < count {
            match batch::decode_order(&mut r, tail) {
                Some(Order::Command(command)) => {
                    if !append_reply(replies, &self.execute(&command, now)) {
                        break;
                    }
                }
                Some(Order::Limit(limit)) => {
                    self.store.set_piece_bytes(limit.piece_bytes as usize);
                    room = room.min(limit.reply_bytes as usize);
                }
                Some(Order::Leave(_, cursor)) => self.leave(cursor),
                Some(Order::Broadcast(broadcast)) => {
                    self.hands_over |= broadcast.is_walk();
                    self.broadcast(broadcast, now, replies);
                }
                Some(Order::RepeatedRead(command)) => {
                    if !self.repeat_read(&command, now, replies) {
                        break;
                    }
                }
                None => break,
            }
            executed += 1;
            if replies.len() > room {
                break;
            }
        }
        executed
    }

    /// Executes a read that is counted already. `false`: nothing follows its reply, if it has one.
    #[cold]
    pub(crate) fn repeat_read(&mut self, command: &Command<'_>, now: Seconds, replies: &mut Vec<u8>) -> bool {
        let counts = self.store.read_counts();
        let is_whole = append_reply(replies, &self.store.execute(command, now));
        self.store.restore_read_counts(&counts);
        is_whole
    }

    /// Bounded upkeep: `true` if there is more to do at once.
    pub fn sweep(&mut self, now: Seconds, steps: u32) -> bool {
        self.store.sweep(now, steps)
    }

    /// Whether the last batch was a walk ([`Broadcast::is_walk`]): other threads that wait for the shard have their turn
    /// first.
    pub fn hands_over(&self) -> bool {
        self.hands_over
    }

    /// Changes the limit of the memory. Prefix statistics that are too large for the new limit are dropped.
    pub fn set_limit(&mut self, memory_bytes: u64) -> bool {
        let reserved = self.prefixes.bytes();
        let keeps = reserved <= Prefixes::bytes_max_in(memory_bytes);
        let done = self.store.share_limit(memory_bytes, if keeps { reserved } else { 0 });
        if done {
            self.prefixes.set_memory(memory_bytes);
        }
        done
    }

    /// See [`Store::leave`].
    pub fn leave(&mut self, cursor: ValueCursor) {
        self.store.leave(cursor);
    }

    /// See [`Store::set_piece_bytes`].
    #[inline]
    pub fn set_piece_bytes(&mut self, bytes: usize) {
        self.store.set_piece_bytes(bytes);
    }

    /// See [`Store::addresses`].
    pub fn addresses(&self) -> Range<usize> {
        self.store.addresses()
    }

    /// See [`Store::reclaimable`].
    pub fn reclaimable(&mut self) -> Option<&mut [u8]> {
        self.store.reclaimable()
    }

    /// See [`Store::events`].
    pub fn events(&mut self) -> &mut Events {
        self.store.events()
    }

    /// The gauges of the state at `now`, without what is counted.
    pub(crate) fn gauges_at(&mut self, now: Seconds) -> Counters {
        let mut gauges = self.store.gauges_at(now);
        gauges.prefix_bytes = self.prefixes.bytes();
        gauges.prefixes_not_counted = self.prefixes.not_counted;
        gauges
    }

    /// Whether [`Shard::set_limit`] can succeed.
    pub(crate) fn can_have_limit(&self, memory_bytes: u64) -> bool {
        self.store.can_have_limit(memory_bytes)
    }

    /// The store, for tests that look inside.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store, without what is around it.
    #[inline]
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }
}

impl Lender for Shard {
    fn lent(&self, place: Range<usize>) -> &[u8] {
        self.store.lent(place)
    }
}

/// Appends a reply. `false`: nothing follows it. A read that is contended has to be sent again and has none, and the front
/// cannot answer anything after the beginning of a value.
#[inline]
pub(crate) fn append_reply(replies: &mut Vec<u8>, reply: &Reply<'_>) -> bool {
    if matches!(reply, Reply::Contended) {
        return false;
    }
    batch::encode_reply(replies, reply);
    reply.unread().is_none()
}

/// Whether the operation is counted for the prefix of its key.
pub(crate) fn counts_prefix(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Arithmetic { .. }
        | Operation::Touch { touched: Touched::Nothing, .. }
        | Operation::Inspect
        | Operation::Piece { .. } => false,
        Operation::Get { .. }
        | Operation::Fetch(_)
        | Operation::Touch { .. }
        | Operation::Store { .. }
        | Operation::RefuseLarge { .. }
        | Operation::RefuseData
        | Operation::Delete
        | Operation::Discard(_) => true,
    }
}

/// The counts of the operation for the prefix of its key.
pub(crate) fn prefix_counts(operation: &Operation<'_>, reply: &Reply<'_>) -> PrefixCounts {
    let none = PrefixCounts::default();
    match operation {
        Operation::Store { .. } | Operation::RefuseLarge { .. } | Operation::RefuseData => {
            PrefixCounts { sets: 1, ..none }
        }
        Operation::Delete | Operation::Discard(_) => PrefixCounts { deletes: 1, ..none },
        _ if matches!(reply, Reply::Contended) => none,
        _ => {
            let hits = u64::from(matches!(reply, Reply::Found(_) | Reply::Item(_)));
            PrefixCounts { gets: 1, hits, ..none }
        }
    }
}

/// The hashes of the commands of a batch, up to a broadcast.
pub(crate) struct Hashes<'a>(pub(crate) Reader<'a>);

impl Iterator for Hashes<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(hash) = batch::decode_hash(&mut self.0)? {
                return Some(hash);
            }
        }
    }
}
