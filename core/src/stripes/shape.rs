//! The places of a stripe's buckets, for threads without its lock: they load lines that they will need into the cache of
//! their processor. The bytes may be outdated, and decide nothing.

use super::Processor;
use crate::store::{LINE_BYTES, Store, candidates_in};
use alloc::boxed::Box;
use core::{
    array,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};
use spin::Once;

/// Segments in a chunk of a directory.
const CHUNK: usize = 256;

/// See the module. In a line of its own, which all threads read and hardly any writes.
#[repr(align(64))]
pub(super) struct Shape {
    /// Number of main buckets.
    buckets: AtomicU32,
    /// Number of segments in `directory`.
    segments: AtomicU32,
    /// Binary logarithm of the number of buckets of a segment.
    segment_shift: u32,
    /// Address of the first byte of the pool, and number of its bytes, used or not.
    pool: usize,
    pool_bytes: usize,
    /// The addresses of the segments with main buckets, in chunks: few are ever used of as many as the store could have.
    directory: Box<[Once<Box<[AtomicUsize; CHUNK]>>]>,
}

impl Shape {
    pub(super) fn new(store: &Store) -> Self {
        let shape = store.index_shape();
        let directory = (0..shape.segments_max.div_ceil(CHUNK)).map(|_| Once::new()).collect();
        let (buckets, segments) = (AtomicU32::new(0), AtomicU32::new(0));
        let published = Self {
            buckets,
            segments,
            segment_shift: shape.segment_shift,
            pool: shape.pool,
            pool_bytes: shape.pool_bytes,
            directory,
        };
        published.publish(store);
        published
    }

    /// Tells all threads of an index that has grown or shrunk.
    #[inline]
    pub(super) fn publish(&self, store: &Store) {
        let buckets = store.index_buckets();
        if self.buckets.load(Ordering::Relaxed) != buckets {
            self.publish_growth(store, buckets);
        }
    }

    #[cold]
    fn publish_growth(&self, store: &Store, buckets: u32) {
        let segments = store.index_segments();
        if self.segments.load(Ordering::Relaxed) != segments.len() as u32 {
            for (number, segment) in segments.clone().enumerate() {
                let chunk = &self.directory[number / CHUNK];
                let chunk = chunk.call_once(|| Box::new(array::from_fn(|_| AtomicUsize::new(self.pool))));
                chunk[number % CHUNK].store(segment, Ordering::Relaxed);
            }
            self.segments.store(segments.len() as u32, Ordering::Relaxed);
        }
        self.buckets.store(buckets, Ordering::Relaxed);
    }

    /// The address of the main bucket of a hash.
    #[inline]
    pub(super) fn bucket(&self, hash: u64) -> usize {
        let buckets = self.buckets.load(Ordering::Relaxed).max(1);
        let mask = buckets.next_power_of_two() - 1;
        let wide = hash as u32 & mask;
        let number = if wide < buckets { wide } else { wide & (mask >> 1) };
        let segment = (number >> self.segment_shift) as usize;
        let chunk = self.directory.get(segment / CHUNK).and_then(Once::get);
        let segment = chunk.map_or(self.pool, |chunk| chunk[segment % CHUNK].load(Ordering::Relaxed));
        segment + (number as usize & ((1 << self.segment_shift) - 1)) * LINE_BYTES
    }

    /// The addresses of the items that may have this hash. The two lines there are in the pool.
    #[inline]
    pub(super) fn items(&self, hash: u64, bucket: usize, processor: &impl Processor) -> impl Iterator<Item = usize> {
        let word = move |number: usize| processor.peek(bucket + 4 * number);
        // An outdated bucket may say anything.
        candidates_in(word, hash).map(|location| self.pool + location.min(self.pool_bytes - 2 * LINE_BYTES))
    }
}
