//! Held values in the pool. Their bytes stay readable although the items change, die or are evicted, until the last reader
//! has left, or for [`limits::HOLD_S`] after the last read.
//!
//! A hold costs nothing but its entry while its segments stay in the log. A held segment that loses its last live item
//! stays in the pool, outside of the log, until no hold covers it ([`SegmentKind::Held`]). Such segments are bounded:
//! beyond what [`limits::HELD_REST_DIVISOR`] leaves, the hold that was read longest ago is dropped.

use super::{
    holds::{Hold, HoldId},
    item::Item,
    pool::Pool,
    segment::{SegmentId, SegmentKind},
};
use crate::{clock::Seconds, limits};
use alloc::{collections::BTreeMap, vec::Vec};

impl Pool {
    /// Holds the bytes of an item for one more reader.
    pub(super) fn hold(&mut self, item: &Item, now: Seconds) -> HoldId {
        let present = self.holds.numbers.get(&item.location.0).and_then(|&number| self.holds.id(number));
        if let Some(id) = present
            && let Some(hold) = self.holds.get_mut(id)
        {
            hold.readers += 1;
            hold.read_at = now;
            return id;
        }
        let segments = (self.offset_of(item.location) + item.total_bytes()).div_ceil(self.segment_bytes());
        let sequence = self.holds.next_sequence(now);
        let hold = Hold { location: item.location, segments, sequence, readers: 1, read_at: now };
        let number = self.holds.holds.insert(hold) as u32;
        self.holds.numbers.insert(item.location.0, number);
        let mut segment = self.segment_of(item.location);
        for _ in 0..segments {
            *self.holds.covered.entry(segment.0).or_default() += 1;
            segment = self.segment(segment).continued;
        }
        self.holds.has_unspared |= self.holds.has_passed && self.holds.covered.len() > self.held_max() as usize;
        HoldId { number, sequence }
    }

    /// Prolongs a hold. Returns the segment and the offset in it that are `distance` bytes after the start of its first
    /// segment, if `length` bytes from there on are held; `None`: they are not, or there is no such hold any more.
    pub(super) fn find_held(
        &mut self,
        id: HoldId,
        distance: u64,
        length: u32,
        now: Seconds,
    ) -> Option<(SegmentId, usize)> {
        let segment_bytes = u64::from(self.segment_bytes());
        let hold = self.holds.get_mut(id)?;
        if distance + u64::from(length) > u64::from(hold.segments) * segment_bytes {
            return None;
        }
        hold.read_at = now;
        let mut segment = self.segment_of(self.holds.get(id)?.location);
        for _ in 0..distance / segment_bytes {
            segment = self.segment(segment).continued;
        }
        Some((segment, (distance % segment_bytes) as usize))
    }

    /// A reader of a hold has left.
    pub(super) fn leave_hold(&mut self, id: HoldId) {
        let Some(hold) = self.holds.get_mut(id) else { return };
        hold.readers -= 1;
        if hold.readers == 0 {
            self.drop_hold(id.number);
        }
    }

    /// Whether the bytes of `id` must not change, because a client still reads them.
    #[inline]
    pub(super) fn is_held(&self, id: SegmentId) -> bool {
        !self.holds.is_empty() && self.holds.covers(id)
    }

    /// Whether eviction passes over a segment: it is held, so that nothing would be gained, and enough of the pool is not.
    #[inline]
    pub(super) fn spares(&self, id: SegmentId) -> bool {
        !self.holds.is_empty()
            && self.is_held(id)
            && !self.holds.spares_nothing
            && self.holds.covered.len() <= self.held_max() as usize
    }

    /// Sets whether eviction may pass over held segments. True if it did before, and there are any.
    pub(super) fn set_sparing(&mut self, spares: bool) -> bool {
        let spared = !core::mem::replace(&mut self.holds.spares_nothing, !spares) && !self.holds.is_empty();
        self.holds.has_unspared |= spared && !spares;
        spared
    }

