//! A shard that many threads use at the same time: whole stores, the *stripes*, each behind a lock.
//!
//! A key belongs to one stripe ([`crate::hash::stripe_of`]). A thread holds the lock of one stripe at a time, for one command
//! or one step of upkeep. It does not wait for a lock: after a bounded number of tries a call returns early, and the
//! thread comes back.
//!
//! Each thread has a *desk*: the counters of what it executes, and the events that it caused. So a command writes to no line
//! of memory that other threads write to, but for those of its key: the line of the lock, which has the fields of the store
//! that commands change, the bucket, and the item.

mod broadcast;
mod desk;
mod loans;
mod shape;
mod upkeep;

use crate::{
    boundary::{
        batch::{self, Order, ReplyLimit},
        config::{Config, StoreConfig},
        event::Kinds,
    },
    clock::Seconds,
    command::Command,
    hash::{Seed, stripe_of},
    limits,
    shard::{self, Shard},
    statistics::PrefixCounts,
    store::{LINE_BYTES, gather},
    wire::Reader,
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    hint,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};
use desk::{Desk, DeskState};
use loans::Loans;
use shape::Shape;
use spin::rwlock::{RwLock, RwLockWriteGuard};
pub use upkeep::LimitChange;

/// The machine that the stripes run on.
pub trait Processor {
    /// The word at an address in the memory of a store. Another thread may be writing it: the value decides nothing, the
    /// line is only to be in the cache of this processor. On a machine that cannot do this it is 0.
    fn peek(&self, address: usize) -> u32;

    /// A pause between two tries to get a lock that this thread has to wait for. Does not return if no thread will give
    /// the lock back, because one that has it was ended.
    fn pause(&self) {
        hint::spin_loop();
    }
}

/// See the module.
pub struct Stripes {
    stripes: Box<[Stripe]>,
    loans: Loans,
    desks: Box<[Desk]>,
    /// The position of this shard among all shards, and their number.
    place: (u32, u32),
    seed: Seed,
    prefix_delimiter: u8,
    track_sizes: bool,
    counts_prefixes: AtomicBool,
    /// The kinds of events that are recorded.
    watched: AtomicU32,
}

/// A store and its lock. Aligned to two lines, because some processors load lines in pairs.
#[repr(C, align(128))]
struct Stripe {
    shape: Shape,
    /// Nobody takes this lock for reading. A mutex is given back by a store, which the guest's compiler follows by a fence of
    /// memory; this lock by one atomic operation, which takes a tenth of the time.
    shard: RwLock<Shard>,
}

/// A batch of orders, as a front encodes it.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The orders.
    pub orders: &'a [u8],
    /// The bytes that keys and values of orders may be in.
    pub tail: &'a [u8],
    /// Bytes of orders that an interrupted call has executed.
    pub from: usize,
    /// Number of orders behind those.
    pub count: u32,
    /// The time.
    pub now: Seconds,
    /// Bytes of replies after which execution stops.
    pub room: usize,
}

/// The part of a batch that a call has executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Number of executed orders.
    pub count: u32,
    /// The end of their bytes.
    pub end: usize,
    /// Another thread had a lock that the next order needs: the rest must be sent again, from `end` on.
    pub is_interrupted: bool,
}

/// A stripe whose lock this thread has. It counts at the desk.
struct Held<'s> {
    shard: RwLockWriteGuard<'s, Shard>,
    shape: &'s Shape,
    loans: &'s Loans,
    desk: &'s mut DeskState,
    is_watched: bool,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        let store = self.shard.store_mut();
        store.exchange_counters(&mut self.desk.counters);
        self.shape.publish(store);
        if store.needs_other_loan() {
            self.loans.adjust(store);
        }
        if self.is_watched {
            self.desk.take_events(store);
        }
    }
}

impl Stripes {
    /// Empty stores and so many desks. `None` if there is not enough memory.
    pub fn new(config: &Config, desks: usize) -> Option<Self> {
        let count = limits::stripe_count(config.store.memory_bytes, config.store.item_bytes_max, config.shards);
        let stripe = |index| {
            let mut shard = Shard::new(&part_of(config, count, index))?;
            shard.store_mut().exchange_counters(&mut Box::new(desk::no_counters()));
            Some(Stripe { shape: Shape::new(shard.store()), shard: RwLock::new(shard) })
        };
        Some(Self {
            stripes: (0..count).map(stripe).collect::<Option<_>>()?,
            loans: Loans::new(config, count),
            desks: (0..desks).map(|number| Desk::new(number, config.track_sizes)).collect(),
            place: (config.shard, config.shards),
            seed: config.store.seed,
            prefix_delimiter: config.prefix_delimiter,
            track_sizes: config.track_sizes,
            counts_prefixes: AtomicBool::new(config.detail),
            watched: AtomicU32::new(Kinds::NONE.0),
        })
    }

