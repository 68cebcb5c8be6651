//! Many connections, connections beyond the limit, and clients that misbehave.

mod common;

use common::{Client, Server, wait_for};
use std::{collections::HashSet, net::TcpStream, time::Duration};

#[test]
fn connections_beyond_the_limit_are_rejected() {
    let server = Server::start("too-many", "-c 3 -t 2");
    let mut served: Vec<_> = (0..3).map(|_| server.client()).collect();
    for client in &mut served {
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
    }
    for _ in 0..2 {
        assert_eq!(server.client().rest(), b"ERROR Too many open connections\r\n");
    }
    assert_eq!(served[0].statistic("rejected_connections"), "2");
    assert_eq!(served[0].statistic("curr_connections"), "3");
    drop(served.pop());
    wait_for("a place", || (served[0].statistic("curr_connections") == "2").then_some(()));
    assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
}

#[test]
fn connections_beyond_the_limit_can_wait_instead() {
    let server = Server::start("wait", "-c 2 -t 2 -o no_maxconns_fast");
    let (mut first, mut second) = (server.client(), server.client());
    assert_eq!(first.ask("version"), "VERSION 1.6.45");
    assert_eq!(second.ask("version"), "VERSION 1.6.45");
    let mut third = server.client();
    third.send("version\r\n");
    wait_for("closed doors", || (first.statistic("accepting_conns") == "0").then_some(()));
    third.0.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(std::io::BufRead::fill_buf(&mut third.0).is_err());
    third.0.get_ref().set_read_timeout(Some(common::PATIENCE)).unwrap();
    drop(second);
    assert_eq!(third.line(), "VERSION 1.6.45");
    assert_ne!(first.statistic("listen_disabled_num"), "0");
    assert_eq!(first.statistic("rejected_connections"), "0");
}

#[test]
fn idle_connections_are_closed_on_request() {
    let server = Server::start("silent", "-o idle_timeout=1 -t 2");
    let mut client = server.client();
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    assert!(client.is_closed());
    assert_eq!(server.client().statistic("idle_kicks"), "1");
}

#[test]
fn each_listener_has_its_protocol() {
    let listen = "-l 127.0.0.1:0,proto[asc]:127.0.0.1:0,proto[bin]:127.0.0.1:0,proto[auto]:tag[x]:127.0.0.1:0";
    let packet: Vec<u8> = [0x80, 0x0b].into_iter().chain([0; 22]).collect();
    for (more, first) in [("-t 1", [true, true]), ("-t 2 -B binary", [false, true])] {
        let server = Server::start("protocols", &format!("{listen} {more}"));
        for (address, [text, binary]) in
            server.addresses.iter().zip([first, [true, false], [false, true], [true, true]])
        {
            let speaks = |request: &[u8], magic: u8| {
                let mut client = Client::connect(*address);
                client.0.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                client.send(request);
                let mut answer = [0];
                std::io::Read::read_exact(&mut client.0, &mut answer).is_ok() && answer[0] == magic
            };
            assert_eq!((speaks(b"version\r\n", b'V'), speaks(&packet, 0x81)), (text, binary), "{more} {address}");
        }
    }
}

#[test]
fn connections_are_listed() {
    let server = Server::start("listed", "-t 2");
    let (mut observer, mut other) = (server.client(), server.client());
    assert_eq!(other.ask("version"), "VERSION 1.6.45");
    other.send("set half 0 0 10\r\nabc");
    let table = wait_for("the half request", || {
        let table = observer.table("stats conns");
        table.iter().any(|(name, value)| name.ends_with(":state") && value == "conn_nread").then_some(table)
    });
    let values = |suffix: &str| -> Vec<_> {
        table.iter().filter(|(name, _)| name.ends_with(suffix)).map(|(_, value)| value.clone()).collect()
    };
    let address = |stream: &TcpStream| format!("tcp:{}", stream.local_addr().unwrap());
    for expected in [address(observer.0.get_ref()), address(other.0.get_ref()), format!("tcp:{}", server.address)] {
        assert!(values(":addr").contains(&expected), "{table:?}");
    }
    assert_eq!(values(":listen_addr"), vec![format!("tcp:{}", server.address); 2], "{table:?}");
    other.send("defghij\r\n");
    assert_eq!(other.line(), "STORED");
}

