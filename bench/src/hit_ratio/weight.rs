//! Bytes of an item in this store: its weight in the exact LRU, which so fills the same memory.

use super::request::Request;

/// Length of every key, a zero-padded number.
pub const KEY_BYTES: usize = 20;

const HEADER_BYTES: u64 = 12;
const WORD_BYTES: u64 = 4;
/// Values of this size and more take a further header word.
const VALUE_BYTES_LONG: u32 = 1 << 16;
/// Values of this size and more have a word for their expiry even if they never expire.
const VALUE_BYTES_WITH_EXPIRY: u32 = 4096;
/// An index bucket of 64 bytes holds seven items on average.
const INDEX_BYTES: f64 = 64.0 / 7.0;

/// Bytes of the request's item in the log: header, key, value and padding.
pub fn log_bytes(request: &Request) -> u64 {
    let words = u64::from(request.ttl_s != 0 || request.value_bytes >= VALUE_BYTES_WITH_EXPIRY)
        + u64::from(request.value_bytes >= VALUE_BYTES_LONG);
    let bytes = HEADER_BYTES + WORD_BYTES * words + KEY_BYTES as u64 + u64::from(request.value_bytes);
    bytes.next_multiple_of(WORD_BYTES)
}

/// Bytes of the request's item with its share of the index.
pub fn item_bytes(request: &Request) -> f64 {
    log_bytes(request) as f64 + INDEX_BYTES
}
