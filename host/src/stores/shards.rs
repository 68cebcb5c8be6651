//! The shards of a server: who holds them, how commands reach them, what happens when one traps.
//!
//! A shard sits behind its own lock, and nobody ever holds two. The bytes that are carried are not looked at.

use crate::{
    counters::FaultCounters,
    guest::{Engine, Fault, Front, Run, RunOutcome, Shard},
    watching::Watching,
};
use parking_lot::Mutex;
use std::sync::Arc;
use wasmcached_core::{
    boundary::{
        config::{Config, Role, StoreConfig},
        event::Kinds,
        host::{HostRequest, Target},
    },
    limits,
};

/// All shards. A solo server has none.
pub(crate) struct Shards {
    slots: Box<[Mutex<Slot>]>,
    engine: Engine,
    watching: Arc<Watching>,
}

struct Slot {
    /// Of this shard, with its part of the memory.
    config: Config,
    /// What `config.store.memory_bytes` was before the last change.
    memory_bytes_before: u64,
    /// `None`: it trapped, and there was no memory for a new one yet.
    shard: Option<Shard>,
    /// When a new one was last tried.
    tried_at: u32,
    /// What the shard was told to record.
    watched: Kinds,
}

impl Shards {
    /// Makes `count` empty shards (0 for a solo server) that share the memory of `config`.
    pub(crate) fn create(
        engine: &Engine,
        config: &Config,
        count: u32,
        now: u32,
        watching: Arc<Watching>,
    ) -> Result<Self, Fault> {
        let slots = (0..count).map(|index| {
            let memory_bytes = part(config.store.memory_bytes, count, index);
            let config = Config {
                role: Role::Shard,
                shard: index,
                store: StoreConfig { memory_bytes, ..config.store },
                ..config.clone()
            };
            let shard = Some(Shard::create(engine, &config, now)?);
            let watched = Kinds::NONE;
            Ok(Mutex::new(Slot { shard, config, memory_bytes_before: memory_bytes, tried_at: now, watched }))
        });
        Ok(Self { slots: slots.collect::<Result<_, Fault>>()?, engine: engine.clone(), watching })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Carries the runs that `front` made, in order; what is for the host goes to `answer`.
    ///
    /// # Errors
    /// The front's own faults. A shard's fault is dealt with here.
    pub(crate) fn carry(
        &self,
        front: &mut Front,
        now: u32,
        faults: &FaultCounters,
        mut answer: impl FnMut(&mut Front, HostRequest) -> Result<Vec<u8>, Fault>,
    ) -> Result<(), Fault> {
        let mut room = limits::REPLY_BYTES_HIGH;
        for index in 0..front.runs_count()? {
            let run = front.run(index)?;
            let complete = match run.target {
                Target::HOST => {
                    let request =
                        HostRequest::decode(front.commands(run)?).ok_or_else(|| invalid_request("a bad request"))?;
                    let bytes = answer(front, request)?;
                    front.reply(index, RunOutcome::Executed(1), bytes.len())?.copy_from_slice(&bytes);
                    true
                }
                Target::EVERY_SHARD => {
                    let mut complete = true;
                    for shard in 0..self.slots.len() {
                        complete &= self.carry_run(front, index, run, shard, now, &mut room, faults)?;
                    }
                    complete
                }
                Target(shard) => self.carry_run(front, index, run, shard as usize, now, &mut room, faults)?,
            };
            if !complete {
                break;
            }
        }
        Ok(())
    }

    /// Does a bounded piece of upkeep on one shard; whether there is more to do.
    pub(crate) fn sweep(&self, index: usize, now: u32, steps: u32, faults: &FaultCounters) -> bool {
        let mut slot = self.slots[index].lock();
        let swept = slot.shard(&self.engine, now).map(|shard| shard.sweep(now, steps));
        slot.report(&self.engine, index, now, &self.watching, faults);
        match swept {
            Some(Ok(more)) => more,
            Some(Err(fault)) => {
                slot.replace(&self.engine, index, now, faults, &fault);
                false
            }
            None => false,
        }
    }

    /// Gives all shards together `bytes` of memory; false if that cannot be done, and then nothing has changed.
    pub(crate) fn limit(&self, bytes: u64, now: u32, faults: &FaultCounters) -> bool {
        let count = self.slots.len() as u32;
        let fits = |index| (limits::SHARD_BYTES_MIN..=limits::SHARD_BYTES_MAX).contains(&part(bytes, count, index));
        if !(0..count).all(fits) {
            return false;
        }
        for (index, slot) in self.slots.iter().enumerate() {
            if !slot.lock().limit(&self.engine, index, part(bytes, count, index as u32), now, faults) {
                for (index, slot) in self.slots[..index].iter().enumerate() {
                    let mut slot = slot.lock();
                    let before = slot.memory_bytes_before;
                    slot.limit(&self.engine, index, before, now, faults);
                }
                return false;
            }
        }
        true
    }

    /// Carries one run to one shard and its replies back; whether all of it was executed.
    #[expect(clippy::too_many_arguments, reason = "one step of `carry`, split off for its length")]
    fn carry_run(
        &self,
        front: &mut Front,
        index: u32,
        run: Run,
        shard_index: usize,
        now: u32,
        room: &mut usize,
        faults: &FaultCounters,
    ) -> Result<bool, Fault> {
        let slot = self.slots.get(shard_index).ok_or_else(|| invalid_request("a shard that does not exist"))?;
        let mut slot = slot.lock();
        if slot.shard(&self.engine, now).is_none() {
            front.reply(index, RunOutcome::Lost, 0)?;
            return Ok(true);
        }
        let Slot { shard: Some(shard), watched, .. } = &mut *slot else { return Ok(true) };
        let commands = front.commands(run)?;
        let kinds = self.watching.kinds();
        let told = if kinds == *watched { Ok(()) } else { shard.watch(kinds) };
        *watched = kinds;
        let executed = told.and_then(|()| shard.commands(commands.len()).map(|room| room.copy_from_slice(commands)));
        let executed = executed.and_then(|()| shard.execute(run.commands_bytes, run.count, now, *room as u32));
        let result = executed.and_then(|executed| Ok((executed, shard.replies()?)));
        match result {
            Ok((executed, replies)) => {
                *room = room.saturating_sub(replies.len());
                front.reply(index, RunOutcome::Executed(executed), replies.len())?.copy_from_slice(replies);
                slot.report(&self.engine, shard_index, now, &self.watching, faults);
                Ok(executed >= run.count)
            }
            Err(fault) => {
                slot.replace(&self.engine, shard_index, now, faults, &fault);
                drop(slot);
                front.reply(index, RunOutcome::Lost, 0)?;
                Ok(true)
            }
        }
    }
}

impl Slot {
    /// The shard, made anew if there was no memory for it when the last one trapped.
    #[inline]
    fn shard(&mut self, engine: &Engine, now: u32) -> Option<&mut Shard> {
        // Once a second, or every request would pay for a guest that cannot be made.
        if self.shard.is_none() && now != self.tried_at {
            self.make(engine, now);
        }
        self.shard.as_mut()
    }

