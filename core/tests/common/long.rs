//! Long values: the engine that takes them, the requests that set and read them, and their answers.

use wasmcached_core::boundary::config::{Config, StoreConfig};

/// A store of `memory_bytes` bytes for items of up to 2 MiB.
pub(crate) fn config(memory_bytes: u64) -> Config {
    let store = StoreConfig {
        item_bytes_max: 2 << 20,
        memory_bytes,
        memory_bytes_capacity: memory_bytes,
        ..super::config().store
    };
    Config { store, ..super::config() }
}

/// Neither a byte's neighbours nor its segment tell what it should be.
pub(crate) fn value(bytes: usize, seed: u64) -> Vec<u8> {
    (0..bytes as u64).map(|place| ((place + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

pub(crate) fn set(key: &str, value: &[u8]) -> Vec<u8> {
    [format!("set {key} 7 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// The answer for one key, without the end of the retrieval.
pub(crate) fn one(key: &str, value: &[u8]) -> Vec<u8> {
    [format!("VALUE {key} 7 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// The answer to a retrieval of one key.
pub(crate) fn found(key: &str, value: &[u8]) -> Vec<u8> {
    [&one(key, value)[..], b"END\r\n"].concat()
}

/// A packet that has a key and nothing else.
pub(crate) fn packet(opcode: u8, key: &[u8]) -> Vec<u8> {
    let head = [&[0x80, opcode, 0, key.len() as u8, 0, 0, 0, 0][..], &(key.len() as u32).to_be_bytes(), &[0; 12]];
    [&head.concat()[..], key].concat()
}
