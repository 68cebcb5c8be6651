//! Statistics by key prefix (`stats detail`). The prefix of a key ends before its first delimiter.
//!
//! Clients choose the prefixes, so their memory is bounded: a share of the shard's limit
//! ([`limits::PREFIX_MEMORY_DENOMINATOR`]).

use crate::{
    boundary::rows,
    command::Extent,
    hash::Seed,
    limits,
    wire::{Reader, Writer},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

/// The counts of one prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixCounts {
    /// Reads.
    pub gets: u64,
    /// Reads that found the key.
    pub hits: u64,
    /// Stores.
    pub sets: u64,
    /// Deletes.
    pub deletes: u64,
}

impl PrefixCounts {
    /// Adds other counts of the same prefix.
    pub(crate) fn add(&mut self, more: &Self) {
        self.gets += more.gets;
        self.hits += more.hits;
        self.sets += more.sets;
        self.deletes += more.deletes;
    }
}

/// The counts of each prefix.
#[derive(Debug)]
pub struct Prefixes {
    delimiter: u8,
    /// Whether to count.
    pub enabled: bool,
    seed: Seed,
    /// By the hash of the name, which is the same in all shards, so that their tables can be merged in pieces.
    rows: BTreeMap<u64, Prefix>,
    bytes: u64,
    bytes_max: u64,
    /// Commands whose prefix had no room.
    pub not_counted: u64,
}

#[derive(Debug)]
struct Prefix {
    name: Box<[u8]>,
    counts: PrefixCounts,
}

/// A prefix in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRef(u64);

impl Prefixes {
    /// No prefixes, and room for those of a shard of `memory_bytes` bytes.
    pub fn new(delimiter: u8, enabled: bool, seed: Seed, memory_bytes: u64) -> Self {
        let (rows, bytes_max) = (BTreeMap::new(), Self::bytes_max_in(memory_bytes));
        Self { delimiter, enabled, seed, rows, bytes: 0, bytes_max, not_counted: 0 }
    }

    /// Finds or adds the prefix of `key`; `None` if the key has no prefix, or there is no room for it, which is counted.
    /// `reserve` is asked for the memory of the table after an addition.
    pub fn entry(&mut self, key: &[u8], reserve: impl FnOnce(u64) -> bool) -> Option<PrefixRef> {
        let name = self.name_in(key)?;
        // No row has the key that ends a table.
        let row = self.seed.hash(name).min(rows::END - 1);
        let has_room = match self.rows.get(&row) {
            // Another prefix of the same hash cannot be told apart in a piece.
            Some(present) => *present.name == *name,
            None => self.add(row, name, reserve),
        };
        self.not_counted += u64::from(!has_room);
        has_room.then_some(PrefixRef(row))
    }

    /// The prefix of `key`.
    pub(crate) fn name_in<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        key.get(..memchr::memchr(self.delimiter, key)?)
    }

    /// Adds a prefix, if there is room.
    #[cold]
    fn add(&mut self, row: u64, name: &[u8], reserve: impl FnOnce(u64) -> bool) -> bool {
        let bytes = self.bytes + (name.len() + limits::PREFIX_ROW_BYTES) as u64;
        if bytes > self.bytes_max || !reserve(bytes) {
            return false;
        }
        self.bytes = bytes;
        self.rows.insert(row, Prefix { name: name.into(), counts: PrefixCounts::default() });
        true
    }

    /// The counts of a prefix; `None` if it was removed.
    pub fn counts(&mut self, prefix: PrefixRef) -> Option<&mut PrefixCounts> {
        self.rows.get_mut(&prefix.0).map(|row| &mut row.counts)
    }

    /// Memory of the table.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Most memory of the table of a shard of `memory_bytes` bytes.
    pub fn bytes_max_in(memory_bytes: u64) -> u64 {
        memory_bytes / limits::PREFIX_MEMORY_DENOMINATOR
    }

    /// Changes the room to that in a shard of `memory_bytes` bytes. A table that is too large for it is emptied.
    pub fn set_memory(&mut self, memory_bytes: u64) {
        self.bytes_max = Self::bytes_max_in(memory_bytes);
        if self.bytes > self.bytes_max {
            self.clear();
        }
    }

    /// Removes all prefixes.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }

    /// Appends a piece of the table.
    pub fn encode(&self, out: &mut Vec<u8>, extent: Extent) {
        let part = self.rows.range(extent.from..).map(|(&key, prefix)| (key, prefix));
        rows::encode(out, extent, part, |out, Prefix { name, counts }| {
            let mut w = Writer(out);
            w.bytes(name);
            w.counters(&[counts.gets, counts.hits, counts.sets, counts.deletes]);
        });
    }

    /// Merges the concatenated pieces of all shards: each prefix with its counts, and the place at which the next piece
    /// begins.
    pub fn merge(answers: &[u8]) -> (impl Iterator<Item = (&[u8], PrefixCounts)>, u64) {
        let (merged, next) = rows::merge(answers, decode_row, |(_, counts), (_, more)| counts.add(&more));
        (merged.into_values(), next)
    }
}

