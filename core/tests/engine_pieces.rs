//! Answers whose length clients decide (`stats detail dump`, `stats sizes`, `stats conns`, listings) and turns whose work
//! clients decide: bounded memory, bounded work of a turn, and an error in place of the end where a part was lost.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use std::collections::BTreeMap;
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    front::ConnectionStatus,
    limits,
};

/// The shards of a server with the default memory.
const SHARDS: u32 = 16;
const SERVER_BYTES: u64 = 64 << 20;

fn config(shards: u32) -> Config {
    let memory_bytes = SERVER_BYTES / u64::from(shards.max(1));
    let store = StoreConfig { memory_bytes, memory_bytes_capacity: memory_bytes, ..common::config().store };
    Config { store, track_sizes: true, ..common::config() }
}

fn server(shards: u32) -> Server {
    Server::new(&config(shards), shards, START)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn statistic(server: &mut Server, name: &str) -> u64 {
    let mut client = Client::new(server);
    let stats = client.ask(server, b"stats\r\n");
    let line = text(&stats).lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Asks and collects the answer turn by turn, as a host does: the answer and the number of turns. `between` happens after
/// each turn; no turn may have more than `output_bytes_max` bytes of output.
fn ask_in_turns(
    server: &mut Server,
    request: &[u8],
    output_bytes_max: usize,
    mut between: impl FnMut(&mut Server),
) -> (Vec<u8>, usize) {
    let client = Client::new(server);
    let (mut answer, mut turns) = (Vec::new(), 1);
    let (taken, mut status) = server.receive(client.id, request);
    assert_eq!(taken, request.len());
    loop {
        let output = server.front().output(client.id).to_vec();
        assert!(output.len() <= output_bytes_max, "{} bytes of output", output.len());
        answer.extend_from_slice(&output);
        server.consume(client.id, output.len());
        between(server);
        if !status.has(ConnectionStatus::MORE) {
            assert_eq!(server.front().buffers_bytes(), 0);
            return (answer, turns);
        }
        status = server.advance(client.id, 0);
        turns += 1;
    }
}

/// Reads of `count` different prefixes of 249 bytes.
fn read_prefixes(server: &mut Server, count: usize) {
    let mut client = Client::new(server);
    let mut requests = Vec::new();
    for number in 0..count {
        requests.extend_from_slice(format!("mg {number:0>248}: q\r\n").as_bytes());
    }
    assert_eq!(client.ask(server, &requests), b"");
}

#[test]
fn prefixes_of_all_shards_together_have_a_share_of_the_memory() {
    for shards in [0, 1, 4, SHARDS] {
        let mut server = server(shards);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
        let pool_bytes = statistic(&mut server, "pool_bytes");
        assert_eq!((pool_bytes, statistic(&mut server, "prefix_bytes")), (SERVER_BYTES, 0));
        const PREFIXES: usize = 20_000;
        read_prefixes(&mut server, PREFIXES);
        let taken = statistic(&mut server, "prefix_bytes");
        let share = SERVER_BYTES / limits::PREFIX_MEMORY_DENOMINATOR;
        let row_bytes = 248 + limits::PREFIX_ROW_BYTES as u64;
        assert!((share - u64::from(shards.max(1)) * row_bytes..=share).contains(&taken), "{taken} bytes");
        // The items give the memory up.
        assert_eq!(statistic(&mut server, "pool_bytes"), SERVER_BYTES - taken);
        assert_eq!(statistic(&mut server, "prefixes_not_counted"), PREFIXES as u64 - taken / row_bytes);
        server.check();
        // Prefixes that are kept are shown whole, in bounded pieces.
        let line_bytes = b"PREFIX  get 1 hit 0 set 0 del 0\r\n".len() + 248;
        let output_bytes_max = limits::DUMP_PIECE_BYTES as usize + (shards as usize + 1) * 2 * line_bytes;
        let (answer, turns) = ask_in_turns(&mut server, b"stats detail dump\r\n", output_bytes_max, |_| ());
        assert_eq!(answer.len() as u64, taken / row_bytes * line_bytes as u64 + 5);
        assert!(answer.ends_with(b" del 0\r\nEND\r\n") && turns > 20, "{turns} turns");
        let mut lines: Vec<_> = text(&answer).lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len() as u64, taken / row_bytes + 1, "each prefix is shown once");
        // `off` keeps the counts, as in memcached; `reset` drops them.
        assert_eq!(client.ask(&mut server, b"stats detail off\r\n"), b"OK\r\n");
        assert_eq!(statistic(&mut server, "prefix_bytes"), taken);
        assert_eq!(client.ask(&mut server, b"stats reset\r\n"), b"RESET\r\n");
        assert_eq!(client.ask(&mut server, b"stats detail dump\r\n"), b"END\r\n");
        assert_eq!((statistic(&mut server, "pool_bytes"), statistic(&mut server, "prefix_bytes")), (SERVER_BYTES, 0));
        assert_eq!(statistic(&mut server, "prefixes_not_counted"), 0);
        server.check();
    }
}

#[test]
fn counts_of_a_prefix_are_summed_over_all_shards_however_many_pieces_there_are() {
    for shards in [0, 3, SHARDS] {
        let mut server = server(shards);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
        let mut expected = BTreeMap::new();
        for prefix in 0..200 {
            for key in 0..=prefix % 37 {
                let name = format!("prefix-{prefix:0>60}");
                let request = format!("set {name}:{key} 0 0 1\r\n1\r\nget {name}:{key} {name}:none\r\n");
                assert!(client.ask(&mut server, request.as_bytes()).starts_with(b"STORED\r\nVALUE "));
                let counts = expected.entry(name).or_insert((0, 0, 0));
                *counts = (counts.0 + 2, counts.1 + 1, counts.2 + 1);
            }
        }
        // Counts nothing, so it makes no prefix, as in memcached.
        assert_eq!(client.ask(&mut server, b"incr other:1 1\r\ntouch other:1 1\r\n"), b"NOT_FOUND\r\nNOT_FOUND\r\n");
        let (answer, turns) = ask_in_turns(&mut server, b"stats detail dump\r\n", 64 << 10, |_| ());
        let mut lines: Vec<_> = text(&answer).lines().collect();
        assert_eq!(lines.pop(), Some("END"));
        lines.sort_unstable();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, (gets, hits, sets))| format!("PREFIX {name} get {gets} hit {hits} set {sets} del 0"))
            .collect();
        assert_eq!(lines, expected);
        assert!(turns > 1, "{turns} turns");
    }
}

