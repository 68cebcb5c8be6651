//! From replies to the words of the text protocol.

use super::words;
use crate::reply::{Found, FoundWhole, Reply};
use alloc::vec::Vec;

/// The answer to one key of a retrieval: `VALUE <key> <flags> <bytes>[ <cas>]`, data; a miss is silent.
#[inline]
pub fn answer_found(out: &mut Vec<u8>, key: &[u8], found: &Found<'_>, cas: bool) {
    out.reserve(key.len() + found.value.bytes_here() + 64);
    value_line(out, key, (found.flags, found.value.len()), cas.then_some(found.cas));
    found.value.for_each_piece(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(b"\r\n");
}

/// The same of an item whose value is in one piece.
#[inline]
pub fn answer_found_whole(out: &mut Vec<u8>, key: &[u8], found: &FoundWhole<'_>, cas: bool) {
    out.reserve(key.len() + found.value.len() + 64);
    value_line(out, key, (found.flags, found.value.len()), cas.then_some(found.cas));
    out.extend_from_slice(found.value);
    out.extend_from_slice(b"\r\n");
}

#[inline(always)]
fn value_line(out: &mut Vec<u8>, key: &[u8], (flags, bytes): (u32, usize), cas: Option<u64>) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    if flags == 0 {
        out.extend_from_slice(b" 0 ");
    } else {
        out.push(b' ');
        out.extend_from_slice(number.format(flags).as_bytes());
        out.push(b' ');
    }
    out.extend_from_slice(number.format(bytes).as_bytes());
    if let Some(cas) = cas {
        out.push(b' ');
        out.extend_from_slice(number.format(cas).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a reason from the host as one line.
pub fn answer_refusal(out: &mut Vec<u8>, reason: &str) {
    out.extend(reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// The answer to any command but a retrieval.
pub fn answer_status(out: &mut Vec<u8>, reply: &Reply<'_>, arithmetic: bool) {
    let text = match reply {
        Reply::Missing => words::NOT_FOUND,
        Reply::Stored { .. } => words::STORED,
        Reply::NotStored => words::NOT_STORED,
        Reply::Exists => words::EXISTS,
        Reply::Deleted => words::DELETED,
        Reply::Touched => words::TOUCHED,
        Reply::Number { value, .. } => {
            out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes());
            b"\r\n"
        }
        Reply::NonNumeric => words::NON_NUMERIC,
        Reply::TooLarge => words::TOO_LARGE,
        Reply::OutOfMemory if arithmetic => words::OUT_OF_MEMORY_ARITHMETIC,
        Reply::OutOfMemory => words::OUT_OF_MEMORY,
        Reply::BadData => words::BAD_DATA_CHUNK,
        Reply::Lost => words::SHARD_LOST,
        Reply::Found(_) | Reply::Item(_) | Reply::Contended | Reply::Piece(_) => words::ERROR,
    };
    out.extend_from_slice(text);
}
