//! Values and records on their way out.

use super::keys::{LONG_KEY_TAG, WORD_BYTES};
use alloc::vec::Vec;
use wasmcached_core::{reply::Value, store::EntryView};

/// A larger window or scratch buffer is freed as soon as a smaller one suffices.
pub(super) const BUFFER_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Bytes of memory.
#[derive(Clone, Copy, Default)]
pub(super) struct Bytes {
    pub(super) at: u32,
    pub(super) length: u32,
}

/// The value behind `head`, which must be there. A value in several pieces is copied to `scratch`.
#[inline]
pub(super) fn value_behind(value: &Value<'_>, head: &[u8], scratch: &mut Vec<u8>) -> Option<Bytes> {
    match value.as_slice() {
        Some(whole) if head.is_empty() => Some(Bytes { at: address(whole), length: whole.len() as u32 }),
        Some(whole) => rest_behind(whole, head),
        None => {
            scratch.clear();
            scratch.shrink_to(BUFFER_BYTES_KEPT_MAX);
            append(scratch, value);
            rest_behind(scratch, head)
        }
    }
}

pub(super) fn rest_behind(bytes: &[u8], head: &[u8]) -> Option<Bytes> {
    let rest = bytes.strip_prefix(head)?;
    Some(Bytes { at: address(rest), length: rest.len() as u32 })
}

pub(super) fn append(bytes: &mut Vec<u8>, value: &Value<'_>) {
    bytes.reserve_exact(value.len());
    value.for_each_piece(|piece| bytes.extend_from_slice(piece));
}

/// Appends a record, if the key begins with `prefix`.
pub(super) fn append_record(
    records: &mut Vec<u8>,
    prefix: &[u8],
    name: &[u8],
    entry: &EntryView<'_>,
    with_value: bool,
) -> bool {
    let (begin, value) = (records.len(), &entry.found.value);
    let is_long = name.first() == Some(&LONG_KEY_TAG);
    records.extend_from_slice(&[0; 16]);
    if is_long {
        value.for_each_piece(|piece| records.extend_from_slice(piece));
    } else {
        records.extend_from_slice(name);
    }
    // Of a long key, the value begins with the length and the key.
    let mut key_bytes = name.len();
    if is_long {
        let at = begin + 16;
        key_bytes =
            records.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_le_bytes(*word)) as usize;
        records.drain(at..at + WORD_BYTES);
        if !with_value {
            records.truncate(at + key_bytes);
        }
    } else if with_value {
        append(records, value);
    }
    let key = records.get(begin + 16..begin + 16 + key_bytes);
    if !key.is_some_and(|key| key.starts_with(prefix)) {
        records.truncate(begin);
        return false;
    }
    let value_bytes = value.len() - if is_long { key_bytes + WORD_BYTES } else { 0 };
    let head = [key_bytes as u32, value_bytes as u32, entry.found.flags, entry.expiry.0];
    for (number, word) in head.iter().enumerate() {
        let at = begin + number * WORD_BYTES;
        records[at..at + WORD_BYTES].copy_from_slice(&word.to_le_bytes());
    }
    true
}

/// The address of bytes.
pub(super) fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr().addr() as u32
}
