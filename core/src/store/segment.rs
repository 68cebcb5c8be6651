//! Segments: their numbers, the locations of items in them, the entries of the segment table, and the lists of the log.

use crate::clock::{Expiry, Seconds};

/// Number of a segment in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentId(pub(super) u32);

impl SegmentId {
    /// No segment.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// Start of an item, in units of [`UNIT_BYTES`] from the start of the pool. No item is at 0, because the first segment
/// belongs to the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location(pub(super) u32);

impl Location {
    /// No item.
    pub(super) const NONE: Self = Self(0);

    /// The offset in the pool, in bytes.
    #[inline]
    pub(super) fn byte(self) -> usize {
        self.0 as usize * UNIT_BYTES
    }
}

/// Positions and sizes of items are multiples of this.
pub(super) const UNIT_BYTES: usize = 4;

/// Parts of a segment whose ages are known. The segment of a list that few items enter may span the whole log.
pub(super) const QUARTERS: usize = 4;

/// A difference of ages in 16 bits, rounded up by at most a thousandth: mantissa (11 bits) and exponent.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgeSpan(u16);

impl AgeSpan {
    const MANTISSA_BITS: u32 = 11;

    /// At least `span`, if that is below 2^41.
    pub(super) fn new(span: u64) -> Self {
        let exponent = (u64::BITS - span.leading_zeros()).saturating_sub(Self::MANTISSA_BITS - 1);
        let mantissa = (span >> exponent) + u64::from(exponent > 0);
        u16::try_from(u64::from(exponent) << Self::MANTISSA_BITS | mantissa).map_or(Self(u16::MAX), Self)
    }

    /// The difference.
    #[inline]
    pub(super) fn get(self) -> u64 {
        let exponent = self.0 >> Self::MANTISSA_BITS;
        u64::from(self.0 & ((1 << Self::MANTISSA_BITS) - 1)) << exponent
    }
}

/// A number of bytes of a segment, in units of [`UNIT_BYTES`]: 64 KiB in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentBytes(u16);

impl SegmentBytes {
    /// No bytes.
    pub(super) const ZERO: Self = Self(0);

    /// `bytes` must be a multiple of [`UNIT_BYTES`].
    #[inline]
    pub(super) fn of(bytes: u32) -> Self {
        Self((bytes / UNIT_BYTES as u32) as u16)
    }

    /// The number of bytes.
    #[inline]
    pub(super) fn bytes(self) -> u32 {
        u32::from(self.0) * UNIT_BYTES as u32
    }
}

impl core::ops::AddAssign<u32> for SegmentBytes {
    #[inline]
    fn add_assign(&mut self, bytes: u32) {
        *self = Self::of(self.bytes() + bytes);
    }
}

impl core::ops::SubAssign<u32> for SegmentBytes {
    #[inline]
    fn sub_assign(&mut self, bytes: u32) {
        *self = Self::of(self.bytes() - bytes);
    }
}

/// The content of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentKind {
    /// Nothing.
    Free,
    /// Items.
    Log,
    /// Buckets.
    Index,
    /// Bytes of removed items that clients still read, see [`super::held`].
    Held,
}

/// An entry of the segment table. Byte counts are within the segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Sequence number of the log when the segment was opened: the age of its oldest item. 0 outside of the log.
    pub(super) opened: u64,
    /// See [`Segment::sequence`], which is that much more than `opened`.
    pub(super) closed_after: u32,
    /// Age of the youngest item that begins in each quarter but the last, once the quarter is full; relative to `opened`.
    pub(super) quarters: [AgeSpan; QUARTERS - 1],
    /// The next older segment of the list.
    pub(super) previous: SegmentId,
    /// The next younger segment of the list, or the next segment of the free list.
    pub(super) next: SegmentId,
    /// Bytes written.
    pub(super) filled: SegmentBytes,
    /// Bytes of items that are in the index.
    pub(super) live: SegmentBytes,
    /// Bytes at the start that continue an item of an older segment.
    pub(super) head: SegmentBytes,
    /// The segment in which the last item continues, if it does.
    pub(super) continued: SegmentId,
    /// The item that continues at the start, while it lives.
    pub(super) owner: Location,
    /// No item that begins in the segment expires before this second.
    pub(super) expires_first: u32,
    /// See [`SegmentKind`].
    pub(super) kind: SegmentKind,
    /// The list of the log, if the segment holds items.
    pub(super) list: List,
}

