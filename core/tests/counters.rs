//! Statistics count what was answered, once, however often it was executed.

mod common;

use common::{
    START,
    host::{Cuts, Server},
    random::{Random, for_each_seed},
};
use std::cell::Cell;
use wasmcached_core::{
    boundary::config::{Authentication, Config, Role},
    clock::Seconds,
    command::Broadcast,
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    statistics::{Classes, Counters, HostStatistics, show_refusals},
};

/// The sums of all shards.
fn counters(server: &mut Server) -> Counters {
    let mut sum = Counters::default();
    server.each_shard().for_each(|shard| sum.merge(&shard.store().counters()));
    sum
}

/// Stores twenty keys, then reads present, absent and stale ones in every way. Under pressure, a value in four is sent in
/// pieces.
fn reads(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for key in 0..20 {
        let bytes = if key % 4 == 3 { 6000 } else { 300 };
        stream.extend(format!("set k{key} 0 0 {bytes}\r\n{key:bytes$}\r\n").as_bytes());
    }
    for _ in 0..30 {
        let keys = (0..random.within(0..30)).map(|_| format!(" k{}", random.within(0..25))).collect::<String>();
        stream.extend(
            match random.within(0..5) {
                0 => format!("get k1{keys}\r\n"),
                1 => format!("gets k1{keys}\r\nbogus\r\n"),
                2 => keys.split_terminator(' ').skip(1).map(|key| format!("mg {key} v q\r\n")).collect(),
                3 => format!(
                    "md k{} I\r\nget k1{keys}\r\n{}",
                    random.within(0..20),
                    "mg k3 v\r\nmg k4 v\r\nget k5\r\n".repeat(3)
                ),
                _ => format!("get k2{keys}\r\nset k{} 0 0 3\r\nabc\r\n", random.within(0..20)),
            }
            .as_bytes(),
        );
    }
    stream
}

/// A shard that has no room for a reply stops, and the reads of other shards behind it are executed again.
#[test]
fn a_read_counts_once_however_often_it_is_executed() {
    let repeated = Cell::new(0);
    for_each_seed(3, |seed| {
        let stream = reads(&mut Random::new(seed));
        for requests_per_event in [1, 20, 1000] {
            let config = Config { requests_per_event, ..common::config() };
            let count = |shards, room, held_elsewhere| {
                let mut server = Server::new(&config, shards, START);
                server.room = room;
                server.front().set_held_elsewhere(held_elsewhere);
                server.replay(&stream, Cuts::Random, seed);
                let Counters { cmd_get, cmd_set, get_hits, get_misses, .. } = counters(&mut server);
                let mut classes = Vec::new();
                server.each_shard().for_each(|shard| shard.broadcast(Broadcast::Classes, START, &mut classes));
                let hits_of_classes = Classes::decode_merged(&classes).0.iter().map(|class| class.store.get_hits).sum();
                ((cmd_get, get_hits, get_misses, hits_of_classes, cmd_set), server.cut_short)
            };
            let (expected, _) = count(0, usize::MAX, 0);
            assert!(expected.1 > 100 && expected.2 > 20 && u64::eq(&expected.1, &expected.3), "{expected:?}");
            // Little enough is left that values are sent in short pieces.
            let pressure = config.buffers_bytes() as u32 - (1 << 20);
            for (held_elsewhere, shards) in
                [0, pressure].into_iter().flat_map(|held| [0, 1, 2, 5].map(|one| (held, one)))
            {
                for room in [0, 100, 700, 2000, usize::MAX] {
                    let (counted, cut_short) = count(shards, room, held_elsewhere);
                    repeated.set(repeated.get() + cut_short);
                    assert_eq!(
                        counted, expected,
                        "seed {seed}, {shards} shards, room {room}, -R {requests_per_event}, {held_elsewhere} bytes held"
                    );
                }
            }
        }
    });
    assert!(repeated.get() > 1000, "{} carries were cut short", repeated.get());
}

/// The statistics of everything that a front refused.
fn refusals(engine: &mut Engine) -> HostStatistics {
    let mut statistics = HostStatistics::default();
    show_refusals(&mut statistics, &engine.front().expect("a front").refusals().counts().map(u64::from));
    statistics
}

/// One event with this input; all of the output is sent.
fn event(engine: &mut Engine, id: ConnectionId, bytes: &[u8], now: Seconds) -> ConnectionStatus {
    let front = engine.front().expect("a front");
    front.input(id)[..bytes.len()].copy_from_slice(bytes);
    let status = engine.advance(id, bytes.len(), now);
    let front = engine.front().expect("a front");
    let output_bytes = front.output(id).len();
    if status.has(ConnectionStatus::OUTPUT) { front.consume(id, output_bytes) } else { status }
}

