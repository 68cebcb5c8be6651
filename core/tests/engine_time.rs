//! Expiry times of every command of every protocol, against the clock of the host and the wall clock.

mod common;

use common::{
    START,
    host::{Client, Server},
};

/// A way to give an item an expiry.
struct Way {
    name: &'static str,
    /// The item is there before.
    is_change: bool,
    /// The request on item `k` for an `exptime`.
    request: fn(u32) -> Vec<u8>,
}

fn packet(opcode: u8, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let body = (extras.len() + 1 + value.len()) as u32;
    let head = [&[0x80, opcode, 0, 1, extras.len() as u8, 0, 0, 0][..], &body.to_be_bytes(), &[0; 12]].concat();
    [&head, extras, b"k", value].concat()
}

fn text(exptime: u32, before: &str, after: &str) -> Vec<u8> {
    format!("{before}{exptime}{after}").into_bytes()
}

const WAYS: [Way; 15] = [
    way("set", false, |exptime| text(exptime, "set k 0 ", " 1\r\n1\r\n")),
    way("add", false, |exptime| text(exptime, "add k 0 ", " 1\r\n1\r\n")),
    way("replace", true, |exptime| text(exptime, "replace k 0 ", " 1\r\n1\r\n")),
    way("touch", true, |exptime| text(exptime, "touch k ", "\r\n")),
    way("gat", true, |exptime| text(exptime, "gat ", " k\r\n")),
    way("gats", true, |exptime| text(exptime, "gats ", " k\r\n")),
    way("ms T", false, |exptime| text(exptime, "ms k 1 T", "\r\n1\r\n")),
    way("mg T", true, |exptime| text(exptime, "mg k T", "\r\n")),
    way("mg N", false, |exptime| text(exptime, "mg k N", "\r\n")),
    way("ma N", false, |exptime| text(exptime, "ma k N", "\r\n")),
    way("ma T", true, |exptime| text(exptime, "ma k T", "\r\n")),
    way("md I T", true, |exptime| text(exptime, "md k I T", "\r\n")),
    way("binary set", false, |exptime| packet(0x01, &[[0; 4], exptime.to_be_bytes()].concat(), b"1")),
    way("binary touch", true, |exptime| packet(0x1c, &exptime.to_be_bytes(), b"")),
    way("binary increment", false, |exptime| packet(0x05, &[&[0; 16][..], &exptime.to_be_bytes()].concat(), b"")),
];

const fn way(name: &'static str, is_change: bool, request: fn(u32) -> Vec<u8>) -> Way {
    Way { name, is_change, request }
}

/// Asks on a connection of its own, as the first byte selects the protocol.
fn ask(server: &mut Server, request: &[u8]) -> Vec<u8> {
    let mut client = Client::new(server);
    let answer = client.ask(server, request);
    server.front().close(client.id);
    answer
}

fn is_there(server: &mut Server) -> bool {
    !ask(server, b"get k\r\n").starts_with(b"END")
}

/// Gives the item `exptime` in this way, with this relation between the clocks.
fn give(way: &Way, shards: u32, (has_fraction, wall_ahead_s): (bool, i64), exptime: u32) -> Server {
    let mut server = Server::new(&common::config(), shards, START);
    server.front().set_clock(has_fraction, wall_ahead_s);
    if way.is_change {
        assert_eq!(ask(&mut server, b"set k 0 0 1\r\n1\r\n"), b"STORED\r\n");
    }
    let answer = ask(&mut server, &(way.request)(exptime));
    let is_refused = [&b"ERROR"[..], b"CLIENT_ERROR", b"NF", b"EN", b"NOT"].iter().any(|no| answer.starts_with(no));
    assert!(!is_refused && !answer.is_empty(), "{}: {}", way.name, answer.escape_ascii());
    server
}

/// The second of the first miss after the item was given `exptime`.
fn lifetime_s(way: &Way, shards: u32, clock: (bool, i64), exptime: u32) -> u32 {
    let mut server = give(way, shards, clock, exptime);
    (0..10)
        .find(|after_s| {
            server.now = START + after_s;
            !is_there(&mut server)
        })
        .unwrap_or(u32::MAX)
}

#[test]
fn relative_times_are_rounded_up_where_the_time_has_a_fraction() {
    for shards in [0, 2] {
        for way in &WAYS {
            for wall_ahead_s in [0, 5_000, -5_000, -i64::from(START)] {
                assert_eq!(lifetime_s(way, shards, (false, wall_ahead_s), 1), 1, "{}", way.name);
                // From x.9 until (x + 1).9 at least.
                assert_eq!(lifetime_s(way, shards, (true, wall_ahead_s), 1), 2, "{}", way.name);
                assert_eq!(lifetime_s(way, shards, (true, wall_ahead_s), 3), 4, "{}", way.name);
            }
        }
    }
}

