//! Replies as records.

use crate::{
    clock::Expiry,
    reply::{Fetched, Found, FoundWhole, Reply, Unread, Value, ValueCursor},
    wire::Reader,
};
use alloc::vec::Vec;
use core::num::NonZeroU64;

/// The head of every reply. The tag says which bytes follow it; a value is at the end.
#[derive(Default)]
struct Head {
    tag: u8,
    marks: u8,
    /// Bytes of a value behind the head.
    bytes: u32,
    first: u32,
    second: u32,
    number: u64,
}

const HEAD_BYTES: usize = 24;

const FOUND: u8 = 1;
const STORED: u8 = 2;

impl Head {
    /// Each field is stored as it will be loaded: a processor waits when it loads more than was stored at once. Room for
    /// `more` bytes is made.
    #[inline(always)]
    fn emit(&self, out: &mut Vec<u8>, more: usize) {
        out.reserve(HEAD_BYTES + more);
        let marks = u64::from(self.tag) | u64::from(self.marks) << 8 | u64::from(self.bytes) << 32;
        let numbers = u64::from(self.first) | u64::from(self.second) << 32;
        for word in [marks, self.number, numbers] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    #[inline]
    fn decode(r: &mut Reader<'_>) -> Option<Self> {
        let (head, rest) = r.0.split_first_chunk::<HEAD_BYTES>()?;
        let (words, _) = head.as_chunks();
        let [marks, number, numbers] = [words[0], words[1], words[2]].map(u64::from_le_bytes);
        r.0 = rest;
        Some(Self {
            tag: marks as u8,
            marks: (marks >> 8) as u8,
            bytes: (marks >> 32) as u32,
            first: numbers as u32,
            second: (numbers >> 32) as u32,
            number,
        })
    }
}

/// Appends a reply.
#[inline]
pub fn encode_reply(out: &mut Vec<u8>, reply: &Reply<'_>) {
    match reply {
        Reply::Found(found) if found.value.unread().is_none() => {
            let bytes = found.value.len();
            let head =
                Head { tag: FOUND, bytes: bytes as u32, first: found.flags, number: found.cas, ..Head::default() };
            head.emit(out, bytes);
            found.value.for_each_piece(|piece| out.extend_from_slice(piece));
        }
        &Reply::Stored { cas, value_bytes } => {
            Head { tag: STORED, first: value_bytes, number: cas, ..Head::default() }.emit(out, 0);
        }
        _ => encode_other(out, reply),
    }
}

#[inline(never)]
fn encode_other(out: &mut Vec<u8>, reply: &Reply<'_>) {
    let none = Head::default();
    let head = match reply {
        Reply::Missing => none,
        // A reply with the beginning of a value: `encode_reply` takes the others.
        Reply::Found(found) => {
            let (bytes, second) = (found.value.bytes_here() as u32, found.value.len() as u32);
            Head { tag: 15, bytes, first: found.flags, second, number: found.cas, ..none }.emit(out, bytes as usize);
            return encode_value(out, &found.value);
        }
        Reply::Item(item) => return encode_item(out, item),
        Reply::Piece(value) => {
            Head { tag: 16, bytes: value.len() as u32, ..none }.emit(out, value.len());
            return value.for_each_piece(|piece| out.extend_from_slice(piece));
        }
        &Reply::Stored { cas, value_bytes } => Head { tag: STORED, first: value_bytes, number: cas, ..none },
        Reply::NotStored => Head { tag: 3, ..none },
        Reply::Exists => Head { tag: 4, ..none },
        Reply::Deleted => Head { tag: 5, ..none },
        Reply::Touched => Head { tag: 6, ..none },
        Reply::Number { value, cas, expiry, created } => {
            Head { tag: 7, marks: u8::from(*created), first: expiry.0, number: *value, ..none }.emit(out, 8);
            return out.extend_from_slice(&cas.to_le_bytes());
        }
        Reply::NonNumeric => Head { tag: 8, ..none },
        Reply::TooLarge => Head { tag: 9, ..none },
        Reply::OutOfMemory => Head { tag: 10, ..none },
        Reply::Lost => Head { tag: 11, ..none },
        Reply::BadData => Head { tag: 12, ..none },
        Reply::Contended => Head { tag: 14, ..none },
    };
    head.emit(out, 0);
}

/// The bytes of a value; of one that is not all here, first the place of the rest.
fn encode_value(out: &mut Vec<u8>, value: &Value<'_>) {
    if let Some(Unread { cursor, .. }) = value.unread() {
        let place = u64::from(cursor.hold) << 32 | u64::from(cursor.offset);
        [place, cursor.sequence.get()].iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }
    value.for_each_piece(|piece| out.extend_from_slice(piece));
}

fn decode_beginning<'a>(r: &mut Reader<'a>, bytes: u32, value_bytes: u32) -> Option<Value<'a>> {
    let (place, sequence) = (r.u64()?, NonZeroU64::new(r.u64()?)?);
    let head = r.take(bytes as usize)?;
    let cursor = ValueCursor { hold: (place >> 32) as u32, offset: place as u32, sequence };
    (bytes < value_bytes).then(|| Value::beginning(value_bytes as usize, head, cursor))
}

