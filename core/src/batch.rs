//! The batch between a front and a shard: commands one way, replies the other, as little-endian records.
//!
//! It is the one interface between protocol and store where they live in different guests; a solo engine passes the
//! same [`Command`]s and [`Reply`]s by reference. Both ends are this crate; a damaged record reads as `None`.

use crate::{
    clock::Expiry,
    command::{Broadcast, Command, Detail, Direction, Eviction, Operation, StoreMode},
    reply::{Found, Reply, Value},
    wire::{Reader, Writer},
};
use alloc::vec::Vec;

/// What a run for a shard holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// An operation on one key.
    Command(Command<'a>),
    /// An operation on the whole store.
    Broadcast(Broadcast),
}

const BROADCAST: u8 = 0x80;

/// Appends a command: tag, mode, key length, then hash, three numbers, key and value.
#[inline]
pub fn encode_command(out: &mut Vec<u8>, command: &Command<'_>) {
    let (tag, mode, first, second, number, value): (u8, u8, u32, u32, u64, &[u8]) = match command.operation {
        Operation::Get { touch: None } => (0, 0, 0, 0, 0, &[]),
        Operation::Get { touch: Some(expiry) } => (0, 1, expiry.0, 0, 0, &[]),
        Operation::Store { mode, flags, expiry, compare, value } => {
            let tag = if compare.is_some() { 2 } else { 1 };
            (tag, mode as u8, flags, expiry.0, compare.unwrap_or(0), value)
        }
        Operation::RefuseLarge { unlink } => (3, u8::from(unlink), 0, 0, 0, &[]),
        Operation::Delete => (4, 0, 0, 0, 0, &[]),
        Operation::Arithmetic { direction, delta } => (5, direction as u8, 0, 0, delta, &[]),
        Operation::Touch { expiry } => (6, 0, expiry.0, 0, 0, &[]),
        Operation::RefuseData => (7, 0, 0, 0, 0, &[]),
    };
    out.reserve(HEAD_BYTES + command.key.len() + value.len());
    let mut head = [0; HEAD_BYTES];
    head[0] = tag;
    head[1] = mode;
    head[2] = command.key.len() as u8;
    head[4..8].copy_from_slice(&(value.len() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&command.hash.to_le_bytes());
    head[16..20].copy_from_slice(&first.to_le_bytes());
    head[20..24].copy_from_slice(&second.to_le_bytes());
    head[24..32].copy_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(command.key);
    out.extend_from_slice(value);
}

const HEAD_BYTES: usize = 32;

/// Appends a broadcast.
pub fn encode_broadcast(out: &mut Vec<u8>, broadcast: Broadcast) {
    let (tag, argument) = match broadcast {
        Broadcast::Flush { at } => (0, at),
        Broadcast::Counters => (1, 0),
        Broadcast::Classes => (2, 0),
        Broadcast::Sizes => (3, 0),
        Broadcast::ResetCounters => (4, 0),
        Broadcast::Detail(detail) => (5, detail as u32),
        Broadcast::RefuseFlush => (6, 0),
        Broadcast::Evict(eviction) => (7, eviction as u32),
    };
    let mut w = Writer(out);
    w.u8(BROADCAST | tag);
    w.u32(argument);
}

/// Takes one order from the front of `r`.
#[inline]
pub fn decode_order<'a>(r: &mut Reader<'a>) -> Option<Order<'a>> {
    let &tag = r.0.first()?;
    if tag & BROADCAST != 0 {
        return decode_broadcast(r).map(Order::Broadcast);
    }
    let (head, rest) = r.0.split_first_chunk::<HEAD_BYTES>()?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let (key, rest) = rest.split_at_checked(usize::from(head[2]))?;
    let (value, rest) = rest.split_at_checked(word(4) as usize)?;
    r.0 = rest;
    let mode = head[1];
    let (first, second, number) = (word(16), word(20), long(24));
    let operation = match tag {
        0 => Operation::Get { touch: (mode != 0).then_some(Expiry(first)) },
        1 | 2 => Operation::Store {
            mode: match mode {
                0 => StoreMode::Set,
                1 => StoreMode::Add,
                2 => StoreMode::Replace,
                3 => StoreMode::Append,
                4 => StoreMode::Prepend,
                _ => return None,
            },
            flags: first,
            expiry: Expiry(second),
            compare: (tag == 2).then_some(number),
            value,
        },
        3 => Operation::RefuseLarge { unlink: mode != 0 },
        4 => Operation::Delete,
        5 => Operation::Arithmetic {
            direction: if mode == 0 { Direction::Increment } else { Direction::Decrement },
            delta: number,
        },
        6 => Operation::Touch { expiry: Expiry(first) },
        7 => Operation::RefuseData,
        _ => return None,
    };
    Some(Order::Command(Command { hash: long(8), key, operation }))
}

