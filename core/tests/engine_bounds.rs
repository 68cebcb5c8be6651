//! The cost of connections: half-sent requests, unread replies, long lines, large values, hosts that ask twice.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    front::{ConnectionId, ConnectionStatus},
    limits,
};

fn config() -> Config {
    Config {
        store: StoreConfig {
            item_bytes_max: 1 << 20,
            memory_bytes: 32 << 20,
            memory_bytes_capacity: 32 << 20,
            ..common::config().store
        },
        ..common::config()
    }
}

fn large(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[test]
fn idle_connections_hold_nothing() {
    let mut server = Server::solo(&config(), START);
    let mut clients: Vec<Client> = (0..200).map(|_| Client::new(&mut server)).collect();
    for client in &mut clients {
        assert_eq!(
            client.ask(&mut server, b"set k 0 0 3\r\nabc\r\nget k\r\n"),
            b"STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\n"
        );
    }
    assert_eq!(server.front().buffers_bytes(), 0);
}

#[test]
fn a_connection_stops_at_the_mark_until_its_client_reads() {
    for shards in [0, 3] {
        let mut server =
            if shards == 0 { Server::solo(&config(), START) } else { Server::sharded(&config(), shards, START) };
        let mut client = Client::new(&mut server);
        for key in 0..8 {
            let set = [format!("set k{key} 0 0 20000\r\n").as_bytes(), &large(20_000), b"\r\n"].concat();
            assert_eq!(client.ask(&mut server, &set), b"STORED\r\n");
        }
        let get = b"get k0 k1 k2 k3 k4 k5 k6 k7\r\n".repeat(50);
        let mut answer = Vec::new();
        let (taken, mut status) = server.receive(client.id, &get);
        assert_eq!(taken, get.len());
        loop {
            let output = server.front().output(client.id);
            let most = limits::OUTPUT_BYTES_HIGH + limits::REPLY_BYTES_HIGH + 30_000;
            assert!(output.len() <= most, "{}", output.len());
            answer.extend_from_slice(output);
            let length = output.len();
            server.consume(client.id, length);
            if !status.has(ConnectionStatus::MORE) {
                break;
            }
            status = server.advance(client.id, 0);
        }
        assert_eq!(answer.len(), 50 * (8 * (b"VALUE k0 0 20000\r\n\r\n".len() + 20_000) + 5));
    }
}

/// Replies that end exactly at the mark, a byte before it and a byte behind it.
#[test]
fn output_exactly_at_the_mark() {
    let frame = b"VALUE k 0 65000\r\n\r\nEND\r\n".len();
    for shards in [0, 2] {
        for value_bytes in (limits::OUTPUT_BYTES_HIGH - frame - 8)..(limits::OUTPUT_BYTES_HIGH - frame + 8) {
            let config = config();
            let mut server =
                if shards == 0 { Server::solo(&config, START) } else { Server::sharded(&config, shards, START) };
            let mut client = Client::new(&mut server);
            let set = [format!("set k 0 0 {value_bytes}\r\n").as_bytes(), &large(value_bytes), b"\r\n"].concat();
            assert_eq!(client.ask(&mut server, &set), b"STORED\r\n");
            let once = client.ask(&mut server, b"get k\r\n");
            assert_eq!(once.len(), value_bytes + frame);
            // The requests that follow are answered as well, wherever the mark is.
            for tail in [&b""[..], b"version\r\n", b"get k\r\n", b"get nothing\r\nversion\r\n", b"quit\r\n"] {
                let answer = client.ask(&mut server, &[b"get k\r\n", tail].concat());
                assert!(answer.starts_with(&once));
                let rest = &answer[once.len()..];
                match tail {
                    b"get k\r\n" => assert_eq!(rest, once),
                    b"version\r\n" => assert_eq!(rest, b"VERSION 1.6.45\r\n"),
                    b"get nothing\r\nversion\r\n" => assert_eq!(rest, b"END\r\nVERSION 1.6.45\r\n"),
                    _ => assert!(rest.is_empty()),
                }
            }
            assert!(client.closed);
        }
    }
}

#[test]
fn a_multi_get_of_ten_thousand_keys_streams() {
    for shards in [0, 4] {
        let config = config();
        let mut server =
            if shards == 0 { Server::solo(&config, START) } else { Server::sharded(&config, shards, START) };
        let mut client = Client::new(&mut server);
        let (mut line, mut expected) = (b"get".to_vec(), Vec::new());
        for number in 0..10_000 {
            let key = format!("a-key-of-this-test-{number}");
            if number % 3 != 0 {
                let set = format!("set {key} 0 0 {}\r\n{key}\r\n", key.len());
                assert_eq!(client.ask(&mut server, set.as_bytes()), b"STORED\r\n");
                expected.extend(format!("VALUE {key} 0 {}\r\n{key}\r\n", key.len()).into_bytes());
            }
            line.extend(format!(" {key}").into_bytes());
        }
        line.extend_from_slice(b"\r\nversion\r\n");
        expected.extend_from_slice(b"END\r\nVERSION 1.6.45\r\n");
        assert!(line.len() > 3 * limits::RETRIEVAL_LINE_BYTES_MAX);
        for cuts in
            [Cuts::None, Cuts::Every(65_535), Cuts::Every(40_000), Cuts::Every(5000), Cuts::Every(700), Cuts::Random]
        {
            client.unread.extend_from_slice(&line);
            client.reads.clear();
            let mut random = Random::new(7);
            while client.is_busy() {
                client.event(&mut server, &mut random, cuts);
                assert!(server.front().buffers_bytes() < 600 * 1024);
            }
            assert!(std::mem::take(&mut client.received) == expected, "{cuts:?} {shards}");
        }
        // However it arrives, a long line is read in few reads.
        client.unread.extend_from_slice(&line);
        client.reads.clear();
        client.drain(&mut server, &mut Random::new(7), Cuts::Every(40_000));
        assert!(client.reads.len() < 60, "{} reads", client.reads.len());
    }
}

#[test]
fn a_large_value_in_pieces_of_any_size() {
    let config = Config { store: StoreConfig { item_bytes_max: 1 << 20, ..config().store }, ..config() };
    let value_bytes = (1 << 20) - limits::item_overhead_bytes(true) - limits::flags_overhead_bytes(9) - 1;
    let request = [format!("set k 9 0 {value_bytes}\r\n").as_bytes(), &large(value_bytes), b"\r\nget k\r\n"].concat();
    let head = format!("STORED\r\nVALUE k 9 {value_bytes}\r\n");
    let expected = [head.as_bytes(), &large(value_bytes), b"\r\nEND\r\n"].concat();
    for bytes in [1, 7, 1000, 32_767, 32_768, 32_769, 65_535, 65_536, usize::MAX] {
        let mut server = Server::solo(&config, START);
        let mut client = Client::new(&mut server);
        client.unread = request.clone();
        // The smallest pieces only at both ends, because every part of the middle is alike.
        if bytes < 1000 {
            client.drain_until(&mut server, 5000, bytes);
            client.drain_until(&mut server, 1_000_000, 60_000);
        }
        client.drain(
            &mut server,
            &mut Random::new(1),
            if bytes == usize::MAX { Cuts::None } else { Cuts::Every(bytes) },
        );
        assert!(client.received == expected, "in pieces of {bytes}");
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

#[test]
fn a_host_may_ask_twice() {
    for held in [10, 40_000] {
        let mut server = Server::solo(&config(), START);
        let id = server.open();
        let body = [&b"set k 0 0 50000\r\n"[..], &large(50_000), b"\r\nget k\r\n"].concat();
        let (taken, status) = server.receive(id, &body[..held]);
        assert_eq!((taken, status), (held, ConnectionStatus::PARTIAL));
        let first = server.front().input(id).len();
        assert_eq!(server.front().input(id).len(), first);
        // No bytes are received.
        assert_eq!(server.advance(id, 0), ConnectionStatus::PARTIAL);
        assert_eq!(server.advance(id, 0), ConnectionStatus::PARTIAL);
        server.front().input(id);
        assert_eq!(server.advance(id, 0), ConnectionStatus::PARTIAL);
        server.front().input(id);
        let (mut at, mut answer) = (held, Vec::new());
        while at < body.len() {
            server.front().input(id);
            let (taken, _) = server.receive(id, &body[at..]);
            at += taken;
            answer.extend_from_slice(server.front().output(id));
            server.consume(id, usize::MAX);
        }
        assert!(answer.starts_with(b"STORED\r\nVALUE k 0 50000\r\n") && answer.ends_with(b"\r\nEND\r\n"));
        assert_eq!(answer.len(), 8 + 17 + 50_000 + 7);
    }
}

/// A host that continues although not everything was sent loses nothing.
#[test]
fn going_on_before_the_output_is_sent_loses_nothing() {
    let mut server = Server::solo(&config(), START);
    let id = server.open();
    let (_, status) = server.receive(id, b"version\r\n");
    assert_eq!(status, ConnectionStatus::OUTPUT);
    assert_eq!(server.consume(id, 3), ConnectionStatus::OUTPUT);
    assert_eq!(server.advance(id, 0), ConnectionStatus::OUTPUT);
    let (_, status) = server.receive(id, b"get a\r\nversion\r\n");
    assert!(status.has(ConnectionStatus::OUTPUT) && status.has(ConnectionStatus::MORE));
    assert_eq!(server.front().output(id), b"SION 1.6.45\r\n");
    assert!(server.consume(id, 13).has(ConnectionStatus::MORE));
    assert_eq!(server.advance(id, 0), ConnectionStatus::OUTPUT);
    assert_eq!(server.front().output(id), b"END\r\nVERSION 1.6.45\r\n");
}

#[test]
fn unknown_connections_are_told_to_close() {
    let mut server = Server::solo(&config(), START);
    for number in [0, 7, u32::MAX] {
        let id = ConnectionId(number);
        assert!(!server.front().input(id).is_empty());
        assert_eq!(server.advance(id, 0), ConnectionStatus::CLOSE);
        let (_, status) = server.receive(id, b"version\r\n");
        assert_eq!(status, ConnectionStatus::CLOSE);
        assert!(server.front().output(id).is_empty());
        assert_eq!(server.consume(id, 5), ConnectionStatus::CLOSE);
        server.front().close(id);
    }
    let first = server.open();
    server.receive(first, b"set k 0 0 100\r\nabc");
    server.front().close(first);
    // A reused number has no state of the closed connection.
    let second = server.open();
    assert_eq!(server.receive(second, b"version\r\n").1, ConnectionStatus::OUTPUT);
    assert_eq!(server.front().output(second), b"VERSION 1.6.45\r\n");
    assert_eq!(server.front().buffers_bytes(), 0);
}

#[test]
fn a_refused_connection_says_so_and_closes() {
    let mut server = Server::solo(&config(), START);
    let id = server.front().open(true);
    assert_eq!(server.front().output(id), b"ERROR Too many open connections\r\n");
    assert!(server.consume(id, 10).has(ConnectionStatus::OUTPUT));
    assert_eq!(server.consume(id, 1000), ConnectionStatus::CLOSE);
}

#[test]
fn the_status_repeats_the_close_until_the_output_is_sent() {
    let mut server = Server::solo(&config(), START);
    let id = server.open();
    let (_, status) = server.receive(id, b"version\r\nquit\r\n");
    let unsent = ConnectionStatus::CLOSE.with(ConnectionStatus::OUTPUT, true);
    assert_eq!(status, unsent);
    for sent in [0, 1, 10, 0, 4] {
        assert_eq!(server.consume(id, sent), unsent);
    }
    assert_eq!(server.consume(id, 1), ConnectionStatus::CLOSE);
    // The host may ask again.
    assert_eq!(server.consume(id, 0), ConnectionStatus::CLOSE);
}

#[test]
fn quiet_reads_are_no_more_requests_than_the_keys_of_a_retrieval() {
    let config = Config { requests_per_event: 4, ..config() };
    let yields_after = |greeting: &[u8], requests: &[u8]| {
        let mut server = Server::solo(&config, START);
        let mut client = Client::new(&mut server);
        client.ask(&mut server, &[greeting, requests].concat());
        server.front().yields()
    };
    let packets = |opcode: u8| [&[0x80, opcode, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 12], b"k"].concat().repeat(50);
    let noop = [&[0x80, 10][..], &[0; 22]].concat();
    assert_eq!(yields_after(b"", &[b"get".to_vec(), b" k".repeat(50), b"\r\n".to_vec()].concat()), 0);
    assert_eq!(yields_after(b"", &[b"mg k v q\r\n".repeat(50), b"mn\r\n".to_vec()].concat()), 0);
    assert_eq!(yields_after(&noop, &[packets(0x0d), noop.clone()].concat()), 0);
    // A request counts if it is answered or changes something.
    assert!(yields_after(b"", &b"mg k v\r\n".repeat(50)) >= 12);
    assert!(yields_after(b"", &b"mg k v T0 q\r\n".repeat(50)) >= 12);
    assert!(yields_after(&noop, &packets(0x0c)) >= 12);
    assert!(yields_after(b"", &b"md k q\r\n".repeat(50)) >= 12);
}
