//! The log: the segments that hold items, in the order in which they were opened. Owns that list, the place where the
//! next item goes, and the account of live bytes of each segment; frees a segment with its last live byte.
//!
//! An item whose value is longer than the rest of the open segment continues at the start of the segment after it, so
//! neighbours in the list stay neighbours as long as a live item spans them.

use super::{
    item::Item,
    pool::{Kind, Location, Pool, SegmentId},
};

/// A position in the order of the log: sequence of the segment, offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    pub(super) offset: u32,
}

/// See the module.
pub(super) struct Log {
    oldest: SegmentId,
    open: SegmentId,
    sequence: u64,
}

impl Log {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self { oldest: SegmentId::NONE, open: SegmentId::NONE, sequence: 0 }
    }

    /// The segment at which the list begins.
    #[inline]
    pub(super) fn oldest(&self) -> SegmentId {
        self.oldest
    }

    /// The segment at which it ends, and into which items are written.
    #[inline]
    pub(super) fn open(&self) -> SegmentId {
        self.open
    }

    /// The end of the log: everything written so far is before it, everything later is not.
    pub(super) fn end(&self, pool: &Pool) -> Mark {
        let offset = if self.open == SegmentId::NONE { 0 } else { pool.segment(self.open).filled };
        Mark { sequence: self.sequence, offset }
    }

    /// Where an item is in the order of the log.
    pub(super) fn position(pool: &Pool, location: Location) -> Mark {
        let sequence = pool.segment(pool.segment_of(location)).sequence;
        Mark { sequence, offset: pool.offset_of(location) }
    }

    /// Bytes of the open segment that are not written yet.
    pub(super) fn rest(&self, pool: &Pool) -> u32 {
        if self.open == SegmentId::NONE { 0 } else { pool.segment_bytes() - pool.segment(self.open).filled }
    }

    /// How many segments an item needs besides the open one.
    #[inline]
    pub(super) fn segments_needed(&self, pool: &Pool, item: &Item) -> u32 {
        let total = item.total_bytes();
        let here = if self.begins_in_open(pool, item) { self.rest(pool).min(total) } else { 0 };
        (total - here).div_ceil(pool.segment_bytes())
    }

    /// Small items are not worth splitting: what they leave unused is at most a 64th of the segment.
    #[inline]
    fn begins_in_open(&self, pool: &Pool, item: &Item) -> bool {
        let rest = self.rest(pool);
        let total = item.total_bytes();
        total <= rest || (item.inline_bytes() <= rest && total > pool.segment_bytes() / 64)
    }

    /// Takes room for `item` (whose location does not matter) at the end of the log. The caller has made sure that
    /// [`Log::segments_needed`] segments are available.
    pub(super) fn append(&mut self, pool: &mut Pool, item: &Item) -> Location {
        let mut remaining = item.total_bytes();
        if !self.begins_in_open(pool, item) {
            self.advance(pool);
        }
        let location = pool.location(self.open, pool.segment(self.open).filled);
        loop {
            let part = remaining.min(self.rest(pool));
            let segment = pool.segment_mut(self.open);
            segment.filled += part;
            segment.live += part;
            remaining -= part;
            if remaining == 0 {
                return location;
            }
            self.advance(pool);
            let head = remaining.min(pool.segment_bytes());
            let segment = pool.segment_mut(self.open);
            segment.head = head;
            segment.owner = location;
        }
    }

    /// Notes that the item expires at `expiry` (0: never), so that the sweep visits its segment in time.
    #[inline]
    pub(super) fn note_expiry(pool: &mut Pool, location: Location, expiry: u32) {
        if expiry != 0 {
            let id = pool.segment_of(location);
            let segment = pool.segment_mut(id);
            segment.expires_first = segment.expires_first.min(expiry);
        }
    }

    /// The item has left the index: marks it dead and frees the segments in which nothing else lives.
    pub(super) fn kill(&mut self, pool: &mut Pool, item: &Item) {
        item.kill(pool);
        let mut id = pool.segment_of(item.location);
        let mut remaining = item.total_bytes();
        let mut rest = pool.segment_bytes() - pool.offset_of(item.location);
        loop {
            let part = remaining.min(rest);
            let segment = pool.segment_mut(id);
            let next = segment.next;
            segment.live -= part;
            if segment.owner == item.location {
                segment.owner = Location::NONE;
            }
            if segment.live == 0 && id != self.open {
                self.unlink(pool, id);
            }
            remaining -= part;
            if remaining == 0 {
                return;
            }
            id = next;
            rest = pool.segment_bytes();
        }
    }

    /// Closes the open segment and opens a fresh one.
    fn advance(&mut self, pool: &mut Pool) {
        let closed = self.open;
        if closed != SegmentId::NONE && pool.segment(closed).live == 0 {
            self.unlink(pool, closed);
        }
        let Some(id) = pool.allocate(Kind::Log) else { panic!("room was promised") };
        let previous = self.open;
        self.sequence += 1;
        let segment = pool.segment_mut(id);
        segment.sequence = self.sequence;
        segment.previous = previous;
        if previous == SegmentId::NONE {
            self.oldest = id;
        } else {
            pool.segment_mut(previous).next = id;
        }
        self.open = id;
    }

    /// Takes a segment without a live byte out of the list and gives it back to the pool.
    fn unlink(&mut self, pool: &mut Pool, id: SegmentId) {
        let segment = *pool.segment(id);
        assert!(segment.kind == Kind::Log && segment.live == 0);
        match segment.previous {
            SegmentId::NONE => self.oldest = segment.next,
            previous => pool.segment_mut(previous).next = segment.next,
        }
        match segment.next {
            SegmentId::NONE => self.open = segment.previous,
            next => pool.segment_mut(next).previous = segment.previous,
        }
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
        let needed = log.segments_needed(pool, &item(value_bytes));
        let before = pool.used();
        let location = log.append(pool, &item(value_bytes));
        assert_eq!(pool.used(), before + needed);
        let header = Header { key_bytes: 4, value_bytes, flags: 0, expiry: Expiry::NEVER, unique: 1, access: 1 };
        header.emit(pool, location)
    }

    #[test]
    fn items_span_segments_and_free_them_with_their_last_byte() {
        let mut pool = Pool::new(1024, 16, 16).unwrap();
        pool.allocate(Kind::Index).unwrap();
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
        assert_eq!(log.oldest(), log.open());
        log.kill(&mut pool, &last);
        assert_eq!(pool.used(), 1 + 1, "the open segment stays");
    }

    #[test]
    fn marks_divide_before_from_after() {
        let mut pool = Pool::new(1024, 16, 16).unwrap();
        pool.allocate(Kind::Index).unwrap();
        let mut log = Log::new();
        let empty = log.end(&pool);
        let first = append(&mut log, &mut pool, 10);
        let mark = log.end(&pool);
        let second = append(&mut log, &mut pool, 10);
        assert!(Log::position(&pool, first.location) >= empty);
        assert!(Log::position(&pool, first.location) < mark);
        assert!(Log::position(&pool, second.location) >= mark);
    }
}
