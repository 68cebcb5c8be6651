//! The log: the segments that hold items, in the order of their age. Owns that order, the end at which items
//! are appended, and the live bytes of each segment. Frees a segment with its last live byte.
//!
//! The log consists of several lists, each with an open segment at its end. New items are on probation, apart from
//! items that have proved themselves ([`crate::command::Eviction::S3Fifo`]). Items are also apart by their time to live,
//! because items that expire together leave whole segments free. The segments of all lists share one sequence, so
//! "written before" has one meaning.
//!
//! An item that is longer than the free end of the open segment continues at the start of another segment, which the
//! first one names.

use super::{
    item::Item,
    pool::Pool,
    segment::{List, Location, Segment, SegmentBytes, SegmentId, SegmentKind},
};

/// The ends of a list.
#[derive(Clone, Copy)]
struct Ends {
    oldest: SegmentId,
    newest: SegmentId,
    segments: u32,
}

/// A place where items are appended: the end of a list, or the merge target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End(u8);

impl End {
    /// The merge target: a segment beside those that compaction empties, as old as they are.
    pub(super) const MERGE: Self = Self(List::COUNT as u8);

    /// The end of a list.
    #[inline]
    pub(super) fn of(list: List) -> Self {
        Self(list.0)
    }
}

/// See the module.
pub(super) struct Log {
    lists: [Ends; List::COUNT],
    /// The open segment of each [`End`].
    open: [SegmentId; List::COUNT + 1],
    /// The segment before which a merge target is inserted.
    merge_before: SegmentId,
    /// Ages of the item that moves to the merge target, at least and at most.
    merge_ages: (u64, u64),
    /// Counts appended items, opened and closed segments, and epochs of uses.
    sequence: u64,
    /// Lists that may have segments: none is a bucket until the first bucket is used.
    lists_used: u8,
    /// Buckets with an open segment.
    open_buckets: u32,
}

impl Log {
    /// An empty log.
    pub(super) fn new() -> Self {
        let ends = Ends { oldest: SegmentId::NONE, newest: SegmentId::NONE, segments: 0 };
        let open = [SegmentId::NONE; List::COUNT + 1];
        Self {
            lists: [ends; List::COUNT],
            open,
            merge_before: SegmentId::NONE,
            merge_ages: (0, 0),
            sequence: 0,
            lists_used: List::CLASSES as u8,
            open_buckets: 0,
        }
    }