    /// Whether segments that eviction has passed over may be evicted since the last call.
    pub(super) fn take_unspared(&mut self) -> bool {
        let has_unspared = core::mem::take(&mut self.holds.has_unspared);
        self.holds.has_passed &= !has_unspared;
        has_unspared
    }

    /// Keeps a segment that leaves the log, if it is held. `false`: it is not, or not any more.
    #[cold]
    pub(super) fn keep_held(&mut self, id: SegmentId) -> bool {
        if !self.holds.covers(id) {
            return false;
        }
        self.set_held(id);
        self.holds.kept += 1;
        self.bound_held();
        true
    }

    /// Drops holds while more segments are kept than may be.
    pub(super) fn bound_held(&mut self) {
        while self.holds.kept > self.held_max() && self.drop_oldest_hold() {}
    }

    /// Drops the hold that was read longest ago, of those for which segments are kept. `false`: there is none.
    #[cold]
    pub(super) fn drop_oldest_hold(&mut self) -> bool {
        if self.holds.is_empty() {
            return false;
        }
        let keeping = self.holds.holds.iter().filter(|(_, hold)| self.keeps_for(hold));
        let Some((oldest, _)) = keeping.min_by_key(|(_, hold)| (hold.read_at, hold.sequence)) else { return false };
        self.drop_hold(oldest as u32);
        true
    }

    /// Whether segments are kept for a hold. Of a stored item, all are in the log.
    fn keeps_for(&self, hold: &Hold) -> bool {
        let mut segment = self.segment_of(hold.location);
        Item::parse_any(self, hold.location).is_dead()
            && (0..hold.segments).any(|_| {
                let is_kept = self.segment(segment).kind == SegmentKind::Held;
                segment = self.segment(segment).continued;
                is_kept
            })
    }

    /// Drops the holds whose time is over.
    pub(super) fn expire_holds(&mut self, now: Seconds) {
        if self.holds.is_empty() {
            return;
        }
        let is_over = |hold: &Hold| hold.read_at.saturating_add(limits::HOLD_S) < now;
        let over: Vec<usize> =
            self.holds.holds.iter().filter(|(_, hold)| is_over(hold)).map(|(number, _)| number).collect();
        over.into_iter().for_each(|number| self.drop_hold(number as u32));
    }

    fn drop_hold(&mut self, number: u32) {
        let Some(hold) = self.holds.holds.try_remove(number as usize) else { return };
        self.holds.numbers.remove(&hold.location.0);
        let mut segment = self.segment_of(hold.location);
        for _ in 0..hold.segments {
            let next = self.segment(segment).continued;
            if let Some(holds) = self.holds.covered.get_mut(&segment.0) {
                *holds -= 1;
                if *holds == 0 {
                    self.holds.covered.remove(&segment.0);
                    if self.segment(segment).kind == SegmentKind::Held {
                        self.holds.kept -= 1;
                        self.free(segment);
                    } else {
                        self.holds.has_unspared |= self.holds.has_passed;
                    }
                }
            }
            segment = next;
        }
    }

    /// Every held segment, with the number of holds that cover it, counted anew. For [`super::check`].
    pub(super) fn check_holds(&self) {
        let mut covered: BTreeMap<u32, u32> = BTreeMap::new();
        for (number, hold) in &self.holds.holds {
            assert_eq!(self.holds.numbers.get(&hold.location.0), Some(&(number as u32)));
            assert!(hold.readers > 0, "a hold without readers is dropped");
            let mut segment = self.segment_of(hold.location);
            for _ in 0..hold.segments {
                *covered.entry(segment.0).or_default() += 1;
                segment = self.segment(segment).continued;
            }
        }
        assert_eq!(covered, self.holds.covered);
        assert_eq!(self.holds.numbers.len(), self.holds.holds.len());
        let kept = (0..self.segments()).map(SegmentId).filter(|&id| self.segment(id).kind == SegmentKind::Held);
        let kept = kept.inspect(|id| assert!(covered.contains_key(&id.0), "only held segments are kept"));
        assert_eq!(kept.count() as u32, self.holds.kept);
        assert!(self.holds.kept <= self.held_max());
    }
}
