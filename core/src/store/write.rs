//! Writes an item, in place where it fits exactly, else at the end of the log. Room is made before anything is changed.

use super::{
    Hit, Store,
    index::{Entry, USED},
    item::{EXPIRY_WORD_VALUE_BYTES_MIN, Header, Item},
    log::{End, Log},
    segment::{List, Location, Part},
};
use crate::clock::{Expiry, Seconds};

/// Maximum number of buckets that one insertion adds.
const GROWTH_STEPS_MAX: u32 = 2;

/// The value of the item to write.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The present value of the key between these bytes. The item must be present.
    Around(&'a [u8], &'a [u8]),
}

/// The attributes of the item to write.
#[derive(Clone, Copy)]
pub(super) struct Attributes {
    pub(super) flags: u32,
    pub(super) expiry: Expiry,
    pub(super) unique: u64,
}

/// An item was not written: there is no room, and none can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Store {
    /// Size of the largest item: a little more than half of the pool, so that one of half the limit fits in the whole
    /// segments of the pool, and at most three quarters of what the index leaves.
    pub(super) fn item_total_bytes_max(&self) -> u64 {
        let beside_index = self.target.saturating_sub(self.index.segments());
        u64::from((self.target / 2 + self.target / 32).min(beside_index / 4 * 3)) * u64::from(self.pool.segment_bytes())
    }

    /// Writes the item of `key`. It replaces `present`. The caller has checked its size.
    pub(super) fn write(
        &mut self,
        (hash, key): (u64, &[u8]),
        present: Option<Hit>,
        attributes: Attributes,
        content: Content<'_>,
        now: Seconds,
    ) -> Result<Item, NoRoom> {
        let value_bytes = match content {
            Content::Bytes(bytes) => bytes.len() as u32,
            Content::Around(before, after) => {
                let old = present.map_or(0, |hit| hit.item.value_bytes);
                old + (before.len() + after.len()) as u32
            }
        };
        let Attributes { flags, expiry, unique } = attributes;
        let expiry_word = !self.config.evictions || value_bytes >= EXPIRY_WORD_VALUE_BYTES_MIN;
        let key_bytes = key.len() as u32;
        let header = Header {
            key_bytes,
            value_bytes,
            flags,
            expiry,
            expiry_word,
            unique,
            access: now,
            last_use: self.use_label(),
        };
        let item = header.at(Location::NONE);
        if let (Some(hit), Content::Bytes(bytes)) = (present, content)
            && hit.item.fits_exactly(&item)
            && self.is_young(&hit.item)
            && !self.pool.is_held(self.pool.segment_of(hit.item.location))
        {
            return Ok(self.overwrite(hit, &header, bytes));
        }
        let list = List::of(self.part_for(hash, present, item.total_bytes()), expiry, now);
        if let Some(hit) = present {
            self.evictor.pin(hit.item.location);
        }
        let prepared = self.prepare((hash, key), list, &item, present, now);
        self.evictor.unpin();
        let present = prepared?;
        let item = self.append(key, list, &header, content, present.map(|hit| hit.item));
        self.insert_into_index(hash, item, present);
        Ok(item)
    }

    /// Overwrites an item of the same size. The item keeps its place in the log, so it is marked as used.
    fn overwrite(&mut self, hit: Hit, header: &Header, value: &[u8]) -> Item {
        self.counters.unlink(&hit.item);
        self.unlink_use(&hit.item);
        let item = header.emit(&mut self.pool, hit.item.location);
        let mut cursor = self.pool.cursor(item.location, item.inline_bytes());
        self.pool.write(&mut cursor, value);
        Log::note_expiry(&mut self.pool, item.location, header.expiry.0);
        self.index.set(&mut self.pool, hit.slot, Entry::new(item.location, USED));
        self.counters.link(&item);
        self.link_use(&item);
        item
    }

    /// Makes room for `item` in log and index. Returns where the present item is then.
    fn prepare(
        &mut self,
        (hash, key): (u64, &[u8]),
        list: List,
        item: &Item,
        present: Option<Hit>,
        now: Seconds,
    ) -> Result<Option<Hit>, NoRoom> {
        let moves = self.reclaim.moves();
        if !self.make_room(End::of(list), item, now) {
            return Err(NoRoom);
        }
        if present.is_none() && self.index.is_full_for(&self.pool, hash) {
            let needed = self.log.segments_needed(&self.pool, End::of(list), item);
            if !self.make_segments(needed + 1, now) || !self.index.add_overflow_segment(&mut self.pool) {
                return Err(NoRoom);
            }
            if !self.make_room(End::of(list), item, now) {
                return Err(NoRoom);
            }
        }
        if present.is_none() || moves == self.reclaim.moves() {
            return Ok(present);
        }
        let pool = &self.pool;
        // It is pinned, so it has only moved.
        let slot = self.index.find(pool, hash, |entry| Item::key_is(pool, entry.location(), key)).ok_or(NoRoom)?;
        Ok(Some(Hit { slot, item: Item::parse(pool, self.index.entry(pool, slot).location()) }))
    }

    /// The part of the log for a new item. A replaced item keeps its part; an item that was evicted too early skips
    /// probation.
    fn part_for(&mut self, hash: u64, present: Option<Hit>, bytes: u32) -> Part {
        if self.orders_by_use() {
            return Part::Main;
        }
        if let Some(old) = present {
            return self.part_of(&old.item);
        }
        match self.ghosts.recall(&self.index, &mut self.pool, hash) {
            Some(part) => {
                self.learn(part, bytes);
                Part::Main
            }
            None => Part::Probation,
        }
    }

    /// Writes header, key and value at the end of `list`.
    fn append(&mut self, key: &[u8], list: List, header: &Header, content: Content<'_>, old: Option<Item>) -> Item {
        let pool = &mut self.pool;
        let location = self.log.append(pool, End::of(list), &header.at(Location::NONE));
        let item = header.emit(pool, location);
        let mut cursor = pool.cursor(location, item.header_bytes());
        pool.write(&mut cursor, key);
        match (content, old) {
            (Content::Around(before, after), Some(old)) => {
                pool.write(&mut cursor, before);
                let mut from = pool.cursor(old.location, old.inline_bytes());
                pool.copy(&mut from, &mut cursor, old.value_bytes);
                pool.write(&mut cursor, after);
            }
            (Content::Bytes(bytes), _) => pool.write(&mut cursor, bytes),
            (Content::Around(..), None) => unreachable!("the caller has the item"),
        }
        Log::note_expiry(pool, location, header.expiry.0);
        item
    }

    /// Puts a new item into the index, in the slot of the item that it replaces.
    fn insert_into_index(&mut self, hash: u64, item: Item, present: Option<Hit>) {
        self.counters.link(&item);
        self.link_use(&item);
        let Some(old) = present else {
            let ghosts = &self.ghosts;
            self.index.insert(&mut self.pool, hash, Entry::new(item.location, 0), |word| ghosts.age(word));
            self.grow_index();
            return;
        };
        // In the main part the item is the youngest now. On probation, the second write counts as a use.
        let marks = if self.part_of(&item) == Part::Probation { USED } else { 0 };
        self.index.set(&mut self.pool, old.slot, Entry::new(item.location, marks));
        self.counters.unlink(&old.item);
        self.unlink_use(&old.item);
        self.log.kill(&mut self.pool, &old.item);
        self.complete_flush();
    }

    fn grow_index(&mut self) {
        for _ in 0..GROWTH_STEPS_MAX {
            let may_take = self.pool.available() > self.segments_reserved();
            if !self.index.wants_growth() || (self.index.growth_takes_segment(&self.pool) && !may_take) {
                return;
            }
            self.index.grow(&mut self.pool);
        }
    }
}