#[test]
fn cas_values_are_unique() {
    for flags in ["-t 1", "-t 2 -o shards=3"] {
        let server = Server::start("uniques", flags);
        let mut client = server.client();
        let keys: Vec<String> = (0..100).map(|number| format!("key{number}")).collect();
        for key in &keys {
            assert_eq!(client.set(key, "1"), "STORED");
        }
        let uniques: HashSet<String> = keys.iter().map(|key| client.ask(&format!("mg {key} c"))).collect();
        assert_eq!(uniques.len(), keys.len(), "{flags}: {uniques:?}");
        assert!(!uniques.contains("HD c0"), "{flags}: {uniques:?}");
    }
}

#[test]
fn statistics_of_the_host_can_be_reset() {
    let server = Server::start("reset", "");
    let mut client = server.client();
    assert_eq!(client.set("a", &"x".repeat(5000)), "STORED");
    assert!(client.statistic("bytes_read").parse::<u64>().unwrap() > 5000);
    assert_eq!(client.ask("stats reset"), "RESET");
    assert!(client.statistic("bytes_read").parse::<u64>().unwrap() < 5000);
    assert_eq!(client.statistic("total_connections"), "0");
    assert_eq!(client.statistic("curr_connections"), "1");
}

#[test]
fn memory_can_be_changed_at_run_time() {
    for flags in ["-t 1 -m 64", "-t 2 -m 256"] {
        let server = Server::start("memory", flags);
        let mut client = server.client();
        assert_eq!(client.ask("cache_memlimit 100"), "OK", "{flags}");
        assert_eq!(client.statistic("limit_maxbytes"), (100 << 20).to_string(), "{flags}");
        assert!(client.ask("cache_memlimit 900000").starts_with("MEMLIMIT_ADJUST_FAILED"), "{flags}");
        assert_eq!(client.statistic("limit_maxbytes"), (100 << 20).to_string(), "{flags}");
    }
}

/// Clients of all workers change the limit at once: all stripes keep the same one.
#[test]
fn one_of_many_limits_at_once_holds() {
    let server = Server::start("limits", "-t 4 -m 512 -o shards=8");
    let mut clients = [(); 4].map(|()| server.client());
    for round in 0..100 {
        for (client, mebibytes) in clients.iter_mut().zip([512, 384, 448, 320]) {
            client.send(format!("cache_memlimit {mebibytes}\r\n"));
        }
        for client in &mut clients {
            assert_eq!(client.line(), "OK");
        }
        let [limit, pools] = ["limit_maxbytes", "pool_bytes"].map(|name| clients[0].statistic(name));
        assert_eq!(limit, pools, "round {round}");
    }
}

