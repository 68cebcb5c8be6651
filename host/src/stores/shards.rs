//! The shards of a server: their memories, the desks of threads in them, their replacement after a trap.
//!
//! All workers are inside a shard at the same time, each at a desk of its own; the guest locks what two of them use. The host
//! does not read the bytes that it transfers.
//!
//! A trap poisons the memory of a shard. The thread that trapped replaces it by an empty one and counts up its *generation*:
//! the others see that before and after each call, drop their instance, and take a desk in the new memory.

use super::invalid;
use crate::{
    counters::FaultCounters,
    guest::{Attempt, Desk, ExecutedOrders, Fault, Front, Orders, Run, RunOutcome, SharedGuest, SharedModule},
    inbox::Inbox,
    limits::{LOCK_PAUSE, LOCK_YIELDS_MAX, SHARD_LEAVING_TIME_MAX, SWEEP_STEPS},
    watching::Watching,
};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use wasmcached_core::{
    boundary::{
        config::{Config, Role, StoreConfig},
        event::Kinds,
    },
    limits,
};

/// All shards.
pub(super) struct Shards {
    shards: Box<[Shard]>,
    module: SharedModule,
    /// Number of threads that use them.
    desks: u32,
    surroundings: Surroundings,
    /// One long run at a time is in the buffers of a desk: it is there a second time, beyond the limits of store and
    /// connections.
    long_runs: Mutex<()>,
    /// Wakes the upkeep when a shard is replaced.
    replaced: (Mutex<()>, Condvar),
}

/// The parts of the server that shards use.
pub(super) struct Surroundings {
    pub(super) watching: Arc<Watching>,
    pub(super) inboxes: Arc<[Inbox]>,
    pub(super) faults: Arc<FaultCounters>,
}

/// A shard. The generation is read all the time and hardly ever written, so it is apart from everything else.
#[repr(align(128))]
struct Shard {
    generation: AtomicU64,
    state: Mutex<ShardState>,
}

struct ShardState {
    /// Of this shard, with its part of the memory.
    config: Config,
    /// `config.store.memory_bytes` before the last change.
    memory_bytes_before: u64,
    /// `None`: it trapped, and there was no memory for a new one yet.
    guest: Option<Arc<SharedGuest>>,
    /// When a new one was last tried.
    tried_at: u32,
}

/// The desks of one thread, one in each shard.
pub(crate) struct Desks {
    number: u32,
    seats: Box<[Option<Seat>]>,
}

/// A desk, the generation of the shard that it is in, and the kinds of events that this thread has asked for.
struct Seat {
    generation: u64,
    desk: Desk,
    /// Dropped after the desk: then this thread has left the memory.
    _guest: Arc<SharedGuest>,
    watched: Kinds,
}

/// A run of a front on its way to a shard.
pub(super) struct Transfer<'f> {
    pub(super) front: &'f mut Front,
    /// The number of the run.
    pub(super) index: u32,
    pub(super) run: Run,
    pub(super) now: u32,
    /// Bytes that the replies of all runs may still have.
    pub(super) room: &'f mut usize,
}

impl Desks {
    /// None is taken yet; all will have this number.
    pub(super) fn new(number: u32, shards: usize) -> Self {
        Self { number, seats: (0..shards).map(|_| None).collect() }
    }
}

impl Shards {
    /// Makes the empty shards of `config`, which share its memory, for `desks` threads.
    pub(super) fn create(
        module: SharedModule,
        config: &Config,
        now: u32,
        desks: u32,
        surroundings: Surroundings,
    ) -> Result<Self, Fault> {
        let count = config.shards;
        let shards = (0..count).map(|index| {
            let config = config_of(config, index);
            let memory_bytes = config.store.memory_bytes;
            let guest = Some(Arc::new(SharedGuest::create(&module, &config, now, desks)?));
            let state = ShardState { config, memory_bytes_before: memory_bytes, guest, tried_at: now };
            Ok(Shard { generation: AtomicU64::new(0), state: Mutex::new(state) })
        });
        let shards = shards.collect::<Result<_, Fault>>()?;
        Ok(Self { shards, module, desks, surroundings, long_runs: Mutex::new(()), replaced: Default::default() })
    }

