//! A clock that tests move: a month in one line.

mod common;

use common::Server;

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
