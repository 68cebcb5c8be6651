//! Servers under limits of the process: each serves, or ends with one line that names the limit and the remedy.

#![cfg(target_os = "linux")]

mod common;

use common::{PATIENCE, Server, faulty_program, program, wait_for};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A command under `ulimit FLAG KIB`.
fn limited(program: &Path, limits: &[(&str, u64)]) -> Command {
    let settings: String = limits.iter().map(|(flag, kib)| format!("ulimit {flag} {kib} && ")).collect();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{settings}exec \"$0\" \"$@\"")).arg(program);
    command
}

enum Outcome {
    Serves(Server),
    /// The exit code, and standard error.
    Refuses(i32, String),
}

fn start(program: &Path, limits: &[(&str, u64)], flags: &str) -> Outcome {
    // A refusal comes before the server opens its sockets.
    let mut trial = limited(program, limits);
    trial.args(["-p", "-1"]).args(flags.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = trial.stderr(Stdio::piped()).spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr)).map_while(Result::ok);
    let mut text = String::new();
    let serves = loop {
        let Some(line) = lines.next() else { break false };
        let is_up = line.contains(": listening on ");
        text.push_str(&line);
        text.push('\n');
        if is_up {
            break true;
        }
    };
    if serves {
        child.kill().unwrap();
        child.wait().unwrap();
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let name = format!("limits-{}", STARTS.fetch_add(1, Ordering::Relaxed));
        return Outcome::Serves(Server::start_command(limited(program, limits), &name, flags, Stdio::piped()));
    }
    let status = wait_for("the end of the server", || child.try_wait().unwrap());
    Outcome::Refuses(status.code().unwrap_or_else(|| panic!("{status}: {text}")), text)
}

/// Stores and reads more than fits into the buffers of one connection.
fn check_service(server: &Server) {
    let mut client = server.client();
    let value = "v".repeat(900_000);
    for index in 0..20 {
        assert_eq!(client.set(&format!("k{index}"), &value), "STORED", "{}", server.log());
        assert_eq!(client.get(&format!("k{index}")).as_deref(), Some(&*value));
    }
    assert!(!server.log().contains("panicked") && !server.log().contains("trapped"), "{}", server.log());
}

/// The line of a refusal, without those about the user and the network.
fn check_refusal(code: i32, text: &str, limit: &str) -> u64 {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("running as root")).collect();
    assert_eq!((code, lines.len()), (71, 1), "{text}");
    assert!(lines[0].contains(limit) && lines[0].ends_with("raise it, or lower -m or -t"), "{text}");
    wanted_kib(lines[0])
}

/// The number of KiB that a line says to be enough.
fn wanted_kib(line: &str) -> u64 {
    line.split(" KiB").nth(1).and_then(|before| before.rsplit(' ').next()).unwrap().parse().unwrap()
}

#[test]
fn address_space_is_taken_as_far_as_it_goes() {
    let program = program();
    let (mut served, mut refused) = (0, 0);
    // A loader needs space, too: less than this is its refusal, not ours.
    for mib in [96, 150, 220, 260, 400, 1000, 3000, 5000, 10_000, 20_000, 40_000] {
        match start(&program, &[("-v", mib << 10)], "-t 4") {
            Outcome::Serves(server) => {
                served += 1;
                check_service(&server);
            }
            Outcome::Refuses(code, text) => {
                refused += 1;
                assert_eq!(served, 0, "{mib} MiB: {text}");
                let enough = check_refusal(code, &text, &format!("(ulimit -v) is {} KiB", mib << 10));
                assert!(enough > mib << 10);
            }
        }
    }
    assert!(served >= 7 && refused >= 1, "{served} served, {refused} refused");
}

#[test]
fn the_named_remedy_is_enough() {
    let program = program();
    for (flag, limit, flags) in [
        ("-v", "ulimit -v", "-t 2"),
        ("-v", "ulimit -v", "-t 1"),
        ("-v", "ulimit -v", "-t 2 -m 300 -o shards=3"),
        ("-d", "ulimit -d", "-t 2"),
        ("-d", "ulimit -d", "-t 1 -m 100"),
    ] {
        let too_low = 110_000;
        let Outcome::Refuses(code, text) = start(&program, &[(flag, too_low)], flags) else {
            panic!("{flags} serves with {flag} {too_low}")
        };
        let enough = check_refusal(code, &text, limit);
        let Outcome::Serves(server) = start(&program, &[(flag, enough)], flags) else {
            panic!("{flags} does not serve with {flag} {enough}")
        };
        check_service(&server);
    }
}

