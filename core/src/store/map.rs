//! A map of the memory: the content of each segment, for pictures of a store.

use super::{
    Store,
    segment::{Part, SegmentKind},
};

/// The content of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SegmentContent {
    /// Nothing.
    Free,
    /// Buckets of the index.
    Index,
    /// Items that were used while on probation; with exact recency, all items.
    Main,
    /// New items.
    Probation,
    /// Removed items that clients still read.
    Held,
}

/// The use of a segment. Byte counts are 0 where there are no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentUse {
    /// See [`SegmentContent`].
    pub content: SegmentContent,
    /// Bytes of items that are in the index.
    pub live_bytes: u32,
    /// Bytes of items that are not: removed, expired or replaced ones.
    pub dead_bytes: u32,
}

impl Store {
    /// Size of every segment, in bytes.
    pub fn segment_bytes(&self) -> u32 {
        self.pool.segment_bytes()
    }

    /// Number of segments in the budget. While a limit shrinks there are more.
    pub fn segments(&self) -> u32 {
        self.target.max(self.pool.segments())
    }

    /// The use of the segment with this number, in the order of addresses.
    pub fn segment_use(&self, number: u32) -> SegmentUse {
        let free = SegmentUse { content: SegmentContent::Free, live_bytes: 0, dead_bytes: 0 };
        let Some(segment) = self.pool.segment_at(number) else { return free };
        let content = match (segment.kind, segment.list.part()) {
            (SegmentKind::Free, _) => return free,
            (SegmentKind::Index, _) => return SegmentUse { content: SegmentContent::Index, ..free },
            (SegmentKind::Held, _) => return SegmentUse { content: SegmentContent::Held, ..free },
            (SegmentKind::Log, Part::Main) => SegmentContent::Main,
            (SegmentKind::Log, Part::Probation) => SegmentContent::Probation,
        };
        SegmentUse { content, live_bytes: segment.live.bytes(), dead_bytes: segment.dead() }
    }
}