fn decode_broadcast(r: &mut Reader<'_>) -> Option<Broadcast> {
    let tag = r.u8()? & !BROADCAST;
    let argument = r.u32()?;
    Some(match tag {
        0 => Broadcast::Flush { at: argument },
        1 => Broadcast::Counters,
        2 => Broadcast::Classes,
        3 => Broadcast::Sizes,
        4 => Broadcast::ResetCounters,
        5 => Broadcast::Detail(match argument {
            0 => Detail::On,
            1 => Detail::Off,
            _ => Detail::Dump,
        }),
        6 => Broadcast::RefuseFlush,
        7 => Broadcast::Evict(Eviction::decode(argument)?),
        _ => return None,
    })
}

/// Appends a reply.
#[inline]
pub fn encode_reply(out: &mut Vec<u8>, reply: &Reply<'_>) {
    let (tag, number) = match reply {
        Reply::Missing => (0, 0),
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
        Reply::Stored { cas } => (2, *cas),
        Reply::NotStored => (3, 0),
        Reply::Exists => (4, 0),
        Reply::Deleted => (5, 0),
        Reply::Touched => (6, 0),
        Reply::Number { value, cas } => {
            let mut w = Writer(out);
            w.u8(7);
            w.u64(*value);
            w.u64(*cas);
            return;
        }
        Reply::NonNumeric => (8, 0),
        Reply::TooLarge => (9, 0),
        Reply::OutOfMemory => (10, 0),
        Reply::Lost => (11, 0),
        Reply::BadData => (12, 0),
    };
    let mut w = Writer(out);
    w.u8(tag);
    w.u64(number);
}

/// Takes one reply from the front of `r`.
#[inline]
pub fn decode_reply<'a>(r: &mut Reader<'a>) -> Option<Reply<'a>> {
    let tag = r.u8()?;
    let number = r.u64()?;
    Some(match tag {
        0 => Reply::Missing,
        1 => Reply::Found(Found { cas: number, flags: r.u32()?, value: Value::whole(r.bytes()?) }),
        2 => Reply::Stored { cas: number },
        3 => Reply::NotStored,
        4 => Reply::Exists,
        5 => Reply::Deleted,
        6 => Reply::Touched,
        7 => Reply::Number { value: number, cas: r.u64()? },
        8 => Reply::NonNumeric,
        9 => Reply::TooLarge,
        10 => Reply::OutOfMemory,
        11 => Reply::Lost,
        12 => Reply::BadData,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_boundary() {
        let store = |compare| Operation::Store {
            mode: StoreMode::Prepend,
            flags: 7,
            expiry: Expiry(9),
            compare,
            value: b"value",
        };
        let operations = [
            Operation::Get { touch: None },
            Operation::Get { touch: Some(Expiry::NEVER) },
            store(None),
            store(Some(u64::MAX)),
            Operation::RefuseLarge { unlink: true },
            Operation::RefuseData,
            Operation::Delete,
            Operation::Arithmetic { direction: Direction::Decrement, delta: u64::MAX },
            Operation::Touch { expiry: Expiry(3) },
        ];
        let mut bytes = Vec::new();
        for operation in operations {
            encode_command(&mut bytes, &Command { hash: 1 << 63 | 5, key: b"key", operation });
        }
        encode_broadcast(&mut bytes, Broadcast::Flush { at: 8 });
        encode_broadcast(&mut bytes, Broadcast::Detail(Detail::Dump));
        let mut r = Reader(&bytes);
        for operation in operations {
            let command = Command { hash: 1 << 63 | 5, key: b"key", operation };
            assert_eq!(decode_order(&mut r), Some(Order::Command(command)));
        }
        assert_eq!(decode_order(&mut r), Some(Order::Broadcast(Broadcast::Flush { at: 8 })));
        assert_eq!(decode_order(&mut r), Some(Order::Broadcast(Broadcast::Detail(Detail::Dump))));
        assert_eq!(decode_order(&mut r), None);
        for cut in 0..40 {
            assert!(cut < 35 || decode_order(&mut Reader(&bytes[..cut])).is_some());
        }
    }

    #[test]
    fn replies_survive_the_boundary() {
        let replies = [
            Reply::Missing,
            Reply::Found(Found { flags: 1, cas: 2, value: Value::whole(b"v") }),
            Reply::Stored { cas: 3 },
            Reply::Number { value: 4, cas: 5 },
            Reply::Lost,
        ];
        let mut bytes = Vec::new();
        replies.iter().for_each(|reply| encode_reply(&mut bytes, reply));
        let mut r = Reader(&bytes);
        for reply in replies {
            let decoded = decode_reply(&mut r).unwrap();
            assert_eq!(alloc::format!("{decoded:?}"), alloc::format!("{reply:?}"));
        }
        assert!(decode_reply(&mut r).is_none());
    }
}