fn encode_item(out: &mut Vec<u8>, item: &Fetched<'_>) {
    let bytes = item.value.map_or(0, |value| value.bytes_here());
    let is_cut = item.value.is_some_and(|value| value.unread().is_some());
    let marks =
        [item.fetched, item.created, item.encoded_key, item.stale, item.taken, item.won, item.value.is_some(), is_cut];
    let marks = marks.into_iter().enumerate().fold(0, |marks, (bit, on)| marks | u8::from(on) << bit);
    let (first, second) = (item.flags, item.value_bytes);
    let head = Head { tag: 13, marks, bytes: bytes as u32, first, second, number: item.cas };
    head.emit(out, 16 + 16 + bytes);
    let sizes = u64::from(item.item_bytes) | u64::from(item.expiry.0) << 32;
    [sizes, u64::from(item.idle_s)].iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    if let Some(value) = &item.value {
        encode_value(out, value);
    }
}

fn decode_item<'a>(r: &mut Reader<'a>, head: &Head) -> Option<Fetched<'a>> {
    let on = |bit: u8| head.marks >> bit & 1 != 0;
    let (sizes, idle_s) = (r.u64()?, r.u64()? as u32);
    let value = match (on(6), on(7)) {
        (false, _) => None,
        (true, false) => Some(Value::whole(r.take(head.bytes as usize)?)),
        (true, true) => Some(decode_beginning(r, head.bytes, head.second)?),
    };
    Some(Fetched {
        flags: head.first,
        cas: head.number,
        value,
        value_bytes: head.second,
        item_bytes: sizes as u32,
        expiry: Expiry((sizes >> 32) as u32),
        idle_s,
        fetched: on(0),
        created: on(1),
        encoded_key: on(2),
        stale: on(3),
        taken: on(4),
        won: on(5),
    })
}

/// Takes a reply with an item and all of its value from the front of `r`. `None`: something else stands there.
#[inline]
pub fn decode_found<'a>(r: &mut Reader<'a>) -> Option<FoundWhole<'a>> {
    let mut rest = r.clone();
    let head = Head::decode(&mut rest).filter(|head| head.tag == FOUND)?;
    let value = rest.take(head.bytes as usize)?;
    *r = rest;
    Some(FoundWhole { flags: head.first, cas: head.number, value })
}

/// Takes the reply that an item was stored from the front of `r`. `None`: something else stands there.
#[inline]
pub fn decode_stored(r: &mut Reader<'_>) -> Option<()> {
    let mut rest = r.clone();
    Head::decode(&mut rest).filter(|head| head.tag == STORED)?;
    *r = rest;
    Some(())
}

/// Takes one reply from the front of `r`.
#[inline(never)]
pub fn decode_reply<'a>(r: &mut Reader<'a>) -> Option<Reply<'a>> {
    let head = Head::decode(r)?;
    Some(match head.tag {
        0 => Reply::Missing,
        FOUND => {
            let value = Value::whole(r.take(head.bytes as usize)?);
            Reply::Found(Found { flags: head.first, cas: head.number, value })
        }
        STORED => Reply::Stored { cas: head.number, value_bytes: head.first },
        3 => Reply::NotStored,
        4 => Reply::Exists,
        5 => Reply::Deleted,
        6 => Reply::Touched,
        7 => {
            let (value, expiry, created) = (head.number, Expiry(head.first), head.marks != 0);
            Reply::Number { value, cas: r.u64()?, expiry, created }
        }
        8 => Reply::NonNumeric,
        9 => Reply::TooLarge,
        10 => Reply::OutOfMemory,
        11 => Reply::Lost,
        12 => Reply::BadData,
        13 => Reply::Item(decode_item(r, &head)?),
        14 => Reply::Contended,
        15 => {
            let value = decode_beginning(r, head.bytes, head.second)?;
            Reply::Found(Found { flags: head.first, cas: head.number, value })
        }
        16 => Reply::Piece(Value::whole(r.take(head.bytes as usize)?)),
        _ => return None,
    })
}
