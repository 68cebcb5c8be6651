//! The log: the segments that hold items, in the order in which they were opened. Owns that order, the end at which items
//! are appended, and the live bytes of each segment. Frees a segment with its last live byte.
//!
//! The log consists of several lists, each with an open segment at its end. New items are on probation, apart from
//! items that have proved themselves ([`crate::command::Eviction::S3Fifo`]). Items are also apart by their time to live,
//! because items that expire together leave whole segments free. The segments of all lists share one sequence, so
//! "written before" has one meaning.
//!
//! An item that is longer than the free end of the open segment continues at the start of the next segment. Neighbours
//! in a list stay neighbours as long as a live item spans them.

use super::{
    item::Item,
    pool::Pool,
    segment::{List, Location, SegmentId, SegmentKind},
};

/// The ends of a list.
#[derive(Clone, Copy)]
struct Ends {
    oldest: SegmentId,
    newest: SegmentId,
    /// Whether items are written into the newest.
    is_open: bool,
    segments: u32,
}

/// See the module.
pub(super) struct Log {
    lists: [Ends; List::COUNT],
    sequence: u64,
}

impl Log {
    /// An empty log.
    pub(super) fn new() -> Self {
        let ends = Ends { oldest: SegmentId::NONE, newest: SegmentId::NONE, is_open: false, segments: 0 };
        Self { lists: [ends; List::COUNT], sequence: 0 }
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
    pub(super) fn is_open(&self, id: SegmentId) -> bool {
        self.lists.iter().any(|ends| ends.is_open && ends.newest == id)
    }

    /// Closes the open segments. Returns the highest sequence number; items written later have a higher one.
    pub(super) fn seal(&mut self, pool: &mut Pool) -> u64 {
        for list in List::all() {
            self.close(pool, list);
        }
        self.sequence
    }

    /// Bytes of the open segments that are not written yet.
    pub(super) fn unwritten_bytes(&self, pool: &Pool) -> u32 {
        List::all().map(|list| self.unwritten_bytes_of(pool, list)).sum()
    }

    #[inline]
    fn unwritten_bytes_of(&self, pool: &Pool, list: List) -> u32 {
        let ends = &self.lists[list.0 as usize];
        if ends.is_open { pool.segment_bytes() - pool.segment(ends.newest).filled } else { 0 }
    }

    /// Number of segments that an item needs besides the open one.
    #[inline]
    pub(super) fn segments_needed(&self, pool: &Pool, list: List, item: &Item) -> u32 {
        let total = item.total_bytes();
        let here =
            if self.begins_in_open(pool, list, item) { self.unwritten_bytes_of(pool, list).min(total) } else { 0 };
        (total - here).div_ceil(pool.segment_bytes())
    }

    /// Whether an item begins in the open segment. Small items are not split: they leave at most a 64th of the segment
    /// unused.
    #[inline]
    fn begins_in_open(&self, pool: &Pool, list: List, item: &Item) -> bool {
        let rest = self.unwritten_bytes_of(pool, list);
        let total = item.total_bytes();
        total <= rest || (item.inline_bytes() <= rest && total > pool.segment_bytes() / 64)
    }

    /// Takes room for `item` at the end of `list`; its present location does not matter. The caller has made sure that
    /// [`Log::segments_needed`] segments are available.
    pub(super) fn append(&mut self, pool: &mut Pool, list: List, item: &Item) -> Location {
        let mut remaining = item.total_bytes();
        if !self.begins_in_open(pool, list, item) {
            self.advance(pool, list);
        }
        let mut open = self.newest(list);
        let location = pool.location(open, pool.segment(open).filled);
        loop {
            let here = remaining.min(self.unwritten_bytes_of(pool, list));
            let segment = pool.segment_mut(open);
            segment.filled += here;
            segment.live += here;
            remaining -= here;
            if remaining == 0 {
                return location;
            }
            self.advance(pool, list);
            open = self.newest(list);
            let head = remaining.min(pool.segment_bytes());
            let segment = pool.segment_mut(open);
            segment.head = head;
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
            let next = segment.next;
            segment.live -= here;
            if segment.owner == item.location {
                segment.owner = Location::NONE;
            }
            if segment.live == 0 && !self.is_open(id) {
                self.unlink(pool, id);
            }
            remaining -= here;
            if remaining == 0 {
                return;
            }
            id = next;
            rest = pool.segment_bytes();
        }
    }

    /// Closes the open segment of `list` and opens a new one.
    fn advance(&mut self, pool: &mut Pool, list: List) {
        self.close(pool, list);
        let Some(id) = pool.allocate(SegmentKind::Log) else { panic!("room was promised") };
        self.sequence += 1;
        let ends = &mut self.lists[list.0 as usize];
        let segment = pool.segment_mut(id);
        segment.sequence = self.sequence;
        segment.list = list;
        segment.previous = ends.newest;
        match ends.newest {
            SegmentId::NONE => ends.oldest = id,
            newest => pool.segment_mut(newest).next = id,
        }
        ends.newest = id;
        ends.is_open = true;
        ends.segments += 1;
    }

    fn close(&mut self, pool: &mut Pool, list: List) {
        let ends = &mut self.lists[list.0 as usize];
        let (was_open, newest) = (ends.is_open, ends.newest);
        ends.is_open = false;
        if !was_open {
            return;
        }
        // The age of a segment is that of its youngest item: the open segment of a slow list is older than the log.
        self.sequence += 1;
        pool.segment_mut(newest).sequence = self.sequence;
        if pool.segment(newest).live == 0 {
            self.unlink(pool, newest);
        }
    }

    /// Removes a segment without live bytes from its list and releases it.
    fn unlink(&mut self, pool: &mut Pool, id: SegmentId) {
        let segment = *pool.segment(id);
        assert!(segment.kind == SegmentKind::Log && segment.live == 0);
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

    fn item(value_bytes: u32) -> Item {
        let header = Header { key_bytes: 4, value_bytes, flags: 0, expiry: Expiry::NEVER, unique: 1, access: 1 };
        header.at(Location::NONE)
    }

    fn append(log: &mut Log, pool: &mut Pool, value_bytes: u32) -> Item {
        let needed = log.segments_needed(pool, List::MAIN, &item(value_bytes));
        let before = pool.used();
        let location = log.append(pool, List::MAIN, &item(value_bytes));
        assert_eq!(pool.used(), before + needed);
        let header = Header { key_bytes: 4, value_bytes, flags: 0, expiry: Expiry::NEVER, unique: 1, access: 1 };
        header.emit(pool, location)
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
        assert!(log.is_open(log.oldest(List::MAIN)));
        log.kill(&mut pool, &last);
        assert_eq!(pool.used(), 1 + 1, "the open segment stays");
    }

    #[test]
    fn a_seal_divides_before_from_after() {
        let mut pool = Pool::new(1024, 16, 16).unwrap();
        pool.allocate(SegmentKind::Index).unwrap();
        let mut log = Log::new();
        assert_eq!(log.seal(&mut pool), 0);
        let sequence = |pool: &Pool, item: &Item| pool.segment(pool.segment_of(item.location)).sequence;
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