    /// Number of stripes.
    pub fn count(&self) -> usize {
        self.stripes.len()
    }

    /// Checks the invariants of every store, and that the counters of all desks add up to what the stores hold. For tests,
    /// while no other thread uses the shard.
    ///
    /// # Panics
    /// If one is broken.
    pub fn check(&self) {
        let stores = || self.stripes.iter().map(|stripe| stripe.shard.write());
        let held = stores().map(|shard| shard.store().check_structure());
        let held = held.fold((0, 0), |sum, (items, bytes)| (sum.0 + items, sum.1 + bytes));
        self.loans.check(stores().map(|shard| shard.store().lent_bytes()).sum());
        let desks = self.desks.iter().map(|desk| desk.0.write());
        let counted = desks.fold(0_u64, |sum, desk| sum.wrapping_add(desk.counters.totals.bytes));
        assert_eq!(counted, held.1, "bytes of {} items", held.0);
    }

    /// Executes a batch at a desk, which no other thread uses, as [`Shard::execute_batch`] does, but stops also if another
    /// thread has a lock that the next order needs.
    pub fn execute_batch(
        &self,
        desk: usize,
        batch: &Batch<'_>,
        replies: &mut Vec<u8>,
        processor: &impl Processor,
    ) -> Executed {
        let &Batch { orders, tail, from, count, now, room } = batch;
        let mut executed = Executed { count: 0, end: from, is_interrupted: false };
        let rest = orders.get(from..).unwrap_or_default();
        let Some(mut desk) = self.desk(desk) else { return Executed { is_interrupted: true, ..executed } };
        if from == 0 {
            desk.limit = ReplyLimit { piece_bytes: limits::PIECE_BYTES as u32, reply_bytes: u32::MAX };
            if count > 1 {
                self.touch_lines(shard::Hashes(Reader(rest)), processor);
            }
        }
        let mut r = Reader(rest);
        while executed.count < count {
            let step = match batch::decode_read(&mut r, tail) {
                Some(read) => self.execute(&mut desk, &read, now, replies, processor),
                None => match batch::decode_order(&mut r, tail) {
                    Some(Order::Command(command)) => self.execute_other(&mut desk, &command, now, replies, processor),
                    Some(order) => self.execute_rare(&mut desk, &order, now, replies),
                    None => break,
                },
            };
            if step != Step::Next {
                executed.is_interrupted = step == Step::Interrupted;
                break;
            }
            executed.count += 1;
            executed.end = orders.len() - r.0.len();
            if replies.len() > room.min(desk.limit.reply_bytes as usize) {
                break;
            }
        }
        executed
    }

    /// Executes an order that is no command.
    #[inline(never)]
    fn execute_rare(&self, desk: &mut DeskState, order: &Order<'_>, now: Seconds, replies: &mut Vec<u8>) -> Step {
        match *order {
            Order::Command(_) => Step::End,
            Order::RepeatedRead(command) => self.repeat_read(desk, &command, now, replies),
            Order::Limit(limit) => {
                desk.limit = limit;
                Step::Next
            }
            Order::Leave(hash, cursor) => match self.held(self.stripe_of(hash), desk) {
                Some(mut held) => {
                    held.shard.leave(cursor);
                    Step::Next
                }
                None => Step::Interrupted,
            },
            Order::Broadcast(broadcast) => match self.broadcast(desk, broadcast, now, replies) {
                true => Step::Next,
                false => Step::Interrupted,
            },
        }
    }

    /// Executes a command that is no plain read. A function of its own, so that the other has few variables.
    #[inline(never)]
    fn execute_other(
        &self,
        desk: &mut DeskState,
        command: &Command<'_>,
        now: Seconds,
        replies: &mut Vec<u8>,
        processor: &impl Processor,
    ) -> Step {
        self.execute(desk, command, now, replies, processor)
    }

    /// Executes one command.
    #[inline]
    fn execute(
        &self,
        desk: &mut DeskState,
        command: &Command<'_>,
        now: Seconds,
        replies: &mut Vec<u8>,
        processor: &impl Processor,
    ) -> Step {
        let counts_prefix = self.counts_prefixes.load(Ordering::Relaxed) && shard::counts_prefix(&command.operation);
        let (is_whole, counts) = {
            let Some(mut held) = self.held(self.stripe_of(command.hash), desk) else { return Step::Interrupted };
            #[cfg(feature = "fault-injection")]
            crate::fault::inject(command.key, b"shard");
            let reply = held.shard.store_mut().execute(command, now);
            let counts = counts_prefix.then(|| shard::prefix_counts(&command.operation, &reply));
            (shard::append_reply(replies, &reply), counts)
        };
        if let Some(counts) = counts {
            self.count_prefix(desk, command.key, &counts, processor);
        }
        if is_whole { Step::Next } else { Step::End }
    }

