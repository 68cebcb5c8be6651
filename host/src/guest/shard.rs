//! The verbs of a guest with a store and without connections.

use super::{CallBytes, Fault, Guest, GuestModule, RecordedEvents, UpkeepVerbs, Verb, Word, range};
use wasmcached_core::boundary::{
    config::{Config, Role},
    event::Kinds,
};

/// A guest with a store and without connections.
pub(crate) struct Shard {
    guest: Guest,
    commands: Verb<u32, u32>,
    execute: Verb<(u32, u32, u32, u32), ()>,
    upkeep: UpkeepVerbs,
}

impl Shard {
    /// Makes an empty shard.
    pub(crate) fn create(module: &GuestModule, config: &Config, now: u32) -> Result<Self, Fault> {
        debug_assert_eq!(config.role, Role::Shard);
        let mut guest = Guest::create(module, config, now)?;
        let (commands, execute) = (guest.verb("commands")?, guest.verb("execute")?);
        let upkeep = guest.upkeep_verbs()?;
        Ok(Self { guest, commands, execute, upkeep })
    }

    /// The buffer for the commands of a run.
    pub(crate) fn commands(&mut self, bytes: usize) -> Result<&mut [u8], Fault> {
        let at = self.guest.call_with(&self.commands, bytes as u32, CallBytes(bytes as u64))?;
        self.guest.bytes_mut(range(at, bytes as u32))
    }

    /// Executes the commands in the buffer, up to about `room` bytes of replies; returns the number of executed commands.
    pub(crate) fn execute(&mut self, bytes: u32, count: u32, now: u32, room: u32) -> Result<u32, Fault> {
        self.guest.call_with(&self.execute, (bytes, count, now, room), CallBytes(bytes.into()))?;
        Ok(self.guest.word(Word::Executed as usize))
    }

    /// Whether the lock of the shard goes to a thread that waits for it, after the last [`Shard::execute`].
    #[inline]
    pub(crate) fn hands_over(&self) -> bool {
        self.guest.word(Word::HandsOver as usize) != 0
    }

    /// The replies of the last [`Shard::execute`].
    pub(crate) fn replies(&self) -> Result<&[u8], Fault> {
        self.guest.bytes(self.guest.named(Word::Replies))
    }

    /// Runs bounded upkeep, which also returns memory to the system; true if more is due.
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        self.guest.sweep(&self.upkeep, now, steps)
    }

    /// Returns the buffer of a long run to the system.
    pub(crate) fn reclaim(&mut self) -> Result<bool, Fault> {
        self.guest.reclaim(&self.upkeep)
    }

    /// Changes the size of the pool; false if that is impossible.
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<bool, Fault> {
        self.guest.call(&self.upkeep.limit, bytes).map(|done| done != 0)
    }

    /// Sets the kinds of events to record.
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<(), Fault> {
        self.guest.call(&self.upkeep.watch, kinds.0)
    }

    /// Events since the last call.
    pub(crate) fn events(&mut self) -> Result<Option<RecordedEvents<'_>>, Fault> {
        self.guest.events(&self.upkeep)
    }
}
