//! Holds: segments whose bytes a client still reads, piece by piece. The bytes stay readable although their items change,
//! die or are evicted, for [`limits::HOLD_S`] after the last read.
//!
//! A hold costs nothing but its entry while the segment stays in the log. When the segment is released, its bytes are
//! saved beside the pool, up to a bound; beyond the bound, the hold that was read longest ago is dropped.

use super::segment::SegmentId;
use crate::{clock::Seconds, limits};
use alloc::{collections::BTreeMap, vec::Vec};
use slab::Slab;

/// A hold, by its number and a sequence number, which no other hold ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HoldId {
    pub(super) number: u32,
    pub(super) sequence: u64,
}

struct Hold {
    segment: SegmentId,
    sequence: u64,
    /// The segment in which the value continues.
    next: Option<HoldId>,
    until: Seconds,
    /// The bytes, once the segment is released.
    saved: Option<Vec<u8>>,
}

/// The place of held bytes.
pub(super) enum HeldBytes<'h> {
    /// In this segment of the pool.
    Pool(SegmentId),
    /// Beside the pool.
    Saved(&'h [u8]),
}

/// See the module.
pub(super) struct Holds {
    holds: Slab<Hold>,
    /// The hold of each held segment that is in the log.
    numbers: BTreeMap<u32, u32>,
    sequence: u64,
    saved_bytes: usize,
    saved_bytes_max: usize,
}

impl Holds {
    /// None; released segments may take `saved_bytes_max` bytes.
    pub(super) fn new(saved_bytes_max: usize) -> Self {
        Self { holds: Slab::new(), numbers: BTreeMap::new(), sequence: 0, saved_bytes: 0, saved_bytes_max }
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// Bytes of released segments.
    pub(super) fn saved_bytes(&self) -> usize {
        self.saved_bytes
    }

    /// Whether the bytes of this segment must not change.
    pub(super) fn covers(&self, segment: SegmentId) -> bool {
        self.numbers.contains_key(&segment.0)
    }

    /// Holds a segment, or holds it for longer. A value continues in it that began in `before`.
    pub(super) fn add(&mut self, segment: SegmentId, before: Option<HoldId>, now: Seconds) -> HoldId {
        let until = now.saturating_add(limits::HOLD_S);
        let present = self.numbers.get(&segment.0).and_then(|&number| self.id(number));
        let id = present.unwrap_or_else(|| {
            self.sequence += 1;
            let sequence = self.sequence;
            let number = self.holds.insert(Hold { segment, sequence, next: None, until, saved: None }) as u32;
            self.numbers.insert(segment.0, number);
            HoldId { number, sequence }
        });
        if let Some(hold) = self.get_mut(id) {
            hold.until = until;
        }
        if let Some(before) = before.and_then(|before| self.get_mut(before)) {
            before.next = Some(id);
        }
        id
    }

    /// Prolongs a hold. Returns the hold in which the value continues; `None`: there is no such hold any more.
    pub(super) fn renew(&mut self, id: HoldId, now: Seconds) -> Option<Option<HoldId>> {
        let hold = self.get_mut(id)?;
        hold.until = now.saturating_add(limits::HOLD_S);
        Some(hold.next)
    }

    /// The bytes of a hold, and the hold in which the value continues.
    pub(super) fn read(&self, id: HoldId) -> Option<(HeldBytes<'_>, Option<HoldId>)> {
        let hold = self.holds.get(id.number as usize).filter(|hold| hold.sequence == id.sequence)?;
        let bytes = match &hold.saved {
            Some(saved) => HeldBytes::Saved(saved),
            None => HeldBytes::Pool(hold.segment),
        };
        Some((bytes, hold.next))
    }

    /// The hold with this number.
    pub(super) fn id(&self, number: u32) -> Option<HoldId> {
        self.holds.get(number as usize).map(|hold| HoldId { number, sequence: hold.sequence })
    }

    /// Saves the bytes of a segment that is released now, if it is held.
    #[cold]
    pub(super) fn save(&mut self, segment: SegmentId, bytes: &[u8]) {
        let Some(&number) = self.numbers.get(&segment.0) else { return };
        while self.saved_bytes + bytes.len() > self.saved_bytes_max {
            let saved = self.holds.iter().filter(|(_, hold)| hold.saved.is_some());
            let Some((oldest, _)) = saved.min_by_key(|(_, hold)| hold.until) else {
                self.remove(number);
                return;
            };
            self.remove(oldest as u32);
        }
        let mut saved = Vec::new();
        // Without memory the reader is lost, not the store.
        if saved.try_reserve_exact(bytes.len()).is_err() {
            self.remove(number);
            return;
        }
        saved.extend_from_slice(bytes);
        if let Some(hold) = self.holds.get_mut(number as usize) {
            hold.saved = Some(saved);
            self.numbers.remove(&segment.0);
            self.saved_bytes += bytes.len();
        }
    }

    /// Drops the holds whose time is over.
    pub(super) fn expire(&mut self, now: Seconds) {
        if self.is_empty() {
            return;
        }
        let over: Vec<usize> =
            self.holds.iter().filter(|(_, hold)| hold.until < now).map(|(number, _)| number).collect();
        over.into_iter().for_each(|number| self.remove(number as u32));
    }

    fn get_mut(&mut self, id: HoldId) -> Option<&mut Hold> {
        self.holds.get_mut(id.number as usize).filter(|hold| hold.sequence == id.sequence)
    }

    fn remove(&mut self, number: u32) {
        let Some(hold) = self.holds.try_remove(number as usize) else { return };
        match hold.saved {
            Some(saved) => self.saved_bytes -= saved.len(),
            None => drop(self.numbers.remove(&hold.segment.0)),
        }
    }
}
