//! Guests that trap or hang on demand, and a server that survives them. Needs the feature `fault-injection`.

#[path = "tls/certificates.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod certificates;
#[path = "tls/client.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod client;
mod common;

use common::{Client, PATIENCE, Server, faulty_program, wait_for};
use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The reply to a command whose shard has trapped.
const LOST: &str = "SERVER_ERROR a part of the cache was restarted empty";

fn start(name: &str, flags: &str) -> Server {
    Server::start_program(faulty_program(), name, flags)
}

/// One client for each worker: connections are assigned in turn.
fn clients(server: &Server, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
    }
    clients
}

fn traps(client: &mut Client) -> [String; 3] {
    ["shard_traps", "front_traps", "guest_interrupts"].map(|name| client.statistic(name))
}

#[test]
fn a_trap_in_a_shard_empties_that_shard_and_nothing_else() {
    let server = start("shard", "-t 2 -o shards=4");
    let mut clients = clients(&server, 4);
    let keys: Vec<_> = (0..400).map(|index| format!("key{index}")).collect();
    for key in &keys {
        assert_eq!(clients[0].set(key, key), "STORED");
    }
    // Lost items are misses.
    assert_eq!(clients[1].get("!trap-shard"), None);
    // All connections stay open, that of the trap included.
    for client in &mut clients {
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
    }
    let left = keys.iter().filter(|key| clients[1].get(key).is_some()).count();
    assert!((200..400).contains(&left), "{left} of 400 keys are left of four shards");
    assert_eq!(traps(&mut clients[2]), ["1", "0", "0"]);
    for key in &keys {
        assert_eq!(clients[3].set(key, "new"), "STORED");
    }
    assert_eq!(clients[0].statistic("curr_items"), "400");
    assert_eq!(server.wait_for_log("trapped and is replaced: "), 1);
    assert_eq!(server.wait_for_log("injected fault in a shard"), 1);
}

/// The last line of a dump.
fn last_line(client: &mut Client, command: &str) -> String {
    client.send(format!("{command}\r\n"));
    loop {
        let line = client.line();
        if line == "END" || line == "EN" || line.starts_with("SERVER_ERROR") || line.is_empty() {
            return line;
        }
    }
}

#[test]
fn a_dump_that_meets_a_trap_does_not_end_as_usual() {
    let server = start("dump", "-t 2 -o shards=4");
    for (round, command) in (1..).zip(["lru_crawler metadump all", "lru_crawler mgdump all", "stats cachedump"]) {
        let mut client = server.client();
        for index in 0..400 {
            assert_eq!(client.set(&format!("key{index}"), "1"), "STORED");
        }
        assert_eq!(client.set("!trap-walk", "1"), "STORED");
        let command = match command {
            "stats cachedump" => {
                let items = client.table("stats items");
                format!("{command} {} 0", items[0].0.split(':').nth(1).unwrap())
            }
            command => command.to_owned(),
        };
        let end = last_line(&mut client, &command);
        assert_eq!(end, "SERVER_ERROR the dump is incomplete: a part of the cache was restarted empty", "{command}");
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        assert_eq!(traps(&mut client), [round.to_string(), "0".into(), "0".into()]);
        // The next one meets no fault: it is whole.
        let end = last_line(&mut client, &command);
        assert!(end == "END" || end == "EN", "{command}: {end}");
    }
}

#[test]
fn the_commands_beside_a_shard_trap_are_answered() {
    let server = start("beside", "-t 2 -o shards=1");
    let mut client = server.client();
    client.send("set a 0 0 1\r\n1\r\nset !trap-shard 0 0 1\r\n1\r\nget a\r\nset b 0 0 1\r\n2\r\nversion\r\n");
    // The run went to the shard as a whole: no client gets STORED for an item that may be lost.
    assert_eq!((client.line(), client.line()), (LOST.to_owned(), LOST.to_owned()));
    assert_eq!((client.line(), client.line()), ("END".to_owned(), LOST.to_owned()));
    assert_eq!(client.line(), "VERSION 1.6.45");
    assert_eq!(client.set("c", "3"), "STORED");
    assert_eq!(client.get("c").as_deref(), Some("3"));
}

#[test]
fn a_trap_in_a_front_closes_its_connections_and_loses_no_data() {
    let server = start("front", "-t 2 -o shards=2");
    let mut clients = clients(&server, 4);
    assert_eq!(clients[0].set("a", "1"), "STORED");
    clients[1].send("get !trap-front\r\n");
    assert!(clients[1].is_closed());
    assert!(clients[3].is_closed());
    assert_eq!(clients[0].get("a").as_deref(), Some("1"));
    assert_eq!(clients[2].get("a").as_deref(), Some("1"));
    // The worker with the trap serves again.
    let mut fresh = self::clients(&server, 4);
    for client in &mut fresh {
        assert_eq!(client.get("a").as_deref(), Some("1"));
    }
    assert_eq!(traps(&mut clients[0]), ["0", "1", "0"]);
    assert_eq!(clients[0].statistic("curr_connections"), "6");
    assert_eq!(server.wait_for_log("trapped and is replaced: "), 1);
    assert_eq!(server.wait_for_log("injected fault in a front"), 1);
}