/// One size for each step, as many as fit.
fn store_sizes(server: &mut Server, sizes: usize) {
    let mut client = Client::new(server);
    for step in 0..sizes {
        let bytes = step * 32;
        let request = format!("set size-{step} 0 0 {bytes} noreply\r\n{:bytes$}\r\n", "");
        assert_eq!(client.ask(server, request.as_bytes()), b"");
    }
}

#[test]
fn sizes_come_in_pieces_and_in_order() {
    for shards in [0, SHARDS] {
        let mut server = server(shards);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, b"stats sizes\r\n"), b"END\r\n");
        // Items are at most 8 KiB here, so there are few sizes; many keys of each.
        store_sizes(&mut server, 240);
        let (answer, _) = ask_in_turns(&mut server, b"stats sizes\r\n", 64 << 10, |_| ());
        let sizes: Vec<(u32, u32)> = text(&answer)
            .lines()
            .filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '))
            .map(|(bytes, count)| (bytes.parse().unwrap(), count.parse().unwrap()))
            .collect();
        assert!(answer.ends_with(b"\r\nEND\r\n"));
        assert!(sizes.is_sorted() && sizes.windows(2).all(|pair| pair[0].0 < pair[1].0), "{sizes:?}");
        assert_eq!(sizes.iter().map(|(_, count)| count).sum::<u32>(), 240);
    }
    let mut server = Server::sharded(&Config { track_sizes: false, ..config(3) }, 3, START);
    let mut client = Client::new(&mut server);
    assert_eq!(client.ask(&mut server, b"stats sizes\r\n"), b"STAT sizes_status disabled\r\nEND\r\n");
}

