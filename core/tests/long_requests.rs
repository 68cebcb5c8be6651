//! Long requests: from the second one of a connection on, they are received where they are parsed.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    long::{found, set, value},
    random::Random,
};
use wasmcached_core::{
    front::{ConnectionId, ConnectionStatus},
    limits::{LENT_BUFFER_BYTES_MAX, LONG_REQUEST_PATIENCE, SPARE_BUFFERS_BYTES_MAX, WINDOW_BYTES},
};

fn server() -> Server {
    Server::solo(&common::long::config(32 << 20), START)
}

/// Address and length of the next window.
fn window(server: &mut Server, id: ConnectionId) -> (usize, usize) {
    let window = server.front().input(id);
    (window.as_ptr() as usize, window.len())
}

/// A connection that has sent a long request.
fn connection_with_a_long_request(server: &mut Server, request: &[u8]) -> Client {
    let mut client = Client::new(server);
    assert_eq!(client.ask(server, request), b"STORED\r\n");
    assert!(client.status.has(ConnectionStatus::WINDOW));
    client
}

#[test]
fn a_long_request_stays_where_it_was_received() {
    for first in [20, 30_000, WINDOW_BYTES - 1, WINDOW_BYTES, 99_999] {
        let mut server = server();
        let (old, new) = (set("k", &value(100_000, 1)), set("k", &value(100_000, 2)));
        let mut client = connection_with_a_long_request(&mut server, &old);
        let (at, bytes) = window(&mut server, client.id);
        assert!(bytes > new.len(), "one read takes all of it, and more would fit: {bytes}");
        let (taken, status) = server.receive(client.id, &new[..first]);
        assert_eq!((taken, status.has(ConnectionStatus::PARTIAL)), (first, true));
        let held = server.front().buffers_bytes();
        assert_eq!(window(&mut server, client.id), (at + first, bytes - first), "nothing is moved, nothing grows");
        let (taken, status) = server.receive(client.id, &new[first..]);
        assert_eq!((taken, server.output(client.id, status)), (new.len() - first, b"STORED\r\n".to_vec()));
        assert_eq!((server.front().buffers_bytes(), held), (0, bytes));
        assert_eq!(window(&mut server, client.id), (at, bytes), "the buffer is lent again, and not cleared");
        client.status = status;
        client.status = server.consume(client.id, 8);
        assert!(client.ask(&mut server, b"get k\r\n") == found("k", &value(100_000, 2)));
    }
}

/// Connections that send in turns use one buffer.
#[test]
fn a_buffer_is_lent_to_one_connection_after_the_other() {
    let mut server = server();
    let request = set("k", &value(100_000, 1));
    let mut clients: Vec<Client> = (0..50).map(|_| connection_with_a_long_request(&mut server, &request)).collect();
    let first = window(&mut server, clients[0].id);
    for client in &clients {
        // Nothing is received: the buffer comes back.
        assert_eq!(window(&mut server, client.id), first);
        assert_eq!(server.front().buffers_bytes(), 0);
    }
    for client in &mut clients {
        assert_eq!(client.ask(&mut server, &request), b"STORED\r\n");
        assert_eq!(server.front().buffers_bytes(), 0);
    }
    for client in &clients {
        window(&mut server, client.id);
        server.front().close(client.id);
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

/// A client that sends short requests after long ones holds little.
#[test]
fn a_short_request_holds_no_long_buffer() {
    let mut server = server();
    let request = set("k", &value(100_000, 1));
    let mut client = connection_with_a_long_request(&mut server, &request);
    let (_, status) = server.receive(client.id, b"get unfinished");
    assert!(status.has(ConnectionStatus::PARTIAL));
    assert!(server.front().buffers_bytes() < 100, "{}", server.front().buffers_bytes());
    client.unread.extend_from_slice(b"\r\n");
    client.status = status;
    assert_eq!(client.ask(&mut server, b""), b"END\r\n");
    for _ in 0..LONG_REQUEST_PATIENCE {
        assert_eq!(client.ask(&mut server, b"mn\r\n"), b"MN\r\n");
    }
    assert!(!client.status.has(ConnectionStatus::WINDOW));
    assert_eq!(window(&mut server, client.id).1, WINDOW_BYTES);
}

/// A request of a megabyte is received like one of a tenth of it; a longer one is not expected.
#[test]
fn buffers_are_lent_up_to_a_bound() {
    let mut server = server();
    let request = set("k", &value(LENT_BUFFER_BYTES_MAX - 30, 1));
    let client = connection_with_a_long_request(&mut server, &request);
    assert!(window(&mut server, client.id).1 > request.len());
    let mut other = Client::new(&mut server);
    assert_eq!(other.ask(&mut server, &set("k", &value(LENT_BUFFER_BYTES_MAX, 1))), b"STORED\r\n");
    assert!(!other.status.has(ConnectionStatus::WINDOW));
    assert_eq!(window(&mut server, other.id).1, WINDOW_BYTES);
    server.front().trim();
    assert!(server.front().buffers_bytes() <= SPARE_BUFFERS_BYTES_MAX);
}

/// Requests of many lengths, alone and in pipelines, at any cuts, from several connections.
#[test]
fn whatever_the_cuts_every_value_arrives_whole() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let mut server = server();
        let mut clients: Vec<(Client, Vec<u8>)> = (0..3).map(|_| (Client::new(&mut server), Vec::new())).collect();
        for round in 0..12 {
            for (number, (client, expected)) in clients.iter_mut().enumerate() {
                for place in 0..1 + random.within(0..3) as u64 {
                    let bytes = [5, 20_000, 40_000, 100_000, 130_000, 300_000, 1_200_000][random.within(0..7)];
                    let (key, value) = (format!("k{number}-{place}"), value(bytes, seed * 1000 + round * 10 + place));
                    client.unread.extend_from_slice(&set(&key, &value));
                    client.unread.extend_from_slice(format!("get {key}\r\n").as_bytes());
                    expected.extend_from_slice(&[b"STORED\r\n", &found(&key, &value)[..]].concat());
                }
            }
            let cuts = [Cuts::None, Cuts::Every(70_000), Cuts::Every(17_000)][random.within(0..3)];
            while clients.iter().any(|(client, _)| client.is_busy()) {
                let (client, _) = &mut clients[random.within(0..3)];
                if client.is_busy() {
                    client.event(&mut server, &mut random, cuts);
                }
            }
        }
        for (client, expected) in &clients {
            let same = client.received.iter().zip(expected).take_while(|(one, other)| one == other).count();
            assert!(client.received == *expected, "seed {seed}: {same} of {}", expected.len());
            server.front().close(client.id);
        }
        assert_eq!(server.front().buffers_bytes(), 0);
        server.check();
    }
}