    /// The current sequence number.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next sequence number.
    pub(super) fn tick(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Every list that may have segments.
    pub(super) fn lists(&self) -> impl DoubleEndedIterator<Item = List> + Clone + use<> {
        (0..self.lists_used).map(List)
    }

    /// The segment at the end of a list into which items are written, if there is one.
    pub(super) fn open_segment(&self, list: List) -> SegmentId {
        self.open[list.0 as usize]
    }

    /// Number of buckets with an open segment.
    pub(super) fn open_buckets(&self) -> u32 {
        self.open_buckets
    }

    /// The first segment of a list.
    #[inline]
    pub(super) fn oldest(&self, list: List) -> SegmentId {
        self.lists[list.0 as usize].oldest
    }

    /// The last segment of a list.
    pub(super) fn newest(&self, list: List) -> SegmentId {
        self.lists[list.0 as usize].newest
    }

    /// Number of segments of a list.
    #[inline]
    pub(super) fn segments(&self, list: List) -> u32 {
        self.lists[list.0 as usize].segments
    }

    /// Whether items are written into the segment.
    #[inline]
    pub(super) fn is_open(&self, pool: &Pool, id: SegmentId) -> bool {
        self.open[pool.segment(id).list.0 as usize] == id || self.open[End::MERGE.0 as usize] == id
    }

    /// The merge target, if one is open.
    pub(super) fn merge_target(&self) -> SegmentId {
        self.open[End::MERGE.0 as usize]
    }

    /// Closes the open segments. Returns the highest sequence number; items written later have a higher one.
    pub(super) fn seal(&mut self, pool: &mut Pool) -> u64 {
        for end in (0..self.open.len() as u8).map(End) {
            self.close(pool, end);
        }
        self.sequence
    }

    /// Bytes of the open segments that are not written yet.
    pub(super) fn unwritten_bytes(&self, pool: &Pool) -> u32 {
        (0..self.open.len() as u8).map(|end| self.unwritten_bytes_of(pool, End(end))).sum()
    }

    #[inline]
    fn unwritten_bytes_of(&self, pool: &Pool, end: End) -> u32 {
        match self.open[end.0 as usize] {
            SegmentId::NONE => 0,
            open => pool.segment_bytes() - pool.segment(open).filled.bytes(),
        }
    }

    /// Number of segments that an item needs besides the open one.
    #[inline]
    pub(super) fn segments_needed(&self, pool: &Pool, end: End, item: &Item) -> u32 {
        let total = item.total_bytes();
        let here = if self.begins_in_open(pool, end, item) { self.unwritten_bytes_of(pool, end).min(total) } else { 0 };
        (total - here).div_ceil(pool.segment_bytes())
    }

    /// Whether an item begins in the open segment. Small items are not split: they leave at most a 128th of the segment
    /// unused.
    #[inline]
    fn begins_in_open(&self, pool: &Pool, end: End, item: &Item) -> bool {
        let rest = self.unwritten_bytes_of(pool, end);
        let total = item.total_bytes();
        total <= rest || (item.inline_bytes() <= rest && total > pool.segment_bytes() / 128)
    }

    /// Takes room for `item` at `end`; its present location does not matter. The caller has made sure that
    /// [`Log::segments_needed`] segments are available.
    pub(super) fn append(&mut self, pool: &mut Pool, end: End, item: &Item) -> Location {
        let mut remaining = item.total_bytes();
        if !self.begins_in_open(pool, end, item) {
            self.advance(pool, end);
        }
        self.sequence += 1;
        let mut open = self.open[end.0 as usize];
        let location = pool.location(open, pool.segment(open).filled.bytes());
        loop {
            let here = remaining.min(self.unwritten_bytes_of(pool, end));
            let quarter_shift = pool.quarter_shift();
            let segment = pool.segment_mut(open);
            let begun = segment.filled.bytes() >> quarter_shift;
            segment.filled += here;
            segment.live += here;
            let full = segment.filled.bytes() >> quarter_shift;
            if begun < full {
                let age = if end == End::MERGE { self.merge_ages.1 } else { self.sequence };
                segment.note_age(begun, full, age);
            }
            remaining -= here;
            if remaining == 0 {
                return location;
            }
            self.advance(pool, end);
            pool.segment_mut(open).continued = self.open[end.0 as usize];
            open = self.open[end.0 as usize];
            let head = remaining.min(pool.segment_bytes());
            let segment = pool.segment_mut(open);
            segment.head = SegmentBytes::of(head);
            segment.owner = location;
        }
    }

    /// Records that the item expires at `expiry` (0: never), so that the sweep visits its segment in time.
    #[inline]
    pub(super) fn note_expiry(pool: &mut Pool, location: Location, expiry: u32) {
        if expiry != 0 {
            let id = pool.segment_of(location);
            let segment = pool.segment_mut(id);
            segment.expires_first = segment.expires_first.min(expiry);
        }
    }

    /// Marks an item dead that has left the index. Frees its segments if they have no other live bytes.
    pub(super) fn kill(&mut self, pool: &mut Pool, item: &Item) {
        item.kill(pool);
        let mut id = pool.segment_of(item.location);
        let mut remaining = item.total_bytes();
        let mut rest = pool.segment_bytes() - pool.offset_of(item.location);
        loop {
            let here = remaining.min(rest);
            let segment = pool.segment_mut(id);
            let continued = segment.continued;
            segment.live -= here;
            if segment.owner == item.location {
                segment.owner = Location::NONE;
            }
            if segment.live == SegmentBytes::ZERO {
                let list = segment.list;
                if list.is_bucket() && self.open[list.0 as usize] == id {
                    // A bucket that nothing is left of is used again.
                    self.open[list.0 as usize] = SegmentId::NONE;
                    self.open_buckets -= 1;
                }
                if !self.is_open(pool, id) {
                    self.unlink(pool, id);
                }
            }
            remaining -= here;
            if remaining == 0 {
                return;
            }
            id = continued;
            rest = pool.segment_bytes();
        }
    }

    /// Lets the items of `victim` move to the merge target. A present target goes on if `victim` is the next segment of
    /// its list, or a later one whose age differs by less than `distance_max`; otherwise a new one begins.
    pub(super) fn begin_merge(&mut self, pool: &mut Pool, victim: SegmentId, distance_max: u64) {
        let segment = *pool.segment(victim);
        let target = self.merge_target();
        if target != SegmentId::NONE {
            let begun = *pool.segment(target);
            let distance = segment.opened.checked_sub(begun.opened);
            let is_near = begun.list == segment.list && distance.is_some_and(|distance| distance < distance_max);
            if begun.next == victim {
                pool.segment_mut(target).set_sequence(segment.sequence());
            } else if !is_near || begun.sequence() > segment.sequence() {
                self.close(pool, End::MERGE);
            }
        }
        self.merge_before = victim;
    }

    /// Sets the age of the item that moves to the merge target next, as far as it is known.
    pub(super) fn set_merge_age(&mut self, pool: &Pool, item: &Item) {
        let (id, offset) = (pool.segment_of(item.location), pool.offset_of(item.location));
        let oldest = match offset.checked_sub(1 << pool.quarter_shift()) {
            Some(before) => self.age_at(pool, id, before).0,
            None => pool.segment(id).opened,
        };
        self.merge_ages = (oldest, self.age_at(pool, id, offset).0);
    }

    /// The age of the youngest item in the quarter of a segment around `offset`, and the end of the quarter.
    pub(super) fn age_at(&self, pool: &Pool, id: SegmentId, offset: u32) -> (u64, u32) {
        let segment = pool.segment(id);
        let quarter_shift = pool.quarter_shift();
        let quarter = offset >> quarter_shift;
        let end = (quarter + 1) << quarter_shift;
        let age = match segment.quarters.get(quarter as usize) {
            Some(span) if segment.filled.bytes() >= end => segment.opened + span.get(),
            _ if self.open[segment.list.0 as usize] == id => self.sequence,
            _ => segment.sequence(),
        };
        (age, end)
    }

    /// Closes the segment if it is open. One without a live byte is freed.
    pub(super) fn close_segment(&mut self, pool: &mut Pool, id: SegmentId) {
        let ends = [pool.segment(id).list.0, End::MERGE.0];
        if let Some(end) = ends.into_iter().find(|&end| self.open[end as usize] == id) {
            self.close(pool, End(end));
        }
    }

    /// Closes the open segment of a list; false if there is none.
    pub(super) fn close_list(&mut self, pool: &mut Pool, list: List) -> bool {
        let has_open = self.open[list.0 as usize] != SegmentId::NONE;
        self.close(pool, End(list.0));
        has_open
    }

    /// Closes the open segment of `end` and opens a new one.
    fn advance(&mut self, pool: &mut Pool, end: End) {
        let full = self.open[end.0 as usize];
        // The table entry that a merge target copies, and the neighbour before which it is inserted.
        let model = if full == SegmentId::NONE { self.merge_before } else { full };
        let merged = (end == End::MERGE).then(|| {
            let &Segment { opened, list, next, .. } = pool.segment(model);
            let sequence = pool.segment(model).sequence();
            match model == full {
                // A further target begins with younger items: what is near to the first target is not near to it.
                true => (sequence, self.merge_ages.0.clamp(opened, sequence), list, next),
                false => (sequence, opened, list, model),
            }
        });
        self.close(pool, end);
        let Some(id) = pool.allocate(SegmentKind::Log) else { panic!("room was promised") };
        self.sequence += 1;
        let (sequence, opened, list, before) =
            merged.unwrap_or((self.sequence, self.sequence, List(end.0), SegmentId::NONE));
        let segment = pool.segment_mut(id);
        segment.opened = opened;
        segment.set_sequence(sequence);
        self.link(pool, id, list, before);
        self.open[end.0 as usize] = id;
        self.open_buckets += u32::from(end != End::MERGE && list.is_bucket());
    }

    fn close(&mut self, pool: &mut Pool, end: End) {
        let id = core::mem::replace(&mut self.open[end.0 as usize], SegmentId::NONE);
        if id == SegmentId::NONE {
            return;
        }
        if end != End::MERGE {
            self.open_buckets -= u32::from(List(end.0).is_bucket());
            // A segment is as old as its youngest item: the open segment of a list that few items enter may have been
            // opened before all others.
            self.sequence += 1;
            pool.segment_mut(id).set_sequence(self.sequence);
        }
        if pool.segment(id).live == SegmentBytes::ZERO {
            self.unlink(pool, id);
        }
    }

    /// Inserts a segment into `list`, in front of `before` or at the end.
    fn link(&mut self, pool: &mut Pool, id: SegmentId, list: List, before: SegmentId) {
        let ends = &mut self.lists[list.0 as usize];
        let previous = match before {
            SegmentId::NONE => core::mem::replace(&mut ends.newest, id),
            before => core::mem::replace(&mut pool.segment_mut(before).previous, id),
        };
        match previous {
            SegmentId::NONE => ends.oldest = id,
            previous => pool.segment_mut(previous).next = id,
        }
        ends.segments += 1;
        if list.is_bucket() {
            self.lists_used = List::COUNT as u8;
        }
        let segment = pool.segment_mut(id);
        (segment.list, segment.previous, segment.next) = (list, previous, before);
    }

    /// Removes a segment without live bytes from its list and releases it.
    fn unlink(&mut self, pool: &mut Pool, id: SegmentId) {
        let segment = *pool.segment(id);
        assert!(segment.kind == SegmentKind::Log && segment.live == SegmentBytes::ZERO);
        let ends = &mut self.lists[segment.list.0 as usize];
        match segment.previous {
            SegmentId::NONE => ends.oldest = segment.next,
            previous => pool.segment_mut(previous).next = segment.next,
        }
        match segment.next {
            SegmentId::NONE => ends.newest = segment.previous,
            next => pool.segment_mut(next).previous = segment.previous,
        }
        ends.segments -= 1;
        pool.release(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Expiry, store::item::Header};

    fn header(value_bytes: u32) -> Header {
        let expiry = Expiry::NEVER;
        Header { key_bytes: 4, value_bytes, flags: 0, expiry, expiry_word: false, unique: 1, access: 1, last_use: None }
    }

    fn item(value_bytes: u32) -> Item {
        header(value_bytes).at(Location::NONE)
    }

    fn append(log: &mut Log, pool: &mut Pool, value_bytes: u32) -> Item {
        let needed = log.segments_needed(pool, End::of(List::MAIN), &item(value_bytes));
        let before = pool.used();
        let location = log.append(pool, End::of(List::MAIN), &item(value_bytes));
        assert_eq!(pool.used(), before + needed);
        header(value_bytes).emit(pool, location)
    }

    #[test]
    fn items_span_segments_and_free_them_with_their_last_byte() {
        let mut pool = Pool::new(1024, 16, 16).unwrap();
        pool.allocate(SegmentKind::Index).unwrap();
        let mut log = Log::new();
        let first = append(&mut log, &mut pool, 600);
        let spanning = append(&mut log, &mut pool, 3000);
        let last = append(&mut log, &mut pool, 100);
        assert_eq!(pool.used(), 1 + 4);
        assert_eq!(pool.segment(pool.segment_of(last.location)).owner, spanning.location);
        log.kill(&mut pool, &spanning);
        assert_eq!(pool.used(), 1 + 2);
        log.kill(&mut pool, &first);
        assert_eq!(pool.used(), 1 + 1);
        assert!(log.is_open(&pool, log.oldest(List::MAIN)));
        log.kill(&mut pool, &last);
        assert_eq!(pool.used(), 1 + 1, "the open segment stays");
    }

    #[test]
    fn a_seal_divides_before_from_after() {
        let mut pool = Pool::new(1024, 16, 16).unwrap();
        pool.allocate(SegmentKind::Index).unwrap();
        let mut log = Log::new();
        assert_eq!(log.seal(&mut pool), 0);
        let sequence = |pool: &Pool, item: &Item| pool.segment(pool.segment_of(item.location)).sequence();
        let first = append(&mut log, &mut pool, 10);
        let mark = log.seal(&mut pool);
        let second = append(&mut log, &mut pool, 10);
        assert!(sequence(&pool, &first) <= mark && sequence(&pool, &second) > mark);
        log.kill(&mut pool, &second);
        assert_eq!(log.segments(List::MAIN), 2, "the open segment stays");
        log.seal(&mut pool);
        assert_eq!(log.segments(List::MAIN), 1, "an empty one does not outlive its closing");
    }
}
