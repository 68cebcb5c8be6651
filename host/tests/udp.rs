//! UDP: datagrams of every kind, large replies, garbage, and other clients beside them.

mod common;

use common::{PATIENCE, Server, run, wait_for};
use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

const HEADER_BYTES: usize = 8;

/// A client over UDP.
struct Datagrams {
    socket: UdpSocket,
    next_id: u16,
}

impl Datagrams {
    fn to(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, next_id: 7 }
    }

    fn send(&mut self, payload: &[u8]) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id.to_be_bytes();
        self.socket.send(&[&[id[0], id[1], 0, 0, 0, 1, 0, 0], payload].concat()).unwrap();
        self.next_id
    }

    fn receive(&self) -> (u16, u16, u16, Vec<u8>) {
        let mut buffer = [0; 2000];
        let bytes = self.socket.recv(&mut buffer).unwrap();
        assert!((HEADER_BYTES + 1..=1400).contains(&bytes), "{bytes}");
        let word = |at: usize| u16::from_be_bytes([buffer[at], buffer[at + 1]]);
        assert_eq!(word(6), 0);
        (word(0), word(2), word(4), buffer[HEADER_BYTES..bytes].to_vec())
    }

    /// Sends a request; returns the whole reply and its number of datagrams.
    fn ask(&mut self, payload: &[u8]) -> (Vec<u8>, usize) {
        let id = self.send(payload);
        let mut pieces = Vec::new();
        loop {
            let (for_id, sequence, count, piece) = self.receive();
            if for_id != id {
                continue;
            }
            assert!(sequence < count);
            pieces.push((sequence, piece));
            if pieces.len() == usize::from(count) {
                pieces.sort();
                assert!(pieces.iter().map(|(sequence, _)| *sequence).eq(0..count));
                let count = pieces.len();
                return (pieces.into_iter().flat_map(|(_, piece)| piece).collect(), count);
            }
        }
    }

    fn hears_nothing(&self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let nothing = self.socket.recv(&mut [0; 2000]).is_err();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        nothing
    }
}

fn every_server(name: &str, mut test: impl FnMut(Server)) {
    for flags in ["-t 1", "-t 2 -m 128"] {
        test(Server::start(name, &format!("-U -1 {flags}")));
    }
}

#[test]
fn requests_are_answered() {
    every_server("udp-answers", |server| {
        let mut client = Datagrams::to(server.datagrams[0]);
        assert_eq!(client.ask(b"set a 0 0 1\r\n1\r\n"), (b"STORED\r\n".to_vec(), 1));
        assert_eq!(client.ask(b"get a\r\nmg a v\r\n"), (b"VALUE a 0 1\r\n1\r\nEND\r\nVA 1\r\n1\r\n".to_vec(), 1));
        let mut packet = vec![0x80, 0x0b];
        packet.resize(24, 0);
        assert!(client.ask(&packet).0.ends_with(b"1.6.45"));
        assert_eq!(server.client().get("a").as_deref(), Some("1"));
        let table = server.client().table("stats settings");
        let shown = |name: &str| table.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!((shown("udpport").as_deref(), shown("num_threads_per_udp").as_deref()), (Some("-1"), Some("1")));
        let conns = server.client().table("stats conns");
        let at = conns.iter().position(|(_, value)| *value == format!("udp:{}", server.datagrams[0])).unwrap();
        let number = conns[at].0.strip_suffix(":addr").unwrap();
        assert_eq!(conns[at - 1], (format!("{number}:UDP"), "UDP".to_owned()));
        assert_eq!(conns[at + 1], (format!("{number}:state"), "conn_read".to_owned()));
        let (stats, count) = client.ask(b"stats\r\n");
        assert!(stats.ends_with(b"END\r\n") && count > 1);
    });
}

#[test]
fn large_replies_arrive_whole() {
    every_server("udp-large", |server| {
        let mut client = Datagrams::to(server.datagrams[0]);
        let value = "0123456789".repeat(10_000);
        assert_eq!(server.client().set("big", &value), "STORED");
        socket2::SockRef::from(&client.socket).set_recv_buffer_size(4 << 20).unwrap();
        for _ in 0..20 {
            let (answer, count) = client.ask(b"get big\r\n");
            assert_eq!(answer, format!("VALUE big 0 {}\r\n{value}\r\nEND\r\n", value.len()).into_bytes());
            assert_eq!(count, (answer.len()).div_ceil(1392));
        }
        assert_eq!(client.ask("get big\r\n".repeat(100).as_bytes()).0, b"SERVER_ERROR too large for UDP\r\n");
    });
}

