//! The order of use in the store: notes of uses, and the course of an item that eviction meets.
//!
//! With `-o eviction=lru` an item is evicted only if its last use lies in the oldest epoch of [`super::uses`]. Every other
//! item that eviction meets moves to the bucket of the epoch of its last use, as if it had been written then.

use super::{
    SERVES, Store,
    item::Item,
    log::End,
    segment::{List, Part},
    uses::UseLabel,
};
use crate::clock::{Expiry, Seconds};

/// Open buckets for which segments are kept free.
const BUCKETS_MAX: u32 = 9;
/// Smallest number of segments of the pool for each of them.
const BUCKET_DENOMINATOR: u32 = 20;

/// The course of an item that eviction meets.
pub(super) enum Course {
    /// It moves.
    Moves(End),
    /// It is evicted.
    Leaves,
    /// It should move, but there is no segment for it now.
    Stays,
}

impl Store {
    /// The label of an item that is written now, if the order of use matters.
    #[inline]
    pub(super) fn use_label(&self) -> Option<UseLabel> {
        self.orders_by_use().then(|| self.uses.label())
    }

    /// Records a use in an item that has a word for it.
    #[inline]
    pub(super) fn note_use(&mut self, item: &Item) {
        if SERVES && item.has_last_use() {
            self.note_new_use(item);
        }
    }

    /// Not inlined, so that the code of a read stays small where the order of use does not matter.
    #[inline(never)]
    fn note_new_use(&mut self, item: &Item) {
        let label = self.uses.label();
        if let Some(before) = item.last_use(&self.pool)
            && before != label
        {
            item.set_last_use(&mut self.pool, label);
            self.uses.forget(before);
            self.add_use();
        }
    }

    /// Counts the use of an item that was written now.
    #[inline]
    pub(super) fn link_use(&mut self, item: &Item) {
        if item.has_last_use() {
            self.add_use();
        }
    }

    /// Forgets the use of an item that is about to leave the index or to be overwritten.
    #[inline]
    pub(super) fn unlink_use(&mut self, item: &Item) {
        if item.has_last_use() {
            self.forget_use(item);
        }
    }

    #[inline(never)]
    fn forget_use(&mut self, item: &Item) {
        if let Some(label) = item.last_use(&self.pool) {
            self.uses.forget(label);
        }
    }

    #[inline(never)]
    fn add_use(&mut self) {
        if self.uses.add(self.index.items()) {
            let sequence = self.log.tick();
            self.uses.begin_epoch(sequence);
        }
    }

    /// The course of an item that eviction meets.
    pub(super) fn course(&mut self, item: &Item, used: bool, expiry: Expiry, now: Seconds) -> Course {
        let label = item.last_use(&self.pool).filter(|_| self.orders_by_use());
        let Some(label) = label else {
            let moves = used && self.evictor.has_credit(item.total_bytes().into());
            return if moves { Course::Moves(End::of(List::of(Part::Main, expiry, now))) } else { Course::Leaves };
        };
        let epoch = self.uses.find(label);
        if epoch == 0 || !self.evictor.reinserts() {
            return Course::Leaves;
        }
        let bucket = self.bucket_of(epoch);
        let available = self.pool.available();
        let needed = |bucket| self.log.segments_needed(&self.pool, End::of(bucket), item);
        let own = needed(bucket);
        // The last free segments are for items that are written. Where they are short, buckets are filled first. A large item
        // frees its own segments.
        if own == 0 || available > own.max(self.segments_reserved() + 1) {
            return Course::Moves(End::of(bucket));
        }
        if self.evictor.only_moves() {
            return Course::Leaves;
        }
        match self.uses.nearest_bucket(epoch, |bucket| needed(bucket) == 0) {
            Some(bucket) => Course::Moves(End::of(bucket)),
            None if own <= available => Course::Moves(End::of(bucket)),
            None => Course::Stays,
        }
    }

    /// The bucket of the epoch in which the item was last used, if it has a label.
    pub(super) fn bucket_for(&mut self, item: &Item) -> Option<List> {
        let label = item.last_use(&self.pool).filter(|_| self.orders_by_use())?;
        Some(self.bucket_of(self.uses.find(label)))
    }

    /// Buckets that may be open at a time without waste.
    pub(super) fn buckets_max(&self) -> u32 {
        (self.target / BUCKET_DENOMINATOR).min(BUCKETS_MAX)
    }

    fn bucket_of(&mut self, epoch: usize) -> List {
        let most = 2 * self.buckets_max() as usize;
        match self.uses.bucket(epoch) {
            Some(bucket) => bucket,
            None => self.uses.assign(epoch, |bucket| bucket.bucket() < most && self.log.segments(bucket) == 0),
        }
    }

    /// Prepares a list for eviction. True if that changed its segments.
    pub(super) fn begin_bucket(&mut self, list: List) -> bool {
        if !list.is_bucket() {
            return false;
        }
        self.uses.divide(list);
        self.log.close_list(&mut self.pool, list)
    }
}