    /// Number of shards.
    pub(super) fn count(&self) -> usize {
        self.shards.len()
    }

    /// Reports that one tick has passed.
    pub(super) fn tick(&self) {
        self.module.tick();
    }

    /// Takes every desk of this thread that it does not have.
    pub(super) fn take_desks(&self, desks: &mut Desks, now: u32) {
        for shard in 0..self.shards.len() {
            let _ = self.seat(desks, shard, now);
        }
    }

    /// Runs a bounded piece of upkeep on one shard; true if more is due.
    pub(super) fn sweep(&self, desks: &mut Desks, index: usize, now: u32) -> bool {
        self.at_desk(desks, index, now, |seat| {
            let more = seat.desk.sweep(now, SWEEP_STEPS)?;
            self.post_events(seat)?;
            Ok(more)
        })
        .unwrap_or(false)
    }

    /// Gives all shards together `bytes` of memory; false, and nothing has changed, if that is impossible.
    pub(super) fn limit(&self, desks: &mut Desks, bytes: u64, now: u32) -> bool {
        let count = self.shards.len() as u32;
        let fits = |index| (limits::SHARD_BYTES_MIN..=limits::SHARD_BYTES_MAX).contains(&part(bytes, count, index));
        if !(0..count).all(fits) {
            return false;
        }
        for index in 0..self.shards.len() {
            if !self.limit_one(desks, index, part(bytes, count, index as u32), now) {
                for index in 0..index {
                    let before = self.shards[index].state.lock().memory_bytes_before;
                    self.limit_one(desks, index, before, now);
                }
                return false;
            }
        }
        true
    }

    fn limit_one(&self, desks: &mut Desks, index: usize, bytes: u64, now: u32) -> bool {
        let done = self.at_desk(desks, index, now, |seat| {
            let attempt = self.insist(index, seat, |desk| desk.limit(bytes))?;
            Ok(attempt == Attempt::Done)
        });
        if done == Some(true) {
            let mut state = self.shards[index].state.lock();
            state.memory_bytes_before = std::mem::replace(&mut state.config.store.memory_bytes, bytes);
        }
        done == Some(true)
    }

    /// Transfers a run to a shard and the replies back; true if the whole run was executed.
    pub(super) fn execute(&self, transfer: &mut Transfer<'_>, desks: &mut Desks, shard: usize) -> Result<bool, Fault> {
        if shard >= self.shards.len() {
            return Err(invalid("a shard that does not exist"));
        }
        // A fault of the front is not one of the shard.
        let mut of_front = Ok(());
        let whole = self.at_desk(desks, shard, transfer.now, |seat| match self.transfer(transfer, seat, shard)? {
            Ok(whole) => Ok(whole),
            Err(fault) => {
                of_front = Err(fault);
                Ok(false)
            }
        });
        of_front?;
        match whole {
            Some(whole) => Ok(whole),
            None => {
                transfer.front.reply(transfer.index, RunOutcome::Lost, 0)?;
                Ok(true)
            }
        }
    }