    /// Executes a read that is counted already.
    #[cold]
    fn repeat_read(&self, desk: &mut DeskState, command: &Command<'_>, now: Seconds, replies: &mut Vec<u8>) -> Step {
        let Some(mut held) = self.held(self.stripe_of(command.hash), desk) else { return Step::Interrupted };
        if held.shard.repeat_read(command, now, replies) { Step::Next } else { Step::End }
    }

    /// Counts for the prefix of a key. The row of a prefix is in the stripe of the hash of its name, not in those of its
    /// keys.
    #[cold]
    fn count_prefix(&self, desk: &mut DeskState, key: &[u8], counts: &PrefixCounts, processor: &impl Processor) {
        let Some(end) = memchr::memchr(self.prefix_delimiter, key) else { return };
        let stripe = self.stripe_of(self.seed.hash(&key[..end]));
        loop {
            if let Some(mut held) = self.held(stripe, desk) {
                return held.shard.count_prefix(key, counts);
            }
            processor.pause();
        }
    }

    /// The stripe of a hash.
    #[inline]
    fn stripe_of(&self, hash: u64) -> usize {
        stripe_of(hash, self.place.1, self.stripes.len() as u32) as usize
    }

    /// Takes the lock of a stripe; `None` after [`limits::LOCK_TRIES_MAX`] tries.
    #[inline]
    fn held<'s>(&'s self, stripe: usize, desk: &'s mut DeskState) -> Option<Held<'s>> {
        let Stripe { shape, shard } = &self.stripes[stripe];
        let mut shard = try_lock(shard)?;
        let store = shard.store_mut();
        store.exchange_counters(&mut desk.counters);
        store.set_piece_bytes(desk.limit.piece_bytes as usize);
        let is_watched = self.watched.load(Ordering::Relaxed) != Kinds::NONE.0;
        Some(Held { shard, shape, loans: &self.loans, desk, is_watched })
    }

    /// Takes a desk.
    #[inline]
    fn desk(&self, number: usize) -> Option<RwLockWriteGuard<'_, DeskState>> {
        try_lock(&self.desks.get(number)?.0)
    }

    /// All desks but one; `None` for one that is in use.
    fn other_desks(&self, number: usize) -> impl Iterator<Item = Option<RwLockWriteGuard<'_, DeskState>>> {
        let others = self.desks.iter().enumerate().filter(move |&(other, _)| other != number);
        others.map(|(_, desk)| try_lock(&desk.0))
    }

    /// Loads the memory of the commands of a batch into the caches of the processor, without locks: first all index lines,
    /// then the items. See [`Store::touch_lines`](crate::store::Store::touch_lines).
    #[inline(never)]
    fn touch_lines(&self, hashes: impl Iterator<Item = u64>, processor: &impl Processor) {
        let shape = |hash| &self.stripes[self.stripe_of(hash)].shape;
        let mut keys = [(0, 0); limits::BATCH_COMMANDS_MAX];
        let keys = gather(&mut keys, hashes.map(|hash| (hash, shape(hash).bucket(hash))));
        hint::black_box(keys.iter().fold(0, |folded, &(_, bucket)| folded ^ processor.peek(bucket)));
        let mut items = [0; limits::BATCH_COMMANDS_MAX];
        let found = keys.iter().flat_map(|&(hash, bucket)| shape(hash).items(hash, bucket, processor));
        let items = gather(&mut items, found);
        let words = items.iter().map(|&item| processor.peek(item) ^ processor.peek(item + LINE_BYTES));
        hint::black_box(words.fold(0, |folded, word| folded ^ word));
    }
}

/// How a batch goes on after an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// With the next one.
    Next,
    /// Nothing follows the reply.
    End,
    /// Another thread has the lock.
    Interrupted,
}

/// Tries to take a lock.
#[inline]
fn try_lock<T>(lock: &RwLock<T>) -> Option<RwLockWriteGuard<'_, T>> {
    for _ in 0..limits::LOCK_TRIES_MAX {
        if let Some(guard) = lock.try_write() {
            return Some(guard);
        }
        hint::spin_loop();
    }
    None
}

/// The configuration of one of `count` stripes.
fn part_of(config: &Config, count: u32, index: u32) -> Config {
    let store = StoreConfig {
        memory_bytes: part(config.store.memory_bytes, count, index),
        memory_bytes_capacity: part(config.store.memory_bytes_capacity, count, index),
        ..config.store
    };
    let (shard, shards) = (config.shard * count + index, config.shards * count);
    Config { store, shard, shards, ..config.clone() }
}

