//! What a store counts: one list makes fields, reset, merge and the record that crosses the boundary.

mod prefixes;

pub use prefixes::{PrefixCounts, Prefixes};

use crate::wire::{Reader, Writer};
use alloc::{collections::BTreeMap, vec::Vec};

/// How a field behaves under `stats reset`.
macro_rules! reset_field {
    ($self:ident, $field:ident, counter) => {
        $self.$field = 0;
    };
    ($self:ident, $field:ident, gauge) => {};
}

macro_rules! counters {
    ($(#[$struct_doc:meta])* $struct:ident { $($(#[$doc:meta])* $kind:ident $field:ident,)* }) => {
        $(#[$struct_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $struct { $($(#[$doc])* pub $field: u64,)* }

        impl $struct {
            /// `stats reset`: counters to zero, gauges stay.
            pub fn reset(&mut self) {
                $(reset_field!(self, $field, $kind);)*
            }

            /// Adds another shard's numbers.
            pub fn merge(&mut self, other: &Self) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }

            /// Appends the form that crosses the boundary.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut w = Writer(out);
                $(w.u64(self.$field);)*
            }

            /// Takes one record from the front of `r`; `None` at the end.
            pub fn decode(r: &mut Reader<'_>) -> Option<Self> {
                Some(Self { $($field: r.u64()?,)* })
            }
        }
    };
}

counters! {
    /// The counters of one store, named as `stats` names them.
    Counters {
        /// Keys asked for by get.
        counter cmd_get,
        /// Store commands.
        counter cmd_set,
        /// flush_all commands.
        counter cmd_flush,
        /// touch and gat commands.
        counter cmd_touch,
        /// Meta debug commands.
        counter cmd_meta,
        /// Reads that found the key.
        counter get_hits,
        /// Reads that did not.
        counter get_misses,
        /// Of the misses: the item had expired.
        counter get_expired,
        /// Of the misses: the item had been flushed.
        counter get_flushed,
        /// Deletes of absent keys.
        counter delete_misses,
        /// Deletes of present keys.
        counter delete_hits,
        /// incr on absent keys.
        counter incr_misses,
        /// incr on present keys.
        counter incr_hits,
        /// decr on absent keys.
        counter decr_misses,
        /// decr on present keys.
        counter decr_hits,
        /// cas on absent keys.
        counter cas_misses,
        /// cas that stored.
        counter cas_hits,
        /// cas whose unique differed.
        counter cas_badval,
        /// touch and gat on present keys.
        counter touch_hits,
        /// touch and gat on absent keys.
        counter touch_misses,
        /// Items refused for their size.
        counter store_too_large,
        /// Items refused for want of memory.
        counter store_no_memory,
        /// Items linked since the start.
        counter total_items,
        /// Items in the index now.
        gauge curr_items,
        /// Bytes of those items: header, key, value.
        gauge bytes,
        /// Expired items reclaimed that nobody had read.
        counter expired_unfetched,
        /// Evicted items that nobody had read.
        counter evicted_unfetched,
        /// Evicted items that had been read since they were last carried over.
        counter evicted_active,
        /// Live items removed for room.
        counter evictions,
        /// Dead items' memory used again by a store.
        counter reclaimed,
        /// Expired and flushed items removed by the sweep.
        counter crawler_reclaimed,
        /// Walks over all items that clients asked for, and wishes for expiry.
        counter lru_crawler_starts,
        /// Items the sweep looked at.
        counter crawler_items_checked,
        /// Used items carried over to the open segment instead of being evicted.
        counter moves_within_lru,
        /// Items moved by compaction.
        counter slab_reassign_rescues,
        /// Segments freed by compaction.
        counter slabs_moved,
        /// Evictions done while a store waited.
        counter direct_reclaims,
        /// Bytes of the pool taken by the index.
        gauge hash_bytes,
        /// Index buckets.
        gauge index_buckets,
        /// The pool's limit now.
        gauge pool_bytes,
        /// Bytes of segments that are neither item nor index: free segments and the open segment's rest.
        gauge pool_free_bytes,
        /// Bytes in segments of items that are gone, and of segment bookkeeping.
        gauge pool_dead_bytes,
    }
}

