//! The counters of the store, of the whole and of each size class.

use super::{SERVES, Store, item::Item, segment::SegmentId};
use crate::{
    clock::Seconds,
    limits,
    statistics::{CLASSES, Class, ClassCounters, Classes, Counters, Sizes, class_of},
};
use alloc::{vec, vec::Vec};

/// See the module.
pub(crate) struct StoreCounters {
    pub(crate) totals: Counters,
    pub(crate) sizes: Sizes,
    classes: Vec<ClassCounters>,
}

/// Time since the last use of the first item of each class among the oldest of the log; `None` without an item there.
pub(crate) type ClassAges = [Option<Seconds>; CLASSES + 1];

/// No items.
pub(crate) const NO_AGES: ClassAges = [None; CLASSES + 1];

/// The class of an item of `bytes` bytes. A store that does not serve has one.
#[inline]
fn class_number(bytes: u32) -> usize {
    if SERVES { class_of(bytes as usize) } else { 0 }
}

/// The counters that a read changes.
pub(crate) struct ReadCounts {
    gets: u64,
    hits: u64,
    misses: u64,
    hits_of_classes: Vec<u64>,
}

impl StoreCounters {
    /// Everything zero. `track_sizes`: items are counted by size.
    pub(crate) fn new(track_sizes: bool) -> Self {
        let classes = vec![ClassCounters::default(); if SERVES { CLASSES + 1 } else { 1 }];
        Self { totals: Counters::default(), sizes: Sizes::new(track_sizes), classes }
    }

    /// Counters to which nothing can be added, in a store that is not in use.
    pub(crate) fn none() -> Self {
        Self { totals: Counters::default(), sizes: Sizes::default(), classes: Vec::new() }
    }

    /// Adds other counters of the same shard.
    pub(crate) fn accumulate(&mut self, other: &Self) {
        self.totals.accumulate(&other.totals);
        self.sizes.accumulate(&other.sizes);
        for (class, other) in self.classes.iter_mut().zip(&other.classes) {
            class.accumulate(other);
        }
    }

    /// The classes that hold or held something. A class without an item among the oldest shows the age 0: none of its
    /// items is about to be evicted.
    pub(crate) fn classes(&self, ages: &ClassAges) -> Classes {
        let classes = self.classes.iter().zip(0..).filter(|(class, _)| **class != ClassCounters::default());
        let show = |(class, number): (&ClassCounters, u32)| {
            let age = ages[number as usize].unwrap_or(0).into();
            Class { number, store: ClassCounters { age, ..*class } }
        };
        Classes(classes.map(show).collect())
    }

    /// `stats reset`.
    pub(crate) fn reset(&mut self) {
        self.totals.reset();
        self.classes.iter_mut().for_each(ClassCounters::reset);
    }

    /// The counters of the class of an item of `bytes` bytes.
    #[inline]
    pub(super) fn class(&mut self, bytes: u32) -> &mut ClassCounters {
        &mut self.classes[class_number(bytes)]
    }

    /// An item was added to the index. Gauges wrap: other counters of the same shard may see it go.
    #[inline]
    pub(super) fn link(&mut self, item: &Item) {
        let bytes = item.total_bytes();
        self.totals.total_items += 1;
        self.totals.bytes = self.totals.bytes.wrapping_add(bytes.into());
        self.sizes.add(bytes, 1);
        let class = self.class(bytes);
        class.number = class.number.wrapping_add(1);
        class.mem_requested = class.mem_requested.wrapping_add(bytes.into());
    }

    /// An item was removed from the index.
    #[inline]
    pub(super) fn unlink(&mut self, item: &Item) {
        let bytes = item.total_bytes();
        self.totals.bytes = self.totals.bytes.wrapping_sub(bytes.into());
        self.sizes.add(bytes, -1);
        let class = self.class(bytes);
        class.number = class.number.wrapping_sub(1);
        class.mem_requested = class.mem_requested.wrapping_sub(bytes.into());
    }

    /// A live item was removed for room.
    pub(super) fn evicted(&mut self, item: &Item, expires: bool, used: bool, fetched: bool, idle_s: Seconds) {
        self.totals.evictions += 1;
        if !SERVES {
            return;
        }
        let class = &mut self.classes[class_number(item.total_bytes())];
        class.evicted_time = idle_s.into();
        class.evicted += 1;
        class.evicted_nonzero += u64::from(expires);
        self.totals.evicted_active += u64::from(used);
        class.evicted_active += u64::from(used);
        self.totals.evicted_unfetched += u64::from(!fetched);
        class.evicted_unfetched += u64::from(!fetched);
    }

    /// An expired or flushed item was removed.
    pub(super) fn reclaimed(&mut self, item: &Item, by_sweep: bool, unfetched: bool) {
        let class = &mut self.classes[class_number(item.total_bytes())];
        for (whole, class, by) in [
            (&mut self.totals.crawler_reclaimed, &mut class.crawler_reclaimed, by_sweep),
            (&mut self.totals.reclaimed, &mut class.reclaimed, !by_sweep),
            (&mut self.totals.expired_unfetched, &mut class.expired_unfetched, unfetched),
        ] {
            *whole += u64::from(by);
            *class += u64::from(by);
        }
    }

    /// The sweep looked at an item.
    pub(super) fn swept(&mut self, item: &Item) {
        self.totals.crawler_items_checked += 1;
        self.class(item.total_bytes()).crawler_items_checked += 1;
    }

    /// A used item was reinserted at the end of the log.
    pub(super) fn reinserted(&mut self, item: &Item) {
        self.totals.moves_within_lru += 1;
        self.class(item.total_bytes()).moves_within_lru += 1;
    }

    /// An item of `bytes` bytes found no room.
    pub(super) fn out_of_memory(&mut self, bytes: u32) {
        self.totals.store_no_memory += 1;
        self.class(bytes).outofmemory += 1;
    }
}

impl Store {
    /// The counts of reads, before one that is counted already.
    pub(crate) fn read_counts(&self) -> ReadCounts {
        let StoreCounters { totals, classes, .. } = &*self.counters;
        let hits_of_classes = classes.iter().map(|class| class.get_hits).collect();
        ReadCounts { gets: totals.cmd_get, hits: totals.get_hits, misses: totals.get_misses, hits_of_classes }
    }

    /// Sets the counts of reads back, after one that was counted already.
    pub(crate) fn restore_read_counts(&mut self, counts: &ReadCounts) {
        let StoreCounters { totals, classes, .. } = &mut *self.counters;
        (totals.cmd_get, totals.get_hits, totals.get_misses) = (counts.gets, counts.hits, counts.misses);
        for (class, &hits) in classes.iter_mut().zip(&counts.hits_of_classes) {
            class.get_hits = hits;
        }
    }

    /// The classes that hold or held something.
    pub(super) fn classes(&self, now: Seconds) -> Classes {
        self.counters.classes(&self.class_ages(now))
    }

    /// See [`ClassAges`].
    pub(crate) fn class_ages(&self, now: Seconds) -> ClassAges {
        let mut ages = NO_AGES;
        for list in self.log.lists() {
            let mut id = self.log.oldest(list);
            let mut left = limits::AGE_ITEMS_MAX;
            while id != SegmentId::NONE && left > 0 {
                for item in self.items_of(id).take(left) {
                    left -= 1;
                    if item.is_dead() {
                        continue;
                    }
                    let age = now.saturating_sub(item.access(&self.pool));
                    ages[class_of(item.total_bytes() as usize)].get_or_insert(age);
                }
                id = self.pool.segment(id).next;
            }
        }
        ages
    }
}