    /// Executes a run at a desk. The outer error is the shard's, the inner one the front's.
    #[inline]
    fn transfer(
        &self,
        transfer: &mut Transfer<'_>,
        seat: &mut Seat,
        shard: usize,
    ) -> Result<Result<bool, Fault>, Fault> {
        let Transfer { front, index, run, now, room } = transfer;
        let (index, run, now) = (*index, *run, *now);
        let kinds = self.surroundings.watching.kinds();
        if kinds != seat.watched {
            self.insist(shard, seat, |desk| desk.watch(kinds))?;
            seat.watched = kinds;
        }
        let (commands, tail) = match front.commands(run).and_then(|commands| Ok((commands, front.tail(run)?))) {
            Ok(parts) => parts,
            Err(fault) => return Ok(Err(fault)),
        };
        let bytes = commands.len() + tail.len();
        let _turn = (bytes > limits::RUN_BYTES_KEPT_MAX).then(|| self.long_runs.lock());
        seat.desk.write(commands, tail)?;
        let mut orders = Orders { from: 0, bytes: bytes as u32, count: run.count };
        let (mut interruptions, mut replies_bytes_most) = (0, 0);
        loop {
            let executed = seat.desk.execute(orders, now, **room as u32)?;
            let ExecutedOrders { count, end, is_interrupted, replies_bytes } = executed;
            **room = room.saturating_sub(replies_bytes);
            replies_bytes_most = replies_bytes_most.max(replies_bytes);
            match front.reply(index, RunOutcome::Executed(count), replies_bytes) {
                Ok(replies) => seat.desk.read_replies(replies)?,
                Err(fault) => return Ok(Err(fault)),
            }
            if seat.watched != Kinds::NONE {
                self.post_events(seat)?;
            }
            if !is_interrupted || count >= orders.count {
                seat.desk.trim(replies_bytes_most)?;
                return Ok(Ok(count >= orders.count));
            }
            orders = Orders { from: end, count: orders.count - count, ..orders };
            interruptions += 1;
            self.wait(shard, seat, interruptions)?;
        }
    }

    /// Makes a call at a desk until no other thread keeps it from a lock.
    fn insist(
        &self,
        shard: usize,
        seat: &mut Seat,
        mut call: impl FnMut(&mut Desk) -> Result<Attempt, Fault>,
    ) -> Result<Attempt, Fault> {
        let mut interruptions = 0;
        loop {
            match call(&mut seat.desk)? {
                Attempt::Interrupted => {
                    interruptions += 1;
                    self.wait(shard, seat, interruptions)?;
                }
                attempt => return Ok(attempt),
            }
        }
    }

    /// Lets the thread that has a lock run. An error if it will never give it back.
    #[cold]
    fn wait(&self, shard: usize, seat: &Seat, interruptions: u32) -> Result<(), Fault> {
        if self.shards[shard].generation.load(Ordering::Acquire) != seat.generation {
            return Err(Fault::new("another worker's instance has trapped"));
        }
        if interruptions <= LOCK_YIELDS_MAX {
            thread::yield_now();
        } else {
            thread::sleep(LOCK_PAUSE);
        }
        Ok(())
    }

    /// Does something at a desk in a shard. `None`: the shard is lost, or was lost meanwhile.
    #[inline]
    fn at_desk<T>(
        &self,
        desks: &mut Desks,
        shard: usize,
        now: u32,
        work: impl FnOnce(&mut Seat) -> Result<T, Fault>,
    ) -> Option<T> {
        let seat = self.seat(desks, shard, now)?;
        let generation = seat.generation;
        match work(seat) {
            Ok(done) if self.shards[shard].generation.load(Ordering::Acquire) == generation => Some(done),
            Ok(_) => None,
            Err(fault) => {
                desks.seats[shard] = None;
                self.replace(shard, generation, &fault, now);
                None
            }
        }
    }

