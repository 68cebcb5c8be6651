//! The order of use with `-o eviction=lru`: which item was used before which, to within a 72nd of the items.
//!
//! Uses are grouped in *epochs*. An epoch ends when it is the last use of a 72nd of the items; an item is counted once,
//! however often it is used meanwhile. Each item has a word with the label of the epoch of its last use, so a read writes
//! into an item only if that was used before the present epoch. An epoch that lost most of its items by later uses is
//! joined with its neighbour.
//!
//! The label is the sequence number of the log at the start of the epoch, so the uses of items and the ages of segments
//! compare directly. The counts of an epoch need not be exact: they decide where epochs end and which are joined, not
//! which item is older.
//!
//! An item whose last use is younger than its place in the log moves to a *bucket* when eviction meets it: a list of the
//! log for a range of epochs. See [`super::order`].

use super::segment::List;
use alloc::collections::VecDeque;

/// Epochs into which the items are divided.
const EPOCHS: u32 = 72;
/// Epochs in the table at which sparse ones are joined. Joined, there are at most two for each 72nd of the items.
const TABLE_EPOCHS_MAX: usize = 3 * EPOCHS as usize;
/// Width of a bucket: the largest power of this fraction of the uses since the oldest one that is not more than its distance
/// from it. So an item moves at most once for each power, and few buckets are open at a time.
const WIDTH_DENOMINATOR: u64 = 4;

/// The low half of the sequence number at which an epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UseLabel(pub(super) u32);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    /// Sequence number of the log when it began. Items that are appended during the epoch have higher ones.
    start: u64,
    /// Uses that were noted before it.
    uses_before: u64,
    /// Items whose last use was in the epoch.
    items: u32,
    /// The bucket for its items, if there is one yet.
    bucket: Option<List>,
}

/// See the module.
pub(super) struct Uses {
    /// Oldest first; never empty.
    epochs: VecDeque<Epoch>,
    /// Label of the last epoch.
    label: UseLabel,
    /// Items at which the last epoch ends.
    items_max: u32,
    /// Noted uses.
    count: u64,
    /// The sequence number of the oldest item that each bucket may hold.
    ages: [u64; List::BUCKETS],
}

impl Uses {
    /// One epoch without items.
    pub(super) fn new() -> Self {
        let first = Epoch { start: 0, uses_before: 0, items: 0, bucket: None };
        let epochs = [first].into_iter().collect();
        Self { epochs, label: UseLabel(0), items_max: 1, count: 0, ages: [0; List::BUCKETS] }
    }

    /// The label of uses from now on.
    #[inline]
    pub(super) fn label(&self) -> UseLabel {
        self.label
    }

    /// Counts one of `items` items that was last used now. True if the epoch is full: [`Uses::begin_epoch`] must follow.
    #[inline]
    pub(super) fn add(&mut self, items: u32) -> bool {
        self.count += 1;
        self.items_max = (items / EPOCHS).max(1);
        let items_max = self.items_max;
        let epoch = self.newest_mut();
        epoch.items += 1;
        epoch.items >= items_max
    }

    /// An item with this label is gone, or was used again.
    pub(super) fn forget(&mut self, label: UseLabel) {
        let at = self.find(label);
        let epoch = &mut self.epochs[at];
        epoch.items = epoch.items.saturating_sub(1);
    }

    fn newest_mut(&mut self) -> &mut Epoch {
        match self.epochs.back_mut() {
            Some(epoch) => epoch,
            None => unreachable!("there is always an epoch"),
        }
    }

    /// Begins an epoch at `sequence`, the newest number of the log.
    pub(super) fn begin_epoch(&mut self, sequence: u64) {
        let mut joined_max = self.items_max;
        while self.epochs.len() >= TABLE_EPOCHS_MAX {
            self.join_sparse(joined_max);
            joined_max = joined_max.saturating_mul(2);
        }
        self.label = UseLabel(sequence as u32);
        self.epochs.push_back(Epoch { start: sequence, uses_before: self.count, items: 0, bucket: None });
    }

    /// Joins neighbours of the same bucket that have at most `items_max` items together.
    fn join_sparse(&mut self, items_max: u32) {
        let mut joined: VecDeque<Epoch> = VecDeque::with_capacity(self.epochs.len());
        for epoch in self.epochs.drain(..) {
            match joined.back_mut() {
                Some(last) if last.bucket == epoch.bucket && last.items.saturating_add(epoch.items) <= items_max => {
                    last.items += epoch.items;
                }
                _ => joined.push_back(epoch),
            }
        }
        self.epochs = joined;
    }

    /// The number of the epoch in which the item with this label was last used; 0 if that is forgotten.
    #[inline]
    pub(super) fn find(&self, label: UseLabel) -> usize {
        let first = self.epochs[0].start;
        let since = label.0.wrapping_sub(first as u32).cast_signed();
        let start = first.saturating_add_signed(since.into());
        self.epochs.partition_point(|epoch| epoch.start <= start).saturating_sub(1)
    }

