//! The index leads from the hash of a key to the location of its item. It is linear hashing over buckets of 64 bytes in
//! segments of the pool, so it grows bucket by bucket, without a pause.
//!
//! ```text
//! bytes 0..12    a tag (8 bits of the hash, never 0) for each slot; 0: the slot is a hole
//! bytes 12..16   the overflow bucket in which this one continues (line number in the pool), 0: none
//! bytes 16..64   twelve slots: location (30 bits) | used since written or reinserted | fetched since written
//! ```

use super::{
    item::Item,
    overflow::Overflow,
    pool::{LINE_BYTES, Pool},
    segment::{Location, SegmentId, SegmentKind},
};
use crate::hash::Seed;
use alloc::vec::Vec;

/// Slots of a bucket.
pub(super) const SLOTS: usize = 12;
/// The item was used since it was written or last reinserted.
pub(super) const USED: u32 = 1 << 30;
/// The item was read since it was written.
pub(super) const FETCHED: u32 = 1 << 31;

const LOCATION_MASK: u32 = USED - 1;
const LINK_AT: usize = 12;
pub(super) const SLOTS_AT: usize = 16;

/// The index grows when there are more items than this for eight buckets.
const LOAD_EIGHTHS: u32 = 56;

/// The index shrinks when there are fewer: half of that, so that growing and shrinking do not alternate.
const LOAD_EIGHTHS_MIN: u32 = 28;

/// Buckets of a new index.
const BUCKETS_MIN: u32 = 1;

/// The content of a slot: location and marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(pub(super) u32);

impl Entry {
    /// The location of the item.
    #[inline]
    pub(super) fn location(self) -> Location {
        Location(self.0 & LOCATION_MASK)
    }

    /// Whether all of `marks` are set.
    #[inline]
    pub(super) fn has(self, marks: u32) -> bool {
        self.0 & marks == marks
    }

    /// An entry for `location` with `marks`.
    #[inline]
    pub(super) fn new(location: Location, marks: u32) -> Self {
        debug_assert!(location.0 <= LOCATION_MASK);
        Self(location.0 | marks)
    }
}

/// Position of a slot. Valid until an entry is inserted or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Offset of the bucket in the pool.
    bucket: usize,
    number: u32,
}

/// See [`Index::bucket_range`].
pub(super) struct BucketRange {
    /// Offset of the main bucket in the pool.
    pub(super) bucket: usize,
    /// The first position.
    pub(super) begin: u32,
    /// The first position after the range.
    pub(super) end: u64,
}

/// A slot without an entry. Its word may hold a ghost (see [`super::ghost`]) until an entry takes the slot.
#[derive(Clone, Copy)]
pub(super) struct Hole(Slot);

impl Hole {
    /// The word.
    #[inline]
    pub(super) fn word(&self, pool: &Pool) -> u32 {
        pool.word(self.0.at())
    }

    /// Sets the word.
    #[inline]
    pub(super) fn set_word(&self, pool: &mut Pool, word: u32) {
        pool.set_word(self.0.at(), word);
    }
}

impl Slot {
    #[inline]
    fn at(self) -> usize {
        self.bucket + SLOTS_AT + 4 * self.number as usize
    }
}

/// See the module.
pub(super) struct Index {
    seed: Seed,
    /// The segments of the main buckets, in order.
    directory: Vec<SegmentId>,
    /// Main buckets.
    buckets: u32,
    /// The smallest `2^n - 1` that is not below the last bucket's number.
    mask: u32,
    items: u32,
    overflow: Overflow,
    /// Entries of the bucket that is being split.
    scratch: Vec<u32>,
}

impl Index {
    /// An empty index. Takes its first segment from `pool`.
    pub(super) fn new(seed: Seed, pool: &mut Pool) -> Option<Self> {
        let mut index = Self {
            seed,
            directory: Vec::new(),
            buckets: BUCKETS_MIN,
            mask: BUCKETS_MIN - 1,
            items: 0,
            overflow: Overflow::new(),
            scratch: Vec::with_capacity(SLOTS * 4),
        };
        index.add_segment(pool).then_some(index)
    }

    /// The key's hash.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// Number of entries.
    pub(super) fn items(&self) -> u32 {
        self.items
    }

    /// Number of main buckets.
    #[inline]
    pub(super) fn main_buckets(&self) -> u32 {
        self.buckets
    }

    /// The segments of the main buckets, in order.
    pub(super) fn directory(&self) -> &[SegmentId] {
        &self.directory
    }

