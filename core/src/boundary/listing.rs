//! A walk over all items in bounded pieces: what one piece is asked, and what it reports.
//!
//! The order is that of the keys' hashes, lowest bit first. Linear hashing cuts exactly that order into buckets,
//! whatever their number is, so a place in it ([`crate::command::Walk::cursor`]) stays good while items move, the index grows or shrinks,
//! and other clients read and write: an item that is there from beginning to end is reported exactly once, others at
//! most once for each time that they are stored.

use crate::{
    clock::{Expiry, Seconds},
    wire::{Reader, Writer},
};
use alloc::vec::Vec;

/// Where a walk begins.
pub const BEGIN: u64 = 0;
/// Where it ends.
pub const END: u64 = 1 << 32;

/// The answer to a [`crate::command::Walk`].
pub struct Piece<'a> {
    /// Where the next piece begins; [`END`]: there is none.
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

    /// Says in the head at `at` where the next piece begins.
    pub fn end(out: &mut [u8], at: usize, cursor: u64) {
        if let Some(head) = out.get_mut(at..at + 8) {
            head.copy_from_slice(&cursor.to_le_bytes());
        }
    }

    /// Reads an answer. One that is not there (its shard was lost) is the end.
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
    /// When it was last used, about.
    pub access: Seconds,
    /// Its unique.
    pub cas: u64,
    /// Its size class.
    pub class: u32,
    /// What it takes of the store's memory.
    pub item_bytes: u32,
    /// The length of its value.
    pub value_bytes: u32,
    /// The client's flags.
    pub flags: u32,
    /// Whether somebody has read it since it was written.
    pub fetched: bool,
    /// It was stored under a key in base64.
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
