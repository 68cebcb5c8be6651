//! The histogram of item sizes (`stats sizes`).

use crate::wire::{Reader, Writer};
use alloc::{collections::BTreeMap, vec::Vec};

/// The number of items of each size, in steps of [`SIZE_STEP_BYTES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(Option<BTreeMap<u32, u64>>);

/// Width of a step of [`Sizes`].
pub const SIZE_STEP_BYTES: u32 = 32;

impl Sizes {
    /// No items. `tracked`: whether items are counted.
    pub fn new(tracked: bool) -> Self {
        Self(tracked.then(BTreeMap::new))
    }

    /// Counts an item of `bytes` bytes that was added (1) or removed (-1).
    #[inline]
    pub fn add(&mut self, bytes: u32, change: i64) {
        if self.0.is_some() {
            self.count(bytes, change);
        }
    }

    #[cold]
    fn count(&mut self, bytes: u32, change: i64) {
        let Some(counts) = &mut self.0 else { return };
        let step = bytes.div_ceil(SIZE_STEP_BYTES) * SIZE_STEP_BYTES;
        let count = counts.entry(step).or_default();
        *count = count.wrapping_add_signed(change);
        if *count == 0 {
            counts.remove(&step);
        }
    }

    /// Appends the form that crosses the boundary; nothing if sizes are not tracked.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(counts) = &self.0 else { return };
        // An empty entry, so that no items differs from not tracked.
        Writer(out).u32(0);
        Writer(out).u64(0);
        for (bytes, count) in counts {
            Writer(out).u32(*bytes);
            Writer(out).u64(*count);
        }
    }

    /// Merges the concatenated answers of all shards.
    pub fn decode_merged(bytes: &[u8]) -> Self {
        let mut r = Reader(bytes);
        let mut merged = Self::new(!r.is_empty());
        while let (Some(bytes), Some(count), Some(counts)) = (r.u32(), r.u64(), &mut merged.0) {
            if count > 0 {
                *counts.entry(bytes).or_default() += count;
            }
        }
        merged
    }

    /// Size and number of items, in order; `None` if sizes are not tracked.
    pub fn iter(&self) -> Option<impl Iterator<Item = (u32, u64)> + '_> {
        Some(self.0.as_ref()?.iter().map(|(bytes, count)| (*bytes, *count)))
    }
}
