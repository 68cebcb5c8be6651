//! The program under the name of memcached: what start scripts and packages look for.

#![cfg(unix)]

mod common;

use common::{Folder, Server, program};
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// A link to the program, as packages make it.
fn linked(folder: &Folder) -> PathBuf {
    let path = folder.0.join("memcached");
    symlink(std::path::absolute(program()).unwrap(), &path).unwrap();
    path
}

fn run(program: &PathBuf, flags: &str) -> Output {
    Command::new(program).args(flags.split_whitespace()).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn its_texts_begin_with_the_version_of_memcached() {
    let folder = Folder::new("called-texts");
    let memcached = linked(&folder);
    let copy = folder.0.join("copy-of-memcached");
    symlink(std::path::absolute(program()).unwrap(), &copy).unwrap();
    for flag in ["-h", "--help", "-V", "--version", "-i", "--license"] {
        let own = text(run(&program(), flag).stdout);
        assert!(own.starts_with("wasmcached ") && own.contains("memcached 1.6.45"), "{flag}: {own}");
        assert_eq!(text(run(&copy, flag).stdout), own, "{flag}: the whole name counts");
        let output = run(&memcached, flag);
        let shown = text(output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{flag}");
        assert_eq!(shown.lines().next(), Some("memcached 1.6.45"), "{flag}");
        // `memcached -V | awk '{print $2}'` has one answer.
        assert_eq!(shown.lines().count() == 1, matches!(flag, "-V" | "--version"), "{flag}: {shown}");
    }
    assert!(text(run(&memcached, "-h").stdout).contains("Usage: memcached "), "the name that the user knows");
}

/// Everything that such a server prints until it has answered and ended.
fn printed(memcached: PathBuf, name: &str, flags: &str) -> String {
    let server = Server::start_program(memcached, name, flags);
    assert_eq!(server.client().set("a", "1"), "STORED", "{flags}");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.output()
}

#[test]
fn standard_error_stays_silent_without_v() {
    let folder = Folder::new("called-silent");
    let memcached = linked(&folder);
    let pid_flag = format!("-P {}", folder.0.join("pid").display());
    let quiet = ["", "-U -1", "-f 1.1 -n 10 -o modern,hashpower=20,no_slab_reassign", "-D ab surplus", &pid_flag];
    for (index, flags) in quiet.into_iter().enumerate() {
        assert_eq!(printed(memcached.clone(), &format!("called-silent-{index}"), flags), "", "{flags}");
        assert_ne!(printed(program(), &format!("called-loud-{index}"), flags), "", "{flags}");
    }
    // The warning is memcached's own.
    assert_eq!(
        printed(memcached.clone(), "called-many-threads", "-t 65"),
        "WARNING: Setting a high number of workerthreads is not recommended.\n \
         Set this value to the number of cores in your machine or less.\n"
    );
    let output = run(&memcached, "-p 70000");
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(text(output.stderr), "ERROR: Invalid port number 70000.\n");
    let verbose = printed(memcached, "called-verbose", "-v -o modern");
    assert!(verbose.contains("-o modern does nothing") && verbose.contains("listening on tcp:"), "{verbose}");
}

#[test]
fn a_daemon_is_silent_and_writes_its_process_id() {
    let folder = Folder::new("called-daemon");
    let (memcached, ports, pids) = (linked(&folder), folder.0.join("ports"), folder.0.join("pid"));
    let mut command = Command::new(memcached);
    command.args(["-d", "-p", "-1", "-P"]).arg(&pids).env("MEMCACHED_PORT_FILENAME", &ports);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    let port = common::port_in(&std::fs::read_to_string(&ports).unwrap());
    let mut client = common::Client::connect(([127, 0, 0, 1], port).into());
    let pid = client.statistic("pid");
    assert_eq!(std::fs::read_to_string(&pids).unwrap(), format!("{pid}\n"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), nix::sys::signal::Signal::SIGTERM)
        .unwrap();
    assert!(client.is_closed());
}

/// The lines of memcached about its listeners, in both forms of the name.
#[test]
fn listeners_are_named_as_memcached_names_them() {
    let folder = Folder::new("called-listening");
    let path = folder.0.join("socket");
    for (name, program) in [("memcached", linked(&folder)), ("own", program())] {
        let listen = "-l 127.0.0.1:0,proto[asc]:127.0.0.1:0,proto[bin]:127.0.0.1:0";
        for (flags, expected) in [
            (format!("-vv {listen}"), vec!["auto-negotiate", "ascii", "binary"]),
            ("-vv -l 127.0.0.1 -B ascii".to_owned(), vec!["ascii"]),
            ("-vvv -l 127.0.0.1 -U -1".to_owned(), vec!["auto-negotiate", "udp"]),
            (format!("-vv -s {}", path.display()), vec!["auto-negotiate"]),
            (format!("-v {listen}"), vec![]),
        ] {
            let mut command = Command::new(&program);
            command.args(["-p", "-1"]).args(flags.split_whitespace()).stdin(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
            let mut shown: Vec<String> = Vec::new();
            // The line about memory is the last one of the start.
            for line in lines.by_ref().take_while(|line| !line.starts_with("memory: ")) {
                let listening = line.strip_prefix('<').and_then(|rest| rest.split_once(" server listening ("));
                if let Some((descriptor, protocol)) = listening {
                    assert!(descriptor.parse::<u32>().is_ok_and(|number| number > 2), "{line}");
                    shown.push(protocol.strip_suffix(')').unwrap().to_owned());
                }
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(shown, expected, "{name} {flags}");
        }
    }
}
