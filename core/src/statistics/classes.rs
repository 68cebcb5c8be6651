//! Size classes: a histogram of what a store holds, as `stats slabs` and `stats items` show it.

use crate::wire::{Reader, Writer};
use alloc::{collections::BTreeMap, vec::Vec};

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
        /// See [`crate::statistics::Counters::expired_unfetched`].
        counter expired_unfetched,
        /// See [`crate::statistics::Counters::evicted_unfetched`].
        counter evicted_unfetched,
        /// See [`crate::statistics::Counters::evicted_active`].
        counter evicted_active,
        /// See [`crate::statistics::Counters::crawler_reclaimed`].
        counter crawler_reclaimed,
        /// See [`crate::statistics::Counters::crawler_items_checked`].
        counter crawler_items_checked,
        /// See [`crate::statistics::Counters::moves_within_lru`].
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
}
