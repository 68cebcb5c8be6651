//! Servers with logins: valid and malformed lists of users, and their reloading by SIGHUP. Transcripts hold the wire format
//! (`tests/transcripts/sasl.txt`, `text_login.txt`).

#[cfg(target_os = "linux")]
#[path = "logins/attack.rs"]
mod attack;
mod common;
#[cfg(target_os = "linux")]
#[path = "logins/scram.rs"]
mod scram;

use common::{Folder, Server, program, run};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The reply to a login.
fn log_in(server: &Server, name: &str, password: &str) -> String {
    let token = format!("{name} {password}");
    server.client().ask(&format!("set token 0 0 {}\r\n{token}", token.len()))
}

/// Runs a server with SASL to its end.
fn run_sasl(list: Option<&Path>) -> Output {
    let mut command = Command::new(program());
    match list {
        Some(path) => command.env("MEMCACHED_SASL_PWDB", path),
        None => command.env_remove("MEMCACHED_SASL_PWDB"),
    };
    command.args(["-S", "-p", "-1"]).stdin(Stdio::null()).output().unwrap()
}

fn is_refused(output: &Output, reason: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(reason), "{errors}");
}

#[test]
fn a_missing_list_prevents_the_start() {
    is_refused(&run_sasl(None), "-S: MEMCACHED_SASL_PWDB has to name the file of users");
    is_refused(&run_sasl(Some(Path::new("/no/such/file"))), "Could not open authfile [/no/such/file] for reading");
    is_refused(&run("-Y /no/such/file -p -1"), "Could not open authfile [/no/such/file] for reading");
}

#[test]
fn a_bad_line_is_named() {
    let folder = Folder::new("bad-users");
    let path = folder.0.join("users");
    for (list, reason) in [
        ("", "line 1: there is no user"),
        ("user:password\nbob\n", "line 2: it should be \"user:password\""),
        ("a:b\n\nuser:\n", "line 3: user or password is empty"),
        ("user:SCRAM-SHA-256$x\n", "line 1: it should be \"user:SCRAM-SHA-256$"),
    ] {
        std::fs::write(&path, list).unwrap();
        is_refused(&run_sasl(Some(&path)), reason);
        is_refused(&run(&format!("-Y {} -p -1", path.display())), reason);
    }
    std::fs::write(&path, vec![b'x'; 5 << 20]).unwrap();
    is_refused(&run_sasl(Some(&path)), "it is longer than");
}

#[test]
fn more_than_eight_users_are_possible() {
    let folder = Folder::new("many-users");
    let path = folder.0.join("users");
    let list: String = (0..1000).map(|number| format!("user{number}:password{number}\n")).collect();
    std::fs::write(&path, list).unwrap();
    for flags in ["-t 1", "-t 4", "-t 4 -o shards=3"] {
        let server = Server::start("many-users-server", &format!("-Y {} {flags}", path.display()));
        for number in [0, 8, 999] {
            assert_eq!(log_in(&server, &format!("user{number}"), &format!("password{number}")), "STORED");
        }
        let mut client = server.client();
        assert_eq!(client.ask("set token 0 0 17\r\nuser1 password999"), "CLIENT_ERROR authentication failure");
        assert_eq!(client.ask("get token"), "CLIENT_ERROR unauthenticated");
        let mut client = server.client();
        assert_eq!(client.ask("set token 0 0 15\r\nuser1 password1"), "STORED");
        // The sum over the workers of the five.
        assert_eq!((client.statistic("auth_cmds"), client.statistic("auth_errors")), ("5".into(), "1".into()));
    }
}

#[cfg(unix)]
#[test]
fn sighup_reads_the_list_again() {
    use nix::sys::signal::Signal;
    let folder = Folder::new("reload-users");
    let path = folder.0.join("users");
    for flags in ["-t 1", "-t 3"] {
        std::fs::write(&path, "user:old\n").unwrap();
        let server = Server::start("reload-users-server", &format!("-v -Y {} {flags}", path.display()));
        let mut early = server.client();
        assert_eq!(early.ask("set token 0 0 8\r\nuser old"), "STORED");
        std::fs::write(&path, "user:new\n").unwrap();
        assert_eq!(log_in(&server, "user", "new"), "CLIENT_ERROR authentication failure");
        server.signal(Signal::SIGHUP);
        server.wait_for_log("SIGHUP: users: read again");
        for _ in 0..4 {
            assert_eq!(log_in(&server, "user", "new"), "STORED");
            assert_eq!(log_in(&server, "user", "old"), "CLIENT_ERROR authentication failure");
        }
        // A connection keeps its login.
        assert_eq!(early.set("a", "1"), "STORED");
        std::fs::write(&path, "nonsense\n").unwrap();
        server.signal(Signal::SIGHUP);
        server.wait_for_log("line 1: it should be \"user:password\"; the old contents stay in force");
        assert_eq!(log_in(&server, "user", "new"), "STORED");
        std::fs::remove_file(&path).unwrap();
        server.signal(Signal::SIGHUP);
        server.wait_for_log("Could not open authfile");
        assert_eq!(log_in(&server, "user", "new"), "STORED");
    }
}

#[test]
fn both_kinds_of_logins_are_the_one_by_text() {
    let folder = Folder::new("both-logins");
    let path = folder.0.join("users");
    std::fs::write(&path, "user:password\n").unwrap();
    let server = Server::start("both-logins-server", &format!("-S -Y {}", path.display()));
    let mut client = server.client();
    assert_eq!(client.ask("get a"), "CLIENT_ERROR unauthenticated");
    assert_eq!(client.ask("set a 0 0 13\r\nuser passwore"), "CLIENT_ERROR authentication failure");
    assert_eq!(client.ask("set a 0 0 13\r\nuser password"), "STORED");
    for (name, value) in
        [("binding_protocol", "ascii"), ("auth_enabled_sasl", "yes"), ("auth_enabled_ascii", path.to_str().unwrap())]
    {
        let settings = client.table("stats settings");
        assert!(settings.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}
