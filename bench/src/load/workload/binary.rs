//! Requests in the binary protocol. All packets of one request carry its number in their opaque field.

use super::super::dataset::{Dataset, KEY_BYTES, key};

/// Bytes of a packet before extras, key and value.
pub const HEADER_BYTES: usize = 24;
/// The first byte of a request.
const REQUEST: u8 = 0x80;

/// Returns flags and value.
pub const GET: u8 = 0x00;
/// Stores.
pub const SET: u8 = 0x01;
/// Is always answered.
pub const NOOP: u8 = 0x0a;
/// Returns flags, key and value; a miss gets no reply.
pub const GETKQ: u8 = 0x0d;

/// Appends a Get for one key, or a GetKQ per key and a Noop.
pub fn write_get(indexes: &[u32], number: u32, out: &mut Vec<u8>) {
    let opcode = if indexes.len() > 1 { GETKQ } else { GET };
    for &index in indexes {
        out.extend_from_slice(&header(opcode, KEY_BYTES, 0, 0, number));
        out.extend_from_slice(&key(index));
    }
    if indexes.len() > 1 {
        out.extend_from_slice(&header(NOOP, 0, 0, 0, number));
    }
}

/// Appends a Set.
pub fn write_set(dataset: &Dataset, index: u32, number: u32, out: &mut Vec<u8>) {
    let extras = [0; 8];
    out.reserve(HEADER_BYTES + extras.len() + KEY_BYTES + dataset.value_bytes);
    out.extend_from_slice(&header(SET, KEY_BYTES, extras.len(), dataset.value_bytes, number));
    out.extend_from_slice(&extras);
    out.extend_from_slice(&key(index));
    out.extend_from_slice(dataset.value(index));
}

fn header(opcode: u8, key_bytes: usize, extras_bytes: usize, value_bytes: usize, number: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = REQUEST;
    header[1] = opcode;
    header[2..4].copy_from_slice(&(key_bytes as u16).to_be_bytes());
    header[4] = extras_bytes as u8;
    header[8..12].copy_from_slice(&((extras_bytes + key_bytes + value_bytes) as u32).to_be_bytes());
    header[12..16].copy_from_slice(&number.to_be_bytes());
    header
}
