//! Upkeep of a shard that many threads use: sweeps, limits, memory for the system, events.

use super::{Stripes, part};
use crate::{boundary::event::Kinds, clock::Seconds};
use alloc::vec::Vec;
use core::{ops::Range, sync::atomic::Ordering};

/// How a change of the limit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitChange {
    /// It is impossible. Nothing has changed.
    Impossible,
    /// Done.
    Done,
    /// Another thread had a lock: the same call must be made again.
    Busy,
}

impl Stripes {
    /// Bounded upkeep of every stripe, of `steps` steps together: `true` if there is more to do at once.
    pub fn sweep(&self, desk: usize, now: Seconds, steps: u32) -> bool {
        let Some(mut desk) = self.desk(desk) else { return true };
        let steps = steps.div_ceil(self.stripes.len() as u32);
        (0..self.stripes.len()).fold(false, |more, stripe| {
            let held = self.held(stripe, &mut desk);
            more | held.is_none_or(|mut held| held.shard.sweep(now, steps))
        })
    }

    /// Changes the limit of the memory of all stripes together.
    pub fn set_limit(&self, desk: usize, memory_bytes: u64) -> LimitChange {
        let Some(mut desk) = self.desk(desk) else { return LimitChange::Busy };
        let count = self.stripes.len() as u32;
        // The parts differ by a byte, so what is possible for the first and the last is possible for all.
        for is_real in [false, true] {
            for stripe in (0..count).filter(|&stripe| is_real || stripe == 0 || stripe == count - 1) {
                let Some(mut held) = self.held(stripe as usize, &mut desk) else { return LimitChange::Busy };
                let bytes = part(memory_bytes, count, stripe);
                let done = if is_real { held.shard.set_limit(bytes) } else { held.shard.can_have_limit(bytes) };
                if !done {
                    return LimitChange::Impossible;
                }
            }
        }
        LimitChange::Done
    }

    /// The addresses of the items and the index of a stripe, used or not. They never change.
    pub fn addresses(&self, stripe: usize) -> Option<Range<usize>> {
        self.stripes.get(stripe).map(|stripe| stripe.shard.write().addresses())
    }

    /// A piece of memory that is free because the limit was lowered: its address and length. The caller may return it to
    /// the system until the next call.
    pub fn reclaimable(&self, desk: usize) -> Option<(usize, usize)> {
        let mut desk = self.desk(desk)?;
        (0..self.stripes.len()).find_map(|stripe| {
            let mut held = self.held(stripe, &mut desk)?;
            held.shard.reclaimable().map(|bytes| (bytes.as_ptr().addr(), bytes.len()))
        })
    }

    /// Records events of these kinds from now on; `false` if a lock was not to be had: the same call must be made again.
    pub fn watch(&self, desk: usize, kinds: Kinds) -> bool {
        let Some(mut desk) = self.desk(desk) else { return false };
        self.watched.store(kinds.0, Ordering::Relaxed);
        (0..self.stripes.len()).all(|stripe| {
            let held = self.held(stripe, &mut desk);
            held.is_some_and(|mut held| {
                held.shard.events().watch(kinds);
                true
            })
        })
    }

    /// Moves the events that were recorded at a desk to `out`. Returns their number, and the number of those that had no
    /// room.
    pub fn take_events(&self, desk: usize, out: &mut Vec<u8>) -> (u32, u32) {
        self.desk(desk).map_or((0, 0), |mut desk| desk.give_events(out))
    }
}
