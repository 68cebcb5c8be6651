//! The pool: one reservation of memory, cut into equal segments. Owns the bytes, the segment table and the lists of free
//! segments. Knows nothing of items or buckets.
//!
//! The reservation is made once, so addresses never change. The length of the vector grows segment by segment, so memory
//! that was never used is never resident.

use super::{
    holds::Holds,
    segment::{Location, QUARTERS, Segment, SegmentId, SegmentKind},
};
use crate::limits;
use alloc::vec::Vec;
use core::ops::Range;

/// Size and alignment of a line of the index: a cache line.
pub(crate) const LINE_BYTES: usize = 64;

/// Alignment of the pool, so that its segments can be returned to the system page by page.
const PAGE_BYTES: usize = 4096;

/// Smallest segment. A smaller one could not hold the longest header and key.
pub(super) const SEGMENT_BYTES_MIN: u32 = 1024;

/// Smallest number of segments. Reclaiming needs some of them to move items to.
pub(super) const SEGMENTS_MIN: u32 = 16;

/// A position in the log at which bytes are read or written in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub(super) segment: SegmentId,
    pub(super) offset: u32,
}

/// See the module.
pub(super) struct Pool {
    bytes: Vec<u8>,
    /// Bytes before the first aligned byte.
    base: usize,
    segments: Vec<Segment>,
    segment_shift: u32,
    /// First free segment that takes memory.
    free: SegmentId,
    /// First free segment whose memory may have been returned to the system.
    absent: SegmentId,
    /// The segment whose memory is being returned. Nobody may write there before [`Pool::reclaimable`] is called again.
    leaving: SegmentId,
    /// Segments that take memory, used or free.
    present: u32,
    used: u32,
    limit: u32,
    capacity: u32,
    /// Segments that may be taken beyond the limit, for those that are kept for readers.
    lent: u32,
    /// Segments that may be kept for readers, without those that are lent.
    held_max: u32,
    pub(super) holds: Holds,
}

impl Pool {
    /// A pool of at most `capacity` segments of `segment_bytes` (a power of two), limited to `limit` of them for now.
    /// `None` if the address space cannot be reserved.
    pub(super) fn new(segment_bytes: u32, capacity: u32, limit: u32) -> Option<Self> {
        assert!(segment_bytes.is_power_of_two() && segment_bytes >= SEGMENT_BYTES_MIN && limit <= capacity);
        let mut bytes = Vec::<u8>::new();
        bytes
            .try_reserve_exact((capacity as usize).checked_mul(segment_bytes as usize)?.checked_add(PAGE_BYTES)?)
            .ok()?;
        let base = bytes.as_ptr().addr().wrapping_neg() % PAGE_BYTES;
        bytes.resize(base, 0);
        let mut segments = Vec::new();
        segments.try_reserve_exact(capacity as usize).ok()?;
        let segment_shift = segment_bytes.trailing_zeros();
        let [free, absent, leaving] = [SegmentId::NONE; 3];
        let (held_max, holds) = (held_max_of(limit), Holds::default());
        let (present, used, lent) = (0, 0, 0);
        Some(Self {
            bytes,
            base,
            segments,
            segment_shift,
            free,
            absent,
            leaving,
            present,
            used,
            limit,
            capacity,
            lent,
            held_max,
            holds,
        })
    }

    /// Addresses of all bytes, those of segments that are not used yet included.
    pub(super) fn addresses(&self) -> Range<usize> {
        let start = self.bytes.as_ptr().addr();
        start..start + self.bytes.capacity()
    }

    /// Address of the first byte.
    #[inline]
    pub(super) fn address(&self) -> usize {
        self.bytes.as_ptr().addr() + self.base
    }

