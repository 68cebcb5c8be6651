//! The largest item of each size limit is stored and read, in a guest of 32 bits, with one worker and with several.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};
use wasmcached_tests::server::{Server, wasmcached_program};

/// Longest wait for a reply on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const MIB: usize = 1 << 20;

/// A client of one server.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        socket.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        Self(BufReader::with_capacity(MIB, socket))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line
    }

    fn set(&mut self, key: &str, value: &[u8]) -> String {
        let head = format!("set {key} 0 0 {}\r\n", value.len());
        let socket = self.0.get_mut();
        for bytes in [head.as_bytes(), value, b"\r\n"] {
            socket.write_all(bytes).expect("the server reads");
        }
        self.line()
    }

    /// Reads an item and compares it.
    fn has(&mut self, key: &str, value: &[u8]) -> bool {
        self.0.get_mut().write_all(format!("get {key}\r\n").as_bytes()).expect("the server reads");
        assert_eq!(self.line(), format!("VALUE {key} 0 {}\r\n", value.len()));
        let mut found = vec![0; MIB];
        let mut is_same = true;
        for piece in value.chunks(MIB) {
            self.0.read_exact(&mut found[..piece.len()]).expect("the whole value");
            is_same &= found[..piece.len()] == *piece;
        }
        assert_eq!([self.line(), self.line()], ["\r\n", "END\r\n"]);
        is_same
    }
}

/// Bytes whose every KiB differs from every other.
fn value(bytes: usize) -> Vec<u8> {
    let mut value = vec![0x5a; bytes];
    for (number, piece) in value.chunks_exact_mut(1024).enumerate() {
        piece[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    value
}

fn stores_and_reads(flags: &[&str]) {
    let program = wasmcached_program().unwrap_or_else(|message| panic!("{message}"));
    let most = value(512 * MIB);
    for mebibytes in (0..10).map(|power| 1 << power) {
        let limits = ["-I".to_owned(), format!("{mebibytes}m"), "-m".to_owned(), (mebibytes * 2).max(64).to_string()];
        let all: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).chain(limits).collect();
        let server = Server::start(&program, &all).unwrap_or_else(|message| panic!("{message}"));
        let mut client = Client::new(&server);
        // memcached's header of 48 bytes, its unique of 8, a NUL and a line end count.
        let largest = mebibytes * MIB - 59 - "k".len();
        assert_eq!(client.set("k", &most[..largest]), "STORED\r\n", "-I {mebibytes}m");
        assert!(client.has("k", &most[..largest]), "-I {mebibytes}m");
        assert_eq!(client.set("k", &most[..largest + 1]), "SERVER_ERROR object too large for cache\r\n");
        // The next one takes its place.
        assert_eq!(client.set("other", &most[..largest - 4]), "STORED\r\n", "-I {mebibytes}m");
        assert!(client.has("other", &most[..largest - 4]), "-I {mebibytes}m");
    }
}

#[test]
fn one_worker_stores_and_reads_the_largest_items() {
    stores_and_reads(&["-t", "1"]);
}

#[test]
fn fronts_and_shards_store_and_read_the_largest_items() {
    stores_and_reads(&["-t", "2", "-o", "shards=1"]);
}
