//! Compaction: moves the live items of segments with dead bytes together, so that whole segments become free.
//!
//! Items keep their age. Those of neighbouring segments are merged into a segment in their place: moved to the end of
//! their list they would outlive younger items. A store without evictions needs no order and moves them to the end.

use super::{
    Hit, Store,
    item::Item,
    log::End,
    segment::{List, Location, SegmentId, SegmentKind},
    victim::{Mode, Victim},
};
use crate::clock::Seconds;

/// A segment is compacted if at least this fraction is wasted. With less, a walk of [`super::reclaim::PACE`] would free
/// too little.
pub(super) const WASTE_DENOMINATOR: u32 = 4;
/// The same fraction in a store without evictions.
pub(super) const WASTE_DENOMINATOR_DESPERATE: u32 = 16;
/// Segments that waste less than this fraction are passed over in a merge.
const PASSED_DENOMINATOR: u32 = 8;
/// A segment that wastes more than all but this fraction is emptied even if it has no neighbours to merge with.
const LONE_DENOMINATOR: u32 = 8;
/// Segments whose items one merge moves at most, in full segments of live bytes.
const MERGE_SEGMENTS_MAX: u32 = 3;
/// Segments that the search for neighbours looks at.
const MERGE_SCAN_SEGMENTS: u32 = 16;
/// Fraction of the log by whose age merged segments differ at most, unless they are neighbours. The items of segments that
/// a merge passes over wait for as much longer.
const MERGE_AGE_DENOMINATOR: u64 = 256;

/// The merge that is going on.
#[derive(Clone, Copy)]
pub(super) struct Merge {
    /// Live bytes that may still be moved.
    left: u32,
    /// Whether items go to the end of their list instead.
    to_the_end: bool,
}

impl Merge {
    /// None.
    pub(super) const NONE: Self = Self { left: 0, to_the_end: true };
}

impl Store {
    /// Bytes of a segment that hold no live item, if compaction may empty it.
    pub(super) fn waste(&self, id: SegmentId) -> Option<u32> {
        let segment = self.pool.segment(id);
        // A held segment is not free when it is empty.
        if segment.kind != SegmentKind::Log
            || self.log.is_open(&self.pool, id)
            || self.is_front(id)
            || self.pool.is_held(id)
        {
            return None;
        }
        Some(if self.config.evictions { self.pool.segment_bytes() - segment.live.bytes() } else { segment.dead() })
    }

    /// Starts the compaction of a segment and of those near it. `None` if that frees no segment.
    pub(super) fn compaction_of(&mut self, id: SegmentId, now: Seconds) -> Option<Victim> {
        if !self.config.evictions {
            return self.emptying_of(id, now);
        }
        let segment_bytes = self.pool.segment_bytes();
        let worth = |store: &Self, id| store.waste(id).is_some_and(|waste| waste >= segment_bytes / WASTE_DENOMINATOR);
        let mut first = id;
        for _ in 0..MERGE_SEGMENTS_MAX {
            match self.pool.segment(first).previous {
                previous if previous != SegmentId::NONE && worth(self, previous) => first = previous,
                _ => break,
            }
        }
        self.reclaim.merge = Merge { left: MERGE_SEGMENTS_MAX * segment_bytes, to_the_end: false };
        if !self.frees_a_segment(first) {
            first = id;
            let lone = segment_bytes - segment_bytes / LONE_DENOMINATOR;
            if self.waste(id).is_none_or(|waste| waste < lone) {
                return None;
            }
            self.reclaim.merge = Merge::NONE;
        }
        self.emptying_of(first, now)
    }

    /// The next segment of the merge that has emptied the last one.
    pub(super) fn next_of_merge(&mut self, now: Seconds) -> Option<Victim> {
        let target = self.log.merge_target();
        if self.reclaim.merge.left == 0 || target == SegmentId::NONE {
            return None;
        }
        let next = self.next_to_merge(self.pool.segment(target).opened, self.pool.segment(target).next, true)?.0;
        self.emptying_of(next, now)
    }

    /// Where compaction moves an item.
    pub(super) fn compaction_end(&mut self, item: &Item, now: Seconds) -> End {
        if self.config.evictions && !self.reclaim.merge.to_the_end {
            return End::MERGE;
        }
        if let Some(bucket) = self.bucket_for(item) {
            return End::of(bucket);
        }
        End::of(List::of(self.part_of(item), item.expiry(&self.pool), now))
    }

    /// Whether merging segments from `first` on frees at least one.
    fn frees_a_segment(&self, first: SegmentId) -> bool {
        let segment_bytes = self.pool.segment_bytes();
        let opened = self.pool.segment(first).opened;
        let (mut next, mut is_neighbour) = (first, true);
        let (mut wasted, mut moved) = (0, 0);
        while let Some((id, waste)) = self.next_to_merge(opened, next, is_neighbour) {
            wasted += waste;
            moved += segment_bytes - waste;
            if moved > MERGE_SEGMENTS_MAX * segment_bytes {
                return false;
            }
            // The ends of the merged segments waste a little again.
            if wasted >= segment_bytes + segment_bytes / 32 {
                return true;
            }
            is_neighbour = id == next;
            next = self.pool.segment(id).next;
        }
        false
    }

    /// The first segment from `id` on that is worth merging into one that was opened at `opened`, and the bytes that it
    /// wastes.
    fn next_to_merge(&self, opened: u64, mut id: SegmentId, is_neighbour: bool) -> Option<(SegmentId, u32)> {
        let distance_max = self.merge_distance_max();
        let first = id;
        for _ in 0..MERGE_SCAN_SEGMENTS {
            if id == SegmentId::NONE || self.log.is_open(&self.pool, id) {
                return None;
            }
            let segment = self.pool.segment(id);
            let is_near = segment.opened.saturating_sub(opened) < distance_max;
            if !(is_near || is_neighbour && id == first) {
                return None;
            }
            if let Some(waste) = self.waste(id)
                && waste >= self.pool.segment_bytes() / PASSED_DENOMINATOR
            {
                return Some((id, waste));
            }
            id = segment.next;
        }
        None
    }

    fn merge_distance_max(&self) -> u64 {
        let opened = |list| match self.log.oldest(list) {
            SegmentId::NONE => u64::MAX,
            oldest => self.pool.segment(oldest).opened,
        };
        let oldest = self.log.lists().map(opened).min().unwrap_or(0);
        self.log.sequence().saturating_sub(oldest) / MERGE_AGE_DENOMINATOR
    }

    /// Starts to empty a segment. An item that continues in it is moved first; `None` if that is impossible.
    fn emptying_of(&mut self, id: SegmentId, now: Seconds) -> Option<Victim> {
        let victim = self.victim(id, Mode::Compact);
        if self.config.evictions && !self.reclaim.merge.to_the_end {
            self.reclaim.merge.left = self.reclaim.merge.left.saturating_sub(self.pool.segment(id).live.bytes());
            let distance_max = self.merge_distance_max();
            self.log.begin_merge(&mut self.pool, id, distance_max);
        }
        let owner = self.pool.segment(id).owner;
        if owner != Location::NONE {
            let item = Item::parse(&self.pool, owner);
            let hash = self.index.hash(item.key(&self.pool));
            let slot = self.index.slot_of(&self.pool, hash, owner);
            let small = item.total_bytes() <= 2 * self.pool.segment_bytes();
            let hit = Hit { slot, item };
            if !(small || self.is_gone(&item, now)) || !self.reclaim_item(hash, hit, Mode::Compact, now) {
                return None;
            }
        }
        self.is_current(victim).then_some(victim)
    }
}
