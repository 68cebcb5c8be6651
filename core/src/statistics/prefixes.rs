//! Statistics by key prefix (`stats detail`). The prefix of a key ends before its first delimiter.

use crate::{
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

/// The counts of each prefix.
#[derive(Debug)]
pub struct Prefixes {
    delimiter: u8,
    /// Whether to count.
    pub enabled: bool,
    counts: BTreeMap<Box<[u8]>, PrefixCounts>,
}

impl Prefixes {
    /// No prefixes.
    pub fn new(delimiter: u8, enabled: bool) -> Self {
        Self { delimiter, enabled, counts: BTreeMap::new() }
    }

    /// The counts of the prefix of `key`; `None` if the key has no prefix, or there are [`limits::PREFIXES_MAX`] others.
    pub fn counts(&mut self, key: &[u8]) -> Option<&mut PrefixCounts> {
        let prefix = key.split(|&byte| byte == self.delimiter).next().filter(|prefix| prefix.len() < key.len())?;
        if !self.counts.contains_key(prefix) {
            if self.counts.len() >= limits::PREFIXES_MAX {
                return None;
            }
            self.counts.insert(prefix.into(), PrefixCounts::default());
        }
        self.counts.get_mut(prefix)
    }

    /// Removes all prefixes (`stats reset`).
    pub fn clear(&mut self) {
        self.counts.clear();
    }

    /// Appends the form that crosses the boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for (prefix, counts) in &self.counts {
            let mut w = Writer(out);
            w.bytes(prefix);
            w.counters(&[counts.gets, counts.hits, counts.sets, counts.deletes]);
        }
    }

    /// Merges the concatenated answers of all shards.
    pub fn decode_merged(bytes: &[u8]) -> Self {
        let mut merged = Self::new(0, false);
        let mut r = Reader(bytes);
        while let (Some(prefix), Some([gets, hits, sets, deletes])) = (r.bytes(), r.counters()) {
            let counts = merged.counts.entry(prefix.into()).or_default();
            counts.gets += gets;
            counts.hits += hits;
            counts.sets += sets;
            counts.deletes += deletes;
        }
        merged
    }

    /// Each prefix with its counts, in order of the prefix.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &PrefixCounts)> {
        self.counts.iter().map(|(prefix, counts)| (&**prefix, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_delimiter_has_no_prefix() {
        let mut prefixes = Prefixes::new(b':', true);
        prefixes.counts(b"user:1").unwrap().gets += 1;
        prefixes.counts(b"user:2").unwrap().gets += 1;
        prefixes.counts(b":").unwrap().sets += 1;
        assert!(prefixes.counts(b"user").is_none());
        let (mut bytes, mut twice) = (Vec::new(), Vec::new());
        prefixes.encode(&mut bytes);
        twice.extend_from_slice(&bytes);
        twice.extend_from_slice(&bytes);
        let merged = Prefixes::decode_merged(&twice);
        let gets: Vec<_> = merged.iter().map(|(prefix, counts)| (prefix.to_vec(), counts.gets)).collect();
        assert_eq!(gets, [(b"".to_vec(), 0), (b"user".to_vec(), 4)]);
    }
}
