//! Watching clients: they see events of all workers and shards, in order, bounded, and delay no other client.

mod common;

use common::{Client, Server, wait_for};
use std::collections::BTreeMap;

/// A client that watches.
fn watch(server: &Server, kinds: &str) -> Client {
    let mut client = server.client();
    assert_eq!(client.ask(&format!("watch {kinds}")), "OK");
    client
}

/// A field of a line.
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn events_of_all_workers_and_shards_reach_all_watchers() {
    for flags in ["-t 1", "-t 3 -o shards=2"] {
        let server = Server::start("watch", flags);
        let mut watchers =
            [watch(&server, "fetchers mutations deletions"), watch(&server, "mutations deletions fetchers")];
        let mut clients: Vec<Client> = (0..6).map(|_| server.client()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("set key-{number} 0 0 1\r\n1\r\nget key-{number}\r\ndelete key-{number}\r\n"));
            let answer: Vec<String> = (0..5).map(|_| client.line()).collect();
            assert_eq!(answer[0], "STORED");
            assert_eq!(answer[4], "DELETED");
        }
        let seen = watchers.each_mut().map(|watcher| {
            let lines: Vec<String> = (0..18).map(|_| watcher.line()).collect();
            let gids: Vec<u64> = lines.iter().map(|line| field(line, "gid").parse().unwrap()).collect();
            assert!(gids.windows(2).all(|pair| pair[0] < pair[1]), "{gids:?}");
            lines.into_iter().map(|line| (field(&line, "gid").to_owned(), line)).collect::<BTreeMap<_, _>>()
        });
        assert_eq!(seen[0], seen[1], "the same events have the same numbers");
        let mut kinds = BTreeMap::<_, usize>::new();
        for line in seen[0].values() {
            *kinds.entry((field(line, "type").to_owned(), field(line, "key").to_owned())).or_default() += 1;
        }
        assert_eq!(kinds.len(), 18);
        assert!(kinds.values().all(|&count| count == 1), "{kinds:?}");
        let mut observer = server.client();
        assert_eq!(observer.statistic("log_watchers"), "2");
        assert_eq!(observer.statistic("log_worker_written"), "18");
        assert_eq!(observer.statistic("log_watcher_sent"), "36");
        assert_eq!(observer.statistic("log_watcher_skipped"), "0");
        assert_eq!(observer.ask("stats reset"), "RESET");
        assert_eq!(observer.statistic("log_watcher_sent"), "0");
        assert_eq!(observer.statistic("log_watchers"), "2");
    }
}

#[test]
fn a_slow_watcher_loses_lines_and_delays_no_one() {
    let server = Server::start("watch-slow", "-t 2 -o watcher_logbuf_size=16");
    let mut slow = watch(&server, "fetchers");
    let mut client = server.client();
    let keys: String = (0..100).map(|number| format!(" a-key-that-is-rather-long-{number:0>100}")).collect();
    let skipped = wait_for("skipped lines", || {
        for _ in 0..50 {
            assert_eq!(client.ask(&format!("get{keys}")), "END");
        }
        client.statistic("log_watcher_skipped").parse::<u64>().ok().filter(|skipped| *skipped > 0)
    });
    assert!(skipped > 0);
    // It received whole lines only.
    for _ in 0..100 {
        assert_eq!(field(&slow.line(), "status"), "not_found");
    }
    let state = client.table("stats conns");
    assert!(state.iter().any(|(name, value)| name.ends_with(":state") && value == "conn_watch"), "{state:?}");
}

#[test]
fn the_number_of_watchers_is_limited() {
    let server = Server::start("watch-many", "-t 2");
    let mut watchers: Vec<Client> = (0..20).map(|_| watch(&server, "evictions")).collect();
    let mut late = server.client();
    assert_eq!(late.ask("watch"), "WATCHER_TOO_MANY log watcher limit reached");
    assert_eq!(late.ask("version"), "VERSION 1.6.45");
    drop(watchers.pop());
    wait_for("a place", || (late.statistic("log_watchers") == "19").then_some(()));
    assert_eq!(late.ask("watch"), "OK");
}

#[test]
fn connections_are_reported_with_the_reason_of_their_end() {
    let server = Server::start("watch-connections", "-t 2 -o idle_timeout=1");
    let mut watcher = watch(&server, "connevents");
    let mut client = server.client();
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    let line = watcher.line();
    assert_eq!((field(&line, "type"), field(&line, "transport")), ("conn_new", "tcp"));
    let port = client.0.get_ref().local_addr().unwrap().port().to_string();
    assert_eq!((field(&line, "rip"), field(&line, "rport")), ("127.0.0.1", port.as_str()));
    assert!(client.is_closed(), "it was silent");
    let line = watcher.line();
    assert_eq!((field(&line, "type"), field(&line, "reason")), ("conn_close", "idle_timeout"));
    assert_eq!(field(&line, "rport"), port);
    // The idle timeout does not apply to watchers: one that came later is closed, the watcher is not.
    assert!(server.client().is_closed());
    assert_eq!(field(&watcher.line(), "type"), "conn_new");
    assert_eq!(field(&watcher.line(), "reason"), "idle_timeout");
    drop(server.client());
    assert_eq!(field(&watcher.line(), "type"), "conn_new");
    assert_eq!(field(&watcher.line(), "reason"), "normal");
}