#[test]
fn the_level_of_the_log_can_be_changed_at_run_time() {
    let server = Server::start("louder", "");
    let mut client = server.client();
    assert_eq!(client.ask("verbosity 2"), "OK");
    let other = server.client();
    let name = format!("tcp:{}", other.0.get_ref().local_addr().unwrap());
    server.wait_for_log(&format!("{name} connected"));
    drop(other);
    server.wait_for_log(&format!("{name} closed"));
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    const KIB: u64 = 1024;

    #[test]
    fn ten_thousand_idle_connections_cost_two_kib_each_at_most() {
        const COUNT: usize = 10_000;
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let wanted = soft.max(COUNT as u64 + 1000);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).expect("this test opens ten thousand sockets");
        for flags in ["-c 12000 -t 1", "-c 12000 -t 2"] {
            let server = Server::start("idle", flags);
            let mut client = server.client();
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
            let before_kib = server.resident_kib();
            let idle: Vec<_> = (0..COUNT).map(|_| TcpStream::connect(server.address).unwrap()).collect();
            wait_for("all to be in", || {
                (client.statistic("curr_connections") == (COUNT + 1).to_string()).then_some(())
            });
            // Each has sent one request, which must leave no memory behind.
            for mut stream in &idle {
                std::io::Write::write_all(&mut stream, b"mn\r\n").unwrap();
            }
            for mut stream in &idle {
                let mut reply = [0; 4];
                std::io::Read::read_exact(&mut stream, &mut reply).unwrap();
                assert_eq!(&reply, b"MN\r\n");
            }
            let bytes = (server.resident_kib() - before_kib) * KIB / COUNT as u64;
            println!("{flags}: {bytes} bytes of resident memory an idle connection");
            assert!(bytes <= 2 * KIB, "{flags}: {bytes}");
            drop(idle);
            wait_for("all to be gone", || (client.statistic("curr_connections") == "1").then_some(()));
        }
    }

    #[test]
    fn a_client_that_does_not_read_costs_bounded_memory() {
        for flags in ["-t 1", "-t 2"] {
            let server = Server::start("slow-reader", flags);
            let mut client = server.client();
            assert_eq!(client.set("big", &"x".repeat(1_000_000)), "STORED");
            assert_eq!(client.get("big").map(|value| value.len()), Some(1_000_000));
            let before_kib = server.resident_kib();
            let slow: Vec<_> = (0..10).map(|_| TcpStream::connect(server.address).unwrap()).collect();
            // Requests for five hundred megabytes, of which none are read.
            for mut stream in &slow {
                std::io::Write::write_all(&mut stream, "get big\r\n".repeat(50).as_bytes()).unwrap();
            }
            for _ in 0..100 {
                assert_eq!(client.get("big").map(|value| value.len()), Some(1_000_000));
            }
            let grown_kib = server.resident_kib().saturating_sub(before_kib);
            println!("{flags}: 500 MB of unread replies cost {grown_kib} KiB");
            assert!(grown_kib < 48 * KIB, "{flags}: {grown_kib} KiB");
            // A client that reads at last gets everything.
            let mut total = 0;
            let mut buffer = vec![0; 1 << 16];
            let mut last = slow.last().unwrap();
            last.set_read_timeout(Some(common::PATIENCE)).unwrap();
            let wanted = 50 * (1_000_000 + "VALUE big 0 1000000\r\n\r\nEND\r\n".len());
            while total < wanted {
                let received = std::io::Read::read(&mut last, &mut buffer).unwrap();
                assert_ne!(received, 0, "{flags}: closed after {total} bytes");
                total += received;
            }
            assert_eq!(total, wanted, "{flags}");
        }
    }

    #[test]
    fn unfinished_requests_cost_bounded_memory() {
        for flags in ["-t 1", "-t 2"] {
            let server = Server::start("slow-writer", flags);
            let mut client = server.client();
            assert_eq!(client.set("a", "1"), "STORED");
            let before_kib = server.resident_kib();
            let mut slow: Vec<_> = (0..300).map(|_| server.client()).collect();
            for client in &mut slow {
                client.send("set big 0 0 1000000\r\nx");
            }
            assert_eq!(client.get("a").as_deref(), Some("1"));
            wait_for("all beginnings", || {
                let received: usize = client.statistic("bytes_read").parse().unwrap();
                (received >= slow.len() * "set big 0 0 1000000\r\nx".len()).then_some(())
            });
            let grown_kib = server.resident_kib().saturating_sub(before_kib);
            println!("{flags}: 300 begun megabytes cost {grown_kib} KiB");
            assert!(grown_kib < 96 * KIB, "{flags}: {grown_kib} KiB");
            assert_eq!(client.set("b", "2"), "STORED");
            // Their room comes back with their end.
            drop(slow);
            client.send("set big 0 0 1000000\r\n".to_owned() + &"x".repeat(1_000_000) + "\r\n");
            assert_eq!(client.line(), "STORED");
        }
    }
}

