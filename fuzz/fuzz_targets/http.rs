//! HTTP on any bytes: the laws of its parser, and whole connections in any cuts against the same bytes in one piece, solo and
//! through shards.
//!
//! The first bytes choose how the stream is cut; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcached_core::{
    boundary::config::{Binding, Config, StoreConfig},
    limits::HTTP_HEAD_BYTES_MAX,
    protocol::{Verdict, http::parse},
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
    let Some((&[seed, shards], stream)) = input.split_first_chunk() else { return };
    holds(stream);
    let store = StoreConfig { memory_bytes: 1 << 20, memory_bytes_capacity: 1 << 20, ..StoreConfig::default() };
    let config = Config {
        binding: Binding::Http,
        requests_per_event: 1 + u32::from(seed % 30),
        store: StoreConfig { item_bytes_max: 4096, ..store },
        ..Config::default()
    };
    let shards = u32::from(shards % 4);
    let replies = |cuts, seed| Server::new(&config, shards, NOW).replay(stream, cuts, seed);
    let whole = replies(Cuts::None, 0);
    assert!(replies(Cuts::Random, u64::from(seed)) == whole);
});

fn holds(input: &[u8]) {
    match parse(input) {
        Verdict::Close => panic!("every refusal is an answer"),
        Verdict::Incomplete { needed } => assert!(needed > input.len() && needed <= HTTP_HEAD_BYTES_MAX + 1),
        Verdict::Complete { request, consumed } => {
            assert!((1..=input.len()).contains(&consumed) && consumed <= HTTP_HEAD_BYTES_MAX + 1);
            assert!(request.token.start as usize + request.token.bytes() <= consumed);
            assert_eq!(parse(&input[..consumed]), Verdict::Complete { request, consumed });
            for length in [0, consumed / 2, consumed - 1] {
                match parse(&input[..length]) {
                    Verdict::Incomplete { needed } => assert!(needed > length && needed <= consumed),
                    other => panic!("{length} of {consumed}: {other:?}"),
                }
            }
        }
    }
}