counters! {
    /// The counters of one size class: a histogram of what the store holds, not its allocator.
    ClassCounters {
        /// Items of the class now.
        gauge number,
        /// Their bytes.
        gauge mem_requested,
        /// Live items removed for room.
        counter evicted,
        /// Of those, the ones with an expiry.
        counter evicted_nonzero,
        /// Refusals for want of memory.
        counter outofmemory,
        /// Dead items' memory used again.
        counter reclaimed,
        /// See [`Counters::expired_unfetched`].
        counter expired_unfetched,
        /// See [`Counters::evicted_unfetched`].
        counter evicted_unfetched,
        /// See [`Counters::evicted_active`].
        counter evicted_active,
        /// See [`Counters::crawler_reclaimed`].
        counter crawler_reclaimed,
        /// See [`Counters::crawler_items_checked`].
        counter crawler_items_checked,
        /// See [`Counters::moves_within_lru`].
        counter moves_within_lru,
        /// Reads that found an item of the class.
        counter get_hits,
        /// Stores of items of the class.
        counter cmd_set,
        /// Deletes.
        counter delete_hits,
        /// incr.
        counter incr_hits,
        /// decr.
        counter decr_hits,
        /// cas that stored.
        counter cas_hits,
        /// cas whose unique differed.
        counter cas_badval,
        /// touch and gat.
        counter touch_hits,
    }
}

/// Size classes: four to a doubling, from 64 bytes; the last one takes everything larger.
pub const CLASSES: usize = 63;

/// The class (1 to [`CLASSES`]) of an item of `bytes` bytes.
#[inline]
pub fn class_of(bytes: usize) -> usize {
    if bytes <= 64 {
        return 1;
    }
    let below = bytes - 1;
    let doubling = below.ilog2() as usize;
    let quarter = (below >> (doubling - 2)) & 3;
    ((doubling - 6) * 4 + quarter + 2).min(CLASSES)
}

/// The largest item of `class`, in bytes.
pub fn class_bytes(class: usize) -> usize {
    let step = class.saturating_sub(1);
    (16 << (step / 4)) * (4 + step % 4)
}

/// What a store reports of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The class's counters.
    pub counters: ClassCounters,
    /// Seconds since the last use of the oldest item of the class (the largest over all shards).
    pub age_s: u32,
    /// Seconds between the last use of the most recently evicted item and its eviction.
    pub evicted_time_s: u32,
}

/// The answer to [`crate::command::Broadcast::Classes`]: the classes that hold or ever held something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes(pub Vec<(u32, Class)>);

impl Classes {
    /// Appends the form that crosses the boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for (number, class) in &self.0 {
            let mut w = Writer(out);
            w.u32(*number);
            w.u32(class.age_s);
            w.u32(class.evicted_time_s);
            class.counters.encode(out);
        }
    }

    /// Merges the concatenated answers of all shards, in order of class.
    pub fn decode_merged(bytes: &[u8]) -> Self {
        let mut merged = BTreeMap::<u32, Class>::new();
        let mut r = Reader(bytes);
        while let (Some(number), Some(age_s), Some(evicted_time_s), Some(counters)) =
            (r.u32(), r.u32(), r.u32(), ClassCounters::decode(&mut r))
        {
            let class = merged.entry(number).or_default();
            class.counters.merge(&counters);
            class.age_s = class.age_s.max(age_s);
            class.evicted_time_s = class.evicted_time_s.max(evicted_time_s);
        }
        Self(merged.into_iter().collect())
    }
}

/// How many items there are of each size, in steps of [`SIZE_STEP_BYTES`] (`stats sizes`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(Option<BTreeMap<u32, u64>>);

/// See [`Sizes`].
pub const SIZE_STEP_BYTES: u32 = 32;

impl Sizes {
    /// No items; `tracked`: whether to count any.
    pub fn new(tracked: bool) -> Self {
        Self(tracked.then(BTreeMap::new))
    }

    /// An item of `bytes` bytes came (1) or went (-1).
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

    /// Appends the form that crosses the boundary; nothing if they are not tracked.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(counts) = &self.0 else { return };
        // So that none is not the same as not tracked.
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

    /// Size and number, in order; `None` if they are not tracked.
    pub fn iter(&self) -> Option<impl Iterator<Item = (u32, u64)> + '_> {
        Some(self.0.as_ref()?.iter().map(|(bytes, count)| (*bytes, *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_contiguous_and_hold_their_sizes() {
        for class in 1..CLASSES {
            let bytes = class_bytes(class);
            assert_eq!(class_of(bytes), class, "{bytes}");
            assert_eq!(class_of(bytes + 1), class + 1, "{bytes}");
        }
    }

    #[test]
    fn reset_leaves_gauges() {
        let mut counters = Counters { cmd_get: 3, curr_items: 2, ..Counters::default() };
        counters.reset();
        assert_eq!(counters, Counters { curr_items: 2, ..Counters::default() });
    }
}
