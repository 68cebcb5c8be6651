//! Operations for skins without a protocol: what commands do not say, or say at greater length than one call needs.

use super::{Store, execute::StoreRequest, item::Item, walk::PLACES};
use crate::{
    clock::{Expiry, Seconds},
    command::{Command, Operation, Touched},
    limits,
    reply::{Found, Reply},
};

/// An entry as its readers see it.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// Flags, unique and value.
    pub found: Found<'a>,
    /// When it expires.
    pub expiry: Expiry,
}

/// Counts since the store was made, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries, those among them that have expired and were not removed yet.
    pub items: u32,
    /// Bytes of entries and index.
    pub used_bytes: u64,
    /// Reads that found an entry.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Entries that were stored.
    pub stores: u64,
    /// Entries that were evicted.
    pub evictions: u64,
    /// Entries that had expired when they were removed.
    pub expirations: u64,
}

/// The cursor at the start of a walk.
pub const WALK_BEGIN: u64 = 0;
/// The cursor at the end of a walk.
pub const WALK_END: u64 = PLACES;

impl Store {
    /// Number of entries, those among them that have expired and were not removed yet.
    #[inline]
    pub fn items(&self) -> u32 {
        self.index.items()
    }

    /// Reads an entry, as the command `get` does.
    #[inline]
    pub fn get(&mut self, hash: u64, key: &[u8], now: Seconds) -> Option<EntryView<'_>> {
        self.counters.totals.cmd_get += 1;
        let Some(hit) = self.lookup(hash, key, now) else {
            self.counters.totals.get_misses += 1;
            return None;
        };
        self.counters.totals.get_hits += 1;
        self.counters.class(hit.item.total_bytes()).get_hits += 1;
        self.record_use(hit, now);
        Some(self.entry_of(&hit.item))
    }

    /// Executes a store, a delete, a touch or arithmetic. Other operations are refused: a skin that needs them calls
    /// [`Store::execute`], whose code is larger.
    #[inline]
    pub fn change(&mut self, command: &Command<'_>, now: Seconds) -> Reply<'_> {
        let key = (command.hash, command.key);
        match command.operation {
            Operation::Store { mode, flags, expiry, compare, options, value } => {
                self.store(key, &StoreRequest { mode, flags, expiry, compare, options, value }, now)
            }
            Operation::Delete => self.delete(key, now),
            Operation::Touch { expiry, touched: Touched::Nothing } => self.change_expiry(key, expiry, now),
            Operation::Arithmetic { direction, delta, options } => {
                self.arithmetic(key, direction, delta, &options, now)
            }
            Operation::RefuseLarge { unlink } => self.refuse_large(key, unlink, now),
            _ => Reply::BadData,
        }
    }

    /// Reads an entry without counting that as a use.
    pub fn peek(&mut self, hash: u64, key: &[u8], now: Seconds) -> Option<EntryView<'_>> {
        let item = self.lookup(hash, key, now)?.item;
        Some(self.entry_of(&item))
    }

    #[inline]
    pub(super) fn entry_of(&self, item: &Item) -> EntryView<'_> {
        let found = Found { value: self.value(item), ..self.attributes(item) };
        EntryView { found, expiry: item.expiry(&self.pool) }
    }

    /// Evicts entries, in the order of eviction, until there are at most `items_max`. The entry of `kept` stays if there may be
    /// one at all: it was stored just now.
    pub fn evict_to(&mut self, items_max: u32, kept: (u64, &[u8]), now: Seconds) {
        if items_max > 0
            && let Some(hit) = self.lookup(kept.0, kept.1, now)
        {
            self.evictor.pin(hit.item.location);
        }
        while self.index.items() > items_max && self.evict_next(now) {}
        self.evictor.unpin();
    }

    /// Calls `visit` with the key and the live entries from `cursor` on, bucket by bucket, until its results sum up to `count` or
    /// the bound of one call is reached; returns the cursor for the next call. The order is that of
    /// [`crate::boundary::listing`].
    pub fn visit<Weight: Into<u32>>(
        &self,
        cursor: u64,
        count: u32,
        now: Seconds,
        mut visit: impl FnMut(&[u8], &EntryView<'_>) -> Weight,
    ) -> u64 {
        let (mut cursor, mut visited, mut steps) = (cursor, 0_u32, 0);
        while cursor < WALK_END && visited < count && steps < limits::VISIT_STEPS_MAX {
            steps += 1;
            cursor = self.for_each_from(cursor as u32, |item, _| {
                steps += 1;
                if !self.is_gone(&item, now) {
                    visited = visited.saturating_add(visit(item.key(&self.pool), &self.entry_of(&item)).into());
                }
            });
        }
        cursor
    }

    /// The counts.
    pub fn summary(&self) -> Summary {
        let totals = &self.counters.totals;
        let segments = u64::from(self.pool.used()) * u64::from(self.pool.segment_bytes());
        let begun = u64::from(self.log.unwritten_bytes(&self.pool)) + self.index.unused_bytes(&self.pool);
        Summary {
            items: self.index.items(),
            used_bytes: segments.saturating_sub(begun),
            hits: totals.get_hits,
            misses: totals.get_misses,
            stores: totals.total_items,
            evictions: totals.evictions,
            expirations: totals.get_expired + totals.reclaimed + totals.crawler_reclaimed,
        }
    }
}
