//! Bytes of a client against the whole engine: no input may panic, however it is cut the replies are the same, and
//! after each the store's invariants hold, solo and sharded.

#![no_main]

#[path = "../../../core/tests/common/mod.rs"]
mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use wasmcached_core::config::Config;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((seed, requests)) = input.split_first_chunk::<4>() else { return };
    let seed = u64::from(u32::from_le_bytes(*seed));
    let config = Config { memory_bytes: 2 << 20, memory_bytes_capacity: 2 << 20, ..common::config() };
    let whole = talk(Server::solo(&config, START), requests, Cuts::None, seed);
    let cut = talk(Server::solo(&config, START), requests, Cuts::Random, seed);
    // Statistics count how the host called.
    if !requests.windows(5).any(|word| word == b"stats") {
        assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&cut));
    }
    talk(Server::sharded(&config, 2, START), requests, Cuts::Random, seed);
});

/// Sends `requests`, hangs up, and returns every reply.
fn talk(mut server: Server, requests: &[u8], cuts: Cuts, seed: u64) -> Vec<u8> {
    let mut client = Client::new(&mut server);
    client.unread.extend_from_slice(requests);
    client.drain(&mut server, &mut Random::new(seed), cuts);
    server.sweep();
    server.check();
    client.received
}
