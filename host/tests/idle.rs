//! Processor time of servers that have nothing to do, or cannot do anything: nobody spins.

#![cfg(target_os = "linux")]

#[path = "tls/certificates.rs"]
#[allow(dead_code, reason = "this test uses a part")]
mod certificates;
#[path = "tls/client.rs"]
#[allow(dead_code, reason = "this test uses a part")]
mod client;
mod common;

use certificates::Authority;
use client::{EVERY_VERSION, configuration, stream};
use common::{Client, Folder, Process, Server, program, wait_for};
use rustls::ClientConfig;
use std::{
    any::Any,
    io::{BufReader, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a server is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// Processor time in that period. A thread that spins uses all that it gets, even on a busy machine far more than this;
/// upkeep needs a few milliseconds.
const PROCESSOR_TIME_MAX: Duration = Duration::from_millis(100);

/// User and system time of a process.
fn processor_time(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name before it may hold spaces.
    let fields: Vec<_> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // Linux reports hundredths of a second to programs, on every architecture.
    Duration::from_millis(ticks * 10)
}

/// A server in some situation, with everything that keeps it there.
struct Situation {
    name: String,
    pid: u32,
    _kept: Box<dyn Any>,
}

impl Situation {
    fn new(name: &str, pid: u32, kept: impl Any) -> Self {
        Self { name: name.to_owned(), pid, _kept: Box::new(kept) }
    }
}

/// Watches all servers at once: it is processor time that counts, so they do not disturb each other.
fn assert_idle(situations: &[Situation]) {
    // The start and the preparation may have left work.
    std::thread::sleep(Duration::from_millis(500));
    let before: Vec<_> = situations.iter().map(|situation| processor_time(situation.pid)).collect();
    std::thread::sleep(WATCHED);
    let used = situations.iter().zip(before).map(|(situation, before)| {
        (situation.name.as_str(), processor_time(situation.pid).checked_sub(before).unwrap())
    });
    let used: Vec<_> = used.collect();
    println!("{used:?}");
    let spinning: Vec<_> = used.iter().filter(|(_, time)| *time > PROCESSOR_TIME_MAX).collect();
    assert!(spinning.is_empty(), "of {WATCHED:?}: {spinning:?}");
}

#[test]
fn an_idle_server_uses_no_processor_time() {
    let mut situations = Vec::new();
    for flags in
        ["", "-t 1", "-t 1 -o no_solo", "-t 4 -m 1024", "-U -1", "-o idle_timeout=1000", "-o no_maxconns_fast", "-vvv"]
    {
        let server = Server::start(&format!("idle-{}", situations.len()), flags);
        let mut client = server.client();
        assert_eq!(client.set("a", "1"), "STORED");
        situations.push(Situation::new(&format!("idle {flags}"), server.pid(), (server, client)));
    }
    assert_idle(&situations);
}

#[test]
fn an_idle_server_of_every_transport_uses_no_processor_time() {
    let folder = Folder::new("idle-transports");
    let mut situations = Vec::new();
    let server = Server::start("idle-reloaded", "-v -t 2");
    assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
    server.signal(nix::sys::signal::Signal::SIGHUP);
    server.wait_for_log("SIGHUP: there is nothing to read again");
    situations.push(Situation::new("after SIGHUP", server.pid(), server));

    let authority = Authority::new();
    let server = Server::start("idle-tls", &authority.flags_in(&folder.0));
    // One connection without a handshake, one that has sent half of a record.
    let mut clients: Vec<_> = (0..2).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    clients[1].write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
    situations.push(Situation::new("TLS, handshakes under way", server.pid(), (server, clients)));

    let server = Server::start("idle-udp", "-U -1 -t 2");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"\0\x01\0\0\0\x01\0\0version\r\n", server.datagrams[0]).unwrap();
    socket.send_to(b"garbage", server.datagrams[0]).unwrap();
    let mut reply = [0; 100];
    let length = socket.recv(&mut reply).unwrap();
    assert!(reply[..length].ends_with(b"VERSION 1.6.45\r\n"));
    // Its reply meets a closed port.
    socket.send_to(b"\0\x01\0\0\0\x01\0\0version\r\n", server.datagrams[0]).unwrap();
    drop(socket);
    situations.push(Situation::new("UDP", server.pid(), server));

    let path = folder.0.join("socket");
    let child = Process(Command::new(program()).arg("-s").arg(&path).stderr(Stdio::null()).spawn().unwrap());
    let stream = wait_for("the socket", || UnixStream::connect(&path).ok());
    let mut client = Client(BufReader::new(stream));
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    situations.push(Situation::new("Unix socket", child.0.id(), (child, client)));
    assert_idle(&situations);
}

#[test]
fn a_full_server_uses_no_processor_time() {
    let mut situations = Vec::new();
    for flags in ["-c 2 -t 1 -o no_maxconns_fast", "-c 2 -t 2", "-c 2 -t 2 -o no_maxconns_fast,idle_timeout=1000"] {
        let server = Server::start(&format!("full-{}", situations.len()), flags);
        let mut clients: Vec<_> = (0..2).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
        }
        let mut refused: Vec<_> = (0..3).map(|_| server.client()).collect();
        if flags.contains("no_maxconns_fast") {
            wait_for("closed doors", || (clients[0].statistic("accepting_conns") == "0").then_some(()));
        } else {
            assert!(refused.iter_mut().all(|client| client.rest() == b"ERROR Too many open connections\r\n"));
        }
        situations.push(Situation::new(&format!("full {flags}"), server.pid(), (server, clients, refused)));
    }
    assert_idle(&situations);
}