    fn replace(&mut self, engine: &Engine, index: usize, now: u32, faults: &FaultCounters, fault: &Fault) {
        fault.record(faults, &faults.shard_traps, "shard", index);
        // First the old one goes, so that its memory is there for the new one.
        self.shard = None;
        self.make(engine, now);
    }

    fn make(&mut self, engine: &Engine, now: u32) {
        self.tried_at = now;
        self.watched = Kinds::NONE;
        match Shard::create(engine, &self.config, now) {
            Ok(shard) => self.shard = Some(shard),
            Err(fault) => tracing::error!("a shard cannot be replaced yet: {}", fault.message),
        }
    }

    /// Sends on what the shard has recorded.
    #[inline]
    fn report(&mut self, engine: &Engine, index: usize, now: u32, watching: &Watching, faults: &FaultCounters) {
        if self.watched == Kinds::NONE {
            return;
        }
        let told = self.shard.as_mut().map(|shard| shard.events().map(|recorded| recorded.map(|r| watching.post(r))));
        if let Some(Err(fault)) = told {
            self.replace(engine, index, now, faults, &fault);
        }
    }

    fn limit(&mut self, engine: &Engine, index: usize, bytes: u64, now: u32, faults: &FaultCounters) -> bool {
        match self.shard(engine, now).map(|shard| shard.limit(bytes)) {
            Some(Ok(true)) => {
                self.memory_bytes_before = std::mem::replace(&mut self.config.store.memory_bytes, bytes);
                true
            }
            Some(Ok(false)) | None => false,
            Some(Err(fault)) => {
                self.replace(engine, index, now, faults, &fault);
                false
            }
        }
    }
}

/// Shard `index`'s part of `bytes`: the parts differ by one byte at most and add up.
fn part(bytes: u64, count: u32, index: u32) -> u64 {
    let (count, index) = (u64::from(count), u64::from(index));
    bytes / count + u64::from(index < bytes % count)
}

#[cold]
fn invalid_request(what: &str) -> Fault {
    Fault { message: format!("the guest asked for {what}"), interrupted: false }
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