#[test]
fn absolute_times_are_the_wall_clocks_at_their_arrival() {
    for shards in [0, 2] {
        for way in &WAYS {
            for wall_ahead_s in [0, 100_000_000, -100_000_000] {
                let wall = (i64::from(START) + wall_ahead_s) as u32;
                let lifetime = |exptime| lifetime_s(way, shards, (true, wall_ahead_s), exptime);
                assert_eq!(lifetime(wall + 4), 4, "{} {wall_ahead_s}", way.name);
                assert_eq!(lifetime(wall), 0, "{} {wall_ahead_s}", way.name);
                assert_eq!(lifetime(wall - 1000), 0, "{} {wall_ahead_s}", way.name);
            }
        }
    }
}

#[test]
fn a_later_step_of_the_wall_clock_changes_no_item() {
    for way in &WAYS {
        for exptime in [4, START + 5] {
            let mut server = give(way, 2, (true, 0), exptime);
            for wall_ahead_s in [0, 1_000_000, -1_000_000] {
                server.front().set_clock(true, wall_ahead_s);
                server.now = START + 4;
                assert!(is_there(&mut server), "{}", way.name);
            }
            server.now = START + 5;
            assert!(!is_there(&mut server), "{}", way.name);
        }
    }
}

#[test]
fn the_time_that_is_left_is_shown_as_it_was_asked_for() {
    let mut server = Server::new(&common::config(), 2, START);
    server.front().set_clock(true, 0);
    assert_eq!(ask(&mut server, b"ms k 1 T30\r\n1\r\n"), b"HD\r\n");
    assert_eq!(ask(&mut server, b"mg k t\r\n"), b"HD t30\r\n");
    assert_eq!(ask(&mut server, b"mg k T20 t\r\n"), b"HD t20\r\n");
    // A reader writes anew what has less than that left.
    assert_eq!(ask(&mut server, b"mg k R20 t\r\n"), b"HD t20\r\n");
    assert_eq!(ask(&mut server, b"mg k R21 t\r\n"), b"HD t20 W\r\n");
    server.now = START + 19;
    assert_eq!(ask(&mut server, b"mg k t\r\n"), b"HD t1 Z\r\n");
    server.now = START + 20;
    assert_eq!(ask(&mut server, b"mg k t\r\n"), b"HD t1 Z\r\n");
    server.now = START + 21;
    assert_eq!(ask(&mut server, b"mg k t\r\n"), b"EN\r\n");
}

#[test]
fn a_delayed_flush_comes_no_sooner_than_it_was_asked_for() {
    let flush = |opcode_or_text: &str, exptime: u32| match opcode_or_text {
        "text" => format!("flush_all {exptime}\r\n").into_bytes(),
        _ => [&[0x80, 0x08, 0, 0, 4, 0, 0, 0, 0, 0, 0, 4][..], &[0; 12], &exptime.to_be_bytes()].concat(),
    };
    for (protocol, shards) in [("text", 0), ("text", 2), ("binary", 0), ("binary", 2)] {
        let lifetime_s = |wall_ahead_s, exptime| {
            let mut server = Server::new(&common::config(), shards, START);
            server.front().set_clock(true, wall_ahead_s);
            assert_eq!(ask(&mut server, b"set k 0 0 1\r\n1\r\n"), b"STORED\r\n");
            ask(&mut server, &flush(protocol, exptime));
            (0..10).find(|after_s| {
                server.now = START + after_s;
                !is_there(&mut server)
            })
        };
        assert_eq!(lifetime_s(0, 1), Some(2), "{protocol}");
        assert_eq!(lifetime_s(7000, START + 7003), Some(3), "{protocol}");
        assert_eq!(lifetime_s(7000, START + 3), Some(0), "{protocol}");
    }
}

#[test]
fn unix_times_that_are_shown_are_the_wall_clocks() {
    let mut server = Server::new(&common::config(), 0, 500);
    server.front().set_clock(true, 1_800_000_000);
    assert_eq!(ask(&mut server, b"set k 0 1800000600 1\r\n1\r\n"), b"STORED\r\n");
    let shown = String::from_utf8(ask(&mut server, b"lru_crawler metadump all\r\n")).unwrap();
    assert!(shown.contains(" exp=1800000600 la=1800000500 "), "{shown}");
    let shown = String::from_utf8(ask(&mut server, b"stats\r\n")).unwrap();
    assert!(shown.contains("STAT time 1800000500\r\n"), "{shown}");
}
