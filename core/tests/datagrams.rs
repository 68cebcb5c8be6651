//! Datagrams through a front: solo and with shards, text and packets. No datagram has an effect on the next.

mod common;

use common::host::Server;
use wasmcached_core::{
    boundary::{config::Config, host::HostRequest},
    front::{ConnectionId, ConnectionStatus},
    limits::{DATAGRAM_BYTES_MAX, DATAGRAM_HEADER_BYTES},
};

const NOW: u32 = 1_800_000_000;
const HEADER: [u8; 8] = [0xab, 0xcd, 0, 0, 0, 1, 0, 0];

fn each_server(config: &Config, mut test: impl FnMut(&mut Server)) {
    test(&mut Server::solo(config, NOW));
    test(&mut Server::sharded(config, 3, NOW));
}

/// Sends one datagram with `payload`, returns the datagrams that come back.
fn exchange(server: &mut Server, id: ConnectionId, payload: &[u8]) -> Vec<Vec<u8>> {
    let datagram = [&HEADER, payload].concat();
    let window = server.front().input(id);
    window[..datagram.len()].copy_from_slice(&datagram);
    let mut status = server.advance(id, datagram.len());
    let mut replies = Vec::new();
    while status.has(ConnectionStatus::OUTPUT) {
        replies.push(server.front().output(id).to_vec());
        // Every second datagram is lost: unsent output is not sent again.
        let sent = if replies.len() % 2 == 0 { 0 } else { replies.last().unwrap().len() };
        status = server.front().consume(id, sent);
    }
    assert_eq!(status, ConnectionStatus::default());
    assert_eq!(server.front().buffers_bytes(), 0);
    replies
}

/// The payload of a series.
fn joined(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (number, datagram) in datagrams.iter().enumerate() {
        assert!(datagram.len() <= DATAGRAM_BYTES_MAX);
        let (number, count) = ((number as u16).to_be_bytes(), (datagrams.len() as u16).to_be_bytes());
        assert_eq!(datagram[..8], [0xab, 0xcd, number[0], number[1], count[0], count[1], 0, 0]);
        payload.extend_from_slice(&datagram[DATAGRAM_HEADER_BYTES..]);
    }
    payload
}

#[test]
fn requests_are_answered_in_one_series() {
    each_server(&Config::default(), |server| {
        let id = server.front().open_datagrams(true);
        let big = vec![b'x'; 300_000];
        let mut ask = |payload: &[u8]| joined(&exchange(server, id, payload));
        assert_eq!(ask(b"set a 0 0 1\r\n1\r\nset b 5 0 2 noreply\r\n22\r\n"), b"STORED\r\n");
        assert_eq!(
            ask(b"get a\r\nget b none\r\nversion\r\n"),
            b"VALUE a 0 1\r\n1\r\nEND\r\nVALUE b 5 2\r\n22\r\nEND\r\nVERSION 1.6.45\r\n"
        );
        let many = "get a\r\n".repeat(500);
        assert_eq!(ask(many.as_bytes()), "VALUE a 0 1\r\n1\r\nEND\r\n".repeat(500).as_bytes());
        assert_eq!(ask(b"mg a v\r\nmn\r\n"), b"VA 1\r\n1\r\nMN\r\n");
        assert_eq!(ask(b"quit\r\nversion\r\n"), b"");
        assert_eq!(ask(b"foo\r\n"), b"ERROR\r\n");
        assert_eq!(ask(b"watch\r\n"), b"CLIENT_ERROR watch commands not allowed\r\n");
        let mut packet = vec![0x80, 0x0b];
        packet.resize(24, 0);
        assert!(ask(&packet).ends_with(b"1.6.45"));
        assert_eq!(ask(b"version\r\n"), b"VERSION 1.6.45\r\n", "the protocol is chosen anew");
        assert!(ask(b"stats\r\n").ends_with(b"END\r\n"));

        // A value larger than a datagram is stored through a stream and read through datagrams.
        let stream = server.open();
        let set = [format!("set big 0 0 {}\r\n", big.len()).as_bytes(), &big, b"\r\n"].concat();
        let mut rest = &set[..];
        while !rest.is_empty() {
            let window = server.front().input(stream);
            let taken = rest.len().min(window.len());
            window[..taken].copy_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            server.advance(stream, taken);
        }
        let replies = exchange(server, id, b"get big\r\n");
        assert_eq!(replies.len(), 216);
        assert_eq!(joined(&replies), [b"VALUE big 0 300000\r\n", &big[..], b"\r\nEND\r\n"].concat());
        let refused = joined(&exchange(server, id, "get big\r\n".repeat(4).as_bytes()));
        assert_eq!(refused, b"SERVER_ERROR too large for UDP\r\n");
        assert_eq!(joined(&exchange(server, id, b"version\r\n")), b"VERSION 1.6.45\r\n");
    });
}