#[test]
fn garbage_is_ignored_without_a_trace() {
    every_server("udp-junk", |server| {
        let mut client = Datagrams::to(server.datagrams[0]);
        for junk in
            [&b""[..], b"x", b"get a\r\n", &[0; 8], &[0xff; 1400], b"\0\x01\0\0\0\x02\0\0version\r\n", &[0; 60_000]]
        {
            client.socket.send(junk).unwrap();
        }
        client.send(b"set a 0 0 5\r\nab");
        client.send(b"get a");
        assert!(client.hears_nothing());
        assert_eq!(client.ask(b"get a\r\n").0, b"END\r\n");
        client.send(b"quit\r\n");
        assert_eq!(client.ask(b"version\r\n").0, b"VERSION 1.6.45\r\n");
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
    });
}

#[test]
fn many_clients_are_answered_at_once() {
    every_server("udp-many", |server| {
        let mut clients: Vec<_> = (0..50).map(|_| Datagrams::to(server.datagrams[0])).collect();
        for round in 0..20 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.next_id = number as u16;
                client.send(format!("set key{number} 0 0 2 noreply\r\n{round:02}\r\nget key{number}\r\n").as_bytes());
            }
            for (number, client) in clients.iter().enumerate() {
                let (id, _, _, answer) = client.receive();
                assert_eq!(usize::from(id), number + 1);
                assert_eq!(answer, format!("VALUE key{number} 0 2\r\n{round:02}\r\nEND\r\n").into_bytes());
            }
        }
    });
}

#[test]
fn a_flood_does_not_starve_other_clients() {
    use std::sync::atomic::{AtomicBool, Ordering};
    // One worker serves both.
    let server = Server::start("udp-flood", "-U -1 -t 1");
    let address = server.datagrams[0];
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = || {
            let client = Datagrams::to(address);
            let mut request = b"\0\x01\0\0\0\x01\0\0".to_vec();
            request.extend_from_slice(&b"get a\r\n".repeat(100));
            while !is_over.load(Ordering::Relaxed) {
                // The replies are not read; the system drops some.
                let _ = client.socket.send(&request);
            }
        };
        scope.spawn(flood);
        scope.spawn(flood);
        let mut client = server.client();
        for number in 0..200 {
            let key = format!("key-{number}");
            assert_eq!(client.set(&key, "1"), "STORED");
            assert_eq!(server.client().get(&key).as_deref(), Some("1"));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let mut after = Datagrams::to(address);
    assert_eq!(after.ask(b"version\r\n").0, b"VERSION 1.6.45\r\n");
}

#[test]
fn every_address_has_its_socket() {
    let server = Server::start("udp-addresses", "-U -1 -l 127.0.0.1,127.0.0.2:0 -t 2");
    assert_eq!((server.addresses.len(), server.datagrams.len()), (2, 2));
    let second = SocketAddr::new("127.0.0.2".parse().unwrap(), server.datagrams[1].port());
    for address in [server.datagrams[0], second] {
        assert_eq!(Datagrams::to(address).ask(b"version\r\n").0, b"VERSION 1.6.45\r\n");
    }
    let taken = format!("-l 127.0.0.1 -p -1 -U {}", server.datagrams[0].port());
    let output = run(&taken);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("failed to listen on UDP port") && errors.contains("in use"), "{errors}");
    assert_eq!(output.status.code(), Some(71));
}

#[test]
fn a_server_can_have_udp_only() {
    let folder = common::Folder::new("udp-only");
    let ports = folder.0.join("ports");
    let mut command = std::process::Command::new(common::program());
    command.args(["-p", "0", "-U", "-1"]).env("MEMCACHED_PORT_FILENAME", &ports).stderr(std::process::Stdio::null());
    let _ended_on_drop = common::Process(command.spawn().unwrap());
    let text = wait_for("the port file", || std::fs::read_to_string(&ports).ok());
    let port: u16 = text.lines().find_map(|line| line.strip_prefix("UDP INET: ")).unwrap().parse().unwrap();
    let client = Datagrams::to(SocketAddr::from(([127, 0, 0, 1], port)));
    client.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let answered = wait_for("an answer", || {
        let id = [0, 9, 0, 0, 0, 1, 0, 0];
        client.socket.send(&[&id[..], b"version\r\n"].concat()).ok()?;
        client.socket.recv(&mut [0; 100]).ok()
    });
    assert_eq!(answered, HEADER_BYTES + 16);
}

#[test]
fn refused_datagrams_are_counted() {
    every_server("udp-refused", |server| {
        let client = Datagrams::to(server.datagrams[0]);
        let mut observer = server.client();
        for (count, datagram) in [&b"get a\r\n"[..], b"\0\x01\0\0\0\x02\0\0get a\r\n"].into_iter().enumerate() {
            client.socket.send(datagram).unwrap();
            let expected = (count + 1).to_string();
            wait_for("the count", || (observer.statistic("datagrams_refused") == expected).then_some(()));
        }
        assert_eq!(observer.statistic("request_errors"), "0");
    });
}