#[test]
fn data_is_taken_as_far_as_it_goes() {
    let program = program();
    for mib in [400, 1000, 4000] {
        let Outcome::Serves(server) = start(&program, &[("-d", mib << 10)], "-t 2 -o shards=2") else {
            panic!("refused with {mib} MiB")
        };
        check_service(&server);
        // Accesses are as fast as without the limit.
        assert!(!server.log().contains("guests check each access"), "{}", server.log());
    }
}

#[test]
fn users_are_checked_under_a_limit() {
    let folder = common::Folder::new("limited-users");
    let path = folder.0.join("users");
    std::fs::write(&path, "ann:secret\n").unwrap();
    let flags = format!("-t 1 -Y {}", path.display());
    let Outcome::Serves(server) = start(&program(), &[("-v", 400 << 10)], &flags) else { panic!("refused") };
    assert_eq!(server.client().set("auth", "ann secret"), "STORED");
}

/// Traps a front and a shard, with room for the guests that there are and no more.
fn check_replacement(limit_kib: u64, flags: &str, is_compact: bool) {
    let Outcome::Serves(server) = start(&faulty_program(), &[("-v", limit_kib)], flags) else {
        panic!("refused with {limit_kib} KiB")
    };
    for round in 1..=3 {
        let mut client = server.client();
        assert_eq!(client.set("a", "1"), "STORED", "{}", server.log());
        client.send("get !trap-front\r\n");
        assert!(client.is_closed());
        let mut client = server.client();
        client.send("get !trap-shard\r\n");
        let _ = client.line();
        let mut client = wait_for("a server that serves again", || {
            let mut client = server.client();
            client.0.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            client.send("version\r\n");
            let mut line = String::new();
            std::io::BufRead::read_line(&mut client.0, &mut line).is_ok_and(|bytes| bytes > 0).then_some(client)
        });
        client.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(client.set("b", "2"), "STORED");
        assert_eq!(client.get("b").as_deref(), Some("2"));
        wait_for("both traps", || (client.statistic("front_traps").parse::<u32>().unwrap() >= round).then_some(()));
    }
    check_service_after_traps(&server);
    assert_eq!(server.log().contains("guests check each access"), is_compact, "{}", server.log());
}

fn check_service_after_traps(server: &Server) {
    let log = server.log();
    assert!(!log.contains("cannot be replaced yet") && !log.contains("panicked"), "{log}");
}

#[test]
fn a_guest_is_dropped_before_its_replacement_is_made() {
    for flags in ["-t 1", "-t 1 -o shards=2", "-t 2 -o shards=1"] {
        let program = faulty_program();
        let Outcome::Refuses(code, text) = start(&program, &[("-v", 110_000)], flags) else { panic!("serves") };
        let least = check_refusal(code, &text, "ulimit -v");
        check_replacement(least, flags, true);
        // The least for memories that are reserved: another one does not fit.
        let Outcome::Serves(server) = start(&program, &[("-v", least)], flags) else { panic!("refused") };
        server.wait_for_log("would be enough");
        let log = server.log();
        let line = log.lines().find(|line| line.contains("would be enough")).unwrap();
        check_replacement(wanted_kib(line), flags, false);
    }
}

/// Clients hold as much as they may: uploads that are not finished, answers that are not read, and values that change
/// while they are read. All of it fits.
#[test]
fn what_clients_make_held_fits_under_the_least_limit() {
    for flags in ["-t 1", "-t 2 -o shards=2", "-t 2 -m 200 -o shards=1"] {
        let Outcome::Refuses(code, text) = start(&program(), &[("-v", 90_000)], flags) else { panic!("serves") };
        let least = check_refusal(code, &text, "ulimit -v");
        let Outcome::Serves(server) = start(&program(), &[("-v", least)], flags) else { panic!("refused") };
        let value = "v".repeat(900_000);
        let mut client = server.client();
        (0..20).for_each(|index| assert_eq!(client.set(&format!("k{index}"), &value), "STORED", "{}", server.log()));
        let mut readers = Vec::new();
        for index in 0..40 {
            let mut reader = common::Client::connect_with_buffer(server.address, 16 * 1024);
            reader.send(format!("get k{0}\r\nget k{0}\r\n", index % 20));
            assert!(reader.line().starts_with("VALUE "));
            readers.push(reader);
        }
        let holders: Vec<_> = (0..60)
            .map(|index| {
                let mut holder = server.client();
                holder.send(format!("set h{index} 0 0 900000\r\n{}", &value[..100_000]));
                holder
            })
            .collect();
        for round in 0..10 {
            (0..20).for_each(|index| {
                assert_eq!(client.set(&format!("k{index}-{round}"), &value), "STORED", "{}", server.log());
            });
        }
        assert_eq!(client.get("k19-9").as_deref(), Some(&*value));
        assert!(!server.log().contains("panicked") && !server.log().contains("trapped"), "{}", server.log());
        drop((holders, readers));
    }
}