#[test]
fn a_guest_that_hangs_is_interrupted() {
    let server = start("hang", "-t 2 -o shards=2");
    let mut clients = clients(&server, 4);
    assert_eq!(clients[0].set("a", "1"), "STORED");
    assert_eq!(clients[0].set("!hang-shard", "1"), LOST);
    assert_eq!(traps(&mut clients[0]), ["1", "0", "1"]);
    assert_eq!(clients[0].set("b", "2"), "STORED");
    clients[1].send("get !hang-front\r\n");
    assert!(clients[1].is_closed());
    assert!(clients[3].is_closed());
    assert_eq!(clients[2].get("b").as_deref(), Some("2"));
    assert_eq!(traps(&mut clients[0]), ["1", "1", "2"]);
    assert_eq!(server.wait_for_logs("it did not return in time", 2), 2);
}

#[test]
fn a_solo_guest_is_replaced_as_a_whole() {
    let server = start("solo", "-t 1 -o shards=1");
    for (index, key) in ["!trap-front", "!trap-shard", "!hang-front", "!hang-shard"].into_iter().enumerate() {
        let mut clients = clients(&server, 2);
        assert_eq!(clients[0].set("a", "1"), "STORED");
        clients[0].send(format!("get {key}\r\n"));
        assert!(clients[0].is_closed(), "{key}");
        assert!(clients[1].is_closed(), "{key}");
        let mut client = server.client();
        assert_eq!(client.get("a"), None, "{key}");
        assert_eq!(client.set("a", "2"), "STORED", "{key}");
        let count = (index + 1).to_string();
        let interrupts = (index + 1).saturating_sub(2).to_string();
        assert_eq!(traps(&mut client), [count.clone(), count, interrupts], "{key}");
    }
}

#[test]
fn a_storm_of_traps_is_survived() {
    let server = start("storm", "-t 2 -o shards=2");
    for round in 0..50 {
        let mut client = server.client();
        client.send(if round % 2 == 0 { "get !trap-shard\r\n" } else { "get !trap-front\r\n" });
        let _ = client.line();
    }
    let mut client = wait_for("a client that is served", || {
        let mut client = server.client();
        (client.set("a", "1") == "STORED").then_some(client)
    });
    assert_eq!(client.get("a").as_deref(), Some("1"));
    assert_eq!(traps(&mut client), ["25", "25", "0"]);
}

/// Asks for the same keys, of all stripes, until `done`. Every answer is right or says that the shard was lost; how many said
/// so.
fn work(client: &mut Client, done: &AtomicBool) -> usize {
    let mut lost = 0;
    while !done.load(Ordering::Relaxed) {
        for key in 0..200 {
            client.send(format!("set key{key} 0 0 5\r\nvalue\r\nget key{key}\r\n"));
            match client.line().as_str() {
                "STORED" => {}
                LOST => lost += 1,
                line => panic!("{line}"),
            }
            match client.line().as_str() {
                "END" => lost += 1,
                line => {
                    assert_eq!(line, format!("VALUE key{key} 0 5"));
                    assert_eq!((client.line(), client.line()), ("value".to_owned(), "END".to_owned()));
                }
            }
        }
    }
    lost
}

/// All workers are inside the one shard, and some of them have its locks.
#[test]
fn a_shard_that_traps_with_all_workers_inside_disturbs_no_connection() {
    let server = start("inside", "-t 4 -o shards=1");
    let mut busy = clients(&server, 8);
    let mut client = server.client();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = busy.iter_mut().map(|client| scope.spawn(|| work(client, &done))).collect();
        for round in 1..=60 {
            let key = if round % 30 == 0 { "!hang-shard" } else { "!trap-shard" };
            assert_eq!(client.get(key), None, "round {round}");
            assert_eq!(client.statistic("shard_traps"), round.to_string());
        }
        done.store(true, Ordering::Relaxed);
        let lost: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert!(lost > 0, "nobody was inside");
    });
    for client in &mut busy {
        assert_eq!(client.set("after", "1"), "STORED");
    }
    assert_eq!(traps(&mut client), ["60", "0", "2"]);
    assert_eq!(server.wait_for_logs("trapped and is replaced: ", 60), 60, "each fault is reported once");
}

