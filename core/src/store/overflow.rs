//! Overflow buckets continue buckets that hold more entries than slots. Owns their segments and the list of unused
//! buckets. Releases a segment when none of its buckets is in use and other segments have unused ones.
//!
//! The table entry of a segment counts its buckets: `live` are the bytes of used buckets, `head` is the end of the
//! first unused bucket. Unused buckets link to one another, and segments with unused buckets form a list.

use super::{
    pool::{LINE_BYTES, Pool},
    segment::{SegmentBytes, SegmentId, SegmentKind},
};

/// Offset of the link to the next unused bucket.
const NEXT_AT: usize = 0;

/// See the module.
pub(super) struct Overflow {
    /// The first segment that has unused buckets.
    first: SegmentId,
    segments: u32,
    unused: u32,
}

impl Overflow {
    /// No overflow buckets.
    pub(super) fn new() -> Self {
        Self { first: SegmentId::NONE, segments: 0, unused: 0 }
    }

    /// Segments taken from the pool.
    pub(super) fn segments(&self) -> u32 {
        self.segments
    }

    /// Unused buckets.
    pub(super) fn unused(&self) -> u32 {
        self.unused
    }

    /// Buckets in use.
    pub(super) fn used(&self, pool: &Pool) -> u32 {
        self.segments * per_segment(pool) - self.unused
    }

    /// Takes a segment from the pool; false if there is none.
    pub(super) fn add_segment(&mut self, pool: &mut Pool) -> bool {
        let Some(id) = pool.allocate(SegmentKind::Index) else { return false };
        self.segments += 1;
        pool.segment_mut(id).live = SegmentBytes::of(pool.segment_bytes());
        for number in (0..per_segment(pool)).rev() {
            self.put_back(pool, id, number);
        }
        true
    }

    /// The offset of an empty bucket.
    ///
    /// # Panics
    /// If none is unused.
    pub(super) fn take(&mut self, pool: &mut Pool) -> usize {
        let id = self.first;
        assert!(id != SegmentId::NONE, "the caller made sure of a bucket");
        let bucket = pool.start(id) + pool.segment(id).head.bytes() as usize - LINE_BYTES;
        let next = pool.word(bucket + NEXT_AT);
        pool.set_word(bucket + NEXT_AT, 0);
        let segment = pool.segment_mut(id);
        segment.head = SegmentBytes::of(next);
        segment.live += LINE_BYTES as u32;
        self.unused -= 1;
        if next == 0 {
            self.unlist(pool, id);
        }
        bucket
    }

    /// Takes back the bucket at that offset.
    pub(super) fn give(&mut self, pool: &mut Pool, bucket: usize) {
        let id = SegmentId((bucket >> pool.segment_bytes().ilog2()) as u32);
        let number = (bucket - pool.start(id)) / LINE_BYTES;
        self.put_back(pool, id, number as u32);
        if pool.segment(id).live == SegmentBytes::ZERO && self.unused >= 2 * per_segment(pool) {
            self.unlist(pool, id);
            self.unused -= per_segment(pool);
            self.segments -= 1;
            pool.release(id);
        }
    }

    fn put_back(&mut self, pool: &mut Pool, id: SegmentId, number: u32) {
        let bucket = pool.start(id) + number as usize * LINE_BYTES;
        let next = pool.segment(id).head.bytes();
        pool.slice_mut(bucket, LINE_BYTES).fill(0);
        pool.set_word(bucket + NEXT_AT, next);
        let segment = pool.segment_mut(id);
        segment.head = SegmentBytes::of((number + 1) * LINE_BYTES as u32);
        segment.live -= LINE_BYTES as u32;
        self.unused += 1;
        if next == 0 {
            segment.next = self.first;
            if self.first != SegmentId::NONE {
                pool.segment_mut(self.first).previous = id;
            }
            self.first = id;
        }
    }

    fn unlist(&mut self, pool: &mut Pool, id: SegmentId) {
        let segment = pool.segment_mut(id);
        let (previous, next) = (segment.previous, segment.next);
        (segment.previous, segment.next) = (SegmentId::NONE, SegmentId::NONE);
        match previous {
            SegmentId::NONE => self.first = next,
            previous => pool.segment_mut(previous).next = next,
        }
        if next != SegmentId::NONE {
            pool.segment_mut(next).previous = previous;
        }
    }

    /// Checks lists and counts.
    ///
    /// # Panics
    /// If they contradict one another.
    pub(super) fn check(&self, pool: &Pool) {
        let (mut id, mut unused, mut previous) = (self.first, 0, SegmentId::NONE);
        while id != SegmentId::NONE {
            let segment = pool.segment(id);
            assert_eq!((segment.kind, segment.previous), (SegmentKind::Index, previous));
            let (mut next, mut here) = (segment.head.bytes(), 0);
            while next != 0 {
                here += 1;
                next = pool.word(pool.start(id) + next as usize - LINE_BYTES + NEXT_AT);
            }
            assert!(here > 0 && segment.live.bytes() + here * LINE_BYTES as u32 == pool.segment_bytes());
            unused += here;
            (previous, id) = (id, segment.next);
        }
        assert_eq!(unused, self.unused);
    }
}

/// Buckets of a segment.
fn per_segment(pool: &Pool) -> u32 {
    pool.segment_bytes() / LINE_BYTES as u32
}
