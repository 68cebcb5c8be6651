//! Shared by the tests of the whole engine: a host in one thread, a naive model, requests from a seed.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod host;
pub(crate) mod long;
pub(crate) mod model;
pub(crate) mod packets;
pub(crate) mod random;
pub(crate) mod requests;

use proptest::{collection::vec, prelude::*, sample::Index};
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    hash::Seed,
    protocol::Context,
};

/// The moment at which tests begin, in Unix seconds.
pub(crate) const START: u32 = 1_800_000_000;

/// Everything is allowed, and items are small.
pub(crate) const CONTEXT: Context = Context::permissive(2048, START);

/// A request with some bytes replaced, inserted or removed.
pub(crate) fn damaged(
    request: impl Strategy<Value = Vec<u8>>,
    byte: impl Strategy<Value = u8>,
) -> impl Strategy<Value = Vec<u8>> {
    (request, vec((any::<Index>(), byte, 0..3_u8), 1..4)).prop_map(|(mut bytes, changes)| {
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    })
}

/// A small engine that forgets nothing in a test.
pub(crate) fn config() -> Config {
    Config {
        store: StoreConfig {
            seed: Seed(1, 2),
            memory_bytes: 16 << 20,
            memory_bytes_capacity: 16 << 20,
            item_bytes_max: 8192,
            ..StoreConfig::default()
        },
        ..Config::default()
    }
}