#[test]
fn two_thousand_traps_in_a_row_take_no_memory() {
    for flags in ["-t 4 -o shards=1", "-t 1 -o shards=1"] {
        let server = start("thousands", flags);
        let mut resident_kib = Vec::new();
        for round in 1..=2000 {
            let mut client = server.client();
            assert_eq!(client.set("a", "1"), "STORED", "{flags}, round {round}");
            client.send("get !trap-shard\r\n");
            // A solo loses its connections with its store.
            let _ = client.line();
            if round % 1000 == 200 || round == 2000 {
                resident_kib.push(server.resident_kib());
            }
        }
        println!("{flags}: {resident_kib:?} KiB");
        assert_eq!(server.client().statistic("shard_traps"), "2000", "{flags}");
        assert!(resident_kib[2].saturating_sub(resident_kib[0]) < 16 << 10, "{flags}: {resident_kib:?} KiB");
    }
}

#[test]
fn encrypted_connections_of_a_front_that_trapped_are_closed_and_new_ones_served() {
    let (folder, root) = (common::Folder::new("fault-tls"), certificates::Authority::new());
    let configuration = Arc::new(client::configuration(&root, None, client::EVERY_VERSION));
    for threads in [1, 2] {
        let server = start("fault-tls-server", &format!("{} -t {threads}", root.flags_in(&folder.0)));
        for round in 1..4 {
            // On each worker one connection after its handshake and one before.
            let mut clients: Vec<_> =
                (0..2 * threads).map(|_| client::connect(server.address, &configuration)).collect();
            let (agreed, opening) = clients.split_at_mut(threads);
            assert!(agreed.iter_mut().all(|client| client.ask("version") == "VERSION 1.6.45"));
            agreed[0].send("get !trap-front\r\n");
            assert!(agreed[0].is_closed());
            let served = |client: &mut client::TlsClient| {
                use std::io::Write;
                client.0.get_mut().write_all(b"version\r\n").is_ok() && {
                    let mut line = String::new();
                    std::io::BufRead::read_line(&mut client.0, &mut line).is_ok() && line == "VERSION 1.6.45\r\n"
                }
            };
            // Only connections of the same worker are lost.
            let left = agreed[1..].iter_mut().chain(opening).map(served).filter(|&served| served).count();
            assert!(left >= 2 * (threads - 1), "{left} of {threads} workers");
            let mut fresh: Vec<_> = (0..threads).map(|_| client::connect(server.address, &configuration)).collect();
            assert!(fresh.iter_mut().all(served));
            assert_eq!(fresh[0].statistic("front_traps"), round.to_string());
        }
    }
}

#[test]
fn datagrams_are_answered_after_a_trap() {
    for flags in ["-t 1", "-t 1 -o shards=2", "-t 3"] {
        let server = start("fault-udp", &format!("-U -1 {flags}"));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.datagrams[0]).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let send = |payload: &[u8]| {
            socket.send(&[b"\0\x05\0\0\0\x01\0\0", payload].concat()).unwrap();
        };
        for round in 1..4 {
            // Datagrams behind the trap may be lost; later ones are answered.
            send(b"get !trap-front\r\n");
            send(b"get a\r\n");
            assert_eq!(server.wait_for_logs("trapped and is replaced", round), round);
            send(b"version\r\n");
            let mut answer = [0; 100];
            loop {
                let bytes = socket.recv(&mut answer).unwrap();
                if answer[8..bytes] == *b"VERSION 1.6.45\r\n" {
                    break;
                }
                assert_eq!(answer[8..bytes], *b"END\r\n");
            }
        }
    }
}

#[test]
fn watchers_survive_the_traps_of_other_guests() {
    // Connections are assigned in turn: the first watcher shares its worker with the third client.
    let server = start("fault-watch", "-t 2 -o shards=2");
    let mut watchers = clients(&server, 2);
    for watcher in &mut watchers {
        assert_eq!(watcher.ask("watch mutations"), "OK");
    }
    let mut others = clients(&server, 2);
    let mut next = 0;
    let mut check_events = |watcher: &mut Client, client: &mut Client| {
        next += 1;
        assert_eq!(client.set(&format!("key-{next}"), "1"), "STORED");
        let line = watcher.line();
        assert!(line.contains(&format!("key=key-{next} ")), "{line}");
    };
    // The keys belong to both shards, so both record events now.
    for _ in 0..20 {
        check_events(&mut watchers[1], &mut others[1]);
    }
    // A new shard records events, too.
    for _ in 0..4 {
        assert_eq!(others[1].get("!trap-shard"), None);
        for _ in 0..10 {
            check_events(&mut watchers[1], &mut others[1]);
        }
    }
    others[0].send("get !trap-front\r\n");
    assert!(others[0].is_closed());
    let rest = watchers[0].rest();
    assert!(rest.ends_with(b"\n") && rest.starts_with(b"ts="), "whole lines, then the end");
    assert_eq!(others[1].statistic("log_watchers"), "1");
    let mut fresh = clients(&server, 2);
    for client in &mut fresh {
        check_events(&mut watchers[1], client);
    }
    // The worker's new front can have watchers.
    let mut again = clients(&server, 2);
    for watcher in &mut again {
        assert_eq!(watcher.ask("watch mutations"), "OK");
        check_events(watcher, &mut others[1]);
    }
}
