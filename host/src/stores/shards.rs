//! The shards of a server: their locks, the way of commands to them, their replacement after a trap.
//!
//! Each shard has its own lock, and no thread ever holds two. The host does not read the bytes that it transfers.

use super::invalid;
use crate::{
    counters::FaultCounters,
    guest::{Fault, Front, GuestModule, Run, RunOutcome, Shard},
    limits::SWEEP_STEPS,
    watching::Watching,
};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use wasmcached_core::{
    boundary::{
        config::{Config, Role, StoreConfig},
        event::Kinds,
    },
    limits,
};

/// All shards.
pub(super) struct Shards {
    shards: Box<[Mutex<ShardState>]>,
    context: Context,
    /// One long run at a time is in a shard: it is there a second time, beyond the limits of store and connections.
    long_runs: Mutex<()>,
}

/// Everything that each shard uses besides its own state.
struct Context {
    module: GuestModule,
    watching: Arc<Watching>,
    faults: Arc<FaultCounters>,
}

struct ShardState {
    /// Of this shard, with its part of the memory.
    config: Config,
    /// `config.store.memory_bytes` before the last change.
    memory_bytes_before: u64,
    /// `None`: it trapped, and there was no memory for a new one yet.
    shard: Option<Shard>,
    /// When a new one was last tried.
    tried_at: u32,
    /// The kinds of events that the shard records.
    watched: Kinds,
}

impl Shards {
    /// Makes the empty shards of `config`, which share its memory.
    pub(super) fn create(
        module: &GuestModule,
        config: &Config,
        now: u32,
        watching: Arc<Watching>,
        faults: Arc<FaultCounters>,
    ) -> Result<Self, Fault> {
        let count = config.shards;
        let shards = (0..count).map(|index| {
            let memory_bytes = part(config.store.memory_bytes, count, index);
            let store = StoreConfig { memory_bytes, ..config.store };
            let config = Config { role: Role::Shard, shard: index, store, ..config.clone() };
            let shard = Some(Shard::create(module, &config, now)?);
            let watched = Kinds::NONE;
            Ok(Mutex::new(ShardState { shard, config, memory_bytes_before: memory_bytes, tried_at: now, watched }))
        });
        let shards = shards.collect::<Result<_, Fault>>()?;
        let context = Context { module: module.clone(), watching, faults };
        Ok(Self { shards, context, long_runs: Mutex::new(()) })
    }

    /// Number of shards.
    pub(super) fn count(&self) -> usize {
        self.shards.len()
    }

    /// Runs a bounded piece of upkeep on one shard; true if more is due.
    pub(super) fn sweep(&self, index: usize, now: u32) -> bool {
        let mut state = self.shards[index].lock();
        let swept = state.shard(&self.context, now).map(|shard| shard.sweep(now, SWEEP_STEPS));
        state.post_events(&self.context, now);
        match swept {
            Some(Ok(more)) => more,
            Some(Err(fault)) => {
                state.replace(&self.context, now, &fault);
                false
            }
            None => false,
        }
    }

    /// Gives all shards together `bytes` of memory; false, and nothing has changed, if that is impossible.
    pub(super) fn limit(&self, bytes: u64, now: u32) -> bool {
        let count = self.shards.len() as u32;
        let fits = |index| (limits::SHARD_BYTES_MIN..=limits::SHARD_BYTES_MAX).contains(&part(bytes, count, index));
        if !(0..count).all(fits) {
            return false;
        }
        for (index, shard) in self.shards.iter().enumerate() {
            if !shard.lock().limit(&self.context, part(bytes, count, index as u32), now) {
                for shard in &self.shards[..index] {
                    let mut state = shard.lock();
                    let before = state.memory_bytes_before;
                    state.limit(&self.context, before, now);
                }
                return false;
            }
        }
        true
    }

