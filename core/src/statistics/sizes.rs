//! The histogram of item sizes (`stats sizes`).

use crate::{
    boundary::rows,
    command::Extent,
    wire::{Reader, Writer},
};
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
        if cfg!(feature = "server") && self.0.is_some() {
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

    /// Adds the items that another part of the same shard counts. Only the sum has a meaning: a part may have seen more items
    /// go than come.
    pub(crate) fn accumulate(&mut self, other: &Self) {
        for (&bytes, &count) in other.0.iter().flatten() {
            self.add(bytes, count.cast_signed());
        }
    }

    /// Appends a piece; nothing if sizes are not tracked.
    pub fn encode(&self, out: &mut Vec<u8>, extent: Extent) {
        let Some(counts) = &self.0 else { return };
        let from = u32::try_from(extent.from).unwrap_or(u32::MAX);
        let part = counts.range(from..).map(|(&bytes, &count)| (u64::from(bytes), count));
        rows::encode(out, extent, part, |out, count| Writer(out).u64(count));
    }

    /// Merges the concatenated pieces of all shards: sizes with their numbers of items, and the size with which the
    /// next piece begins. `None` if sizes are not tracked.
    pub fn merge(answers: &[u8]) -> Option<(BTreeMap<u64, u64>, u64)> {
        (!answers.is_empty()).then(|| rows::merge(answers, Reader::u64, |count, more| *count += more))
    }
}
