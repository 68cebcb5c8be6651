//! What a store counts: one list makes fields, reset, merge and the record that crosses the boundary.

#[macro_use]
mod table;

mod classes;
mod prefixes;
mod sizes;

pub use classes::{CLASSES, Class, ClassCounters, Classes, class_bytes, class_of};
pub use prefixes::{PrefixCounts, Prefixes};
pub use sizes::{SIZE_STEP_BYTES, Sizes};

use crate::wire::{Reader, Writer};
use alloc::vec::Vec;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_leaves_gauges() {
        let mut counters = Counters { cmd_get: 3, curr_items: 2, ..Counters::default() };
        counters.reset();
        assert_eq!(counters, Counters { curr_items: 2, ..Counters::default() });
    }
}
