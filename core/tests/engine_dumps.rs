//! Listings of all items while other clients store and delete: an item that stays is listed once, a slow reader holds
//! little memory, and no other client waits.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use std::collections::BTreeMap;
use wasmcached_core::{
    boundary::{
        config::{Config, StoreConfig},
        listing::{BEGIN, END, Piece},
    },
    clock::Expiry,
    command::{Broadcast, Command, Operation, StoreMode, StoreOptions, Walk},
    front::ConnectionStatus,
    limits,
    shard::Shard,
};

const STAYING: usize = 4_000;

fn servers() -> [Server; 2] {
    let config = Config {
        store: StoreConfig { memory_bytes: 64 << 20, memory_bytes_capacity: 64 << 20, ..common::config().store },
        ..common::config()
    };
    let part = Config {
        store: StoreConfig { memory_bytes: 32 << 20, memory_bytes_capacity: 32 << 20, ..common::config().store },
        ..common::config()
    };
    [Server::solo(&config, START), Server::sharded(&part, 3, START)]
}

/// Stores (or deletes) the numbers of `range` under `name`.
fn change(server: &mut Server, client: &mut Client, name: &str, range: std::ops::Range<usize>, store: bool) {
    let mut requests = Vec::new();
    for number in range {
        let request = if store {
            format!("set {name}-{number} 0 0 {0} noreply\r\n{1:2$}\r\n", number % 90 + 6, number, number % 90 + 6)
        } else {
            format!("delete {name}-{number} noreply\r\n")
        };
        requests.extend_from_slice(request.as_bytes());
    }
    assert_eq!(client.ask(server, &requests), b"");
}