    /// Number of main buckets and used overflow buckets.
    pub(super) fn buckets(&self, pool: &Pool) -> u32 {
        self.buckets + self.overflow.used(pool)
    }

    /// Number of segments taken from the pool.
    pub(super) fn segments(&self) -> u32 {
        self.directory.len() as u32 + self.overflow.segments()
    }

    /// Offset of the main bucket of `hash`.
    #[inline]
    pub(super) fn bucket(&self, pool: &Pool, hash: u64) -> usize {
        let wide = hash as u32 & self.mask;
        let number = if wide < self.buckets { wide } else { wide & (self.mask >> 1) };
        self.bucket_at(pool, number)
    }

    #[inline]
    fn bucket_at(&self, pool: &Pool, number: u32) -> usize {
        let per_segment = pool.segment_bytes() / LINE_BYTES as u32;
        let segment = self.directory[(number >> per_segment.trailing_zeros()) as usize];
        pool.start(segment) + (number & (per_segment - 1)) as usize * LINE_BYTES
    }

    /// The entries of the bucket at `bucket` that have the tag of `hash`. The prefetch of a batch follows no links.
    #[inline]
    pub(super) fn candidates(pool: &Pool, bucket: usize, hash: u64) -> impl Iterator<Item = Entry> + '_ {
        matches(&pool.chunk(bucket), tag_of(hash)).map(move |number| Entry(pool.word(Slot { bucket, number }.at())))
    }

    /// The slot for which `is_it` holds, among the slots with the tag of `hash`. Always inlined, as `lookup_inlined` of the
    /// store is.
    #[inline(always)]
    pub(super) fn find(&self, pool: &Pool, hash: u64, is_it: impl Fn(Entry) -> bool) -> Option<Slot> {
        let mut bucket = self.bucket(pool, hash);
        let tag = tag_of(hash);
        loop {
            let head = pool.chunk(bucket);
            for number in matches(&head, tag) {
                let slot = Slot { bucket, number };
                if is_it(self.entry(pool, slot)) {
                    return Some(slot);
                }
            }
            bucket = link_of(&head)?;
        }
    }

    /// The holes of the main bucket of `hash`.
    #[inline]
    pub(super) fn holes(&self, pool: &Pool, hash: u64) -> impl Iterator<Item = Hole> + use<> {
        let bucket = self.bucket(pool, hash);
        matches(&pool.chunk(bucket), 0).map(move |number| Hole(Slot { bucket, number }))
    }

    /// The slot of the item at `location`, whose hash is `hash`.
    ///
    /// # Panics
    /// If it is not in the index.
    #[inline]
    pub(super) fn slot_of(&self, pool: &Pool, hash: u64, location: Location) -> Slot {
        match self.find(pool, hash, |entry| entry.location() == location) {
            Some(slot) => slot,
            None => panic!("an item that is not dead is in the index"),
        }
    }

    /// The entry of a slot.
    #[inline]
    pub(super) fn entry(&self, pool: &Pool, slot: Slot) -> Entry {
        Entry(pool.word(slot.at()))
    }

    /// Replaces the entry of a slot.
    #[inline]
    pub(super) fn set(&mut self, pool: &mut Pool, slot: Slot, entry: Entry) {
        pool.set_word(slot.at(), entry.0);
    }

    /// Sets `marks`. Writes only if that changes the entry.
    #[inline]
    pub(super) fn mark(&mut self, pool: &mut Pool, slot: Slot, marks: u32) {
        let entry = self.entry(pool, slot);
        if !entry.has(marks) {
            self.set(pool, slot, Entry(entry.0 | marks));
        }
    }

    /// Whether [`Index::insert`] would need another segment.
    pub(super) fn is_full_for(&self, pool: &Pool, hash: u64) -> bool {
        if self.overflow.unused() > 0 {
            return false;
        }
        let mut bucket = self.bucket(pool, hash);
        loop {
            let head = pool.chunk(bucket);
            if matches(&head, 0).next().is_some() {
                return false;
            }
            match link_of(&head) {
                Some(next) => bucket = next,
                None => return true,
            }
        }
    }

    /// Adds an entry. Its key must be absent, and [`Index::is_full_for`] false.
    pub(super) fn insert(&mut self, pool: &mut Pool, hash: u64, entry: Entry, age: impl Fn(u32) -> u32) {
        self.place(pool, self.bucket(pool, hash), tag_of(hash), entry, age);
        self.items += 1;
    }

    /// Removes an entry. The last entry of the chain takes its place, so that only the last bucket has holes.
    pub(super) fn remove(&mut self, pool: &mut Pool, hash: u64, slot: Slot) {
        self.items -= 1;
        let mut before = None;
        let mut bucket = self.bucket(pool, hash);
        while let Some(next) = link_of(&pool.chunk(bucket)) {
            before = Some(bucket);
            bucket = next;
        }
        let head: [u8; 16] = pool.chunk(bucket);
        let Some(last) = (0..SLOTS).rev().find(|&number| head[number] != 0) else { panic!("an empty last bucket") };
        let last = Slot { bucket, number: last as u32 };
        let (tag, entry) = (head[last.number as usize], self.entry(pool, last));
        self.put(pool, slot, tag, entry);
        self.put(pool, last, 0, Entry(0));
        if let Some(before) = before
            && matches(&pool.chunk(bucket), 0).count() == SLOTS
        {
            pool.set_word(before + LINK_AT, 0);
            self.overflow.give(pool, bucket);
        }
    }

    /// Whether there are more items than the main buckets should hold.
    #[inline]
    pub(super) fn wants_growth(&self) -> bool {
        u64::from(self.items) * 8 > u64::from(self.buckets) * u64::from(LOAD_EIGHTHS)
    }

    /// Whether growing by one bucket takes a segment.
    #[inline]
    pub(super) fn growth_takes_segment(&self, pool: &Pool) -> bool {
        u64::from(self.buckets) * LINE_BYTES as u64 == (self.directory.len() as u64) << pool.segment_bytes().ilog2()
    }

    /// Whether there are so few that main buckets should be merged.
    #[inline]
    pub(super) fn wants_shrinking(&self) -> bool {
        u64::from(self.items) * 8 < u64::from(self.buckets) * u64::from(LOAD_EIGHTHS_MIN) && self.buckets > BUCKETS_MIN
    }

    /// Bytes of its segments without a used bucket.
    pub(super) fn unused_bytes(&self, pool: &Pool) -> u64 {
        (u64::from(self.segments()) << pool.segment_bytes().ilog2()) - u64::from(self.buckets(pool)) * LINE_BYTES as u64
    }

    /// Merges the last bucket into the one that it was split from, and releases a segment without buckets. False if
    /// there are not enough overflow buckets.
    pub(super) fn shrink(&mut self, pool: &mut Pool) -> bool {
        let removed = self.buckets - 1;
        let kept = self.bucket_at(pool, removed & (self.mask >> 1));
        let from = self.bucket_at(pool, removed);
        let (filled, overflow) = (self.filled(pool, from).0, self.filled(pool, kept));
        let needed = (filled + overflow.0).div_ceil(SLOTS as u32).saturating_sub(overflow.1);
        if needed > self.overflow.unused() {
            return false;
        }
        let mut bucket = from;
        loop {
            let head: [u8; 16] = pool.chunk(bucket);
            for number in (0..SLOTS).filter(|&number| head[number] != 0) {
                let entry = self.entry(pool, Slot { bucket, number: number as u32 });
                self.place(pool, kept, head[number], entry, |_| 0);
            }
            if bucket != from {
                self.overflow.give(pool, bucket);
            }
            match link_of(&head) {
                Some(next) => bucket = next,
                None => break,
            }
        }
        pool.slice_mut(from, LINE_BYTES).fill(0);
        self.buckets -= 1;
        if removed == (self.mask >> 1) + 1 {
            self.mask >>= 1;
        }
        if self.buckets.is_multiple_of(pool.segment_bytes() / LINE_BYTES as u32)
            && let Some(emptied) = self.directory.pop()
        {
            pool.release(emptied);
        }
        true
    }

    /// Splits one bucket. Does nothing if that needs a segment and there is none.
    pub(super) fn grow(&mut self, pool: &mut Pool) {
        if self.growth_takes_segment(pool) && !self.add_segment(pool) {
            return;
        }
        let added = self.buckets;
        if added > self.mask {
            self.mask = self.mask * 2 + 1;
        }
        let split = added & (self.mask >> 1);
        let (old, new) = (self.bucket_at(pool, split), self.bucket_at(pool, added));
        let mut entries = core::mem::take(&mut self.scratch);
        self.drain(pool, old, &mut entries);
        touch_items(pool, &entries);
        self.buckets += 1;
        for &word in &entries {
            let entry = Entry(word);
            let hash = self.hash(Item::parse(pool, entry.location()).key(pool));
            let bucket = self.bucket(pool, hash);
            debug_assert!(bucket == old || bucket == new);
            self.place(pool, bucket, tag_of(hash), entry, |_| 0);
        }
        entries.clear();
        self.scratch = entries;
    }

    /// Takes a segment for overflow buckets; false if there is none.
    pub(super) fn add_overflow_segment(&mut self, pool: &mut Pool) -> bool {
        self.overflow.add_segment(pool)
    }

    /// The range of positions around `place`, in the order of [`super::walk`], that belongs to one bucket: the hashes
    /// with the same low bits, which choose the bucket.
    pub(super) fn bucket_range(&self, pool: &Pool, place: u32) -> BucketRange {
        let wide = place.reverse_bits() & self.mask;
        let (number, mask) =
            if wide < self.buckets { (wide, self.mask) } else { (wide & self.mask >> 1, self.mask >> 1) };
        // A bucket that is not split yet has also the hashes of the bucket that will be split from it.
        let half = (self.mask >> 1) + 1;
        let mask = if mask == self.mask && number < half && number + half >= self.buckets { mask >> 1 } else { mask };
        let begin = number.reverse_bits();
        let end = u64::from(begin) + (1 << (u32::BITS - mask.count_ones()));
        BucketRange { bucket: self.bucket_at(pool, number), begin, end }
    }

    /// Calls `visit` with each entry of a chain.
    pub(super) fn for_each_in(&self, pool: &Pool, main: usize, mut visit: impl FnMut(Entry)) {
        let mut bucket = main;
        loop {
            let head: [u8; 16] = pool.chunk(bucket);
            for number in (0..SLOTS).filter(|&number| head[number] != 0) {
                visit(self.entry(pool, Slot { bucket, number: number as u32 }));
            }
            match link_of(&head) {
                Some(next) => bucket = next,
                None => return,
            }
        }
    }

    /// Numbers of entries and buckets of a chain.
    fn filled(&self, pool: &Pool, main: usize) -> (u32, u32) {
        let (mut bucket, mut entries, mut buckets) = (main, 0, 1);
        loop {
            let head: [u8; 16] = pool.chunk(bucket);
            entries += head[..SLOTS].iter().filter(|&&tag| tag != 0).count() as u32;
            match link_of(&head) {
                Some(next) => bucket = next,
                None => return (entries, buckets),
            }
            buckets += 1;
        }
    }

    fn add_segment(&mut self, pool: &mut Pool) -> bool {
        let Some(id) = pool.allocate(SegmentKind::Index) else { return false };
        let bytes = pool.segment_bytes() as usize;
        pool.slice_mut(pool.start(id), bytes).fill(0);
        self.directory.push(id);
        true
    }

    /// Moves all entries of a chain to `entries` and frees its overflow buckets.
    fn drain(&mut self, pool: &mut Pool, main: usize, entries: &mut Vec<u32>) {
        let mut bucket = main;
        loop {
            let head: [u8; 16] = pool.chunk(bucket);
            let filled = (0..SLOTS).filter(|&number| head[number] != 0);
            entries.extend(filled.map(|number| pool.word(Slot { bucket, number: number as u32 }.at())));
            pool.slice_mut(bucket, LINE_BYTES).fill(0);
            if bucket != main {
                self.overflow.give(pool, bucket);
            }
            match link_of(&head) {
                Some(next) => bucket = next,
                None => return,
            }
        }
    }

    /// Puts an entry into a hole of the chain that begins at `bucket`. It takes a hole without a ghost, or the one with the
    /// highest `age`.
    fn place(&mut self, pool: &mut Pool, mut bucket: usize, tag: u8, entry: Entry, age: impl Fn(u32) -> u32) {
        loop {
            let head = pool.chunk(bucket);
            let holes = || matches(&head, 0).map(|number| Slot { bucket, number });
            // A hole without a ghost, if there is one.
            let free = holes().find(|slot| pool.word(slot.at()) == 0);
            if let Some(slot) = free.or_else(|| holes().max_by_key(|slot| age(pool.word(slot.at())))) {
                return self.put(pool, slot, tag, entry);
            }
            bucket = match link_of(&head) {
                Some(next) => next,
                None => {
                    let next = self.overflow.take(pool);
                    pool.set_word(bucket + LINK_AT, (next / LINE_BYTES) as u32);
                    next
                }
            };
        }
    }

    #[inline]
    fn put(&mut self, pool: &mut Pool, slot: Slot, tag: u8, entry: Entry) {
        pool.slice_mut(slot.bucket + slot.number as usize, 1)[0] = tag;
        self.set(pool, slot, entry);
    }

    /// Calls `visit` with each entry and checks the index.
    ///
    /// # Panics
    /// If the index contradicts itself.
    pub(super) fn check(&self, pool: &Pool, mut visit: impl FnMut(Slot, Entry, u64)) {
        let (mut items, mut overflow) = (0, 0);
        for number in 0..self.buckets {
            let main = self.bucket_at(pool, number);
            let mut bucket = main;
            loop {
                let head: [u8; 16] = pool.chunk(bucket);
                let link = link_of(&head);
                let filled = head[..SLOTS].iter().filter(|&&tag| tag != 0).count();
                assert!(link.is_none() || filled == SLOTS, "only the last bucket of a chain has holes");
                assert!(bucket == main || filled > 0, "no overflow bucket is empty");
                for slot in (0..SLOTS as u32).map(|number| Slot { bucket, number }) {
                    let (tag, entry) = (head[slot.number as usize], self.entry(pool, slot));
                    assert!(tag == 0 || entry.0 != 0);
                    if tag != 0 {
                        let hash = self.hash(Item::parse(pool, entry.location()).key(pool));
                        assert_eq!((tag_of(hash), self.bucket(pool, hash)), (tag, main), "an item hashes to its slot");
                        visit(slot, entry, hash);
                        items += 1;
                    }
                }
                overflow += u32::from(bucket != main);
                match link {
                    Some(next) => bucket = next,
                    None => break,
                }
            }
        }
        assert_eq!((items, overflow), (self.items, self.overflow.used(pool)));
        self.overflow.check(pool);
        for id in &self.directory {
            assert_eq!(pool.segment(*id).kind, SegmentKind::Index);
        }
    }
}

