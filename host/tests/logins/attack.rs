//! Guesses of one address, and logins of others meanwhile. Linux: every address of 127.0.0.0/8 is this machine's.

use crate::{
    common::{Folder, PATIENCE, Server},
    scram,
};
use socket2::{Domain, Socket, Type};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A login takes no longer, whatever strangers do. On an idle machine it takes less than a second.
const LOGIN_DURATION_MAX: Duration = Duration::from_secs(10);
/// Logins of each kind during an attack.
const ATTEMPTS: u8 = 5;

/// Of "secret", with 100,000 iterations (Python's hashlib).
const HASHED: &str = "SCRAM-SHA-256$100000:MDEyMzQ1Njc4OWFiY2RlZg==$htSjD3IGBVSO1EBgNNGtKv/2/s/R4T06pYKH/uSjVX0=:WCMEL50RZORK28aEWNmQU7HbQkXqPx0PN/xUX+ZKD14=";

/// The protocols of logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Text,
    Plain,
    Scram,
}

/// A client with an address of its own.
struct Peer(TcpStream);

impl Peer {
    /// `127.0.0.HOST`: Linux has all of them.
    fn connect(server: &Server, host: u8) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into()).unwrap();
        socket.connect(&server.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// The answer to a text command; `None`: the connection has ended.
    fn ask(&mut self, command: &[u8]) -> Option<String> {
        self.0.write_all(command).ok()?;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\n") {
            self.0.read_exact(&mut byte).ok()?;
            answer.push(byte[0]);
        }
        String::from_utf8(answer).ok()
    }

    /// Status and value of the answer to a packet.
    fn packet(&mut self, opcode: u8, key: &[u8], value: &[u8]) -> Option<(u16, Vec<u8>)> {
        let mut packet = vec![0x80, opcode, 0, key.len() as u8, 0, 0, 0, 0, 0, 0, 0, (key.len() + value.len()) as u8];
        packet.resize(24, 0);
        self.0.write_all(&[&packet[..], key, value].concat()).ok()?;
        let mut head = [0; 24];
        self.0.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize];
        self.0.read_exact(&mut body).ok()?;
        Some((u16::from_be_bytes([head[6], head[7]]), body))
    }

    /// A login that is refused, without the work of a right one; `None`: the connection has ended.
    fn guess(&mut self, protocol: Protocol) -> Option<bool> {
        if protocol != Protocol::Scram {
            return self.log_in(protocol, "guess");
        }
        let (_, answer) = self.packet(0x21, b"SCRAM-SHA-256", b"n,,n=ann,r=abc")?;
        let nonce = std::str::from_utf8(&answer).unwrap().split(',').next().unwrap();
        let last = format!("c=biws,{nonce},p={}=", "A".repeat(43));
        Some(self.packet(0x22, b"SCRAM-SHA-256", last.as_bytes())?.0 == 0x21)
    }

    /// Whether a login passes; `None`: the connection has ended.
    fn log_in(&mut self, protocol: Protocol, password: &str) -> Option<bool> {
        match protocol {
            Protocol::Text => {
                let token = format!("ann {password}");
                Some(self.ask(format!("set a 0 0 {}\r\n{token}\r\n", token.len()).as_bytes())? == "STORED\r\n")
            }
            Protocol::Plain => Some(self.packet(0x21, b"PLAIN", format!("\0ann\0{password}").as_bytes())?.0 == 0),
            Protocol::Scram => {
                let (_, answer) = self.packet(0x21, b"SCRAM-SHA-256", b"n,,n=ann,r=abc")?;
                let last = scram::proof("n=ann,r=abc", std::str::from_utf8(&answer).unwrap(), password);
                let (status, _) = self.packet(0x22, b"SCRAM-SHA-256", last.as_bytes())?;
                Some(status == 0x21 && self.packet(0x22, b"SCRAM-SHA-256", b"")?.0 == 0)
            }
        }
    }
}

/// Fifty connections of one address guess; meanwhile others log in, and one that is logged in is served.
fn attacks(protocol: Protocol, secret: &str) {
    let name = format!("attack-{protocol:?}-{}", secret.len());
    let folder = Folder::new(&name);
    let path = folder.0.join("users");
    std::fs::write(&path, format!("ann:{secret}\n")).unwrap();
    let server = if protocol == Protocol::Text {
        Server::start(&format!("{name}-server"), &format!("-Y {} -t 2 -l 0.0.0.0", path.display()))
    } else {
        // The address of the list is in the environment.
        Server::start_with_users(&format!("{name}-server"), "-S -t 2 -l 0.0.0.0", &path)
    };
    // Both workers know the address.
    for _ in 0..4 {
        assert_eq!(Peer::connect(&server, 2).log_in(protocol, "secret"), Some(true));
    }
    let mut member = Peer::connect(&server, 3);
    assert_eq!(member.log_in(protocol, "secret"), Some(true));
    let (stops, guesses) = (AtomicBool::new(false), AtomicU32::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..50 {
            let (server, stops, guesses) = (&server, &stops, &guesses);
            scope.spawn(move || {
                let mut peer = Peer::connect(server, 66);
                while !stops.load(Ordering::Relaxed) {
                    match peer.guess(protocol) {
                        Some(passes) => {
                            assert!(!passes);
                            guesses.fetch_add(1, Ordering::Relaxed);
                        }
                        None => peer = Peer::connect(server, 66),
                    }
                }
            });
        }
        let passed = |host: u8| {
            let begins = Instant::now();
            let passes = Peer::connect(&server, host).log_in(protocol, "secret");
            (passes, begins.elapsed())
        };
        for attempt in 0..ATTEMPTS {
            for host in [2, 100 + attempt] {
                let (passes, duration) = passed(host);
                assert_eq!(passes, Some(true), "attempt {attempt} of 127.0.0.{host}");
                assert!(duration < LOGIN_DURATION_MAX, "attempt {attempt} of 127.0.0.{host}: {duration:?}");
                let answer = match protocol {
                    Protocol::Text => member.ask(b"get nothing\r\n"),
                    _ => member.packet(0x0a, b"", b"").map(|_| "END\r\n".to_owned()),
                };
                assert_eq!(answer.as_deref(), Some("END\r\n"));
            }
        }
        stops.store(true, Ordering::Relaxed);
    });
    // Each worker checks at most 50 at once, then 10 a second; the rest is refused unchecked after a wait.
    let seconds = began.elapsed().as_secs() as u32 + 1;
    let guesses = guesses.load(Ordering::Relaxed);
    assert!(guesses <= 2 * (50 + 10 * seconds) + 50, "{guesses} guesses in {seconds} s");
}

#[test]
fn guesses_against_passwords_in_clear_delay_nobody() {
    [Protocol::Text, Protocol::Plain, Protocol::Scram].into_iter().for_each(|protocol| attacks(protocol, "secret"));
}

#[test]
fn guesses_against_hashed_passwords_delay_nobody() {
    [Protocol::Text, Protocol::Plain, Protocol::Scram].into_iter().for_each(|protocol| attacks(protocol, HASHED));
}