/// Stores a large value, and sends requests for it until the server takes no more. Reads none of the replies.
fn block(mut stream: impl Write) {
    stream.write_all(format!("set big 0 0 500000 noreply\r\n{}\r\n", "x".repeat(500_000)).as_bytes()).unwrap();
    let requests = "get big big big big\r\n".repeat(100);
    let deadline = Instant::now() + common::PATIENCE;
    while Instant::now() < deadline {
        match stream.write_all(requests.as_bytes()) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the server takes requests for ever");
}

/// A connection whose peer does not read.
fn blocked(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    block(&stream);
    stream
}

/// The same over TLS.
fn blocked_tls(server: &Server, configuration: &Arc<ClientConfig>) -> TcpStream {
    let mut stream = stream(server.address, configuration);
    stream.sock.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    block(&mut stream);
    stream.sock.try_clone().unwrap()
}

#[test]
fn slow_and_half_closed_peers_cost_no_processor_time() {
    let mut situations = Vec::new();
    for flags in ["-t 1", "-t 2", "-t 2 -o idle_timeout=1000"] {
        let server = Server::start(&format!("slow-peers-{}", situations.len()), flags);
        let mut client = server.client();
        let writers: Vec<_> = (0..2).map(|_| blocked(&server)).collect();
        let half_closed: Vec<_> = (0..2).map(|_| blocked(&server)).collect();
        half_closed.iter().for_each(|stream| stream.shutdown(Shutdown::Write).unwrap());
        // Half of an upload, with and without the other half to come.
        let mut uploads: Vec<_> = (0..2).map(|_| TcpStream::connect(server.address).unwrap()).collect();
        uploads.iter_mut().for_each(|stream| stream.write_all(b"set half 0 0 1000000\r\nabc").unwrap());
        uploads[0].shutdown(Shutdown::Write).unwrap();
        assert_eq!(uploads[0].read(&mut [0]).unwrap(), 0, "there is no answer to half of a request");
        let mut watcher = server.client();
        assert_eq!(watcher.ask("watch fetchers mutations"), "OK");
        assert_eq!(client.ask("version"), "VERSION 1.6.45", "others are served");
        let kept = (server, client, writers, half_closed, uploads, watcher);
        situations.push(Situation::new(&format!("slow peers {flags}"), kept.0.pid(), kept));
    }
    let (folder, authority) = (Folder::new("slow-tls-files"), Authority::new());
    let server = Server::start("slow-tls", &format!("-t 2 {}", authority.flags_in(&folder.0)));
    let configuration = Arc::new(configuration(&authority, None, EVERY_VERSION));
    let peers: Vec<_> = (0..2).map(|_| blocked_tls(&server, &configuration)).collect();
    peers[1..].iter().for_each(|peer| peer.shutdown(Shutdown::Write).unwrap());
    situations.push(Situation::new("slow peers over TLS", server.pid(), (server, peers)));
    assert_idle(&situations);
}

/// Uploads that stop after a few bytes take all the room for requests, and others wait for it.
#[test]
fn a_server_without_room_for_requests_uses_no_processor_time() {
    let mut situations = Vec::new();
    for flags in ["-t 1", "-t 4"] {
        let server = Server::start(&format!("no-room-{}", situations.len()), flags);
        let mut client = server.client();
        let upload = |number| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(format!("set upload{number} 0 0 1000000\r\nabc").as_bytes()).unwrap();
            stream
        };
        let uploads: Vec<_> = (0..100).map(upload).collect();
        wait_for("waiting uploads", || (client.statistic("buffers_waiting_connections") != "0").then_some(()));
        situations.push(Situation::new(&format!("no room {flags}"), server.pid(), (server, client, uploads)));
    }
    assert_idle(&situations);
}

/// Sets the limit of descriptors of a running process.
fn limit_descriptors(server: &Server, limit: usize) {
    let (pid, limits) = (format!("--pid={}", server.pid()), format!("--nofile={limit}:"));
    assert!(Command::new("prlimit").args([pid, limits]).status().unwrap().success());
}

/// A server that may open no descriptor waits, says so once, and serves who waited as soon as it can.
#[test]
fn a_starved_server_uses_no_processor_time_and_complains_once() {
    const COMPLAINT: &str = "cannot accept connections for now: ";
    let mut starved = Vec::new();
    for flags in ["-v -t 2", "-v -t 2 -o no_maxconns_fast", "-v -t 1 -c 5 -o no_maxconns_fast"] {
        let server = Server::start(&format!("starved-{}", starved.len()), flags);
        let mut client = server.client();
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
        limit_descriptors(&server, open);
        let mut waiting: Vec<_> = (0..3).map(|_| server.client()).collect();
        waiting.iter_mut().for_each(|client| client.send("version\r\n"));
        server.wait_for_log(COMPLAINT);
        starved.push((flags, server, client, waiting));
    }
    let situations: Vec<_> = starved
        .iter()
        .map(|(flags, server, ..)| Situation::new(&format!("starved {flags}"), server.pid(), ()))
        .collect();
    assert_idle(&situations);
    for (flags, server, mut client, mut waiting) in starved {
        assert_eq!(client.statistic("accepting_conns"), "0", "{flags}");
        assert_eq!(client.statistic("listen_disabled_num"), "1", "{flags}");
        limit_descriptors(&server, 1000);
        for client in &mut waiting {
            assert_eq!(client.line(), "VERSION 1.6.45", "{flags}");
        }
        wait_for("open doors", || (client.statistic("accepting_conns") == "1").then_some(()));
        assert_ne!(client.statistic("time_in_listen_disabled_us"), "0", "{flags}");
        let log = server.stop();
        assert_eq!(log.matches(COMPLAINT).count(), 1, "{flags}: {log}");
    }
}