/// A packet with a key.
fn packet(opcode: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode, 0, key.len() as u8, 0, 0, 0, 0, 0, 0, 0, key.len() as u8];
    bytes.resize(24, 0);
    bytes.extend_from_slice(key);
    bytes
}

#[test]
fn a_packet_has_the_whole_dump_where_it_is_short_and_several_have_a_long_one() {
    for shards in [0, SHARDS] {
        for (prefixes, is_whole) in [(50, true), (2000, false)] {
            let mut server = server(shards);
            let mut client = Client::new(&mut server);
            assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
            read_prefixes(&mut server, prefixes);
            let text_dump = client.ask(&mut server, b"stats detail dump\r\n");
            let output_bytes_max = 3 * limits::DUMP_PACKET_BYTES as usize;
            let (answer, _) = ask_in_turns(&mut server, &packet(0x10, b"detail dump"), output_bytes_max, |_| ());
            let (mut rest, mut values, mut packets) = (&answer[..], Vec::new(), 0);
            loop {
                let total = u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
                assert_eq!(rest[6..8], [0, 0], "status");
                let key_bytes = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
                let body = &rest[24..24 + total];
                rest = &rest[24 + total..];
                if total == 0 {
                    break;
                }
                assert_eq!(&body[..key_bytes], b"detailed");
                values.extend_from_slice(&body[key_bytes..]);
                packets += 1;
            }
            assert!(rest.is_empty());
            assert_eq!(packets == 1, is_whole, "{packets} packets");
            let sorted = |bytes: &[u8]| {
                let mut lines: Vec<_> = text(bytes).lines().map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            assert!(values.ends_with(b"END\r\n"));
            assert_eq!(sorted(&values), sorted(&text_dump));
        }
    }
}

/// A server with items of two sizes, and an empty class between them.
fn filled(shards: u32, items: usize) -> Server {
    let mut server = server(shards);
    let mut client = Client::new(&mut server);
    let mut requests = Vec::new();
    for number in 0..items {
        requests.extend_from_slice(format!("set key-{number} 0 0 10 noreply\r\n0123456789\r\n").as_bytes());
    }
    assert_eq!(client.ask(&mut server, &requests), b"");
    server
}

#[test]
fn a_piece_of_a_walk_ends_the_turn_whether_it_shows_items_or_not() {
    const ITEMS: usize = 20_000;
    for shards in [0, 1, SHARDS] {
        let mut server = filled(shards, ITEMS);
        let class = {
            let mut client = Client::new(&mut server);
            let items = client.ask(&mut server, b"stats items\r\n");
            text(&items).split(':').nth(1).unwrap().to_owned()
        };
        let least_turns = ITEMS / limits::WALK_ITEMS_MAX as usize / 2;
        for request in [
            "lru_crawler metadump all\r\n".to_owned(),
            "lru_crawler mgdump all\r\n".to_owned(),
            format!("stats cachedump {class} 0\r\n"),
            // Shows nothing, and looks at every item.
            "stats cachedump 60 0\r\n".to_owned(),
            "lru_crawler metadump 60\r\n".to_owned(),
        ] {
            let mut other = Client::new(&mut server);
            let (answer, turns) = ask_in_turns(&mut server, request.as_bytes(), 64 << 10, |server| {
                // Another connection is served between two pieces.
                assert_eq!(other.ask(server, b"get key-7\r\n"), b"VALUE key-7 0 10\r\n0123456789\r\nEND\r\n");
            });
            assert!(answer.ends_with(b"END\r\n") || answer.ends_with(b"EN\r\n"), "{request}");
            assert!(turns >= least_turns, "{request}: {turns} turns for {ITEMS} items");
            let shown = answer.windows(4).filter(|window| window == b"key-").count();
            assert_eq!(shown, if request.contains("60") { 0 } else { ITEMS }, "{request}");
        }
    }
}

#[test]
fn walks_for_statistics_end_the_turn() {
    for shards in [0, 3] {
        for request in ["stats items\r\n", "stats slabs\r\n", "lru_crawler crawl all\r\n"] {
            let mut server = filled(shards, 2000);
            let yields = server.front().yields();
            let (answer, turns) = ask_in_turns(&mut server, request.repeat(10).as_bytes(), 1 << 20, |_| ());
            let ends = if request.starts_with("stats") { "END\r\n" } else { "OK\r\n" };
            assert_eq!((text(&answer).matches(ends).count(), turns), (10, 10), "{request}");
            assert_eq!(server.front().yields(), yields);
        }
        // A request that follows in the same read is still pipelined.
        let mut server = filled(shards, 10);
        let mut client = Client::new(&mut server);
        let answer = client.ask(&mut server, b"stats items\r\nlru_crawler metadump all\r\nversion\r\n");
        let expected = "END\r\nERROR cannot pipeline other commands before metadump\r\nVERSION 1.6.45\r\n";
        assert!(text(&answer).ends_with(expected), "{}", text(&answer));
    }
}

/// memcached executes them all in one turn; the answers are the same.
#[test]
fn a_turn_has_bounded_commands_even_if_they_are_no_requests() {
    const COMMANDS: usize = 5000;
    let packets = {
        let quiet = packet(0x0d, b"k").repeat(COMMANDS / 3);
        [quiet, [&[0x80, 10][..], &[0; 22]].concat()].concat()
    };
    for shards in [0, 3] {
        for (name, request, expected) in [
            ("quiet mg", [b"mg absent q\r\n".repeat(COMMANDS - 200), b"mn\r\n".to_vec()].concat(), b"MN\r\n".to_vec()),
            ("keys", [b"get".to_vec(), b" absent".repeat(COMMANDS), b"\r\n".to_vec()].concat(), b"END\r\n".to_vec()),
            ("packets", packets.clone(), [&[0x81, 10][..], &[0; 22]].concat()),
        ] {
            let mut server = server(shards);
            let least_turns = COMMANDS / 3 / limits::TURN_COMMANDS_MAX as usize + 1;
            let mut executed = 0;
            let (answer, turns) = ask_in_turns(&mut server, &request, 1 << 10, |server| {
                let reads = statistic(server, "cmd_get");
                assert!(
                    reads - executed <= u64::from(limits::TURN_COMMANDS_MAX) + 64,
                    "{name}: {reads} after {executed}"
                );
                executed = reads;
            });
            assert_eq!(answer, expected, "{name}");
            assert!(turns >= least_turns, "{name}: {turns} turns");
            assert!(executed >= (COMMANDS / 3) as u64, "{name}: {executed}");
        }
    }
}

#[test]
fn a_dump_that_lost_a_shard_on_the_way_does_not_end_as_usual() {
    const INCOMPLETE: &[u8] = b"SERVER_ERROR the dump is incomplete: a part of the cache was restarted empty\r\n";
    for (request, end) in [
        (&b"lru_crawler metadump all\r\n"[..], &b"END\r\n"[..]),
        (b"lru_crawler mgdump all\r\n", b"EN\r\n"),
        (b"stats cachedump 60 0\r\n", b"END\r\n"),
        (b"stats detail dump\r\n", b"END\r\n"),
        (b"stats sizes\r\n", b"END\r\n"),
    ] {
        for lost_after in [0, 1, 3] {
            let mut server = filled(4, 4000);
            let mut client = Client::new(&mut server);
            assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
            read_prefixes(&mut server, 1000);
            store_sizes(&mut server, 240);
            server.traps_after = Some(lost_after + u32::from(request.starts_with(b"lru")) * 4);
            let (answer, _) = ask_in_turns(&mut server, request, 1 << 20, |_| ());
            if server.losses == 0 {
                // The dump was shorter than that.
                assert!(request.starts_with(b"stats sizes") && answer.ends_with(end), "{}", text(request));
                continue;
            }
            assert!(answer.ends_with(INCOMPLETE), "{} after {lost_after}", text(request));
            assert!(!text(&answer).contains("\r\nEND") && !text(&answer).contains("\r\nEN\r"));
            // The connection goes on, and the next dump is whole.
            let (answer, _) = ask_in_turns(&mut server, request, 1 << 20, |_| ());
            assert!(answer.ends_with(end) && !text(&answer).contains("SERVER_ERROR"), "{}", text(request));
        }
    }
}

/// Another client's request lost it; the dump itself met no fault.
#[test]
fn a_shard_that_was_replaced_between_two_pieces_is_noticed() {
    for request in [&b"lru_crawler metadump all\r\n"[..], b"stats cachedump 60 0\r\n", b"stats detail dump\r\n"] {
        let mut server = filled(4, 4000);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
        read_prefixes(&mut server, 1000);
        let mut turns = 0;
        let (answer, _) = ask_in_turns(&mut server, request, 1 << 20, |server| {
            turns += 1;
            if turns == 2 {
                server.lose_shard(3);
            }
        });
        assert!(answer.ends_with(b"restarted empty\r\n") && !answer.ends_with(b"END\r\n"), "{}", text(request));
        assert!(turns <= 3, "it ends with the next piece");
    }
}

#[test]
fn a_slow_reader_of_a_dump_holds_one_piece() {
    let mut server = filled(4, 1000);
    let mut client = Client::new(&mut server);
    assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
    read_prefixes(&mut server, 3000);
    for request in [&b"stats detail dump\r\n"[..], b"stats sizes\r\n", b"lru_crawler metadump all\r\n"] {
        let clients: Vec<_> = (0..50).map(|_| Client::new(&mut server)).collect();
        for client in &clients {
            server.receive(client.id, request);
            server.consume(client.id, 0);
        }
        let held = server.front().buffers_bytes();
        assert!(held <= clients.len() * limits::OUTPUT_BYTES_HIGH, "{held}");
        for mut client in clients {
            client.status = server.consume(client.id, 0);
            client.drain(&mut server, &mut Random::new(1), Cuts::None);
            assert!(client.received.ends_with(b"END\r\n"));
        }
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

#[test]
fn a_dump_in_a_datagram_is_whole_or_refused() {
    let datagram = |payload: &[u8]| [b"\0\x05\0\0\0\x01\0\0", payload].concat();
    for shards in [0, 4] {
        for (prefixes, is_short) in [(30, true), (4000, false)] {
            let mut server = server(shards);
            let mut client = Client::new(&mut server);
            assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
            read_prefixes(&mut server, prefixes);
            let id = server.front().open_datagrams(true);
            let (_, mut status) = server.receive(id, &datagram(b"stats detail dump\r\n"));
            let mut answer = Vec::new();
            while status.has(ConnectionStatus::OUTPUT) {
                answer.extend_from_slice(&server.front().output(id)[8..]);
                status = server.consume(id, 0);
            }
            if is_short {
                assert!(answer.starts_with(b"PREFIX ") && answer.ends_with(b"\r\nEND\r\n"));
                assert_eq!(text(&answer).lines().count(), prefixes + 1);
            } else {
                assert_eq!(text(&answer), "SERVER_ERROR too large for UDP\r\n");
            }
            // Nothing of it is left for the next datagram.
            server.receive(id, &datagram(b"version\r\n"));
            assert_eq!(server.front().output(id)[8..], *b"VERSION 1.6.45\r\n");
        }
    }
}

#[test]
fn prefixes_too_large_for_a_lowered_limit_are_dropped() {
    let mut server = server(0);
    let mut client = Client::new(&mut server);
    assert_eq!(client.ask(&mut server, b"stats detail on\r\n"), b"OK\r\n");
    read_prefixes(&mut server, 20_000);
    let taken = statistic(&mut server, "prefix_bytes");
    for shard in server.each_shard() {
        assert!(!shard.set_limit(1 << 10), "too small for a store");
    }
    assert_eq!(statistic(&mut server, "prefix_bytes"), taken, "a refused limit changes nothing");
    for shard in server.each_shard() {
        assert!(shard.set_limit(SERVER_BYTES / 2));
    }
    assert_eq!(statistic(&mut server, "prefix_bytes"), 0);
    assert_eq!(statistic(&mut server, "pool_bytes"), SERVER_BYTES / 2);
    server.check();
}
