//! The answer to a piece of a walk over all items.
//!
//! A walk follows the hashes of the keys, lowest bit first. Linear hashing cuts that order into buckets, whatever their
//! number is, so a cursor ([`crate::command::Walk::cursor`]) stays valid while items move, the index grows or shrinks, and
//! other clients read and write. An item that exists during the whole walk is reported exactly once, any other at most
//! once for each time that it is stored.

use crate::{
    clock::{Expiry, Seconds},
    wire::{Reader, Writer},
};
use alloc::vec::Vec;

/// The cursor at the start of a walk.
pub const BEGIN: u64 = 0;
/// The cursor at the end of a walk.
pub const END: u64 = u64::MAX;

/// The answer to a [`crate::command::Walk`].
pub struct Piece<'a> {
    /// The start of the next piece; [`END`] if this is the last one.
    pub cursor: u64,
    records: Reader<'a>,
}

impl<'a> Piece<'a> {
    /// Appends the head of an answer; records follow, then [`Piece::end`].
    pub fn begin(out: &mut Vec<u8>) -> usize {
        let at = out.len();
        Writer(out).u64(END);
        at
    }

    /// Writes the start of the next piece into the head at `at`.
    pub fn end(out: &mut [u8], at: usize, cursor: u64) {
        if let Some(head) = out.get_mut(at..at + 8) {
            head.copy_from_slice(&cursor.to_le_bytes());
        }
    }

    /// Reads an answer. A missing one, of a lost shard, ends the walk.
    pub fn decode(bytes: &'a [u8]) -> Self {
        let mut records = Reader(bytes);
        Self { cursor: records.u64().unwrap_or(END), records }
    }
}

impl<'a> Iterator for Piece<'a> {
    type Item = Listed<'a>;

    fn next(&mut self) -> Option<Listed<'a>> {
        Listed::decode(&mut self.records)
    }
}

/// An item as a walk reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// When it expires.
    pub expiry: Expiry,
    /// Approximate time of the last use.
    pub access: Seconds,
    /// Its unique.
    pub cas: u64,
    /// Its size class.
    pub class: u32,
    /// The bytes that it occupies in the store.
    pub item_bytes: u32,
    /// The length of its value.
    pub value_bytes: u32,
    /// The client's flags.
    pub flags: u32,
    /// Whether it was read since it was written.
    pub fetched: bool,
    /// Whether it was stored under a key in base64.
    pub encoded_key: bool,
}

impl<'a> Listed<'a> {
    /// Appends the form that crosses the boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.bytes(self.key);
        w.u64(self.cas);
        for word in [self.expiry.0, self.access, self.class, self.item_bytes, self.value_bytes, self.flags] {
            w.u32(word);
        }
        w.u8(u8::from(self.fetched) | u8::from(self.encoded_key) << 1);
    }

    fn decode(r: &mut Reader<'a>) -> Option<Self> {
        let (key, cas) = (r.bytes()?, r.u64()?);
        let [expiry, access, class, item_bytes, value_bytes, flags] =
            [r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u32()?];
        let marks = r.u8()?;
        let (fetched, encoded_key) = (marks & 1 != 0, marks & 2 != 0);
        let expiry = Expiry(expiry);
        Some(Self { key, expiry, access, cas, class, item_bytes, value_bytes, flags, fetched, encoded_key })
    }
}
