//! `idle_timeout`: bytes count in both directions. A client that takes its answer or sends its request is not idle, however
//! slowly; one that does neither is. The tests move the clock, so nobody waits.

#[path = "tls/certificates.rs"]
#[cfg(target_os = "linux")]
mod certificates;
#[path = "tls/client.rs"]
#[cfg(target_os = "linux")]
mod client;
mod common;

use common::{Client, PATIENCE, Server, wait_for};
use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
};

const VALUE_BYTES: usize = 1_000_000;

/// Idle connections are closed after five seconds, and only [`Clock`] moves the clock.
const FLAGS: &str = "-t 1 -o idle_timeout=5,debugtime";
/// More than that.
const IDLE_S: u32 = 7;

/// A client that moves the clock, by steps of a second, so that its own requests keep it from being idle.
struct Clock(Client);

impl Clock {
    fn stop(address: SocketAddr) -> Self {
        let mut client = Client::connect(address);
        assert_eq!(client.ask("debugtime p"), "OK");
        assert_eq!(client.set("big", &"x".repeat(VALUE_BYTES)), "STORED");
        Self(client)
    }

    /// Moves the clock. After each step the server looks for idle connections.
    fn advance(&mut self, seconds: u32) {
        for _ in 0..seconds {
            assert_eq!(self.0.ask("debugtime 1"), "OK");
            self.check();
        }
    }

    /// The only worker has seen the new time when it answers the next turn but one.
    fn check(&mut self) {
        for _ in 0..2 {
            assert_eq!(self.0.ask("version"), "VERSION 1.6.45");
        }
    }

    fn kicks(&mut self) -> String {
        self.0.statistic("idle_kicks")
    }
}

/// A client whose system takes little.
fn slow(address: SocketAddr) -> TcpStream {
    Client::connect_with_buffer(address, 16 * 1024).0.into_inner()
}

fn answers(count: usize) -> usize {
    count * (VALUE_BYTES + format!("VALUE big 0 {VALUE_BYTES}\r\n\r\nEND\r\n").len())
}

/// Reads answers of `bytes` bytes, `piece_bytes` at a time; between two pieces the time of idle connections passes. The
/// connection lives on.
fn read_slowly(reader: &TcpStream, bytes: usize, piece_bytes: usize, clock: &mut Clock) {
    let mut left = bytes;
    while left > 2 * piece_bytes {
        read(reader, piece_bytes);
        left -= piece_bytes;
        clock.advance(IDLE_S);
    }
    read(reader, left);
    send(reader, "version\r\n");
    read(reader, "VERSION 1.6.45\r\n".len());
}

/// Reads `bytes` bytes.
fn read(mut stream: &TcpStream, bytes: usize) {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer).unwrap_or_else(|error| panic!("of {bytes} bytes: {error}"));
}

fn send(mut stream: &TcpStream, request: &str) {
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
}

#[test]
fn a_client_that_reads_its_answer_is_not_idle() {
    let server = Server::start("reading", FLAGS);
    let mut clock = Clock::stop(server.address);
    let reader = slow(server.address);
    // More than the kernels hold: the server sends while the client reads.
    const ANSWERS: usize = 24;
    send(&reader, &"get big\r\n".repeat(ANSWERS));
    read_slowly(&reader, answers(ANSWERS), VALUE_BYTES, &mut clock);
    assert_eq!(clock.kicks(), "0");
}

/// The server has sent everything; only the system knows that the client takes it.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_the_system_still_sends_is_progress() {
    let server = Server::start("draining", FLAGS);
    let mut clock = Clock::stop(server.address);
    let reader = slow(server.address);
    send(&reader, "get big\r\n");
    read_slowly(&reader, answers(1), 100_000, &mut clock);
    assert_eq!(clock.kicks(), "0");
    // It is idle once it has everything and asks for nothing. Its system acknowledges the last bytes after a moment.
    wait_for("the kick", || {
        clock.advance(IDLE_S);
        (clock.kicks() == "1").then_some(())
    });
}

/// As in memcached, a client may pause in the middle of an answer; but here not for ever.
#[test]
fn a_reader_may_pause_but_not_for_ever() {
    let server = Server::start("pausing", FLAGS);
    let mut clock = Clock::stop(server.address);
    let reader = slow(server.address);
    const ANSWERS: usize = 24;
    send(&reader, &"get big\r\n".repeat(ANSWERS));
    read(&reader, VALUE_BYTES);
    clock.advance(50);
    read(&reader, VALUE_BYTES);
    clock.advance(50);
    assert_eq!(clock.kicks(), "0");
    // The systems still exchange bytes for a moment.
    wait_for("the end of the patience", || {
        clock.advance(61);
        (clock.kicks() == "1").then_some(())
    });
    let mut rest = Vec::new();
    let _ = (&reader).read_to_end(&mut rest);
    assert!(rest.len() < answers(ANSWERS) - 2 * VALUE_BYTES, "{} bytes", rest.len());
}

