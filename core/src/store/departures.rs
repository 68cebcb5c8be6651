//! Entries that eviction and expiry removed: key and value, for skins whose callers want to know.

use super::{Store, item::Item};
use alloc::vec::Vec;

/// Why the store removed an entry by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Departure {
    /// There was no room for it.
    Evicted,
    /// Its time was over.
    Expired,
}

/// The records, one after the other: reason (`u8`), lengths of key (`u32`) and value (`u32`), flags (`u32`), key, value.
#[derive(Debug, Default)]
pub(super) struct Departures(Vec<u8>);

impl Store {
    /// Keeps a record of each entry that is evicted or expires, from now on. The records of one command are bounded by what it
    /// reclaims; the caller takes them after each.
    pub fn keep_departures(&mut self) {
        self.departures.get_or_insert_default();
    }

    /// The records since the last call.
    pub fn take_departures(&mut self) -> Vec<u8> {
        self.departures.as_mut().map_or_else(Vec::new, |departures| core::mem::take(&mut departures.0))
    }

    /// Records an entry that is about to be removed, if somebody wants to know.
    #[inline]
    pub(super) fn note_departure(&mut self, item: &Item, is_evicted: bool) {
        if cfg!(feature = "departures") && self.departures.is_some() {
            self.record_departure(item, if is_evicted { Departure::Evicted } else { Departure::Expired });
        }
    }

    #[cold]
    fn record_departure(&mut self, item: &Item, reason: Departure) {
        let Some(Departures(mut records)) = self.departures.take() else { return };
        let found = self.entry_of(item).found;
        records.push(reason as u8);
        for word in [item.key_bytes, item.value_bytes, found.flags] {
            records.extend_from_slice(&word.to_le_bytes());
        }
        records.extend_from_slice(item.key(&self.pool));
        found.value.for_each_piece(|piece| records.extend_from_slice(piece));
        self.departures = Some(Departures(records));
    }
}