fn decode_row<'a>(r: &mut Reader<'a>) -> Option<(&'a [u8], PrefixCounts)> {
    let (name, [gets, hits, sets, deletes]) = (r.bytes()?, r.counters()?);
    Some((name, PrefixCounts { gets, hits, sets, deletes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn table(memory_bytes: u64) -> Prefixes {
        Prefixes::new(b':', true, Seed(1, 2), memory_bytes)
    }

    fn counts<'a>(prefixes: &'a mut Prefixes, key: &[u8]) -> Option<&'a mut PrefixCounts> {
        let prefix = prefixes.entry(key, |_| true)?;
        prefixes.counts(prefix)
    }

    #[test]
    fn a_key_without_delimiter_has_no_prefix() {
        let mut prefixes = table(1 << 20);
        counts(&mut prefixes, b"user:1").unwrap().gets += 1;
        counts(&mut prefixes, b"user:2").unwrap().gets += 1;
        counts(&mut prefixes, b":").unwrap().sets += 1;
        assert!(counts(&mut prefixes, b"user").is_none());
        assert_eq!(prefixes.not_counted, 0);
        let (mut bytes, extent) = (Vec::new(), Extent { from: 0, room: 1 << 20 });
        prefixes.encode(&mut bytes, extent);
        prefixes.encode(&mut bytes, extent);
        let (merged, next) = Prefixes::merge(&bytes);
        let mut gets: Vec<_> = merged.map(|(prefix, counts)| (prefix.to_vec(), counts.gets, counts.sets)).collect();
        gets.sort();
        assert_eq!(gets, [(b"".to_vec(), 0, 2), (b"user".to_vec(), 4, 0)]);
        assert_eq!(next, rows::END);
    }

    #[test]
    fn the_table_has_a_share_of_the_memory_and_counts_what_has_no_room() {
        let mut prefixes = table(1 << 20);
        let share = (1 << 20) / limits::PREFIX_MEMORY_DENOMINATOR;
        let mut reserved = 0;
        let mut kept = 0;
        for number in 0..10_000 {
            let key = format!("{number:0>249}:");
            kept += u64::from(
                prefixes
                    .entry(key.as_bytes(), |bytes| {
                        reserved = bytes;
                        true
                    })
                    .is_some(),
            );
        }
        assert_eq!(kept, share / (249 + limits::PREFIX_ROW_BYTES as u64));
        assert_eq!((prefixes.not_counted, prefixes.bytes()), (10_000 - kept, reserved));
        assert!(prefixes.bytes() <= share);
        // Those that have room are still counted.
        assert!(counts(&mut prefixes, format!("{:0>249}:", 3).as_bytes()).is_some());
        assert_eq!(prefixes.not_counted, 10_000 - kept);
        prefixes.set_memory(1 << 19);
        assert_eq!(prefixes.bytes(), 0);
        assert!(counts(&mut prefixes, b"a:").is_some());
        assert!(prefixes.entry(b"b:", |_| false).is_none(), "the memory is not to be had");
    }
}
