//! Segments: their names, the places of items in them, what the table of segments knows of each, and the lists of the
//! log to which those belong that hold items.

use crate::clock::{Expiry, Seconds};

/// Names a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentId(pub(super) u32);

impl SegmentId {
    /// No segment.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// Where an item begins, in units of [`UNIT_BYTES`] from the start of the pool. Zero is no place of an item: the first
/// segment belongs to the index.
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

/// Items begin at multiples of this, and their sizes are multiples of it.
pub(super) const UNIT_BYTES: usize = 4;

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentKind {
    /// Nothing.
    Free,
    /// Items.
    Log,
    /// Buckets.
    Index,
}

/// An entry of the segment table. Byte counts are within the segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// The how-manieth segment of the log this is; 0 outside of the log.
    pub(super) sequence: u64,
    /// The older neighbour in the log.
    pub(super) previous: SegmentId,
    /// The younger neighbour in the log, or the next one of the free list.
    pub(super) next: SegmentId,
    /// Bytes written.
    pub(super) filled: u32,
    /// Of those, bytes of items that are in the index.
    pub(super) live: u32,
    /// Bytes at the start that continue an item of an older segment.
    pub(super) head: u32,
    /// That item, while it lives.
    pub(super) owner: Location,
    /// No item that begins here expires before this second.
    pub(super) expires_first: u32,
    /// See [`SegmentKind`].
    pub(super) kind: SegmentKind,
    /// The list of the log that this belongs to, if it holds items.
    pub(super) list: List,
}

impl Segment {
    pub(super) const FREE: Self = Self {
        sequence: 0,
        previous: SegmentId::NONE,
        next: SegmentId::NONE,
        filled: 0,
        live: 0,
        head: 0,
        owner: Location::NONE,
        expires_first: u32::MAX,
        kind: SegmentKind::Free,
        list: List::MAIN,
    };

    /// Bytes of items that are gone.
    pub(super) fn dead(&self) -> u32 {
        self.filled - self.live
    }
}

/// What a segment costs outside of itself: its entry in the table and, if the index takes it, its entry in the directory.
pub(super) const SEGMENT_TABLE_BYTES: u64 = (size_of::<Segment>() + size_of::<u32>()) as u64;

/// The parts of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Part {
    /// What has proved itself, or everything.
    Main,
    /// What is new.
    Probation,
}

/// Names a list: a part, and a class of times to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) u8);

/// Items that live for ever, and two classes of those that do not.
const LIFETIMES: u8 = 3;
/// The longest time to live of the second class.
const SHORT_S: Seconds = 120;

impl List {
    /// Of what lives for ever and may stay.
    pub(super) const MAIN: Self = Self(0);

    /// How many there are.
    pub(super) const COUNT: usize = 2 * LIFETIMES as usize;

    /// All.
    pub(super) fn all() -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..2 * LIFETIMES).map(Self)
    }

    /// Where an item belongs that has until `expiry` to live.
    #[inline]
    pub(super) fn of(part: Part, expiry: Expiry, now: Seconds) -> Self {
        let lifetime = match expiry {
            Expiry::NEVER => 0,
            Expiry(at) if at.saturating_sub(now) <= SHORT_S => 1,
            Expiry(_) => 2,
        };
        Self(part as u8 * LIFETIMES + lifetime)
    }

    /// The part it belongs to.
    #[inline]
    pub(super) fn part(self) -> Part {
        if self.0 < LIFETIMES { Part::Main } else { Part::Probation }
    }
}
