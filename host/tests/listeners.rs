//! Which sockets a combination of flags opens. The expectations are those of memcached, with loopback in place of all
//! addresses.

#![cfg(unix)]

mod common;

use common::{PATIENCE, program, wait_for};
use nix::sys::signal::{Signal, kill};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

/// A server on ports of the test's choice.
struct Fixed {
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
    /// Everything that was read from standard error.
    text: String,
}

impl Fixed {
    fn start(flags: &str) -> Self {
        let mut command = Command::new(program());
        command.args(flags.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, errors, text: String::new() }
    }

    /// The sockets that the server names at its start.
    fn sockets(&mut self) -> Vec<String> {
        loop {
            let mut line = String::new();
            assert_ne!(self.errors.read_line(&mut line).unwrap(), 0, "it ended: {}", self.text);
            self.text += &line;
            if let Some((_, rest)) = line.split_once(": listening on ") {
                let (sockets, _) = rest.split_once(", ").unwrap();
                return sockets.split(' ').map(str::to_owned).collect();
            }
        }
    }

    fn stop(mut self) -> (ExitStatus, String) {
        // Signals have their handlers once the last line of the start is printed.
        while !self.text.contains("\nmemory: ") {
            let mut line = String::new();
            assert_ne!(self.errors.read_line(&mut line).unwrap(), 0, "it ended: {}", self.text);
            self.text += &line;
        }
        kill(nix::unistd::Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        let status = self.child.wait().unwrap();
        self.errors.read_to_string(&mut self.text).unwrap();
        (status, std::mem::take(&mut self.text))
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this machine has `::1`.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// A port that is free on both loopback addresses, for TCP and UDP, and not among those that the system gives to clients.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 100) as u16 * 90;
    wait_for("a free port", || {
        let port = 21_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 9_000;
        let (first, second) = ((Ipv4Addr::LOCALHOST, port), (Ipv6Addr::LOCALHOST, port));
        let is_free = TcpListener::bind(first).is_ok()
            && UdpSocket::bind(first).is_ok()
            && (!has_ipv6() || TcpListener::bind(second).is_ok() && UdpSocket::bind(second).is_ok());
        is_free.then_some(port)
    })
}

/// Whether a socket, as the server names it, answers.
fn answers(socket: &str) -> bool {
    let (kind, address) = socket.split_once(':').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let mut reply = [0; 100];
    let (length, skipped) = if kind.starts_with("udp") {
        let client = UdpSocket::bind(if address.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(b"\0\x01\0\0\0\x01\0\0version\r\n", address).unwrap();
        (client.recv(&mut reply).unwrap(), 8)
    } else {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(b"version\r\n").unwrap();
        (client.read(&mut reply).unwrap(), 0)
    };
    &reply[skipped..length] == b"VERSION 1.6.45\r\n"
}

#[test]
fn flags_open_the_sockets_of_memcached() {
    let (p, q) = (free_port(), free_port());
    let tcp = |port| format!("tcp:127.0.0.1:{port}");
    let udp = |port| format!("udp:127.0.0.1:{port}");
    let (tcp6, udp6) = (|port| format!("tcp6:[::1]:{port}"), |port| format!("udp6:[::1]:{port}"));
    let cases = [
        // Both loopback addresses by default.
        (format!("-p {p}"), vec![tcp(p), tcp6(p)]),
        // -U alone is the TCP port, too.
        (format!("-U {p}"), vec![tcp(p), tcp6(p), udp(p), udp6(p)]),
        (format!("-U {p} -p {q}"), vec![tcp(q), tcp6(q), udp(p), udp6(p)]),
        (format!("-p {q} -U {p}"), vec![tcp(q), tcp6(q), udp(p), udp6(p)]),
        (format!("-U 0 -p {p}"), vec![tcp(p), tcp6(p)]),
        (format!("-p 0 -U {p}"), vec![udp(p), udp6(p)]),
        (format!("--port=0 --udp-port={p} -l 127.0.0.1"), vec![udp(p)]),
        // The port of an address is that of both protocols.
        (format!("-l 127.0.0.1:{p} -U {q}"), vec![tcp(p), udp(p)]),
        (format!("-l 127.0.0.1:{p} -U {q} -p 0"), vec![udp(p)]),
        (format!("-l 127.0.0.1:{p},127.0.0.1 -p {q}"), vec![tcp(p), tcp(q)]),
        (format!("-l 127.0.0.1:{p};127.0.0.1:{q}"), vec![tcp(p), tcp(q)]),
        (format!("-l ::1 -p {p}"), vec![tcp6(p)]),
        (format!("-l [::1]:{p} -l 127.0.0.1:{p}"), vec![tcp6(p), tcp(p)]),
        (format!("-l 127.0.0.1 -l ::1 -p {p} -U {q}"), vec![tcp(p), tcp6(p), udp(q), udp6(q)]),
        // The same address twice is one socket.
        (format!("-l 127.0.0.1 -l 127.0.0.1 -p {p}"), vec![tcp(p)]),
        (format!("-l 127.0.0.1:{p} -l 127.0.0.1 -p {p} -U {p}"), vec![tcp(p), udp(p)]),
        (format!("-l 127.0.0.1,127.0.0.1 -p {p} -U {q}"), vec![tcp(p), udp(q)]),
        // The system bounds the backlog.
        (format!("-b 100000 -p {p} -l 127.0.0.1"), vec![tcp(p)]),
        (format!("-b 0 -p {p} -l 127.0.0.1"), vec![tcp(p)]),
        (format!("-b -5 -p {p} -l 127.0.0.1"), vec![tcp(p)]),
    ];
    for (flags, mut expected) in cases {
        if !has_ipv6() {
            if flags.contains("::1") {
                continue;
            }
            expected.retain(|socket| !socket.contains("6:"));
        }
        let mut server = Fixed::start(&flags);
        assert_eq!(server.sockets(), expected, "{flags}");
        assert!(expected.iter().all(|socket| answers(socket)), "{flags}");
        assert!(server.stop().0.success(), "{flags}");
    }
}

/// memcached starts without a socket, too, and waits for a signal.
#[test]
fn nothing_to_listen_on_is_no_reason_not_to_start() {
    for flags in ["-p 0".to_owned(), "-p 0 -U 0".to_owned(), format!("-p 0 -l 127.0.0.1:{}", free_port())] {
        let mut server = Fixed::start(&flags);
        assert_eq!(server.sockets(), ["nothing"], "{flags}");
        let (status, text) = server.stop();
        assert!(
            status.success() && text.contains("\n-p 0 turns TCP off, at the addresses of -l too"),
            "{flags}: {text}"
        );
    }
}

/// As for memcached, one of the two loopback addresses is enough.
#[test]
fn the_loopback_address_of_ipv6_may_be_taken() {
    if !has_ipv6() {
        return;
    }
    let port = free_port();
    let taken = (TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap(), UdpSocket::bind((Ipv6Addr::LOCALHOST, port)));
    let mut server = Fixed::start(&format!("-p {port} -U {port}"));
    let sockets = server.sockets();
    assert_eq!(sockets, [format!("tcp:127.0.0.1:{port}"), format!("udp:127.0.0.1:{port}")]);
    assert!(sockets.iter().all(|socket| answers(socket)));
    let (status, text) = server.stop();
    drop(taken);
    assert!(status.success());
    for kind in ["tcp6", "udp6"] {
        assert!(text.contains(&format!("{kind}:[::1]:{port} is not served: Address already in use\n")), "{text}");
    }
}
