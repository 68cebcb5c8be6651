//! Whole connections: any bytes in any cuts, against the same bytes in one piece, solo and through shards.
//!
//! The first bytes choose how the stream is cut; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    limits,
};

#[allow(dead_code, reason = "the tests of the core use the rest")]
#[path = "../../core/tests/common/host.rs"]
mod host;
#[allow(dead_code, reason = "the tests of the core use the rest")]
#[path = "../../core/tests/common/random.rs"]
mod random;

use host::{Client, Cuts, Server};
use random::Random;

const NOW: u32 = 1_800_000_000;

fuzz_target!(|input: &[u8]| {
    let Some((&[seed, shards, room], stream)) = input.split_first_chunk() else { return };
    // A line that is longer than the limit closes a connection only if it is seen without its end; statistics count a
    // read twice whose reply was cut off.
    let long = stream.split(|&byte| byte == b'\n').any(|line| line.len() > limits::LINE_BYTES_MAX);
    if long || stream.windows(5).any(|window| window == b"stats") {
        return;
    }
    let config = Config {
        requests_per_event: 1 + u32::from(seed % 70),
        store: StoreConfig {
            memory_bytes: 1 << 20,
            memory_bytes_capacity: 1 << 20,
            item_bytes_max: 4096,
            ..StoreConfig::default()
        },
        ..Config::default()
    };
    let shards = u32::from(shards % 4);
    let whole = replies(&config, shards, usize::MAX, stream, Cuts::None, 0);
    let cut = replies(&config, shards, usize::from(room), stream, Cuts::Random, u64::from(seed));
    assert!(cut == whole);
});

fn replies(config: &Config, shards: u32, room: usize, stream: &[u8], cuts: Cuts, seed: u64) -> (Vec<u8>, bool) {
    let mut server = match shards {
        0 => Server::solo(config, NOW),
        _ => Server::sharded(config, shards, NOW),
    };
    server.room = room;
    let mut client = Client::new(&mut server);
    client.unread.extend_from_slice(stream);
    client.drain(&mut server, &mut Random::new(seed), cuts);
    server.check();
    (client.received, client.closed)
}
