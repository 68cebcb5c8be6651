//! From replies to packets.

use super::{HEADER_BYTES, MAGIC_ANSWER, Status, Style, Verb};
use crate::reply::{Found, Reply};
use alloc::vec::Vec;

const VERSION: &[u8] = b"1.6.45";
const OUT_OF_MEMORY_CREATING: &[u8] = b"Out of memory allocating new item";
const OUT_OF_MEMORY_COUNTING: &[u8] = b"Out of memory incrementing value";

/// Appends the answer to a command on `key`.
#[inline(never)]
pub fn answer(out: &mut Vec<u8>, style: Style, key: &[u8], reply: &Reply<'_>) {
    match reply {
        Reply::Found(item) => found(out, style, key, item),
        Reply::Missing => missing(out, style, key),
        Reply::Stored { .. } | Reply::Deleted | Reply::Number { .. } if style.quiet => {}
        Reply::Stored { cas, .. } => packet(out, style, Status::Success, *cas, &[], &[], &[]),
        Reply::Deleted => packet(out, style, Status::Success, 0, &[], &[], &[]),
        Reply::Number { value, cas, .. } => {
            packet(out, style, Status::Success, *cas, &[], &[], &value.to_be_bytes());
        }
        Reply::NotStored => match style.verb {
            Verb::Add => status(out, style, Status::Exists),
            Verb::Replace => status(out, style, Status::NotFound),
            _ => status(out, style, Status::NotStored),
        },
        Reply::Exists => status(out, style, Status::Exists),
        Reply::NonNumeric => status(out, style, Status::NonNumeric),
        Reply::TooLarge => status(out, style, Status::TooLarge),
        Reply::OutOfMemory => packet(out, style, Status::OutOfMemory, 0, &[], &[], out_of_memory(style)),
        Reply::Lost => status(out, style, Status::Internal),
        Reply::Touched | Reply::Item(_) | Reply::BadData | Reply::Contended => {
            status(out, style, Status::UnknownCommand);
        }
    }
}

/// Appends an answer that needs no reply.
pub fn status(out: &mut Vec<u8>, style: Style, status: Status) {
    let text = if status == Status::Success && style.verb == Verb::Version { VERSION } else { status.text() };
    packet(out, style, status, 0, &[], &[], text);
}

/// Appends the answer to a part of a login.
pub fn login(out: &mut Vec<u8>, style: Style, status: Status, message: &[u8]) {
    packet(out, style, status, 0, &[], &[], message);
}

/// Appends a packet whole.
pub(super) fn packet(
    out: &mut Vec<u8>,
    style: Style,
    status: Status,
    cas: u64,
    extras: &[u8],
    key: &[u8],
    value: &[u8],
) {
    header(out, style, status, cas, (extras.len(), key.len(), value.len()));
    out.extend_from_slice(extras);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

#[inline]
fn header(out: &mut Vec<u8>, style: Style, status: Status, cas: u64, (extras, key, value): (usize, usize, usize)) {
    let body_bytes = extras + key + value;
    let mut header = [0; HEADER_BYTES];
    header[0] = MAGIC_ANSWER;
    header[1] = style.opcode;
    header[2..4].copy_from_slice(&(key as u16).to_be_bytes());
    header[4] = extras as u8;
    header[6..8].copy_from_slice(&(status as u16).to_be_bytes());
    header[8..12].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    header[12..16].copy_from_slice(&style.opaque.to_be_bytes());
    header[16..24].copy_from_slice(&cas.to_be_bytes());
    out.reserve(HEADER_BYTES + body_bytes);
    out.extend_from_slice(&header);
}

#[inline]
fn found(out: &mut Vec<u8>, style: Style, key: &[u8], item: &Found<'_>) {
    let key = if shows_key(style.verb) { key } else { &[] };
    let flags = item.flags.to_be_bytes();
    header(out, style, Status::Success, item.cas, (flags.len(), key.len(), item.value.len()));
    out.extend_from_slice(&flags);
    out.extend_from_slice(key);
    item.value.for_each_piece(|piece| out.extend_from_slice(piece));
}

/// A read's miss says nothing if it is quiet, and the key instead of the text if the answer names keys.
fn missing(out: &mut Vec<u8>, style: Style, key: &[u8]) {
    match style.verb {
        Verb::Get | Verb::GetWithKey | Verb::GetAndTouch | Verb::GetAndTouchWithKey if style.quiet => {}
        verb if shows_key(verb) => packet(out, style, Status::NotFound, 0, &[], key, &[]),
        _ => status(out, style, Status::NotFound),
    }
}

fn shows_key(verb: Verb) -> bool {
    matches!(verb, Verb::GetWithKey | Verb::GetAndTouchWithKey)
}

fn out_of_memory(style: Style) -> &'static [u8] {
    match style.verb {
        Verb::Increment | Verb::Decrement if style.creates => OUT_OF_MEMORY_CREATING,
        Verb::Increment | Verb::Decrement => OUT_OF_MEMORY_COUNTING,
        _ => Status::OutOfMemory.text(),
    }
}
