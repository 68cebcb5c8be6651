//! The shards of a server: their memories, the desks of threads in them, their replacement after a trap.
//!
//! All workers are inside a shard at the same time, each at a desk of its own; the guest locks what two of them use. The host
//! does not read the bytes that it transfers.
//!
//! A trap poisons the memory of a shard. The thread that trapped replaces it by an empty one, the next
//! [generation](super::generations).

use super::{
    generations::{Generations, Memories, Seat},
    invalid,
};
use crate::{
    counters::FaultCounters,
    guest::{Attempt, Desk, ExecutedOrders, Fault, Front, Orders, Run, RunOutcome, SharedGuest, SharedModule},
    inbox::Inbox,
    limits::{LOCK_PAUSE, LOCK_YIELDS_MAX, SHARD_LEAVING_TIME_MAX, SWEEP_STEPS},
    watching::Watching,
};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::Arc,
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
    shards: Box<[Generations<SharedGuests>]>,
    guests: SharedGuests,
    /// One long run at a time is in the buffers of a desk: it is there a second time, beyond the limits of store and
    /// connections.
    long_runs: Mutex<()>,
}

/// The guests of all shards.
struct SharedGuests {
    module: SharedModule,
    /// Number of threads that use each.
    desks: u32,
    surroundings: Surroundings,
    /// Wakes the upkeep when a shard is replaced.
    replaced: (Mutex<()>, Condvar),
}

/// The parts of the server that shards use.
pub(super) struct Surroundings {
    pub(super) watching: Arc<Watching>,
    pub(super) inboxes: Arc<[Inbox]>,
    pub(super) faults: Arc<FaultCounters>,
}

/// The desks of one thread, one in each shard.
pub(crate) struct Desks {
    number: u32,
    seats: Box<[Option<Seat<SharedGuests>>]>,
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
        let replaced = Default::default();
        let guests = SharedGuests { module, desks, surroundings, replaced };
        let shards = (0..config.shards).map(|index| {
            let config = config_of(config, index);
            let guest = SharedGuest::create(&guests.module, &config, now, desks)?;
            Ok(Generations::new(config, guest, now))
        });
        let shards = shards.collect::<Result<_, Fault>>()?;
        Ok(Self { shards, guests, long_runs: Mutex::new(()) })
    }

    /// Number of shards.
    pub(super) fn count(&self) -> usize {
        self.shards.len()
    }

    /// Reports that one tick has passed.
    pub(super) fn tick(&self) {
        self.guests.module.tick();
    }

    /// Takes every desk of this thread that it does not have.
    pub(super) fn take_desks(&self, desks: &mut Desks, now: u32) {
        for (seat, shard) in desks.seats.iter_mut().zip(&self.shards) {
            let _ = shard.seat(&self.guests, seat, desks.number, now);
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
        let mut before = Vec::with_capacity(self.shards.len());
        for index in 0..self.shards.len() {
            let Some(bytes_before) = self.limit_one(desks, index, part(bytes, count, index as u32), now) else {
                for (index, bytes_before) in before.into_iter().enumerate() {
                    self.limit_one(desks, index, bytes_before, now);
                }
                return false;
            };
            before.push(bytes_before);
        }
        true
    }

    /// Gives a shard `bytes` of memory, and returns what it had; `None`, and nothing has changed, if that is impossible.
    fn limit_one(&self, desks: &mut Desks, index: usize, bytes: u64, now: u32) -> Option<u64> {
        let attempt = self.at_desk(desks, index, now, |seat| self.insist(index, seat, |desk| desk.limit(bytes)))?;
        let seat = desks.seats[index].as_ref().filter(|_| attempt == Attempt::Done)?;
        let change = |config: &mut Config| std::mem::replace(&mut config.store.memory_bytes, bytes);
        self.shards[index].change_plan(&self.guests, seat, change)
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
        seat: &mut Seat<SharedGuests>,
        shard: usize,
    ) -> Result<Result<bool, Fault>, Fault> {
        let Transfer { front, index, run, now, room } = transfer;
        let (index, run, now) = (*index, *run, *now);
        let kinds = self.guests.surroundings.watching.kinds();
        if kinds != seat.desk.watched() {
            self.insist(shard, seat, |desk| desk.watch(kinds))?;
        }
        let (commands, tail) = match front.commands(run).and_then(|commands| Ok((commands, front.tail(run)?))) {
            Ok(parts) => parts,
            Err(fault) => return Ok(Err(fault)),
        };
        let bytes = commands.len() + tail.len();
        let _turn = (bytes > limits::RUN_BYTES_KEPT_MAX).then(|| self.long_runs.lock());
        seat.desk.write(commands, tail)?;
        let mut orders = Orders { from: 0, bytes: bytes as u32, tail_bytes: run.tail_bytes, count: run.count };
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
            if seat.desk.watched() != Kinds::NONE {
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
        seat: &mut Seat<SharedGuests>,
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
    fn wait(&self, shard: usize, seat: &Seat<SharedGuests>, interruptions: u32) -> Result<(), Fault> {
        if !self.shards[shard].is_at(seat) {
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
        work: impl FnOnce(&mut Seat<SharedGuests>) -> Result<T, Fault>,
    ) -> Option<T> {
        let Desks { number, seats } = desks;
        self.shards[shard].at_seat(&self.guests, &mut seats[shard], *number, now, work)
    }

    /// Lets the thread of the upkeep rest. Meanwhile it leaves shards that are replaced.
    pub(super) fn rest(&self, desks: &mut Desks, duration: Duration) {
        let end = Instant::now() + duration;
        let (lock, woken) = &self.guests.replaced;
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
            shard.leave(seat);
        }
    }

    /// Posts the events that a desk has caused.
    fn post_events(&self, seat: &mut Seat<SharedGuests>) -> Result<(), Fault> {
        if seat.desk.watched() != Kinds::NONE
            && let Some(recorded) = seat.desk.events()?
        {
            self.guests.surroundings.watching.post(recorded);
        }
        Ok(())
    }
}

impl Memories for SharedGuests {
    type Plan = Config;
    type Memory = SharedGuest;
    type Desk = Desk;
    type Fault = Fault;

    fn make(&self, config: &Config, now: u32) -> Option<SharedGuest> {
        let made = SharedGuest::create(&self.module, config, now, self.desks);
        made.inspect_err(|fault| tracing::error!("a shard cannot be replaced yet: {}", fault.message)).ok()
    }

    fn enter(&self, guest: &SharedGuest, desk: u32) -> Result<Desk, Fault> {
        Desk::take(guest, desk)
    }

    fn record(&self, config: &Config, fault: &Fault) {
        let faults = &self.surroundings.faults;
        fault.record(faults, &faults.shard_traps, "shard", config.shard as usize);
    }

    fn ask_to_leave(&self) {
        self.surroundings.inboxes.iter().for_each(Inbox::leave_shard);
        drop(self.replaced.0.lock());
        self.replaced.1.notify_all();
    }

    fn pause(&self) {
        thread::sleep(LOCK_PAUSE);
    }

    fn wait_until(&self, have_left: impl Fn() -> bool) {
        let began = Instant::now();
        while !have_left() && began.elapsed() < SHARD_LEAVING_TIME_MAX {
            self.pause();
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