    /// Forgets the epochs before that of the items of this age. None of their items is left.
    pub(super) fn drop_before(&mut self, age: u64) {
        while self.epochs.len() > 1 && self.epochs[1].start < age {
            self.epochs.pop_front();
        }
    }

    /// The age of the youngest item of the oldest epoch.
    pub(super) fn oldest_age_max(&self) -> u64 {
        self.epochs.get(1).map_or(u64::MAX, |next| next.start)
    }

    /// The age of the oldest items that the bucket may hold.
    #[inline]
    pub(super) fn age_of(&self, bucket: usize) -> u64 {
        self.ages[bucket]
    }

    /// The bucket of an epoch, if there is one yet.
    #[inline]
    pub(super) fn bucket(&self, epoch: usize) -> Option<List> {
        self.epochs[epoch].bucket
    }

    /// Whether an epoch has this bucket.
    fn is_taken(&self, bucket: List) -> bool {
        self.epochs.iter().any(|epoch| epoch.bucket == Some(bucket))
    }

    /// Gives a bucket to an epoch that has none: that of a range that it belongs to, or one for which `is_empty` holds.
    pub(super) fn assign(&mut self, epoch: usize, is_empty: impl Fn(List) -> bool) -> List {
        let uses_before = |at: usize| self.epochs.get(at).map_or(self.count, |epoch| epoch.uses_before);
        let fits = |first: usize| uses_before(epoch + 1) - uses_before(first) <= self.width_at(first);
        let older = (0..epoch).rev().find(|&at| self.epochs[at].bucket.is_some());
        let older = older.and_then(|at| Some((at, self.epochs[at].bucket?)));
        if let Some((at, bucket)) = older {
            let first = (0..=at).rev().take_while(|&at| self.epochs[at].bucket == Some(bucket)).last().unwrap_or(at);
            if fits(first) {
                return self.extend(at, epoch, bucket);
            }
        }
        let free = List::buckets().find(|&bucket| is_empty(bucket) && !self.is_taken(bucket));
        match (free, older) {
            (Some(free), _) => {
                let mut first = epoch;
                while first > 0 && self.epochs[first - 1].bucket.is_none() && fits(first - 1) {
                    first -= 1;
                }
                self.ages[free.bucket()] = self.epochs[first].start + 1;
                self.extend(first, epoch, free)
            }
            // An item may be in an older bucket, but in no younger one.
            (None, Some((at, bucket))) => self.extend(at, epoch, bucket),
            (None, None) => self.lower(epoch),
        }
    }

    /// The width of a bucket that begins at this epoch, in uses.
    fn width_at(&self, epoch: usize) -> u64 {
        let uses_before = |at: usize| self.epochs.get(at).map_or(self.count, |epoch| epoch.uses_before);
        let distance = uses_before(epoch).saturating_sub(uses_before(1));
        let mut width = (self.count - self.epochs[0].uses_before) / WIDTH_DENOMINATOR;
        while width > distance {
            width /= WIDTH_DENOMINATOR;
        }
        width
    }

    fn extend(&mut self, from: usize, to: usize, bucket: List) -> List {
        self.epochs.range_mut(from..=to).for_each(|epoch| epoch.bucket = Some(bucket));
        bucket
    }

    /// Lets the oldest bucket begin at `epoch`.
    fn lower(&mut self, epoch: usize) -> List {
        let Some(bucket) = self.epochs.iter().find_map(|epoch| epoch.bucket) else { return List::MAIN };
        self.ages[bucket.bucket()] = self.epochs[epoch].start + 1;
        self.epochs[epoch].bucket = Some(bucket);
        bucket
    }

    /// Prepares a bucket for eviction: its epochs get others. So an item that eviction meets there is evicted only if it
    /// was last used in the oldest epoch.
    pub(super) fn divide(&mut self, bucket: List) {
        self.join_sparse(self.items_max);
        self.epochs.iter_mut().filter(|epoch| epoch.bucket == Some(bucket)).for_each(|epoch| epoch.bucket = None);
    }

    /// The bucket for which `has_room` holds that is nearest to that of `epoch`: an older one if there is one.
    pub(super) fn nearest_bucket(&self, epoch: usize, has_room: impl Fn(List) -> bool) -> Option<List> {
        let others = (1..epoch).rev().chain(epoch + 1..self.epochs.len());
        others.filter_map(|at| self.epochs[at].bucket).find(|&bucket| has_room(bucket))
    }

    /// Epochs are in the order of their starts, and a bucket is not younger than its epochs. For
    /// [`super::check`].
    pub(super) fn check(&self, sequence: u64) {
        assert!(!self.epochs.is_empty() && self.epochs.len() <= TABLE_EPOCHS_MAX);
        assert!(self.epochs.iter().is_sorted_by(|older, younger| older.start < younger.start));
        assert!(self.epochs.iter().all(|epoch| epoch.start <= sequence && epoch.uses_before <= self.count));
        for bucket in List::buckets() {
            let holds = self.epochs.iter().position(|epoch| epoch.bucket == Some(bucket));
            if let Some(first) = holds {
                assert!(self.ages[bucket.bucket()] <= self.epochs[first].start + 1, "a bucket is as old as its items");
            }
        }
    }
}