/// Eight bits of the hash on which neither the bucket nor, with many shards, the shard depends.
#[inline]
fn tag_of(hash: u64) -> u8 {
    ((hash >> 32) as u8).max(1)
}

#[inline]
fn link_of(head: &[u8; 16]) -> Option<usize> {
    let link = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    (link != 0).then_some(link as usize * LINE_BYTES)
}

/// The numbers of the slots of a bucket, which begins with `head`, that have the tag of `hash`.
#[inline]
pub(super) fn slots_with_tag_of(head: u128, hash: u64) -> impl Iterator<Item = u32> + use<> {
    matches_in(head, tag_of(hash))
}

/// The numbers of the slots whose tag is `tag`.
#[inline]
fn matches(head: &[u8; 16], tag: u8) -> impl Iterator<Item = u32> + use<> {
    matches_in(u128::from_le_bytes(*head), tag)
}

/// The same of a head as a number. All tags are compared at once.
#[inline]
fn matches_in(head: u128, tag: u8) -> impl Iterator<Item = u32> + use<> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let equal = |tags: u64| {
        let differing = tags ^ (ONES * u64::from(tag));
        !(((differing & LOW) + LOW) | differing | LOW)
    };
    let first = equal(head as u64);
    let second = equal((head >> 64) as u64) & 0xffff_ffff;
    // The marks of the first eight slots go to bits 0, 8, ..., those of the last four to bits 1, 9, ...
    let mut marks = first >> 7 | second >> 6;
    core::iter::from_fn(move || {
        if marks == 0 {
            return None;
        }
        let bit = marks.trailing_zeros();
        marks &= marks - 1;
        Some((bit >> 3) + (bit & 1) * 8)
    })
}

/// Reads the first line of each item, so that the processor waits once for all of them.
pub(super) fn touch_items(pool: &Pool, entries: &[u32]) {
    let words = entries.iter().map(|&word| pool.word(Entry(word).location().byte()));
    core::hint::black_box(words.fold(0, |folded, word| folded ^ word));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_agree_with_a_loop() {
        let mut state = 1u64;
        for _ in 0..10_000 {
            let mut head = [0u8; 16];
            for byte in &mut head {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 61) as u8;
            }
            for tag in 0..9 {
                let mut found: Vec<u32> = matches(&head, tag).collect();
                found.sort_unstable();
                let expected: Vec<u32> = (0..12).filter(|&i| head[i as usize] == tag).collect();
                assert_eq!(found, expected);
            }
        }
    }
}