    /// The desk of this thread in a shard.
    #[inline]
    fn seat<'d>(&self, desks: &'d mut Desks, shard: usize, now: u32) -> Option<&'d mut Seat> {
        let generation = self.shards[shard].generation.load(Ordering::Acquire);
        if desks.seats[shard].as_ref().is_none_or(|seat| seat.generation != generation) {
            self.take_seat(desks, shard, now)?;
        }
        desks.seats[shard].as_mut()
    }

    /// Takes the desk, in a new memory if there was none for the shard when the last one trapped.
    #[cold]
    fn take_seat(&self, desks: &mut Desks, shard: usize, now: u32) -> Option<()> {
        // The instance in the old memory is dropped first, so that its memory is free.
        desks.seats[shard] = None;
        let Shard { generation, state } = &self.shards[shard];
        let mut state = state.lock();
        // Once a second, or every request would pay for a guest that cannot be made.
        if state.guest.is_none() && now != state.tried_at {
            state.make(&self.module, self.desks, now);
        }
        let guest = Arc::clone(state.guest.as_ref()?);
        let generation = generation.load(Ordering::Acquire);
        drop(state);
        match Desk::take(&guest, desks.number) {
            Ok(desk) => {
                desks.seats[shard] = Some(Seat { generation, desk, _guest: guest, watched: Kinds::NONE });
                Some(())
            }
            Err(fault) => {
                drop(guest);
                self.replace(shard, generation, &fault, now);
                None
            }
        }
    }

    /// Replaces a shard of that generation, unless another thread has done it.
    #[cold]
    fn replace(&self, shard: usize, of: u64, fault: &Fault, now: u32) {
        let Shard { generation, state } = &self.shards[shard];
        let mut state = state.lock();
        if generation.load(Ordering::Acquire) != of {
            return;
        }
        let Surroundings { inboxes, faults, .. } = &self.surroundings;
        fault.record(faults, &faults.shard_traps, "shard", shard);
        // The old memory is freed first, so that there is room for the new one.
        let old = state.guest.take().map(|guest| Arc::downgrade(&guest));
        generation.fetch_add(1, Ordering::Release);
        inboxes.iter().for_each(Inbox::leave_shard);
        drop(self.replaced.0.lock());
        self.replaced.1.notify_all();
        let began = Instant::now();
        while old.as_ref().is_some_and(|old| old.strong_count() > 0) && began.elapsed() < SHARD_LEAVING_TIME_MAX {
            thread::sleep(LOCK_PAUSE);
        }
        state.make(&self.module, self.desks, now);
    }

    /// Lets the thread of the upkeep rest. Meanwhile it leaves shards that are replaced.
    pub(super) fn rest(&self, desks: &mut Desks, duration: Duration) {
        let end = Instant::now() + duration;
        let (lock, woken) = &self.replaced;
        let mut guard = lock.lock();
        loop {
            self.leave_replaced(desks);
            if woken.wait_until(&mut guard, end).timed_out() {
                return;
            }
        }
    }

    /// Drops the instances of this thread in memories of replaced shards. The last one frees the memory.
    pub(super) fn leave_replaced(&self, desks: &mut Desks) {
        for (seat, shard) in desks.seats.iter_mut().zip(&self.shards) {
            let generation = shard.generation.load(Ordering::Acquire);
            seat.take_if(|seat| seat.generation != generation);
        }
    }

    /// Posts the events that a desk has caused.
    fn post_events(&self, seat: &mut Seat) -> Result<(), Fault> {
        if seat.watched != Kinds::NONE
            && let Some(recorded) = seat.desk.events()?
        {
            self.surroundings.watching.post(recorded);
        }
        Ok(())
    }
}

impl ShardState {
    fn make(&mut self, module: &SharedModule, desks: u32, now: u32) {
        self.tried_at = now;
        match SharedGuest::create(module, &self.config, now, desks) {
            Ok(guest) => self.guest = Some(Arc::new(guest)),
            Err(fault) => tracing::error!("a shard cannot be replaced yet: {}", fault.message),
        }
    }
}

/// The configuration of one of the shards that share the memory of `config`.
pub(super) fn config_of(config: &Config, index: u32) -> Config {
    let memory_bytes = part(config.store.memory_bytes, config.shards, index);
    let store = StoreConfig { memory_bytes, ..config.store };
    Config { role: Role::Shard, shard: index, store, ..config.clone() }
}

/// Shard `index`'s part of `bytes`: the parts differ by one byte at most and add up.
fn part(bytes: u64, count: u32, index: u32) -> u64 {
    let (count, index) = (u64::from(count), u64::from(index));
    bytes / count + u64::from(index < bytes % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        for (bytes, count) in [(64 << 20, 1), (100, 7), (6 << 30, 3)] {
            let parts: Vec<u64> = (0..count).map(|index| part(bytes, count, index)).collect();
            assert_eq!(parts.iter().sum::<u64>(), bytes);
            assert!(parts[0] - parts[parts.len() - 1] <= 1);
        }
    }
}
