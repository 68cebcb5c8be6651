//! From replies to packets.

use super::{HEADER_BYTES, MAGIC_ANSWER, PacketFormat, PacketStatus, PacketVerb};
use crate::reply::{Found, Reply};
use alloc::vec::Vec;

const VERSION: &[u8] = b"1.6.45";
const OUT_OF_MEMORY_READING: &[u8] = b"out of memory reading request";
const OUT_OF_MEMORY_CREATING: &[u8] = b"Out of memory allocating new item";
const OUT_OF_MEMORY_COUNTING: &[u8] = b"Out of memory incrementing value";

/// Appends the answer to a command on `key`.
#[inline(never)]
pub fn answer(out: &mut Vec<u8>, format: PacketFormat, key: &[u8], reply: &Reply<'_>) {
    match reply {
        Reply::Found(item) => found(out, format, key, item),
        Reply::Missing => missing(out, format, key),
        Reply::Stored { .. } | Reply::Deleted | Reply::Number { .. } if format.quiet => {}
        Reply::Stored { cas, .. } => packet(out, format, PacketStatus::Success, *cas, &[], &[], &[]),
        Reply::Deleted => packet(out, format, PacketStatus::Success, 0, &[], &[], &[]),
        Reply::Number { value, cas, .. } => {
            packet(out, format, PacketStatus::Success, *cas, &[], &[], &value.to_be_bytes());
        }
        Reply::NotStored => match format.verb {
            PacketVerb::Add => status(out, format, PacketStatus::Exists),
            PacketVerb::Replace => status(out, format, PacketStatus::NotFound),
            _ => status(out, format, PacketStatus::NotStored),
        },
        Reply::Exists => status(out, format, PacketStatus::Exists),
        Reply::NonNumeric => status(out, format, PacketStatus::NonNumeric),
        Reply::TooLarge => status(out, format, PacketStatus::TooLarge),
        Reply::OutOfMemory => packet(out, format, PacketStatus::OutOfMemory, 0, &[], &[], out_of_memory(format)),
        Reply::Lost => status(out, format, PacketStatus::Internal),
        Reply::Touched | Reply::Item(_) | Reply::BadData | Reply::Contended | Reply::Piece(_) => {
            status(out, format, PacketStatus::UnknownCommand);
        }
    }
}

/// Appends an answer that needs no reply.
pub fn status(out: &mut Vec<u8>, format: PacketFormat, status: PacketStatus) {
    let text =
        if status == PacketStatus::Success && format.verb == PacketVerb::Version { VERSION } else { status.text() };
    packet(out, format, status, 0, &[], &[], text);
}

/// Appends the answer to a packet whose rest has no room.
pub fn out_of_memory_reading(out: &mut Vec<u8>, format: PacketFormat) {
    packet(out, format, PacketStatus::OutOfMemory, 0, &[], &[], OUT_OF_MEMORY_READING);
}

/// Appends the answer to a part of a login.
pub fn login(out: &mut Vec<u8>, format: PacketFormat, status: PacketStatus, message: &[u8]) {
    packet(out, format, status, 0, &[], &[], message);
}

/// Appends a whole packet.
pub(super) fn packet(
    out: &mut Vec<u8>,
    format: PacketFormat,
    status: PacketStatus,
    cas: u64,
    extras: &[u8],
    key: &[u8],
    value: &[u8],
) {
    header(out, format, status, cas, (extras.len(), key.len(), value.len()));
    out.extend_from_slice(extras);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

#[inline]
fn header(
    out: &mut Vec<u8>,
    format: PacketFormat,
    status: PacketStatus,
    cas: u64,
    (extras, key, value): (usize, usize, usize),
) {
    let body_bytes = extras + key + value;
    let mut header = [0; HEADER_BYTES];
    header[0] = MAGIC_ANSWER;
    header[1] = format.opcode;
    header[2..4].copy_from_slice(&(key as u16).to_be_bytes());
    header[4] = extras as u8;
    header[6..8].copy_from_slice(&(status as u16).to_be_bytes());
    header[8..12].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    header[12..16].copy_from_slice(&format.opaque.to_be_bytes());
    header[16..24].copy_from_slice(&cas.to_be_bytes());
    out.extend_from_slice(&header);
}

#[inline]
fn found(out: &mut Vec<u8>, format: PacketFormat, key: &[u8], item: &Found<'_>) {
    let key = if shows_key(format.verb) { key } else { &[] };
    let flags = item.flags.to_be_bytes();
    out.reserve(HEADER_BYTES + flags.len() + key.len() + item.value.bytes_here());
    header(out, format, PacketStatus::Success, item.cas, (flags.len(), key.len(), item.value.len()));
    out.extend_from_slice(&flags);
    out.extend_from_slice(key);
    item.value.for_each_piece(|piece| out.extend_from_slice(piece));
}

/// The answer to a missing item. A quiet read has none; a read whose answer names the key has the key as its body.
fn missing(out: &mut Vec<u8>, format: PacketFormat, key: &[u8]) {
    match format.verb {
        PacketVerb::Get | PacketVerb::GetWithKey | PacketVerb::GetAndTouch | PacketVerb::GetAndTouchWithKey
            if format.quiet => {}
        verb if shows_key(verb) => packet(out, format, PacketStatus::NotFound, 0, &[], key, &[]),
        _ => status(out, format, PacketStatus::NotFound),
    }
}

fn shows_key(verb: PacketVerb) -> bool {
    matches!(verb, PacketVerb::GetWithKey | PacketVerb::GetAndTouchWithKey)
}

fn out_of_memory(format: PacketFormat) -> &'static [u8] {
    match format.verb {
        PacketVerb::Increment | PacketVerb::Decrement if format.creates => OUT_OF_MEMORY_CREATING,
        PacketVerb::Increment | PacketVerb::Decrement => OUT_OF_MEMORY_COUNTING,
        _ => PacketStatus::OutOfMemory.text(),
    }
}
