//! Requests in the meta protocol. They request the fields of a text reply: the key, the client's flags, the value.

use super::super::dataset::{Dataset, KEY_BYTES, key};

const ONE: &[u8] = b" k f v\r\n";
const ONE_OF_MANY: &[u8] = b" k f v q\r\n";

/// Appends `mg key k f v` for one key, or a quiet `mg` per key and an `mn`.
pub fn write_get(indexes: &[u32], out: &mut Vec<u8>) {
    let tail = if indexes.len() > 1 { ONE_OF_MANY } else { ONE };
    for &index in indexes {
        out.extend_from_slice(b"mg ");
        out.extend_from_slice(&key(index));
        out.extend_from_slice(tail);
    }
    if indexes.len() > 1 {
        out.extend_from_slice(b"mn\r\n");
    }
}

/// The command line of an `ms` after the key.
pub fn set_tail(value_bytes: usize) -> Vec<u8> {
    format!(" {value_bytes}\r\n").into_bytes()
}

/// Appends `ms key bytes`, the value and its line end; `tail` is the command line after the key.
pub fn write_set(dataset: &Dataset, index: u32, tail: &[u8], out: &mut Vec<u8>) {
    out.reserve(3 + KEY_BYTES + tail.len() + dataset.value_bytes + 2);
    out.extend_from_slice(b"ms ");
    out.extend_from_slice(&key(index));
    out.extend_from_slice(tail);
    out.extend_from_slice(dataset.value(index));
    out.extend_from_slice(b"\r\n");
}