#[test]
fn a_listing_of_all_items_delays_no_other_client() {
    const ITEMS: usize = 100_000;
    for flags in ["-t 1 -m 64", "-t 2 -m 64 -o shards=2"] {
        let server = Server::start("list", flags);
        let mut writer = server.client();
        for first in (0..ITEMS).step_by(1000) {
            let sets = (first..first + 1000).map(|number| format!("set a-key-{number:0>60} 0 0 1 noreply\r\n1\r\n"));
            writer.send(sets.collect::<String>());
        }
        assert_eq!(writer.ask("version"), "VERSION 1.6.45");
        let mut readers = [server.client(), server.client(), server.client()];
        for reader in &mut readers {
            assert_eq!(reader.ask("lru_crawler metadump all"), "OK");
        }
        // No client reads; more than ten megabytes wait for each.
        for _ in 0..20 {
            assert_eq!(writer.ask("get none"), "END");
            assert_eq!(writer.set("other", "value"), "STORED");
        }
        for reader in &mut readers {
            let mut lines = 0;
            loop {
                let line = reader.line();
                if line == "END" {
                    break;
                }
                assert!(line.starts_with("key="), "{line}");
                lines += usize::from(line.starts_with("key=a-key-"));
            }
            assert_eq!(lines, ITEMS);
            assert_eq!(reader.ask("version"), "VERSION 1.6.45");
        }
        // Each client began a walk, which `stats` counts.
        assert_eq!(writer.statistic("lru_crawler_starts"), "3");
    }
}

#[test]
fn refusals_and_early_ends_are_counted() {
    for flags in ["-t 1", "-t 3 -o shards=2"] {
        let server = Server::start("refusals", flags);
        // Connections are assigned in turn, so the observer asks another worker where there is one.
        let (mut observer, mut client) = (server.client(), server.client());
        assert_eq!(client.ask("bogus"), "ERROR");
        assert_eq!(observer.statistic("request_errors"), "1", "{flags}");
        // A refusal counts before the statistics that follow it in the same write.
        observer.send("bogus\r\nstats\r\n");
        assert_eq!(observer.line(), "ERROR");
        let lines: Vec<String> = std::iter::repeat_with(|| observer.line()).take_while(|line| line != "END").collect();
        assert!(lines.iter().any(|line| line == "STAT request_errors 2"), "{flags}: {lines:?}");
        client.send("set cut 0 0 100\r\n12345");
        drop(client);
        wait_for("the request", || (observer.statistic("requests_cut") == "1").then_some(()));
        assert_eq!(observer.statistic("replies_cut"), "0", "{flags}");
        let value = "v".repeat(1_000_000);
        assert_eq!(observer.set("large", &value), "STORED");
        let mut reader = server.client();
        reader.send("get large\r\n".repeat(20));
        wait_for("a full socket", || {
            observer.table("stats conns").iter().any(|(_, value)| value == "conn_mwrite").then_some(())
        });
        drop(reader);
        wait_for("the replies", || (observer.statistic("replies_cut") == "1").then_some(()));
        wait_for("the error", || (observer.statistic("connection_errors") == "1").then_some(()));
    }
}

/// Clients whose answers exceed what a worker keeps for all of them: each reads all of its answers, or the end of the stream.
#[test]
fn no_client_hangs_whose_answer_is_dropped() {
    const CLIENTS: usize = 200;
    let server = Server::start("dropped", "-t 1 -m 64");
    let value = "x".repeat(1_000_000);
    assert_eq!(server.client().set("big", &value), "STORED");
    let answers = 5 * (value.len() + "VALUE big 0 1000000\r\n\r\nEND\r\n".len());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::connect_with_buffer(server.address, 16 * 1024);
            client.send("get big\r\n".repeat(5));
            client
        })
        .collect();
    // None reads before all requests were received.
    let mut observer = server.client();
    wait_for("the requests", || {
        let received: usize = observer.statistic("bytes_read").parse().unwrap();
        (received >= value.len() + CLIENTS * 5 * "get big\r\n".len()).then_some(())
    });
    let whole = clients.iter().filter(|client| {
        let (mut stream, mut length, mut buffer) = (client.0.get_ref(), 0, vec![0; 1 << 16]);
        loop {
            match std::io::Read::read(&mut stream, &mut buffer) {
                Ok(0) => break,
                Ok(received) => length += received,
                Err(error) => panic!("after {length} bytes: {error}"),
            }
            if length == answers {
                break;
            }
        }
        length == answers
    });
    assert!(whole.count() > 0);
}
