//! Where the lines of the index and of items are, for threads that read them without a lock ([`crate::stripes`]): only to
//! have them in the cache of their processor.

use super::{
    Store,
    index::{Entry, SLOTS_AT, slots_with_tag_of},
    pool::LINE_BYTES,
};

/// The places that never change.
pub(crate) struct IndexShape {
    /// Address of the first byte of the pool.
    pub(crate) pool: usize,
    /// Number of its bytes, used or not.
    pub(crate) pool_bytes: usize,
    /// Binary logarithm of the number of buckets of a segment.
    pub(crate) segment_shift: u32,
    /// Most segments with main buckets.
    pub(crate) segments_max: usize,
}

impl Store {
    /// See [`IndexShape`].
    pub(crate) fn index_shape(&self) -> IndexShape {
        IndexShape {
            pool: self.pool.address(),
            pool_bytes: self.pool.capacity() as usize * self.pool.segment_bytes() as usize,
            segment_shift: (self.pool.segment_bytes() as usize / LINE_BYTES).ilog2(),
            segments_max: self.pool.capacity() as usize,
        }
    }

    /// The addresses of the fields that every command changes.
    #[cfg(test)]
    pub(crate) fn addresses_of_changes(&self) -> core::ops::Range<usize> {
        (&raw const self.counters).addr()..(&raw const self.pool).addr()
    }

    /// Number of main buckets.
    #[inline]
    pub(crate) fn index_buckets(&self) -> u32 {
        self.index.main_buckets()
    }

    /// The addresses of the segments with main buckets, in order.
    pub(crate) fn index_segments(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        let pool = self.pool.address();
        self.index.directory().iter().map(move |&segment| pool + self.pool.start(segment))
    }
}

/// The distances from the start of the pool of the items that may have this hash, in the main bucket of which `word` returns
/// the words.
#[inline]
pub(crate) fn candidates_in(word: impl Fn(usize) -> u32 + Copy, hash: u64) -> impl Iterator<Item = usize> {
    // Bytes in memory would be stored as words and loaded as more, which a processor has to wait for.
    let half = |number: usize| u128::from(word(2 * number)) | u128::from(word(2 * number + 1)) << 32;
    let at = move |number: u32| Entry(word(SLOTS_AT / 4 + number as usize)).location().byte();
    slots_with_tag_of(half(0) | half(1) << 64, hash).map(at)
}

/// Puts what `found` gives into `places`, as far as there is room. Returns the places that are filled.
#[inline]
pub(crate) fn gather<T>(places: &mut [T], found: impl Iterator<Item = T>) -> &[T] {
    let count = places.iter_mut().zip(found).map(|(place, found)| *place = found).count();
    &places[..count]
}
