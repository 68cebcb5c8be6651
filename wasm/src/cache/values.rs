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

/// Appends `count` bytes of a value from `skip` on, or as many as there are.
fn append_part(bytes: &mut Vec<u8>, value: &Value<'_>, mut skip: usize, mut count: usize) {
    value.for_each_piece(|piece| {
        let begin = skip.min(piece.len());
        skip -= begin;
        let piece = &piece[begin..][..count.min(piece.len() - begin)];
        count -= piece.len();
        bytes.extend_from_slice(piece);
    });
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
    records.extend_from_slice(&[0; 16]);
    let key_at = begin + 16;
    // The value of a long key lies behind the length and the key.
    let head_bytes = if name.first() == Some(&LONG_KEY_TAG) {
        append_part(records, value, 0, WORD_BYTES);
        let word = records.get(key_at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        records.truncate(key_at);
        let key_bytes = u32::from_le_bytes(word) as usize;
        append_part(records, value, WORD_BYTES, key_bytes);
        WORD_BYTES + key_bytes
    } else {
        records.extend_from_slice(name);
        0
    };
    let key_bytes = records.len() - key_at;
    if !records[key_at..].starts_with(prefix) {
        records.truncate(begin);
        return false;
    }
    let value_bytes = value.len().saturating_sub(head_bytes);
    if with_value {
        records.reserve_exact(value_bytes);
        append_part(records, value, head_bytes, value_bytes);
    }
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
