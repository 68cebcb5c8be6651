//! Replies as records.

use crate::{
    clock::Expiry,
    reply::{Fetched, Found, Reply, Unread, Value, ValueCursor},
    wire::{Reader, Writer},
};
use alloc::vec::Vec;
use core::num::NonZeroU64;

/// Appends a reply.
#[inline]
pub fn encode_reply(out: &mut Vec<u8>, reply: &Reply<'_>) {
    let (tag, number) = match reply {
        Reply::Missing => (0, 0),
        Reply::Found(found) if found.value.unread().is_some() => return encode_beginning(out, found),
        Reply::Found(found) => {
            out.reserve(17 + found.value.len());
            let mut w = Writer(out);
            w.u8(1);
            w.u64(found.cas);
            w.u32(found.flags);
            w.u32(found.value.len() as u32);
            found.value.for_each_piece(|piece| out.extend_from_slice(piece));
            return;
        }
        Reply::Item(item) => return encode_item(out, item),
        Reply::Piece(value) => {
            out.reserve(13 + value.len());
            let mut w = Writer(out);
            w.u8(16);
            w.u64(0);
            w.u32(value.len() as u32);
            value.for_each_piece(|piece| out.extend_from_slice(piece));
            return;
        }
        Reply::Stored { cas, value_bytes } => {
            let mut w = Writer(out);
            w.u8(2);
            w.u64(*cas);
            w.u32(*value_bytes);
            return;
        }
        Reply::NotStored => (3, 0),
        Reply::Exists => (4, 0),
        Reply::Deleted => (5, 0),
        Reply::Touched => (6, 0),
        Reply::Number { value, cas, expiry, created } => {
            let mut w = Writer(out);
            w.u8(7);
            w.u64(*value);
            w.u64(*cas);
            w.u32(expiry.0);
            w.u8(u8::from(*created));
            return;
        }
        Reply::NonNumeric => (8, 0),
        Reply::TooLarge => (9, 0),
        Reply::OutOfMemory => (10, 0),
        Reply::Lost => (11, 0),
        Reply::BadData => (12, 0),
        Reply::Contended => (14, 0),
    };
    let mut w = Writer(out);
    w.u8(tag);
    w.u64(number);
}

/// A reply with the beginning of a value.
#[cold]
fn encode_beginning(out: &mut Vec<u8>, found: &Found<'_>) {
    let mut w = Writer(out);
    w.u8(15);
    w.u64(found.cas);
    w.u32(found.flags);
    w.u32(found.value.len() as u32);
    encode_value(out, &found.value);
}

/// The bytes of a value; of one that is not all here, first the place of the rest.
fn encode_value(out: &mut Vec<u8>, value: &Value<'_>) {
    if let Some(Unread { cursor, position, .. }) = value.unread() {
        let mut w = Writer(out);
        w.u32(cursor.hold);
        w.u32(cursor.offset);
        w.u64(cursor.sequence.get());
        w.u32(position);
    }
    value.for_each_piece(|piece| out.extend_from_slice(piece));
}

fn decode_beginning<'a>(r: &mut Reader<'a>, value_bytes: u32) -> Option<Value<'a>> {
    let (hold, offset, sequence) = (r.u32()?, r.u32()?, NonZeroU64::new(r.u64()?)?);
    let head = r.bytes()?;
    let cursor = ValueCursor { hold, offset, sequence };
    (head.len() < value_bytes as usize).then(|| Value::beginning(value_bytes as usize, head, cursor))
}

fn encode_item(out: &mut Vec<u8>, item: &Fetched<'_>) {
    out.reserve(ITEM_BYTES + item.value.map_or(0, |value| value.bytes_here()));
    let is_cut = item.value.is_some_and(|value| value.unread().is_some());
    let marks =
        [item.fetched, item.created, item.encoded_key, item.stale, item.taken, item.won, item.value.is_some(), is_cut];
    let marks = marks.into_iter().enumerate().fold(0, |marks, (bit, on)| marks | u8::from(on) << bit);
    let mut w = Writer(out);
    w.u8(13);
    w.u64(item.cas);
    w.u8(marks);
    for word in [item.flags, item.value_bytes, item.item_bytes, item.expiry.0, item.idle_s] {
        w.u32(word);
    }
    if let Some(value) = &item.value {
        encode_value(out, value);
    }
}

/// Length of an encoded item without its value.
const ITEM_BYTES: usize = 10 + 5 * 4;

fn decode_item<'a>(r: &mut Reader<'a>, cas: u64) -> Option<Fetched<'a>> {
    let marks = r.u8()?;
    let on = |bit: u8| marks >> bit & 1 != 0;
    let (flags, value_bytes, item_bytes) = (r.u32()?, r.u32()?, r.u32()?);
    let (expiry, idle_s) = (Expiry(r.u32()?), r.u32()?);
    let value = match (on(6), on(7)) {
        (false, _) => None,
        (true, false) => Some(Value::whole(r.take(value_bytes as usize)?)),
        (true, true) => Some(decode_beginning(r, value_bytes)?),
    };
    Some(Fetched {
        flags,
        cas,
        value,
        value_bytes,
        item_bytes,
        expiry,
        idle_s,
        fetched: on(0),
        created: on(1),
        encoded_key: on(2),
        stale: on(3),
        taken: on(4),
        won: on(5),
    })
}

/// Takes one reply from the front of `r`.
#[inline]
pub fn decode_reply<'a>(r: &mut Reader<'a>) -> Option<Reply<'a>> {
    let tag = r.u8()?;
    let number = r.u64()?;
    Some(match tag {
        0 => Reply::Missing,
        1 => Reply::Found(Found { cas: number, flags: r.u32()?, value: Value::whole(r.bytes()?) }),
        2 => Reply::Stored { cas: number, value_bytes: r.u32()? },
        3 => Reply::NotStored,
        4 => Reply::Exists,
        5 => Reply::Deleted,
        6 => Reply::Touched,
        7 => {
            let (cas, expiry, created) = (r.u64()?, Expiry(r.u32()?), r.u8()? != 0);
            Reply::Number { value: number, cas, expiry, created }
        }
        8 => Reply::NonNumeric,
        9 => Reply::TooLarge,
        10 => Reply::OutOfMemory,
        11 => Reply::Lost,
        12 => Reply::BadData,
        13 => Reply::Item(decode_item(r, number)?),
        14 => Reply::Contended,
        15 => {
            let (flags, value_bytes) = (r.u32()?, r.u32()?);
            Reply::Found(Found { cas: number, flags, value: decode_beginning(r, value_bytes)? })
        }
        16 => Reply::Piece(Value::whole(r.bytes()?)),
        _ => return None,
    })
}