impl Segment {
    pub(super) const FREE: Self = Self {
        opened: 0,
        closed_after: 0,
        quarters: [AgeSpan(0); QUARTERS - 1],
        previous: SegmentId::NONE,
        next: SegmentId::NONE,
        filled: SegmentBytes::ZERO,
        live: SegmentBytes::ZERO,
        head: SegmentBytes::ZERO,
        continued: SegmentId::NONE,
        owner: Location::NONE,
        expires_first: u32::MAX,
        kind: SegmentKind::Free,
        list: List::MAIN,
    };

    /// Sequence number of the log when the segment was closed; while it is open, when it was opened. It is the age of its
    /// youngest item; 0 outside of the log.
    #[inline]
    pub(super) fn sequence(&self) -> u64 {
        self.opened + u64::from(self.closed_after)
    }

    /// Sets the age of the youngest item. If the segment was open for 2^32 appends, its oldest items seem younger.
    pub(super) fn set_sequence(&mut self, sequence: u64) {
        self.opened = self.opened.max(sequence.saturating_sub(u32::MAX.into()));
        self.closed_after = (sequence - self.opened) as u32;
    }

    /// Records that the quarters from `begun` to before `full` are full now, and that their youngest item has this age. Not
    /// inlined: it happens once in many appends.
    #[inline(never)]
    pub(super) fn note_age(&mut self, begun: u32, full: u32, age: u64) {
        let span = AgeSpan::new(age.saturating_sub(self.opened));
        self.quarters.iter_mut().take(full as usize).skip(begun as usize).for_each(|quarter| *quarter = span);
    }

    /// Bytes of dead items.
    pub(super) fn dead(&self) -> u32 {
        self.filled.bytes() - self.live.bytes()
    }
}

/// Memory of a segment outside of the pool: its table entry and, if it belongs to the index, its directory entry.
pub(super) const SEGMENT_TABLE_BYTES: u64 = (size_of::<Segment>() + size_of::<u32>()) as u64;

// 1.3 % of a pool with segments of 4 KiB.
const _: () = assert!(size_of::<Segment>() == 48);

/// The parts of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Part {
    /// Items that were used while on probation; with exact recency, all items.
    Main,
    /// New items.
    Probation,
}

/// A list of the log: a part and a class of times to live. Probation has two classes only, items that never expire and
/// others: it is small, and each list costs about a segment that is partly written or partly walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) u8);

/// Classes of times to live of the main part: items that never expire, and two classes of items that do.
const LIFETIMES: u8 = 3;
/// The longest time to live of the second class.
const SHORT_S: Seconds = 120;

impl List {
    /// Items of the main part that never expire.
    pub(super) const MAIN: Self = Self(0);

    /// Number of lists for a part and a class of times to live. Buckets follow.
    pub(super) const CLASSES: usize = LIFETIMES as usize + 2;

    /// Number of buckets, see [`super::uses`]. Twice as many as are in use, so that changes of load find one.
    pub(super) const BUCKETS: usize = 24;

    /// Number of lists.
    pub(super) const COUNT: usize = Self::CLASSES + Self::BUCKETS;

    /// Every bucket.
    pub(super) fn buckets() -> impl Iterator<Item = Self> {
        (Self::CLASSES as u8..Self::COUNT as u8).map(Self)
    }

    /// Whether the list is a bucket: items in the order of use, of all times to live.
    #[inline]
    pub(super) fn is_bucket(self) -> bool {
        self.0 >= Self::CLASSES as u8
    }

    /// The number of a bucket.
    #[inline]
    pub(super) fn bucket(self) -> usize {
        self.0 as usize - Self::CLASSES
    }

    /// The list of an item in `part` that expires at `expiry`.
    #[inline]
    pub(super) fn of(part: Part, expiry: Expiry, now: Seconds) -> Self {
        match (part, expiry) {
            (Part::Probation, _) => Self(LIFETIMES + u8::from(expiry != Expiry::NEVER)),
            (Part::Main, Expiry::NEVER) => Self::MAIN,
            (Part::Main, Expiry(at)) => Self(if at.saturating_sub(now) <= SHORT_S { 1 } else { 2 }),
        }
    }

    /// The part of the list.
    #[inline]
    pub(super) fn part(self) -> Part {
        if (LIFETIMES..Self::CLASSES as u8).contains(&self.0) { Part::Probation } else { Part::Main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_age_are_rounded_up_a_little() {
        let spans = (0..40).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1, 3 << bit >> 1]);
        for span in (0..5000).chain(spans) {
            let rounded = AgeSpan::new(span).get();
            assert!((span..=span + span / 500).contains(&rounded), "{span}: {rounded}");
        }
        assert!(AgeSpan::new(u64::MAX).get() > 1 << 40);
    }
}
