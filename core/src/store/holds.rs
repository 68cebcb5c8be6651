//! Holds: values that clients still read, piece by piece, and the segments that these values lie in. [`super::held`] has what
//! the pool does with them.

use super::{
    SERVES,
    segment::{Location, SegmentId},
};
use crate::clock::Seconds;
use alloc::collections::BTreeMap;
use slab::Slab;

/// A hold, by its number and a sequence number, which no other hold ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HoldId {
    pub(super) number: u32,
    pub(super) sequence: u64,
}

/// A value that clients read.
pub(super) struct Hold {
    /// Of its item, which may be dead.
    pub(super) location: Location,
    /// Segments from that of the item on, as far as the item goes.
    pub(super) segments: u32,
    pub(super) sequence: u64,
    pub(super) readers: u32,
    pub(super) read_at: Seconds,
}

/// See the module.
#[derive(Default)]
pub(super) struct Holds {
    pub(super) holds: Slab<Hold>,
    /// The hold of each held item.
    pub(super) numbers: BTreeMap<u32, u32>,
    /// Holds that cover each held segment.
    pub(super) covered: BTreeMap<u32, u32>,
    sequence: u64,
    /// Held segments that have left the log: they have no live items.
    pub(super) kept: u32,
    /// Eviction spares no segments: nothing else is left.
    pub(super) spares_nothing: bool,
    /// Eviction has passed over segments.
    pub(super) has_passed: bool,
    /// Such segments may be evicted now.
    pub(super) has_unspared: bool,
}

impl Holds {
    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !SERVES || self.holds.is_empty()
    }

    /// Whether the bytes of this segment must not change.
    pub(super) fn covers(&self, segment: SegmentId) -> bool {
        SERVES && self.covered.contains_key(&segment.0)
    }

    /// The hold, if it is still there.
    pub(super) fn get(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(id.number as usize).filter(|hold| hold.sequence == id.sequence)
    }

    /// The hold, if it is still there.
    pub(super) fn get_mut(&mut self, id: HoldId) -> Option<&mut Hold> {
        self.holds.get_mut(id.number as usize).filter(|hold| hold.sequence == id.sequence)
    }

    /// The hold with this number.
    pub(super) fn id(&self, number: u32) -> Option<HoldId> {
        self.holds.get(number as usize).map(|hold| HoldId { number, sequence: hold.sequence })
    }

    /// The next sequence number. It has the time in it, so that a reader of a store that was lost meanwhile finds nothing
    /// in the store that replaced it.
    pub(super) fn next_sequence(&mut self, now: Seconds) -> u64 {
        self.sequence = (self.sequence + 1).max(u64::from(now) << u32::BITS);
        self.sequence
    }
}
