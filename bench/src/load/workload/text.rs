//! Requests in the text protocol.

use super::super::dataset::{Dataset, KEY_BYTES, key};

/// Appends one `get` of all keys.
pub fn write_get(indexes: &[u32], out: &mut Vec<u8>) {
    out.extend_from_slice(b"get");
    for &index in indexes {
        out.push(b' ');
        out.extend_from_slice(&key(index));
    }
    out.extend_from_slice(b"\r\n");
}

/// The command line of a `set` after the key.
pub fn set_tail(value_bytes: usize) -> Vec<u8> {
    format!(" 0 0 {value_bytes}\r\n").into_bytes()
}

/// Appends `set key 0 0 bytes`, the value and its line end; `tail` is the command line after the key.
pub fn write_set(dataset: &Dataset, index: u32, tail: &[u8], out: &mut Vec<u8>) {
    out.reserve(4 + KEY_BYTES + tail.len() + dataset.value_bytes + 2);
    out.extend_from_slice(b"set ");
    out.extend_from_slice(&key(index));
    out.extend_from_slice(tail);
    out.extend_from_slice(dataset.value(index));
    out.extend_from_slice(b"\r\n");
}