#[test]
fn a_request_that_arrives_slowly_is_progress() {
    let server = Server::start("trickling", FLAGS);
    let mut clock = Clock::stop(server.address);
    let mut writer = server.client();
    assert_eq!(writer.ask("version"), "VERSION 1.6.45");
    for byte in "set a 0 0 20\r\n12345678901234567890\r\n".chars() {
        writer.send(byte.to_string());
        clock.check();
        clock.advance(1);
    }
    assert_eq!(writer.line(), "STORED");
    // Half a request is none: the client is idle.
    writer.send("set a 0 0 20\r\n123");
    wait_for("the kick", || {
        clock.advance(IDLE_S);
        (clock.kicks() == "1").then_some(())
    });
    assert!(writer.is_closed());
}

#[cfg(target_os = "linux")]
mod encrypted {
    use super::{
        certificates::Authority,
        client::{EVERY_VERSION, configuration, connect},
        common::Folder,
        *,
    };
    use rustls::{ClientConnection, pki_types::ServerName};
    use std::{io::Write, sync::Arc};

    fn start(name: &str, root: &Authority, folder: &Folder) -> (Server, Clock) {
        let listen = "-l 127.0.0.1:0,notls:127.0.0.1:0";
        let server = Server::start(name, &format!("{} {FLAGS} {listen}", root.flags_in(&folder.0)));
        let clock = Clock::stop(server.addresses[1]);
        (server, clock)
    }

    /// A part of a record is progress, although the engine sees nothing of it.
    #[test]
    fn a_record_that_arrives_slowly_is_progress() {
        let (folder, root) = (Folder::new("slow-record"), Authority::new());
        let (server, mut clock) = start("slow-record-server", &root, &folder);
        let mut client = connect(server.address, &Arc::new(configuration(&root, None, EVERY_VERSION)));
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        let stream = client.0.get_mut();
        stream.conn.writer().write_all(b"set a 0 0 5\r\nabcde\r\n").unwrap();
        let mut record = Vec::new();
        stream.conn.write_tls(&mut record).unwrap();
        for byte in record {
            stream.sock.write_all(&[byte]).unwrap();
            clock.check();
            clock.advance(1);
        }
        assert_eq!(client.line(), "STORED");
        assert_eq!(clock.kicks(), "0");
    }

    /// Twenty seconds for a handshake, of which none pass without a byte.
    #[test]
    fn a_handshake_that_arrives_slowly_is_progress() {
        let (folder, root) = (Folder::new("slow-handshake"), Authority::new());
        let (server, mut clock) = start("slow-handshake-server", &root, &folder);
        let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
        let mut connection = ClientConnection::new(configuration, ServerName::try_from("localhost").unwrap()).unwrap();
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        let mut socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut silent = TcpStream::connect(server.address).unwrap();
        silent.set_read_timeout(Some(PATIENCE)).unwrap();
        for piece in hello.chunks(hello.len().div_ceil(20)) {
            socket.write_all(piece).unwrap();
            clock.check();
            clock.advance(1);
        }
        let mut client = Client(std::io::BufReader::new(rustls::StreamOwned::new(connection, socket)));
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        wait_for("the end of the silent client", || {
            clock.advance(1);
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
            (clock.kicks() == "1").then_some(())
        });
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    }

    /// Bytes do not prolong a handshake for ever: unlike an idle connection, it has proved nothing yet.
    #[test]
    fn a_handshake_has_a_limit_whatever_arrives() {
        let (folder, root) = (Folder::new("endless-handshake"), Authority::new());
        let (server, mut clock) = start("endless-handshake-server", &root, &folder);
        let mut socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc").unwrap();
        let mut seconds = 0;
        wait_for("the end", || {
            // The server may close before the last byte.
            let _ = socket.write_all(b"\x03");
            clock.check();
            clock.advance(1);
            seconds += 1;
            (clock.0.statistic("ssl_handshake_errors") == "1").then_some(())
        });
        assert!(seconds >= 60, "{seconds}");
        assert_eq!(clock.kicks(), "0");
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    }
}