#[test]
fn requests_that_their_connection_cuts_off_are_counted() {
    let mut engine = Engine::new(&common::config(), START).expect("memory");
    let mut cut = 0;
    for (bytes, is_cut) in [
        (&b"get a\r\n"[..], false),
        (b"", false),
        (b"get a\r\nget", true),
        (b"set a 0 0 10\r\n12345", true),
        (b"set a 0 0 2000000\r\n12345", true),
        (b"\x80\x01", true),
        (b"quit\r\nget", false),
        (b"GET / HTTP/1.1\r\nHost", false),
    ] {
        let id = engine.front().expect("a front").open(false);
        if !bytes.is_empty() {
            event(&mut engine, id, bytes, START);
        }
        engine.front().expect("a front").close(id);
        cut += u64::from(is_cut);
        assert_eq!(refusals(&mut engine).requests_cut, cut, "{}", bytes.escape_ascii());
    }
    assert_eq!(refusals(&mut engine).request_errors, 1);
}

/// A connection that is ended because others need its room counts once: with its request, or with its replies.
#[test]
fn connections_that_are_ended_for_their_memory_are_counted() {
    for (unread, expected) in [
        (&b"set a 0 0 5000\r\n12345"[..], HostStatistics { read_buf_oom: 1, ..HostStatistics::default() }),
        (b"get a\r\n", HostStatistics { response_obj_oom: 1, ..HostStatistics::default() }),
    ] {
        let mut server = Server::solo(&common::config(), START);
        let id = server.open();
        server.receive(id, unread);
        if unread.ends_with(b"\r\n") {
            server.consume(id, 0);
        }
        assert_eq!(server.front().largest_holder(START + 1000).map(|(holder, _)| holder), Some(id));
        let status = server.front().shed(id);
        assert!(status.has(ConnectionStatus::CLOSE));
        server.front().close(id);
        let mut statistics = HostStatistics::default();
        show_refusals(&mut statistics, &server.front().refusals().counts().map(u64::from));
        assert_eq!(statistics, expected, "{}", unread.escape_ascii());
    }
}

#[test]
fn requests_that_a_lost_shard_leaves_are_counted() {
    let config = Config { role: Role::Front, shards: 1, ..common::config() };
    let mut engine = Engine::new(&config, START).expect("memory");
    let id = engine.front().expect("a front").open(false);
    assert_eq!(event(&mut engine, id, b"get a b\r\nset c 0 0 1\r\n1\r\n", START), ConnectionStatus::RUNS);
    let runs = engine.front().expect("a front").runs().0.len();
    for run in 0..runs {
        engine.front().expect("a front").reply(run, u32::MAX, 0).expect("there is such a run");
    }
    engine.resume(START);
    assert_eq!(refusals(&mut engine), HostStatistics { requests_lost: 3, ..HostStatistics::default() });
}

#[test]
fn datagrams_that_are_refused_are_counted() {
    const HEADER: &[u8] = b"\0\x01\0\0\0\x01\0\0";
    for (payload, verified, refused, errors) in [
        (&b"get a\r\n"[..], false, 0, 0),
        (b"set a 0 0 1 noreply\r\n1\r\n", false, 0, 0),
        // A stranger gets no errors, and no long answers.
        (b"bogus\r\n", false, 1, 1),
        (b"bogus\r\n", true, 0, 1),
        (b"stats\r\n", false, 1, 0),
    ] {
        let mut engine = Engine::new(&common::config(), START).expect("memory");
        let id = engine.front().expect("a front").open_datagrams(verified);
        let mut status = event(&mut engine, id, &[HEADER, payload].concat(), START);
        while status.has(ConnectionStatus::RUNS) {
            let answer = HostStatistics::default().encode();
            engine.front().expect("a front").reply(0, 1, answer.len()).expect("a run").copy_from_slice(&answer);
            status = engine.resume(START);
        }
        let expected =
            HostStatistics { datagrams_refused: refused, request_errors: errors, ..HostStatistics::default() };
        assert_eq!(refusals(&mut engine), expected, "{}, verified: {verified}", payload.escape_ascii());
    }
    for datagram in [&b"get a\r\n"[..], b"\0\x01\0\0\0\x02\0\0get a\r\n", HEADER] {
        let mut engine = Engine::new(&common::config(), START).expect("memory");
        let id = engine.front().expect("a front").open_datagrams(true);
        event(&mut engine, id, datagram, START);
        assert_eq!(refusals(&mut engine).datagrams_refused, 1, "{}", datagram.escape_ascii());
    }
    // Datagrams have no logins.
    let config = Config { authentication: Authentication::Text, ..common::config() };
    let mut engine = Engine::new(&config, START).expect("memory");
    let id = engine.front().expect("a front").open_datagrams(true);
    event(&mut engine, id, &[HEADER, b"get a\r\n"].concat(), START);
    assert_eq!(refusals(&mut engine).datagrams_refused, 1);
}