/// Stripe `index`'s part of `bytes`: the parts differ by one byte at most and add up.
fn part(bytes: u64, count: u32, index: u32) -> u64 {
    bytes / u64::from(count) + u64::from(u64::from(index) < bytes % u64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        boundary::batch,
        command::{Broadcast, Operation},
        limits,
        statistics::Counters,
    };

    struct Plain;

    impl Processor for Plain {
        fn peek(&self, _: usize) -> u32 {
            0
        }
    }

    fn stripes() -> Stripes {
        let store = StoreConfig { memory_bytes: 4 * limits::STRIPE_BYTES, ..StoreConfig::default() };
        Stripes::new(&Config { store, ..Config::default() }, 2).unwrap()
    }

    fn execute(stripes: &Stripes, orders: &[u8], count: u32) -> (u32, Vec<u8>) {
        let mut replies = Vec::new();
        let batch = Batch { orders, tail: &[], from: 0, count, now: 1, room: 1 << 20 };
        let executed = stripes.execute_batch(0, &batch, &mut replies, &Plain);
        assert_eq!(executed.is_interrupted, executed.count < count);
        (executed.count, replies)
    }

    #[test]
    fn a_lock_that_another_thread_has_ends_a_batch_early() {
        let stripes = stripes();
        let keys: Vec<[u8; 1]> = (b'a'..=b'z').map(|key| [key]).collect();
        let mut orders = Vec::new();
        for key in &keys {
            let hash = stripes.seed.hash(key);
            batch::encode_command(&mut orders, &Command { hash, key, operation: Operation::Get { touch: None } });
        }
        let of_other = stripes.stripe_of(stripes.seed.hash(&keys[3]));
        let before = keys.iter().position(|key| stripes.stripe_of(stripes.seed.hash(key)) == of_other).unwrap();
        let guard = stripes.stripes[of_other].shard.write();
        assert_eq!(execute(&stripes, &orders, 26).0 as usize, before);
        drop(guard);
        assert_eq!(execute(&stripes, &orders, 26).0, 26);
    }

    #[test]
    fn a_broadcast_goes_on_where_a_lock_has_interrupted_it() {
        let stripes = stripes();
        let mut flush = Vec::new();
        batch::encode_broadcast(&mut flush, Broadcast::Flush { at: 1 });
        let guard = stripes.stripes[2].shard.write();
        assert_eq!(execute(&stripes, &flush, 1), (0, Vec::new()));
        drop(guard);
        assert_eq!(execute(&stripes, &flush, 1), (1, Vec::new()));
        let mut counters = Vec::new();
        batch::encode_broadcast(&mut counters, Broadcast::Counters);
        let desk = stripes.desks[1].0.write();
        assert_eq!(execute(&stripes, &counters, 1), (0, Vec::new()));
        drop(desk);
        let (executed, answer) = execute(&stripes, &counters, 1);
        assert_eq!((executed, Counters::decode_merged(&answer).cmd_flush), (1, 1));
        let whole = 4 * limits::STRIPE_BYTES;
        assert_eq!(Counters::decode_merged(&answer).pool_bytes, whole, "each stripe is counted once");
    }

    /// Finds any words in memory, and checks their addresses.
    struct Outdated {
        pools: Vec<core::ops::Range<usize>>,
    }

    impl Processor for Outdated {
        fn peek(&self, address: usize) -> u32 {
            let is_inside = |pool: &core::ops::Range<usize>| pool.start <= address && address + 4 <= pool.end;
            assert!(self.pools.iter().any(is_inside), "{address:#x} is not in {:x?}", self.pools);
            (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) as u32
        }
    }

    #[test]
    fn outdated_words_name_addresses_in_the_pools_only() {
        let stripes = stripes();
        let pools = stripes.stripes.iter().map(|stripe| stripe.shard.write().store().addresses());
        let processor = Outdated { pools: pools.collect() };
        for number in 0..10_000_u32 {
            stripes.touch_lines(core::iter::once(stripes.seed.hash(&number.to_le_bytes())), &processor);
        }
    }

    /// Every command changes these fields.
    #[test]
    fn the_lock_lies_in_the_line_of_the_counters_and_the_unique() {
        let stripes = stripes();
        for stripe in &stripes.stripes {
            let lock = (&raw const stripe.shard).addr();
            let guard = stripe.shard.write();
            let last = guard.store().addresses_of_changes().end - 1;
            assert_eq!(lock / 64, last / 64, "a lock at {lock}, changes up to {last}");
        }
    }
}