    /// Transfers run `index` of the front to a shard and the replies back; true if the whole run was executed.
    /// `room` bounds the replies of all runs together.
    pub(super) fn execute(
        &self,
        front: &mut Front,
        index: u32,
        run: Run,
        shard: usize,
        now: u32,
        room: &mut usize,
    ) -> Result<bool, Fault> {
        let context = &self.context;
        let shard = self.shards.get(shard).ok_or_else(|| invalid("a shard that does not exist"))?;
        let (commands, tail) = (front.commands(run)?, front.tail(run)?);
        let bytes = commands.len() + tail.len();
        let is_long = bytes > limits::RUN_BYTES_KEPT_MAX;
        let _turn = is_long.then(|| self.long_runs.lock());
        let mut state = shard.lock();
        if state.shard(context, now).is_none() {
            front.reply(index, RunOutcome::Lost, 0)?;
            return Ok(true);
        }
        let ShardState { shard: Some(shard), watched, .. } = &mut *state else { return Ok(true) };
        let kinds = context.watching.kinds();
        let watching = if kinds == *watched { Ok(()) } else { shard.watch(kinds) };
        *watched = kinds;
        let copied = watching.and_then(|()| {
            let (head, rest) = shard.commands(bytes)?.split_at_mut(commands.len());
            head.copy_from_slice(commands);
            rest.copy_from_slice(tail);
            Ok(())
        });
        let executed = copied.and_then(|()| shard.execute(bytes as u32, run.count, now, *room as u32));
        let result = executed.and_then(|executed| Ok((executed, shard.replies()?)));
        match result {
            Ok((executed, replies)) => {
                *room = room.saturating_sub(replies.len());
                front.reply(index, RunOutcome::Executed(executed), replies.len())?.copy_from_slice(replies);
                let hands_over = shard.hands_over();
                if is_long && let Err(fault) = shard.reclaim() {
                    state.replace(context, now, &fault);
                    return Ok(executed >= run.count);
                }
                state.post_events(context, now);
                if hands_over {
                    // A thread that walks again and again would take the lock back before a waiting one has woken up.
                    MutexGuard::unlock_fair(state);
                }
                Ok(executed >= run.count)
            }
            Err(fault) => {
                state.replace(context, now, &fault);
                drop(state);
                front.reply(index, RunOutcome::Lost, 0)?;
                Ok(true)
            }
        }
    }
}

impl ShardState {
    /// The shard, made anew if there was no memory for it when the last one trapped.
    #[inline]
    fn shard(&mut self, context: &Context, now: u32) -> Option<&mut Shard> {
        // Once a second, or every request would pay for a guest that cannot be made.
        if self.shard.is_none() && now != self.tried_at {
            self.make(context, now);
        }
        self.shard.as_mut()
    }

    fn replace(&mut self, context: &Context, now: u32, fault: &Fault) {
        fault.record(&context.faults, &context.faults.shard_traps, "shard", self.config.shard as usize);
        // The old guest is dropped first, so that its memory is free for the new one.
        self.shard = None;
        self.make(context, now);
    }

    fn make(&mut self, context: &Context, now: u32) {
        self.tried_at = now;
        self.watched = Kinds::NONE;
        match Shard::create(&context.module, &self.config, now) {
            Ok(shard) => self.shard = Some(shard),
            Err(fault) => tracing::error!("a shard cannot be replaced yet: {}", fault.message),
        }
    }

    /// Posts the events that the shard has recorded.
    #[inline]
    fn post_events(&mut self, context: &Context, now: u32) {
        if self.watched == Kinds::NONE {
            return;
        }
        let Some(shard) = &mut self.shard else { return };
        let posted = shard.events().map(|recorded| recorded.map(|recorded| context.watching.post(recorded)));
        if let Err(fault) = posted {
            self.replace(context, now, &fault);
        }
    }

    fn limit(&mut self, context: &Context, bytes: u64, now: u32) -> bool {
        match self.shard(context, now).map(|shard| shard.limit(bytes)) {
            Some(Ok(true)) => {
                self.memory_bytes_before = std::mem::replace(&mut self.config.store.memory_bytes, bytes);
                true
            }
            Some(Ok(false)) | None => false,
            Some(Err(fault)) => {
                self.replace(context, now, &fault);
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
