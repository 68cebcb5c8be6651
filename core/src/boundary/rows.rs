//! The answers of all shards to a piece of a table of which every shard has a part: rows in the order of their keys.
//! Several shards can have a row with the same key.
//!
//! A shard ends its part of a piece where its room ends. Rows with smaller keys than the first end of all shards are
//! whole; the next piece begins with that key. So a front merges a table of any length in bounded memory, and a table
//! that changes meanwhile shows each key at most once.

use crate::{
    command::Extent,
    wire::{Reader, Writer},
};
use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};

/// The end of a table. No row has this key.
pub const END: u64 = u64::MAX;

/// Appends the part of one shard: the first key that is not in it, the bytes of the rows, the rows. `rows` begin with
/// `extent.from`.
pub fn encode<T>(
    out: &mut Vec<u8>,
    extent: Extent,
    rows: impl Iterator<Item = (u64, T)>,
    append: impl Fn(&mut Vec<u8>, T),
) {
    let head = out.len();
    let mut w = Writer(out);
    w.u64(END);
    w.u32(0);
    let start = out.len();
    for (key, row) in rows {
        if out.len() > start && out.len() - start >= extent.room as usize {
            out[head..head + 8].copy_from_slice(&key.to_le_bytes());
            break;
        }
        Writer(out).u64(key);
        append(out, row);
    }
    let bytes = (out.len() - start) as u32;
    out[head + 8..start].copy_from_slice(&bytes.to_le_bytes());
}

/// Merges the concatenated answers of all shards: the whole rows, and the key with which the next piece begins
/// ([`END`]: there is none). `decode` reads what `append` wrote, and `add` merges a row into one with the same key.
pub fn merge<'a, T>(
    answers: &'a [u8],
    decode: impl Fn(&mut Reader<'a>) -> Option<T>,
    add: impl Fn(&mut T, T),
) -> (BTreeMap<u64, T>, u64) {
    let next = parts(answers).map(|(next, _)| next).min().unwrap_or(END);
    let mut merged = BTreeMap::new();
    for (_, rows) in parts(answers) {
        let mut r = Reader(rows);
        while let Some(key) = r.u64().filter(|&key| key < next) {
            let Some(row) = decode(&mut r) else { break };
            match merged.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(row);
                }
                Entry::Occupied(mut present) => add(present.get_mut(), row),
            }
        }
    }
    (merged, next)
}

/// The end and the rows of each shard's part.
fn parts(answers: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut r = Reader(answers);
    core::iter::from_fn(move || Some((r.u64()?, r.bytes()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the tables of all shards piece by piece. Returns the rows in the order in which they came.
    fn read(shards: &[BTreeMap<u64, u64>], room: u32) -> Vec<(u64, u64)> {
        let (mut from, mut rows) = (0, Vec::new());
        while from != END {
            let mut answers = Vec::new();
            for shard in shards {
                let part = shard.range(from..).map(|(&key, &count)| (key, count));
                encode(&mut answers, Extent { from, room }, part, |out, count| Writer(out).u64(count));
            }
            assert!(answers.len() <= shards.len() * (12 + 16 + room as usize), "{} bytes", answers.len());
            let (merged, next) = merge(&answers, Reader::u64, |count, more| *count += more);
            assert!(next > from && (next == END || !merged.is_empty()), "each piece makes progress");
            rows.extend(merged);
            from = next;
        }
        rows
    }

    #[test]
    fn pieces_of_any_size_add_up_to_the_sum_of_all_shards() {
        let shards: Vec<BTreeMap<u64, u64>> = (0..5_u64)
            .map(|shard| {
                let keys = (0..200 * shard).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (60 - shard));
                keys.chain([0, END - 1 - shard]).map(|key| (key.min(END - 1), key % 7 + 1)).collect()
            })
            .collect();
        let mut sum = BTreeMap::new();
        for (&key, &count) in shards.iter().flatten() {
            *sum.entry(key).or_insert(0) += count;
        }
        let sum: Vec<_> = sum.into_iter().collect();
        for room in [0, 1, 16, 17, 100, 4096, 1 << 20] {
            assert_eq!(read(&shards, room), sum, "room for {room} bytes");
        }
        assert_eq!(read(&[], 1), []);
        assert_eq!(read(&[BTreeMap::new(), BTreeMap::from([(3, 4)])], 1), [(3, 4)]);
    }

    #[test]
    fn a_bad_answer_ends_the_table() {
        let (merged, next) = merge(b"nonsense", Reader::u64, |_, _| ());
        assert_eq!((merged.len(), next), (0, END));
    }
}
