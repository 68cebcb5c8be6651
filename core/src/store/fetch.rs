//! Reads of more than the value, and changes of an item beside its value: its expiry, its unique, and the marks of
//! stampede control.

use super::{
    Hit, Store,
    execute::Key,
    index::{FETCHED, USED},
    item::{ENCODED_KEY, EXPIRY_WORD_VALUE_BYTES_MIN, Item, STALE, TAKEN},
    log::Log,
    write::{Attributes, Content, NoRoom},
};
use crate::{
    clock::{Expiry, Seconds},
    command::{Create, Discard, Fetch, Renew},
    limits::item_overhead_bytes,
    reply::{Fetched, Reply},
};

/// The state that an item keeps when it is written again as the same version.
#[derive(Clone, Copy)]
pub(super) struct RetainedState {
    marks: u8,
    uses: u32,
    access: Seconds,
}

impl Store {
    pub(super) fn fetch(&mut self, key: Key<'_>, fetch: &Fetch, now: Seconds) -> Reply<'_> {
        let Some(mut hit) = self.lookup(key.0, key.1, now) else {
            if let Some(create) = fetch.create {
                match self.create_empty(key, &create, now) {
                    Ok(hit) => return self.answer_created(hit, fetch, now),
                    Err(_) => self.counters.out_of_memory((key.1.len() + item_overhead_bytes(self.config.cas)) as u32),
                }
            }
            self.counters.totals.cmd_get += 1;
            self.counters.totals.get_misses += 1;
            return Reply::Missing;
        };
        let mut known = self.known(&hit, now);
        known.won = !known.taken && (known.stale || is_due(fetch.renew, known.expiry));
        if known.won && fetch.tentative {
            return Reply::Contended;
        }
        self.count_fetch(&hit, fetch);
        if let Some(expiry) = fetch.touch {
            let unique = hit.item.unique(&self.pool);
            // Without room for the expiry, the item is read all the same.
            let Some(same) = self.amend(key, hit, expiry, unique, now).ok().or_else(|| self.lookup(key.0, key.1, now))
            else {
                return Reply::Missing;
            };
            hit = same;
        }
        if fetch.is_use {
            self.record_fetch(&hit, known.fetched, now);
        }
        if known.won {
            let marks = hit.item.marks() | TAKEN;
            hit.item.set_marks(&mut self.pool, marks);
        }
        self.with_value(known, &hit.item, fetch, now)
    }

    pub(super) fn inspect(&mut self, key: Key<'_>, now: Seconds) -> Reply<'_> {
        self.counters.totals.cmd_meta += 1;
        match self.lookup(key.0, key.1, now) {
            Some(hit) => Reply::Item(self.known(&hit, now)),
            None => Reply::Missing,
        }
    }

    pub(super) fn discard(&mut self, key: Key<'_>, discard: &Discard, now: Seconds) -> Reply<'_> {
        let Some(mut hit) = self.lookup(key.0, key.1, now) else {
            self.counters.totals.delete_misses += 1;
            return Reply::Missing;
        };
        let old_unique = hit.item.unique(&self.pool);
        if discard.compare.is_some_and(|compare| compare != old_unique) {
            self.counters.totals.other_badval += 1;
            self.counters.totals.delete_misses += u64::from(discard.difference_is_miss);
            return Reply::Exists;
        }
        if !discard.stale {
            self.counters.totals.delete_hits += 1;
            self.counters.class(hit.item.total_bytes()).delete_hits += 1;
        }
        let unique = match discard.unique {
            None if !discard.stale => old_unique,
            chosen => self.unique_for(chosen),
        };
        let left = match discard.empty {
            Some(flags) => {
                let attributes = Attributes { flags, expiry: discard.touch.unwrap_or(Expiry::NEVER), unique };
                let item = self.write(key, Some(hit), attributes, Content::Bytes(&[]), now);
                item.map(|item| Hit { item, ..hit })
            }
            None if discard.stale => {
                let expiry = discard.touch.unwrap_or(hit.item.expiry(&self.pool));
                self.amend(key, hit, expiry, unique, now)
            }
            None => Err(NoRoom),
        };
        match left {
            Ok(left) => hit = left,
            // An invalidation never fails: without room for what should be left, nothing is.
            Err(NoRoom) => {
                if let Some(hit) = self.lookup(key.0, key.1, now) {
                    self.record_deletion(&hit.item, true);
                    self.remove(key.0, hit);
                }
                return Reply::Deleted;
            }
        }
        if discard.stale {
            // The client that was told to write the item anew was told so for an older version.
            let marks = hit.item.marks() & !TAKEN | STALE;
            hit.item.set_marks(&mut self.pool, marks);
        }
        Reply::Deleted
    }

    /// Changes expiry and unique of an item, in place if its header has words for them, else by writing the item again.
    /// It stays the same version otherwise.
    pub(super) fn amend(
        &mut self,
        key: Key<'_>,
        hit: Hit,
        expiry: Expiry,
        unique: u64,
        now: Seconds,
    ) -> Result<Hit, NoRoom> {
        let is_large = hit.item.value_bytes >= EXPIRY_WORD_VALUE_BYTES_MIN;
        if (is_large || self.is_young(&hit.item)) && hit.item.amend(&mut self.pool, expiry, unique) {
            Log::note_expiry(&mut self.pool, hit.item.location, expiry.0);
            return Ok(hit);
        }
        let attributes = Attributes { flags: hit.item.flags(&self.pool), expiry, unique };
        let retained = self.retained_state(hit);
        let total_items = self.counters.totals.total_items;
        match self.write(key, Some(hit), attributes, Content::Around(&[], &[]), now) {
            Ok(item) => {
                self.counters.totals.total_items = total_items;
                Ok(self.restore(key.0, hit, item, retained))
            }
            Err(NoRoom) => {
                let hit = self.lookup(key.0, key.1, now).ok_or(NoRoom)?;
                if hit.item.amend(&mut self.pool, expiry, unique) {
                    Log::note_expiry(&mut self.pool, hit.item.location, expiry.0);
                    return Ok(hit);
                }
                self.counters.out_of_memory(hit.item.total_bytes());
                Err(NoRoom)
            }
        }
    }

    /// The state of the item that [`Store::restore`] gives to its next copy.
    pub(super) fn retained_state(&self, hit: Hit) -> RetainedState {
        let entry = self.index.entry(&self.pool, hit.slot);
        let uses = [USED, FETCHED].into_iter().filter(|&mark| entry.has(mark)).sum();
        RetainedState { marks: hit.item.marks(), uses, access: hit.item.access(&self.pool) }
    }

    /// Gives the state of `old` to the item that replaced it.
    pub(super) fn restore(&mut self, hash: u64, old: Hit, mut item: Item, retained: RetainedState) -> Hit {
        let slot = match item.location == old.item.location {
            true => old.slot,
            false => self.index.slot_of(&self.pool, hash, item.location),
        };
        self.index.mark(&mut self.pool, slot, retained.uses);
        item.set_access(&mut self.pool, retained.access);
        if retained.marks != 0 {
            item.set_marks(&mut self.pool, retained.marks);
        }
        Hit { slot, item }
    }

    fn create_empty(&mut self, key: Key<'_>, create: &Create, now: Seconds) -> Result<Hit, NoRoom> {
        let unique = self.unique_for(create.unique);
        let attributes = Attributes { flags: 0, expiry: create.expiry, unique };
        let mut item = self.write(key, None, attributes, Content::Bytes(&[]), now)?;
        item.set_marks(&mut self.pool, TAKEN);
        let slot = self.index.slot_of(&self.pool, key.0, item.location);
        Ok(Hit { slot, item })
    }

    /// Answers the first reader of a missing item. It sees a new item and has to write the value.
    fn answer_created(&mut self, hit: Hit, fetch: &Fetch, now: Seconds) -> Reply<'_> {
        self.count_fetch(&hit, fetch);
        let known = self.known(&hit, now);
        let known = Fetched { expiry: Expiry::NEVER, created: true, taken: false, won: true, ..known };
        if fetch.is_use {
            self.record_fetch(&hit, false, now);
        }
        self.with_value(known, &hit.item, fetch, now)
    }

    fn count_fetch(&mut self, hit: &Hit, fetch: &Fetch) {
        let class = self.counters.class(hit.item.total_bytes());
        if fetch.touch.is_some() {
            class.touch_hits += 1;
            self.counters.totals.cmd_touch += 1;
            self.counters.totals.touch_hits += 1;
        } else {
            class.get_hits += 1;
            self.counters.totals.cmd_get += 1;
            self.counters.totals.get_hits += 1;
        }
    }

    /// Records a read. From the second read on, the time of access is exact to the second, as in memcached.
    fn record_fetch(&mut self, hit: &Hit, fetched: bool, now: Seconds) {
        self.record_use(*hit, now);
        if fetched {
            hit.item.set_access(&mut self.pool, now);
        }
    }

    /// The attributes of an item, without its value.
    #[inline(always)]
    fn known(&self, hit: &Hit, now: Seconds) -> Fetched<'static> {
        let Hit { slot, item } = hit;
        let marks = item.marks();
        Fetched {
            flags: item.flags(&self.pool),
            cas: item.unique(&self.pool),
            value: None,
            value_bytes: item.value_bytes,
            item_bytes: item.total_bytes(),
            expiry: item.expiry(&self.pool),
            idle_s: now.saturating_sub(item.access(&self.pool)),
            fetched: self.index.entry(&self.pool, *slot).has(FETCHED),
            created: false,
            encoded_key: marks & ENCODED_KEY != 0,
            stale: marks & STALE != 0,
            taken: marks & TAKEN != 0,
            won: false,
        }
    }

    #[inline(always)]
    fn with_value(&mut self, known: Fetched<'static>, item: &Item, fetch: &Fetch, now: Seconds) -> Reply<'_> {
        let wanted = fetch.value && fetch.unless != Some(known.cas);
        let value = if wanted { Some(self.value_or_beginning(item, now)) } else { None };
        Reply::Item(Fetched { value, ..known })
    }
}

/// Whether the reader should write the item anew before it expires. An item that never expires is not due.
fn is_due(renew: Renew, expiry: Expiry) -> bool {
    match renew {
        Renew::No => false,
        Renew::Before(limit) => expiry != Expiry::NEVER && expiry.0 < limit.0,
        Renew::Now => true,
    }
}