    /// The bytes at these distances from the first address.
    pub(super) fn at_addresses(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place]
    }

    /// Size of every segment.
    #[inline]
    pub(super) fn segment_bytes(&self) -> u32 {
        1 << self.segment_shift
    }

    /// Binary logarithm of the size of a quarter of a segment.
    #[inline]
    pub(super) fn quarter_shift(&self) -> u32 {
        self.segment_shift - QUARTERS.ilog2()
    }

    /// Number of segments that can be taken below the limit, and of those that are lent.
    #[inline]
    pub(super) fn available(&self) -> u32 {
        (self.limit + self.beyond()).saturating_sub(self.used)
    }

    /// Segments taken.
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Maximum number of segments that may be taken.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// The highest possible limit.
    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Changes the limit. Segments above it stay taken.
    pub(super) fn set_limit(&mut self, limit: u32) {
        assert!(limit <= self.capacity);
        self.limit = limit;
    }

    /// Segments that are lent beyond the limit.
    #[inline]
    pub(super) fn lent(&self) -> u32 {
        self.lent
    }

    /// Lends so many segments beyond the limit. They cannot be taken where the limit is as high as possible.
    pub(super) fn lend(&mut self, segments: u32) {
        self.lent = segments;
        self.bound_held();
    }

    /// The lent segments that can be taken.
    #[inline]
    fn beyond(&self) -> u32 {
        self.lent.min(self.capacity - self.limit)
    }

    /// Takes a segment; `None` at the limit.
    pub(super) fn allocate(&mut self, kind: SegmentKind) -> Option<SegmentId> {
        if self.available() == 0 {
            return None;
        }
        let id = if self.free != SegmentId::NONE {
            let id = self.free;
            self.free = self.segment(id).next;
            id
        } else if self.absent != SegmentId::NONE {
            let id = self.absent;
            self.absent = self.segment(id).next;
            self.present += 1;
            id
        } else {
            if self.segments() == self.capacity {
                return None;
            }
            let id = SegmentId(self.segments());
            self.segments.push(Segment::FREE);
            self.bytes.resize(self.base + (self.segments.len() << self.segment_shift), 0);
            self.present += 1;
            id
        };
        *self.segment_mut(id) = Segment { kind, ..Segment::FREE };
        self.used += 1;
        Some(id)
    }

    /// Makes a segment free, or keeps it if it is held.
    pub(super) fn release(&mut self, id: SegmentId) {
        assert!(self.segment(id).kind != SegmentKind::Free);
        if self.holds.is_empty() || !self.keep_held(id) {
            self.free(id);
        }
    }

    /// Makes a segment free.
    pub(super) fn free(&mut self, id: SegmentId) {
        *self.segment_mut(id) = Segment { next: self.free, ..Segment::FREE };
        self.free = id;
        self.used -= 1;
    }

    /// Turns a segment that leaves the log into one that is kept for readers. It still names the one in which its last
    /// item continues.
    pub(super) fn set_held(&mut self, id: SegmentId) {
        let continued = self.segment(id).continued;
        *self.segment_mut(id) = Segment { kind: SegmentKind::Held, continued, ..Segment::FREE };
    }

    /// Number of segments that may be kept for readers.
    pub(super) fn held_max(&self) -> u32 {
        self.held_max + self.beyond()
    }

    /// Sets the number of segments of which a part may be kept for readers.
    pub(super) fn share_held(&mut self, segments: u32) {
        self.held_max = held_max_of(segments);
        self.bound_held();
    }

    /// The memory of a free segment above the limit, if there is one. Until the next call nobody uses the segment, so the
    /// caller may return its memory to the system while others use the pool. Its bytes may change.
    pub(super) fn reclaimable(&mut self) -> Option<&mut [u8]> {
        if self.leaving != SegmentId::NONE {
            self.segment_mut(self.leaving).next = self.absent;
            self.absent = core::mem::replace(&mut self.leaving, SegmentId::NONE);
        }
        if self.present <= self.limit + self.beyond()
            || self.free == SegmentId::NONE
            || (self.segment_bytes() as usize) < PAGE_BYTES
        {
            return None;
        }
        let id = self.free;
        self.free = self.segment(id).next;
        self.leaving = id;
        self.present -= 1;
        let (at, length) = (self.start(id), self.segment_bytes() as usize);
        Some(self.slice_mut(at, length))
    }

    /// The table entry of `id`.
    #[inline]
    pub(super) fn segment(&self, id: SegmentId) -> &Segment {
        &self.segments[id.0 as usize]
    }

    /// The table entry of `id`.
    #[inline]
    pub(super) fn segment_mut(&mut self, id: SegmentId) -> &mut Segment {
        &mut self.segments[id.0 as usize]
    }

    /// The table entry with this number; `None` if the segment was never taken.
    pub(super) fn segment_at(&self, number: u32) -> Option<&Segment> {
        self.segments.get(number as usize)
    }

    /// Number of segments in the table, taken or free.
    pub(super) fn segments(&self) -> u32 {
        self.segments.len() as u32
    }

    /// The first segments of the free lists, of those with memory, those without, and the one that is between them; and the
    /// number of segments that take memory. For [`super::check`].
    pub(super) fn free_lists(&self) -> ([SegmentId; 3], u32) {
        ([self.free, self.absent, self.leaving], self.present)
    }

    /// The segment that `location` is in.
    #[inline]
    pub(super) fn segment_of(&self, location: Location) -> SegmentId {
        SegmentId(location.0 >> (self.segment_shift - 2))
    }

    /// The offset of `location` in its segment, in bytes.
    #[inline]
    pub(super) fn offset_of(&self, location: Location) -> u32 {
        (location.0 << 2) & (self.segment_bytes() - 1)
    }

    /// The location of `offset` bytes into `segment`.
    #[inline]
    pub(super) fn location(&self, segment: SegmentId, offset: u32) -> Location {
        Location((segment.0 << (self.segment_shift - 2)) + (offset >> 2))
    }

    /// The first byte of `segment`, as an offset in the pool.
    #[inline]
    pub(super) fn start(&self, segment: SegmentId) -> usize {
        (segment.0 as usize) << self.segment_shift
    }

    /// `length` bytes at offset `at`.
    #[inline(always)]
    pub(super) fn slice(&self, at: usize, length: usize) -> &[u8] {
        let at = self.base + at;
        &self.bytes[at..at + length]
    }

    /// `length` bytes at offset `at`.
    #[inline(always)]
    pub(super) fn slice_mut(&mut self, at: usize, length: usize) -> &mut [u8] {
        let at = self.base + at;
        &mut self.bytes[at..at + length]
    }

    /// The little-endian word at offset `at`.
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.chunk(at))
    }

    /// Reads the line at offset `at` and the one after it.
    #[inline]
    pub(super) fn two_lines(&self, at: usize) -> u32 {
        let next = self.bytes.get(self.base + at + LINE_BYTES).copied().unwrap_or_default();
        self.word(at) ^ u32::from(next)
    }

    /// Writes the little-endian word at offset `at`.
    #[inline(always)]
    pub(super) fn set_word(&mut self, at: usize, word: u32) {
        self.slice_mut(at, 4).copy_from_slice(&word.to_le_bytes());
    }

    /// `N` bytes at offset `at`.
    #[inline(always)]
    pub(super) fn chunk<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut chunk = [0; N];
        chunk.copy_from_slice(self.slice(at, N));
        chunk
    }

    /// A cursor `bytes` after `location`. It may be in a later segment of the log.
    pub(super) fn cursor(&self, location: Location, bytes: u32) -> Cursor {
        let mut cursor = Cursor { segment: self.segment_of(location), offset: self.offset_of(location) };
        let mut remaining = bytes;
        loop {
            let here = remaining.min(self.segment_bytes() - cursor.offset);
            cursor.offset += here;
            remaining -= here;
            if remaining == 0 {
                return cursor;
            }
            cursor = Cursor { segment: self.segment(cursor.segment).continued, offset: 0 };
        }
    }

    /// Offset in the pool and length of the next piece, of at most `length_max` bytes. Moves `cursor` behind it.
    #[inline]
    pub(super) fn advance(&self, cursor: &mut Cursor, length_max: usize) -> (usize, usize) {
        if cursor.offset == self.segment_bytes() {
            *cursor = Cursor { segment: self.segment(cursor.segment).continued, offset: 0 };
        }
        let length = length_max.min((self.segment_bytes() - cursor.offset) as usize);
        let at = self.start(cursor.segment) + cursor.offset as usize;
        cursor.offset += length as u32;
        (at, length)
    }

    /// Writes `bytes` at `cursor` and moves it behind them.
    pub(super) fn write(&mut self, cursor: &mut Cursor, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (at, length) = self.advance(cursor, bytes.len());
            let (head, tail) = bytes.split_at(length);
            self.slice_mut(at, length).copy_from_slice(head);
            bytes = tail;
        }
    }

    /// Copies `length` bytes within the log and moves both cursors.
    pub(super) fn copy(&mut self, from: &mut Cursor, to: &mut Cursor, length: u32) {
        let mut remaining = length as usize;
        while remaining > 0 {
            let (source, readable) = self.advance(from, remaining);
            let mut copied = 0;
            while copied < readable {
                let (target, length) = self.advance(to, readable - copied);
                let source = self.base + source + copied;
                self.bytes.copy_within(source..source + length, self.base + target);
                copied += length;
            }
            remaining -= readable;
        }
    }
}