/// Number of times that each key that begins `stays` was listed.
fn listed(answer: &[u8], before: &str, after: &str) -> BTreeMap<String, usize> {
    let text = std::str::from_utf8(answer).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix(before)
            && rest.starts_with("stays")
        {
            let key = if after.is_empty() { rest } else { rest.split_once(after).unwrap().0 };
            *counts.entry(key.to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn an_item_that_stays_is_listed_once() {
    for (command, before, after, last) in
        [("lru_crawler metadump all\r\n", "key=", " ", "END\r\n"), ("lru_crawler mgdump hash\r\n", "mg ", "", "EN\r\n")]
    {
        for (seed, mut server) in servers().into_iter().enumerate() {
            let mut random = Random::new(seed as u64);
            let mut other = Client::new(&mut server);
            change(&mut server, &mut other, "stays", 0..STAYING, true);
            let mut client = Client::new(&mut server);
            client.unread.extend_from_slice(command.as_bytes());
            let mut round = 0;
            while client.is_busy() {
                client.event(&mut server, &mut random, Cuts::Every(1024));
                // The index grows, shrinks, and items move, again and again.
                let from = round % 20 * 400;
                change(&mut server, &mut other, "other", from..from + 400, round / 20 % 2 == 0);
                change(
                    &mut server,
                    &mut other,
                    "stays",
                    round * 7 % STAYING..(round * 7 % STAYING + 5).min(STAYING),
                    true,
                );
                server.sweep();
                round += 1;
            }
            server.check();
            assert!(round > 40, "{round} rounds");
            assert!(client.received.starts_with(b"OK\r\n") && client.received.ends_with(last.as_bytes()));
            let counts = listed(&client.received, before, after);
            assert_eq!(counts.len(), STAYING);
            let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
            assert!(twice.is_empty(), "{twice:?}");
        }
    }
}

#[test]
fn a_reader_that_reads_nothing_holds_one_output() {
    for mut server in servers() {
        let mut other = Client::new(&mut server);
        change(&mut server, &mut other, "stays", 0..STAYING, true);
        let mut clients: Vec<Client> = (0..10).map(|_| Client::new(&mut server)).collect();
        for client in &mut clients {
            let (taken, mut status) = server.receive(client.id, b"lru_crawler metadump all\r\n");
            assert_eq!(taken, 26);
            while status.has(ConnectionStatus::MORE) && !status.has(ConnectionStatus::OUTPUT) {
                status = server.advance(client.id, 0);
            }
            assert!(status.has(ConnectionStatus::OUTPUT));
            client.status = server.consume(client.id, 0);
        }
        let held = server.front().buffers_bytes();
        assert!(held <= clients.len() * 2 * limits::OUTPUT_BYTES_HIGH, "{held}");
        // Other clients are served meanwhile, and clients that read get the whole listing.
        assert_eq!(other.ask(&mut server, b"get none\r\n"), b"END\r\n");
        let mut random = Random::new(1);
        for client in &mut clients {
            client.drain(&mut server, &mut random, Cuts::None);
            assert_eq!(listed(&client.received, "key=", " ").len(), STAYING);
        }
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

#[test]
fn a_class_is_shown_up_to_two_megabytes() {
    for mut server in servers() {
        let mut client = Client::new(&mut server);
        let mut requests = Vec::new();
        for number in 0..12_000 {
            requests.extend_from_slice(format!("set {number:0>200} 0 0 1 noreply\r\n1\r\n").as_bytes());
        }
        assert_eq!(client.ask(&mut server, &requests), b"");
        let items = String::from_utf8(client.ask(&mut server, b"stats items\r\n")).unwrap();
        let class = items.split(':').nth(1).unwrap();
        let shown = client.ask(&mut server, format!("stats cachedump {class} 0\r\n").as_bytes());
        assert!((2_000_000..=2 * 1024 * 1024 + 5).contains(&shown.len()), "{}", shown.len());
        assert!(shown.ends_with(b"s]\r\nEND\r\n"));
        let shown = client.ask(&mut server, format!("stats cachedump {class} 7\r\n").as_bytes());
        assert_eq!(shown.split(|&byte| byte == b'\n').count(), 7 + 2);
    }
}

/// Stores or deletes a key.
fn put(shard: &mut Shard, key: &str, store: bool) {
    let (mode, options, flags) = (StoreMode::Set, StoreOptions::default(), 0);
    let operation = match store {
        true => Operation::Store { mode, flags, expiry: Expiry::NEVER, compare: None, options, value: b"v" },
        false => Operation::Delete,
    };
    let key = key.as_bytes();
    shard.execute(&Command { hash: common::config().store.seed.hash(key), key, operation }, START);
}

/// One piece of a walk: returns the cursor of the next piece, and counts the keys that stay.
fn piece(shard: &mut Shard, cursor: u64, met: &mut BTreeMap<Vec<u8>, usize>) -> u64 {
    let mut answer = Vec::new();
    shard.broadcast(Broadcast::Walk(Walk { cursor, classes: !1, room: 1 }), START, &mut answer);
    let mut piece = Piece::decode(&answer);
    for item in piece.by_ref().filter(|item| item.key.starts_with(b"stays")) {
        *met.entry(item.key.to_vec()).or_default() += 1;
    }
    piece.cursor
}

#[test]
fn an_index_that_shrinks_and_grows_under_the_cursor_loses_nothing() {
    const FEW: usize = 300;
    const MANY: usize = 3000;
    for shrinks in [true, false] {
        for pieces in 0..40 {
            let mut shard = Shard::new(&common::config()).unwrap();
            (0..FEW).for_each(|number| put(&mut shard, &format!("stays-{number}"), true));
            let others = |shard: &mut Shard, store| {
                (0..MANY).for_each(|number| put(shard, &format!("other-{number}"), store));
            };
            others(&mut shard, shrinks);
            let mut met = BTreeMap::new();
            let mut cursor = BEGIN;
            for _ in 0..pieces {
                cursor = piece(&mut shard, cursor, &mut met);
            }
            assert!(cursor < END);
            others(&mut shard, !shrinks);
            while cursor < END {
                cursor = piece(&mut shard, cursor, &mut met);
            }
            assert_eq!(met.len(), FEW, "after {pieces} pieces, {shrinks}");
            assert!(met.values().all(|&count| count == 1), "after {pieces} pieces, {shrinks}: {met:?}");
        }
    }
}