#[test]
fn nothing_is_left_for_the_next_datagram() {
    each_server(&Config::default(), |server| {
        let id = server.front().open_datagrams(true);
        for half in
            [&b"set a 0 0 5\r\nab"[..], b"get a", b"set a 0 0 3\r\n", b"set a 0 0 9999999\r\nversion\r\n", &[0x80; 30]]
        {
            assert!(!joined(&exchange(server, id, half)).starts_with(b"STORED"));
            assert_eq!(joined(&exchange(server, id, b"get a\r\n")), b"END\r\n", "{half:?}");
        }
        for junk in
            [&b""[..], b"\r\n", b"get", &HEADER[..7], &[0; 8], &[0, 0, 0, 0, 0, 2, 0, 0, b'm', b'n', b'\r', b'\n']]
        {
            let window = server.front().input(id);
            window[..junk.len()].copy_from_slice(junk);
            assert_eq!(server.advance(id, junk.len()), ConnectionStatus::default(), "{junk:?}");
        }
    });
}

#[test]
fn nothing_is_shown_for_longer_than_an_answer_takes() {
    each_server(&Config::default(), |server| {
        for id in [server.front().open_datagrams(true), server.front().open_datagrams(false)] {
            let mut ask = |payload: &[u8]| joined(&exchange(server, id, payload));
            assert_eq!(ask(b"watch fetchers mutations evictions\r\n"), b"CLIENT_ERROR watch commands not allowed\r\n");
            assert_eq!(ask(b"lru_crawler metadump all\r\n"), b"ERROR metadump not allowed\r\n");
            assert_eq!(ask(b"lru_crawler mgdump hash\r\n"), b"ERROR key dump not allowed\r\n");
            assert_eq!(ask(b"stats cachedump 1 0\r\n"), b"CLIENT_ERROR stats cachedump not allowed\r\n");
            assert_eq!(ask(b"version\r\n"), b"VERSION 1.6.45\r\n");
            let watched = server.asked.iter().any(|request| matches!(request, HostRequest::Watch(_)));
            assert!(!watched, "the host was asked");
        }
    });
}

#[test]
fn a_datagram_asks_everybody_no_more_often_than_a_turn_does() {
    let config = Config { requests_per_event: 3, ..Config::default() };
    each_server(&config, |server| {
        let id = server.front().open_datagrams(true);
        let requests = b"verbosity 1 noreply\r\n".repeat(100);
        assert!(exchange(server, id, &requests).is_empty());
        assert_eq!(server.asked, [HostRequest::Verbosity(1); 3]);
        assert_eq!(joined(&exchange(server, id, &b"version\r\n".repeat(9))), b"VERSION 1.6.45\r\n".repeat(9));
    });
}

#[test]
fn strangers_are_sent_little() {
    let config = Config { udp_amplification: 3, ..Config::default() };
    each_server(&config, |server| {
        let (friend, stranger) = (server.front().open_datagrams(true), server.front().open_datagrams(false));
        let value = [b'x'; 1000];
        let set = [b"set a 0 0 1000\r\n", &value[..], b"\r\n"].concat();
        assert_eq!(joined(&exchange(server, stranger, &set)), b"STORED\r\n");
        assert_eq!(joined(&exchange(server, friend, b"get a\r\n")).len(), 1023);
        for payload in [
            &b"get a\r\n"[..],
            b"stats\r\n",
            b"get a a a a a a a\r\n",
            b"stats settings\r\n",
            b"mg a v\r\n",
            b"mn\r\n",
            b"x\r\n",
        ] {
            let sent: usize = exchange(server, stranger, payload).iter().map(Vec::len).sum();
            assert!(sent <= 3 * (8 + payload.len()), "{payload:?}: {sent}");
        }
        assert_eq!(joined(&exchange(server, stranger, b"get a\r\n")), b"SERVER_ERROR too large for UDP\r\n");
        assert!(exchange(server, stranger, b"ERROR\r\n").is_empty());
    });
    let config = Config { udp_amplification: 0, ..config };
    each_server(&config, |server| {
        let stranger = server.front().open_datagrams(false);
        assert!(joined(&exchange(server, stranger, b"stats\r\n")).ends_with(b"END\r\n"));
    });
}
