//! Readers that leave: of long values that were sent, or whose clients are gone. At the end of the next turn the front
//! tells their shards, which then need not hold the values any longer.

use super::{Front, Step, stream::ValueStream};
use crate::{limits, reply::ValueCursor};
use alloc::vec::Vec;

/// Readers whose shards do not know yet that they have left, by the hash of the key.
#[derive(Debug, Default)]
pub(super) struct Leaving(Vec<(u64, ValueCursor)>);

impl Leaving {
    /// Adds a reader, if there is one. Beyond the bound its shard notices by itself, after [`limits::HOLD_S`].
    pub(super) fn add(&mut self, stream: Option<&ValueStream>) {
        if let Some(stream) = stream {
            self.add_reader(stream.reader());
        }
    }

    pub(super) fn add_reader(&mut self, reader: (u64, ValueCursor)) {
        if self.0.len() < limits::LEAVING_READERS_MAX {
            self.0.push(reader);
        }
    }
}

impl Front {
    /// The step after the last of a turn.
    #[inline]
    pub(super) fn last_step(&self) -> Step {
        if self.leaving.0.is_empty() { Step::Idle } else { Step::Leave }
    }

    /// After [`Step::Leave`] in a solo engine: the readers that have left.
    pub fn take_leaving(&mut self) -> impl Iterator<Item = ValueCursor> + use<> {
        core::mem::take(&mut self.leaving.0).into_iter().map(|(_, cursor)| cursor)
    }

    /// After [`Step::Leave`]: tells the shards which readers have left.
    pub fn load_leaving(&mut self) {
        self.pending.clear();
        self.runs.load_leaving(core::mem::take(&mut self.leaving.0));
    }
}
