//! The fifth law: however a stream is cut, on its way in or on its way out, the replies are the same bytes.

mod common;

use common::{
    START,
    host::{Cuts, Server},
    random::{Random, for_each_seed},
    requests::{self, Kind},
};
use wasmcached_core::boundary::config::{Config, StoreConfig};

/// The replies to `stream`, and whether the connection was closed.
fn replies(config: &Config, shards: u32, room: usize, stream: &[u8], cuts: Cuts, seed: u64) -> (Vec<u8>, bool) {
    let mut server = Server::new(config, shards, START);
    server.room = room;
    server.replay(stream, cuts, seed)
}

fn same(left: &(Vec<u8>, bool), right: &(Vec<u8>, bool), how: &str) {
    let at = left.0.iter().zip(&right.0).take_while(|(left, right)| left == right).count();
    let around = |bytes: &[u8]| {
        let bytes = &bytes[at.saturating_sub(60)..bytes.len().min(at + 60)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert!(left == right, "{how}, at {at}: {:?} {:?}", around(&left.0), around(&right.0));
}

const FLUSH_PACKET: [u8; 24] = {
    let mut packet = [0; 24];
    [packet[0], packet[1]] = [0x80, 0x08];
    packet
};

/// A stream of requests, valid and broken, some in text and some in packets; `global`: with flushes and statistics.
fn stream(seed: u64, requests: usize, global: bool) -> Vec<u8> {
    let mut random = Random::new(seed);
    let kind = Kind::all(requests::keys("", 14), 8192);
    let binary = seed % 4 == 1;
    let kind = Kind { quits: seed.is_multiple_of(3), value_bytes_max: 2000, global, meta: true, binary, ..kind };
    let known = |_: &[u8]| Some(1 + seed % 50);
    let mut stream = Vec::new();
    for _ in 0..requests {
        stream.extend(requests::request(&mut random, &kind, &known));
        if !global && random.once_in(30) {
            stream.extend_from_slice(if binary { &FLUSH_PACKET } else { b"flush_all\r\n" });
        }
    }
    stream
}

#[test]
fn any_cut_gives_the_replies_of_one_piece() {
    for_each_seed(8, |seed| {
        let config = common::config();
        let stream = stream(seed, 150, true);
        let whole = replies(&config, 0, usize::MAX, &stream, Cuts::None, 0);
        assert!(whole.0.len() > 500 || whole.1);
        for requests_per_event in [1, 2, 7, 20, 63, 64, 65, 1000] {
            let config = Config { requests_per_event, ..config.clone() };
            let cut = replies(&config, 0, usize::MAX, &stream, Cuts::Random, seed + u64::from(requests_per_event));
            same(&cut, &whole, &format!("with -R {requests_per_event}"));
        }
        for bytes in [1, 3, 2047, 2048, 2049] {
            let cut = replies(&config, 0, usize::MAX, &stream, Cuts::Every(bytes), seed);
            same(&cut, &whole, &format!("in pieces of {bytes}"));
        }
    });
}

/// Each shard counts its own uniques, so the replies are compared with those of the same shards to the uncut stream.
/// A read without room for its reply is executed again, and counts once.
#[test]
fn any_cut_gives_the_same_through_shards() {
    for_each_seed(8, |seed| {
        let config = common::config();
        let shards = 1 + (seed % 5) as u32;
        let stream = stream(seed, 120, true);
        let whole = replies(&config, shards, usize::MAX, &stream, Cuts::None, 0);
        for room in [0, 1, 100, 5000, usize::MAX] {
            let cut = replies(&config, shards, room, &stream, Cuts::Random, seed);
            same(&cut, &whole, &format!("with room for {room}"));
        }
        let config = Config { requests_per_event: 3, ..config };
        assert!(replies(&config, shards, 50, &stream, Cuts::Every(1), seed) == whole);
    });
}

#[test]
fn shards_say_what_solo_says_where_no_unique_shows() {
    for_each_seed(10, |seed| {
        let config = Config { store: StoreConfig { cas: false, ..common::config().store }, ..common::config() };
        // Statistics differ by design: the pool is divided.
        let stream = stream(seed, 150, false);
        let solo = replies(&config, 0, usize::MAX, &stream, Cuts::Random, seed);
        for shards in 1..=5 {
            let sharded = replies(&config, shards, 300, &stream, Cuts::Random, seed);
            same(&sharded, &solo, &format!("with {shards} shards"));
        }
    });
}

/// Lines of the greatest length that is waited for, and values around it, in every cut that touches a border.
#[test]
fn borders_of_lines_and_blocks() {
    let mut stream = Vec::new();
    let spaces = |bytes: usize| vec![b' '; bytes];
    for length in [2046, 2047, 2048] {
        let tail = b" 0 0 4\r\nabcd\r\nget k\r\n";
        let line_tail = b" 0 0 4\r\n".len();
        stream.extend([b"set".to_vec(), spaces(length - 4 - line_tail), b"k".to_vec(), tail.to_vec()].concat());
    }
    for length in [0usize, 1, 2, 3] {
        stream.extend(format!("set v 0 0 {length}\r\n").as_bytes());
        stream.extend(&b"\r\n\r"[..length]);
        stream.extend(b"\r\nget v\r\nset v 0 0 1 noreply\n\n\r\nget v v\n");
    }
    stream.extend(b"set a 0 0 9999\r\n");
    stream.extend(vec![b'\n'; 10_001]);
    stream.extend(b"get k\r\nquit\r\nget k\r\n");
    let config = Config { requests_per_event: 2, ..common::config() };
    let whole = replies(&config, 0, usize::MAX, &stream, Cuts::None, 0);
    assert!(whole.1 && whole.0.ends_with(b"VALUE k 0 4\r\nabcd\r\nEND\r\n"));
    for bytes in (1..40).chain(2030..2060) {
        assert!(replies(&config, 0, usize::MAX, &stream, Cuts::Every(bytes), 1) == whole, "in pieces of {bytes}");
        assert!(replies(&config, 2, 0, &stream, Cuts::Every(bytes), 1) == whole, "in pieces of {bytes}, by shards");
    }
}
