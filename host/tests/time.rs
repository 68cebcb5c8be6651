//! A clock that tests move: a month in one line.

mod common;

use common::Server;
use std::time::{Duration, Instant};

#[test]
fn the_clock_pauses_and_jumps() {
    for flags in ["-t 1", "-t 2 -o shards=3"] {
        let server = Server::start("clock", &format!("{flags} -o debugtime"));
        let (mut first, mut second) = (server.client(), server.client());
        assert_eq!(first.ask("debugtime p"), "OK");
        let before: u64 = first.statistic("time").parse().unwrap();
        assert_eq!(first.ask("set a 0 100 1\r\n1"), "STORED");
        // All in one write: requests after the jump see the new time.
        first.send("debugtime 99\r\nget a\r\ndebugtime 1\r\nget a\r\nset b 0 10 1\r\n2\r\nget b\r\n");
        let lines: Vec<_> = (0..10).map(|_| first.line()).collect();
        assert_eq!(
            lines,
            ["OK", "VALUE a 0 1", "1", "END", "OK", "END", "STORED", "VALUE b 0 1", "2", "END"],
            "{flags}"
        );
        assert_eq!(second.get("b"), Some("2".to_owned()), "{flags}");
        assert_eq!(second.statistic("time"), (before + 100).to_string(), "{flags}");
        assert_eq!(first.ask("debugtime 10"), "OK");
        assert_eq!(second.get("b"), None, "{flags}");
        assert_eq!(first.ask("debugtime 2592000"), "OK");
        assert_eq!(first.ask("debugtime r"), "OK");
        assert!(first.statistic("uptime").parse::<u64>().unwrap() >= 2_592_110, "{flags}");
        assert_eq!(first.ask("debugtime x"), "ERROR");
        assert_eq!(first.ask("debugtime"), "ERROR");
    }
}

#[test]
fn the_clock_cannot_be_moved_by_default() {
    let server = Server::start("no-clock", "");
    assert_eq!(server.client().ask("debugtime 5"), "ERROR");
}

/// How a request gives item `k` a life of one second.
type SecondOfLife = (&'static str, fn(key: &str) -> String);

const ONE_SECOND: [SecondOfLife; 9] = [
    ("set", |key| format!("set {key} 0 1 1\r\n1\r\n")),
    ("gat", |key| format!("set {key} 0 0 1 noreply\r\n1\r\ngat 1 {key}\r\n")),
    ("touch", |key| format!("set {key} 0 0 1 noreply\r\n1\r\ntouch {key} 1\r\n")),
    ("ms T", |key| format!("ms {key} 1 T1\r\n1\r\n")),
    ("mg T", |key| format!("set {key} 0 0 1 noreply\r\n1\r\nmg {key} T1\r\n")),
    ("mg N", |key| format!("mg {key} N1\r\n")),
    ("md I T", |key| format!("set {key} 0 0 1 noreply\r\n1\r\nmd {key} I T1\r\n")),
    ("ma N", |key| format!("ma {key} N1\r\n")),
    ("ma T", |key| format!("set {key} 0 0 1 noreply\r\n1\r\nma {key} T1\r\n")),
];

#[test]
fn a_second_lasts_at_least_a_second() {
    for flags in ["-t 1", "-t 2 -o shards=2"] {
        let server = Server::start("second", flags);
        // At many fractions of the second: items of one round die in the same moment, whenever that is.
        for round in 0..5 {
            let mut lives = Vec::new();
            for (index, (name, request)) in ONE_SECOND.iter().enumerate() {
                let mut client = server.client();
                let key = format!("{index}-{round}");
                let sent = Instant::now();
                client.send(request(&key));
                let answer = client.line();
                assert!(!answer.contains("ERROR"), "{name}: {answer}");
                if *name == "gat" {
                    assert_eq!((client.line(), client.line()), ("1".to_owned(), "END".to_owned()));
                }
                lives.push((*name, key, client, sent, Instant::now()));
                std::thread::sleep(Duration::from_millis(23));
            }
            while !lives.is_empty() {
                lives.retain_mut(|(name, key, client, sent, answered)| {
                    let asked = Instant::now();
                    let is_there = client.get(key).is_some();
                    assert!(is_there || sent.elapsed() >= Duration::from_secs(1), "{name}: after {:?}", sent.elapsed());
                    let is_late = asked > *answered + Duration::from_secs(2);
                    assert!(!(is_there && is_late), "{name}: after {:?}", answered.elapsed());
                    is_there
                });
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

#[test]
fn a_delayed_flush_takes_its_time() {
    let server = Server::start("flush-delay", "-t 2 -o shards=2");
    let mut client = server.client();
    for _ in 0..3 {
        assert_eq!(client.set("a", "1"), "STORED");
        let sent = Instant::now();
        assert_eq!(client.ask("flush_all 1"), "OK");
        let answered = Instant::now();
        loop {
            let asked = Instant::now();
            if client.get("a").is_none() {
                break;
            }
            assert!(asked <= answered + Duration::from_secs(2), "after {:?}", answered.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(sent.elapsed() >= Duration::from_secs(1), "after {:?}", sent.elapsed());
        std::thread::sleep(Duration::from_millis(370));
    }
}

/// As after a suspension of the machine: requests wait when the process continues.
#[cfg(unix)]
#[test]
fn nothing_expired_is_served_after_the_process_was_stopped() {
    use nix::sys::signal::Signal;
    for flags in ["-t 1", "-t 2 -o shards=2", "-t 4 -U -1"] {
        let server = Server::start("stopped", flags);
        let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.ask(&format!("set k{index} 0 1 1\r\n1")), "STORED");
        }
        server.signal(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(3000));
        let requests = ["get", "gat 100", "mg", "touch", "mg", "gets", "delete", "gats 100"];
        for (index, client) in clients.iter_mut().enumerate() {
            let request = match requests[index] {
                "touch" => format!("touch k{index} 100\r\n"),
                "mg" => format!("mg k{index} v T100\r\n"),
                other => format!("{other} k{index}\r\n"),
            };
            client.send(request);
        }
        server.signal(Signal::SIGCONT);
        let answers: Vec<_> = clients.iter_mut().map(common::Client::line).collect();
        assert_eq!(answers, ["END", "END", "EN", "NOT_FOUND", "EN", "END", "NOT_FOUND", "END"], "{flags}");
    }
}
