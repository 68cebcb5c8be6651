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

use host::{Cuts, Server};

const NOW: u32 = 1_800_000_000;

fuzz_target!(|input: &[u8]| {
    let Some((&[seed, shards, room], stream)) = input.split_first_chunk() else { return };
    // A line that is longer than the limit closes a connection only if it is seen without its end; statistics count a
    // read twice whose reply was cut off; a dump is refused, as memcached does, behind other commands of the same read.
    let long = stream.split(|&byte| byte == b'\n').any(|line| line.len() > limits::LINE_BYTES_MAX);
    let has = |word: &[u8]| stream.windows(word.len()).any(|window| window == word);
    if long || has(b"stats") || has(b"dump") {
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
    let replies = |room, cuts, seed| {
        let mut server = Server::new(&config, shards, NOW);
        server.room = room;
        server.replay(stream, cuts, seed)
    };
    let whole = replies(usize::MAX, Cuts::None, 0);
    let cut = replies(usize::from(room), Cuts::Random, u64::from(seed));
    assert!(cut == whole);
});