/// Of a pool of so many segments, those that may be kept for readers.
fn held_max_of(segments: u32) -> u32 {
    segments - segments.div_ceil(limits::HELD_REST_DIVISOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_taken_up_to_the_limit_and_reused() {
        let mut pool = Pool::new(1024, 4, 2).unwrap();
        let first = pool.allocate(SegmentKind::Log).unwrap();
        let second = pool.allocate(SegmentKind::Index).unwrap();
        assert!(pool.allocate(SegmentKind::Log).is_none());
        pool.release(first);
        assert_eq!(pool.allocate(SegmentKind::Log), Some(first));
        pool.set_limit(3);
        assert_eq!(pool.allocate(SegmentKind::Log), Some(SegmentId(2)));
        assert_eq!((pool.used(), pool.available(), second), (3, 0, SegmentId(1)));
    }

    #[test]
    fn first_line_is_aligned() {
        let mut pool = Pool::new(1024, 2, 2).unwrap();
        pool.allocate(SegmentKind::Index).unwrap();
        assert_eq!(pool.slice(0, 1).as_ptr().addr() % LINE_BYTES, 0);
    }

    #[test]
    fn writes_and_copies_cross_segments() {
        let mut pool = Pool::new(1024, 8, 8).unwrap();
        let ids: Vec<_> = (0..6).map(|_| pool.allocate(SegmentKind::Log).unwrap()).collect();
        for pair in ids.windows(2) {
            pool.segment_mut(pair[0]).continued = pair[1];
        }
        let bytes: Vec<u8> = (0..1500u32).map(|i| (i % 251) as u8).collect();
        let place = |offset: u32| Location(offset / 4);
        let (from, to) = (place(1000), place(3 * 1024 + 600));
        pool.write(&mut pool.cursor(from, 0), &bytes);
        pool.copy(&mut pool.cursor(from, 0), &mut pool.cursor(to, 0), 1500);
        let mut cursor = pool.cursor(to, 100);
        let mut read = Vec::new();
        while read.len() < 1400 {
            let (at, length) = pool.advance(&mut cursor, 1400 - read.len());
            read.extend_from_slice(pool.slice(at, length));
        }
        assert_eq!(read, bytes[100..]);
    }
}
