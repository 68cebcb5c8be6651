//! Size classes: a histogram of what a store holds, as `stats items` and `stats slabs` show it.
//!
//! A row of [`super::table`]'s form is the only place that names a statistic of a class. `store[n]` makes a field of
//! [`ClassCounters`].

use super::row::{Kind, Statistic, Unit};
use crate::wire::{Reader, Writer};
use alloc::{collections::BTreeMap, vec::Vec};

/// The report of a store on one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// From 1 to [`CLASSES`].
    pub number: u32,
    /// The numbers of the class.
    pub store: ClassCounters,
}

macro_rules! class_statistics {
    ($($(#[doc = $list_doc:literal])* $list:ident {$(
        #[doc = $help:literal]
        $kind:ident $name:ident $unit:ident
        $(store[$store:literal])? $(computed($computed:expr))? $(constant($constant:expr))?;
    )*})*) => {
        numbers! {
            /// The numbers of a size class.
            ClassCounters { $($($(#[doc = $help] $kind $name $unit [$store])?)*)* }
        }

        $(
            $(#[doc = $list_doc])*
            pub const $list: &[Statistic<Class>] = &[$(
                Statistic::new(
                    (stringify!($name), Kind::$kind, Unit::$unit, $help.trim_ascii()),
                    source!(
                        Class,
                        $name $(store $store)? $(computed $computed)? $(constant $constant)?
                    ),
                ),
            )*];
        )*
    };
}

class_statistics! {
    /// The statistics of a class in `stats items`. There is one queue, so memcached's hot and warm ones are empty.
    ITEM_STATISTICS {
        /// Items of the class.
        Gauge number None store[0];
        /// Items in memcached's hot LRU: there are none.
        Gauge number_hot None constant(0);
        /// Items in memcached's warm LRU: there are none.
        Gauge number_warm None constant(0);
        /// Items of the class: there is one queue.
        Gauge number_cold None computed(|class| class.store.number);
        /// Age of the oldest item of memcached's hot LRU.
        Gauge age_hot Seconds constant(0);
        /// Age of the oldest item of memcached's warm LRU.
        Gauge age_warm Seconds constant(0);
        /// Time since the last use of the oldest item.
        Longest age Seconds store[1];
        /// Bytes of the items.
        Gauge mem_requested Bytes store[2];
        /// Live items removed for room.
        Counter evicted None store[3];
        /// Live items with an expiry removed for room.
        Counter evicted_nonzero None store[4];
        /// Time between the last use of the item evicted last and its eviction.
        Longest evicted_time Seconds store[5];
        /// Items refused for want of memory.
        Counter outofmemory None store[6];
        /// Items repaired at the end of memcached's LRU: there are none.
        Counter tailrepairs None constant(0);
        /// Expired and flushed items whose memory a store used again.
        Counter reclaimed None store[7];
        /// Expired items that were reclaimed without ever being read.
        Counter expired_unfetched None store[8];
        /// Evicted items that were never read.
        Counter evicted_unfetched None store[9];
        /// Evicted items that had been used since they were written or last reinserted.
        Counter evicted_active None store[10];
        /// Expired and flushed items removed by the sweep.
        Counter crawler_reclaimed None store[11];
        /// Items that the sweep looked at.
        Counter crawler_items_checked None store[12];
        /// Items found locked at the end of the LRU: there are none.
        Counter lrutail_reflocked None constant(0);
        /// Items moved to memcached's cold LRU: there are none.
        Counter moves_to_cold None constant(0);
        /// Items moved to memcached's warm LRU: there are none.
        Counter moves_to_warm None constant(0);
        /// Used items reinserted at the end of the log instead of being evicted.
        Counter moves_within_lru None store[13];
        /// Evictions while a store waited for room: they are not counted by class.
        Counter direct_reclaims None constant(0);
        /// Reads that found an item in memcached's hot LRU: there are none.
        Counter hits_to_hot None constant(0);
        /// Reads that found an item in memcached's warm LRU: there are none.
        Counter hits_to_warm None constant(0);
        /// Reads that found an item: there is one queue.
        Counter hits_to_cold None computed(|class| class.store.get_hits);
        /// Reads that found an item in memcached's temporary LRU: there are none.
        Counter hits_to_temp None constant(0);
    }

    /// The statistics of a class in `stats slabs`: its items as chunks. The engine does not allocate in chunks, so every
    /// chunk is used, and a page is the MiB that tools expect.
    SLAB_STATISTICS {
        /// Largest item of the class.
        Gauge chunk_size Bytes computed(|class| class.chunk_bytes());
        /// Largest items that fit into a MiB.
        Gauge chunks_per_page None computed(|class| class.chunks_per_page());
        /// MiB that as many largest items would take.
        Gauge total_pages None computed(|class| class.store.number.div_ceil(class.chunks_per_page()));
        /// Items of the class.
        Gauge total_chunks None computed(|class| class.store.number);
        /// Items of the class: no chunk is unused.
        Gauge used_chunks None computed(|class| class.store.number);
        /// Unused chunks: there are none.
        Gauge free_chunks None constant(0);
        /// Unused chunks at the end of a page: there are none.
        Gauge free_chunks_end None constant(0);
        /// Reads that found an item.
        Counter get_hits None store[14];
        /// Storage commands on items.
        Counter cmd_set None store[15];
        /// Deletes of items.
        Counter delete_hits None store[16];
        /// incr commands on items.
        Counter incr_hits None store[17];
        /// decr commands on items.
        Counter decr_hits None store[18];
        /// cas commands that stored.
        Counter cas_hits None store[19];
        /// cas commands whose unique differed.
        Counter cas_badval None store[20];
        /// touch and gat commands on items.
        Counter touch_hits None store[21];
    }
}

/// See [`SLAB_STATISTICS`].
const PAGE_BYTES: u64 = 1024 * 1024;

impl Class {
    fn chunk_bytes(&self) -> u64 {
        class_bytes(self.number as usize) as u64
    }

    fn chunks_per_page(&self) -> u64 {
        (PAGE_BYTES / self.chunk_bytes()).max(1)
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

/// The answer to [`crate::command::Broadcast::Classes`]: the classes that hold or held something, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes(pub Vec<Class>);

impl Classes {
    /// Appends the form that crosses the boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for class in &self.0 {
            Writer(out).u32(class.number);
            class.store.encode_to(out);
        }
    }

    /// Merges the concatenated answers of all shards.
    pub fn decode_merged(bytes: &[u8]) -> Self {
        let mut merged = BTreeMap::<u32, ClassCounters>::new();
        let mut r = Reader(bytes);
        while let (Some(number), Some(counters)) = (r.u32(), ClassCounters::decode_from(&mut r)) {
            merged.entry(number).or_default().merge(&counters);
        }
        Self(merged.into_iter().map(|(number, store)| Class { number, store }).collect())
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
