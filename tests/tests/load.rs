//! The product under load: many connections, a million checked requests, clients that misbehave. Every reply is compared
//! byte by byte, and memory is compared with the promised limits. No test asserts a time.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use wasmcached_tests::server::{Server, wasmcached_program};

/// Longest wait for an expected reply on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(flags: &[&str]) -> Server {
    let program = wasmcached_program().unwrap_or_else(|message| panic!("{message}"));
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Server::start(&program, &flags).unwrap_or_else(|message| panic!("{message}"))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_nodelay(true).expect("set no delay");
    stream.set_read_timeout(Some(PATIENCE)).expect("set a read timeout");
    stream
}

/// Reads as many bytes as `expected` and compares them.
fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    let mut length = 0;
    while length < got.len() {
        match stream.read(&mut got[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("after {length} of {} bytes: {error}", got.len()),
        }
    }
    if got[..length] != *expected {
        let at = got[..length].iter().zip(expected).position(|(a, b)| a != b).unwrap_or(length);
        let shown = |bytes: &[u8]| bytes[at.saturating_sub(20)..bytes.len().min(at + 60)].escape_ascii().to_string();
        panic!("byte {at} of {}: got \"{}\", expected \"{}\"", expected.len(), shown(&got[..length]), shown(expected));
    }
}

fn ask(stream: &mut TcpStream, request: &[u8], expected: &[u8]) {
    stream.write_all(request).expect("send");
    expect(stream, expected);
}

/// Checks that the server still serves new clients.
fn check_alive(server: &Server) {
    let mut stream = connect(server.address);
    ask(&mut stream, b"set alive 0 0 2\r\nok\r\nget alive\r\n", b"STORED\r\nVALUE alive 0 2\r\nok\r\nEND\r\n");
}

/// xorshift64, so that a seed repeats a run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A client with its own keys, which therefore knows every reply.
struct Client {
    stream: TcpStream,
    number: u64,
    random: Random,
    /// Value of each of its keys.
    values: Vec<Option<Vec<u8>>>,
    requests: Vec<u8>,
    expected: Vec<u8>,
}

impl Client {
    const KEYS: u64 = 100;
    const PIPELINE: u64 = 32;

    fn new(address: SocketAddr, number: u64) -> Self {
        Self {
            stream: connect(address),
            number,
            random: Random((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            values: vec![None; Self::KEYS as usize],
            requests: Vec::new(),
            expected: Vec::new(),
        }
    }

    /// Queues a random request and its expected reply.
    fn queue(&mut self) {
        let key = self.random.below(Self::KEYS) as usize;
        let name = format!("client{}-{key}", self.number);
        match self.random.below(20) {
            0..6 => {
                let length = if self.random.below(50) == 0 { 20_000 } else { self.random.below(200) } as usize;
                let byte = b'a' + self.random.below(26) as u8;
                let value = vec![byte; length];
                let noreply = self.random.below(4) == 0;
                self.request(format!("set {name} {key} 0 {length}{}\r\n", if noreply { " noreply" } else { "" }));
                self.requests.extend(&value);
                self.requests.extend(b"\r\n");
                if !noreply {
                    self.answer("STORED\r\n");
                }
                self.values[key] = Some(value);
            }
            6..13 => {
                self.request(format!("get {name}\r\n"));
                self.answer_value(key);
                self.answer("END\r\n");
            }
            13..15 => {
                let keys: Vec<usize> = (0..10).map(|_| self.random.below(Self::KEYS) as usize).collect();
                let names: String = keys.iter().map(|key| format!(" client{}-{key}", self.number)).collect();
                self.request(format!("get{names}\r\n"));
                keys.iter().for_each(|key| self.answer_value(*key));
                self.answer("END\r\n");
            }
            15..17 => {
                self.request(format!("delete {name}\r\n"));
                let was = self.values[key].take();
                self.answer(if was.is_some() { "DELETED\r\n" } else { "NOT_FOUND\r\n" });
            }
            17 => {
                self.request(format!("add {name} {key} 0 3\r\nadd\r\n"));
                let is_free = self.values[key].is_none();
                self.values[key].get_or_insert_with(|| b"add".to_vec());
                self.answer(if is_free { "STORED\r\n" } else { "NOT_STORED\r\n" });
            }
            18 => {
                self.request(format!("append {name} 0 0 1\r\n+\r\n"));
                let answer = match &mut self.values[key] {
                    Some(value) => {
                        value.push(b'+');
                        "STORED\r\n"
                    }
                    None => "NOT_STORED\r\n",
                };
                self.answer(answer);
            }
            _ => {
                let start = self.random.below(1_000_000);
                self.request(format!("set {name} {key} 0 7\r\n{start:07}\r\nincr {name} 1000000\r\n"));
                let sum = (start + 1_000_000).to_string();
                self.answer(&format!("STORED\r\n{sum}\r\n"));
                self.values[key] = Some(sum.into_bytes());
            }
        }
    }

    fn request(&mut self, text: String) {
        self.requests.extend(text.into_bytes());
    }

    fn answer(&mut self, text: &str) {
        self.expected.extend(text.as_bytes());
    }

    fn answer_value(&mut self, key: usize) {
        if let Some(value) = &self.values[key] {
            self.expected.extend(format!("VALUE client{}-{key} {key} {}\r\n", self.number, value.len()).bytes());
            self.expected.extend(value);
            self.expected.extend(b"\r\n");
        }
    }

    /// Sends a pipeline of random requests and checks every byte of the replies; returns the number of requests.
    fn turn(&mut self) -> u64 {
        for _ in 0..Self::PIPELINE {
            self.queue();
        }
        self.stream.write_all(&self.requests).expect("send");
        let expected = std::mem::take(&mut self.expected);
        expect(&mut self.stream, &expected);
        self.requests.clear();
        Self::PIPELINE
    }
}

/// Sends a million requests from a few threads with many connections each. The data is small, so nothing is evicted.
fn a_million_requests(flags: &[&str]) {
    const REQUESTS: u64 = 1_000_000;
    const THREADS: u64 = 4;
    const CLIENTS: u64 = 12;
    let server = server(flags);
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (address, done) = (server.address, &done);
            scope.spawn(move || {
                let mut clients: Vec<Client> =
                    (0..CLIENTS).map(|client| Client::new(address, thread * CLIENTS + client)).collect();
                while done.load(Ordering::Relaxed) < REQUESTS {
                    for client in &mut clients {
                        done.fetch_add(client.turn(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(done.into_inner() >= REQUESTS);
    let mut stream = connect(server.address);
    stream.write_all(b"stats\r\n").expect("send");
    let text = read_stats(&mut stream);
    assert!(text.contains("STAT evictions 0\r\n"), "nothing may be lost: {text}");
    check_alive(&server);
}

fn read_stats(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.ends_with(b"END\r\n") {
        let length = stream.read(&mut buffer).expect("read statistics");
        assert_ne!(length, 0, "the connection ended");
        text.extend(&buffer[..length]);
    }
    String::from_utf8(text).expect("statistics are ASCII")
}

#[test]
fn a_million_requests_with_one_worker() {
    a_million_requests(&["-t", "1"]);
}

#[test]
fn a_million_requests_with_four_workers() {
    a_million_requests(&["-t", "4"]);
}

#[test]
fn a_million_requests_with_several_shards() {
    a_million_requests(&["-t", "3", "-o", "shards=4"]);
}

#[test]
fn a_thousand_connections_at_once() {
    let server = server(&["-c", "2000"]);
    let mut streams: Vec<TcpStream> = (0..1000).map(|_| connect(server.address)).collect();
    for round in 0..5 {
        for (number, stream) in streams.iter_mut().enumerate() {
            let request = format!("set many{number} {round} 0 5\r\n{number:05}\r\nget many{number}\r\n");
            stream.write_all(request.as_bytes()).expect("send");
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let answer = format!("STORED\r\nVALUE many{number} {round} 5\r\n{number:05}\r\nEND\r\n");
            expect(stream, answer.as_bytes());
        }
    }
    let mut stream = connect(server.address);
    stream.write_all(b"stats\r\n").expect("send");
    assert!(read_stats(&mut stream).contains("STAT curr_connections 1001\r\n"));
}

#[test]
fn connections_beyond_the_limit_get_an_error() {
    let server = server(&["-c", "10"]);
    let mut streams: Vec<TcpStream> = (0..10).map(|_| connect(server.address)).collect();
    for stream in &mut streams {
        ask(stream, b"get a\r\n", b"END\r\n");
    }
    for _ in 0..20 {
        let mut refused = connect(server.address);
        let mut text = String::new();
        refused.read_to_string(&mut text).expect("an answer and the end");
        assert_eq!(text, "ERROR Too many open connections\r\n");
    }
    for stream in &mut streams {
        ask(stream, b"get a\r\n", b"END\r\n");
    }
    drop(streams);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = connect(server.address);
        let mut answer = [0; 5];
        if stream.write_all(b"get a\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok() && &answer == b"END\r\n"
        {
            break;
        }
        assert!(Instant::now() < deadline, "the slots of closed connections are not free again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn slow_readers_cost_bounded_memory_and_lose_nothing() {
    const READERS: usize = 20;
    const GETS: usize = 200;
    let server = server(&["-t", "2"]);
    let mut first = connect(server.address);
    let value = vec![b'v'; 500_000];
    ask(&mut first, &[b"set big 0 0 500000\r\n", &value[..], b"\r\n"].concat(), b"STORED\r\n");
    check_alive(&server);
    let before = server.resident_bytes();
    // Each reader requests 100 MB and reads nothing.
    let mut readers: Vec<TcpStream> = (0..READERS).map(|_| connect(server.address)).collect();
    for reader in &mut readers {
        reader.write_all(&b"get big\r\n".repeat(GETS)).expect("send");
    }
    for _ in 0..50 {
        check_alive(&server);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut observer = connect(server.address);
        observer.write_all(b"stats conns\r\n").expect("send");
        if read_stats(&mut observer).matches("conn_mwrite").count() == READERS {
            break;
        }
        assert!(Instant::now() < deadline, "not every reader has replies that wait for it");
        std::thread::sleep(Duration::from_millis(20));
    }
    if let (Some(before), Some(after)) = (before, server.resident_bytes()) {
        let growth = after.saturating_sub(before);
        assert!(growth < 64 << 20, "{READERS} slow readers cost {growth} bytes");
    }
    let answer = [b"VALUE big 0 500000\r\n", &value[..], b"\r\nEND\r\n"].concat();
    for reader in readers.iter_mut().take(3) {
        for _ in 0..GETS {
            expect(reader, &answer);
        }
        ask(reader, b"get none\r\n", b"END\r\n");
    }
    drop(readers);
    check_alive(&server);
}

#[test]
fn a_value_that_is_being_sent_does_not_change() {
    const BYTES: usize = 900_000;
    let server = server(&["-t", "2"]);
    let mut writer = connect(server.address);
    let mut store = |letter: u8| {
        let value = vec![letter; BYTES];
        ask(&mut writer, &[b"set v 0 0 900000\r\n", &value[..], b"\r\n"].concat(), b"STORED\r\n");
    };
    store(b'a');
    let mut readers: Vec<TcpStream> = (0..8).map(|_| connect(server.address)).collect();
    for (letter, reader) in (b'b'..).zip(&mut readers) {
        // More than the socket accepts, so that the value changes while the server sends a reply.
        reader.write_all(&b"get v\r\n".repeat(8)).expect("send");
        expect(reader, b"VALUE v 0 900000\r\n");
        store(letter);
    }
    ask(&mut connect(server.address), b"delete v\r\n", b"DELETED\r\n");
    for reader in &mut readers {
        let mut gone = false;
        for answer in 0..8 {
            let mut head = [0; 18];
            if answer > 0 {
                reader.read_exact(&mut head[..5]).expect("an answer");
                if &head[..5] == b"END\r\n" {
                    gone = true;
                    continue;
                }
                assert!(!gone, "a deleted value came back");
                reader.read_exact(&mut head[5..]).expect("an answer");
                assert_eq!(&head, b"VALUE v 0 900000\r\n");
            }
            let mut value = vec![0; BYTES + 7];
            reader.read_exact(&mut value).expect("a value");
            assert!(value[..BYTES].iter().all(|byte| *byte == value[0]), "answer {answer} mixes two values");
            assert_eq!(&value[BYTES..], b"\r\nEND\r\n");
        }
    }
}

#[test]
fn half_written_requests_wait_and_do_not_disturb_others() {
    let server = server(&["-t", "2"]);
    let halves: [&[u8]; 6] = [
        b"g",
        b"get hal",
        b"set half 0 0 10",
        b"set half 0 0 10\r\n",
        b"set half 0 0 10\r\n12345",
        b"set half 0 0 10\r\n1234567890\r",
    ];
    let mut streams: Vec<TcpStream> = Vec::new();
    for half in halves.iter().cycle().take(120) {
        let mut stream = connect(server.address);
        stream.write_all(half).expect("send");
        streams.push(stream);
    }
    check_alive(&server);
    // The missing part of each request, and the reply.
    let rests: [(&[u8], &[u8]); 6] = [
        (b"et none\r\n", b"END\r\n"),
        (b"f-none\r\n", b"END\r\n"),
        (b"\r\n1234567890\r\n", b"STORED\r\n"),
        (b"1234567890\r\n", b"STORED\r\n"),
        (b"67890\r\n", b"STORED\r\n"),
        (b"\n", b"STORED\r\n"),
    ];
    for (stream, (rest, answer)) in streams.iter_mut().zip(rests.iter().cycle()) {
        ask(stream, rest, answer);
    }
    ask(&mut streams[0], b"get half\r\n", b"VALUE half 0 10\r\n1234567890\r\nEND\r\n");
}

#[test]
fn clients_that_close_at_any_point() {
    let server = server(&["-t", "4"]);
    let address = server.address;
    ask(&mut connect(address), b"set keep 7 0 4\r\nkeep\r\n", b"STORED\r\n");
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                let mut random = Random(thread + 1);
                let big = vec![b'x'; 300_000];
                for _ in 0..400 {
                    let mut stream = connect(address);
                    let request: Vec<u8> = match random.below(7) {
                        0 => b"set gone 0 0 300000\r\n"
                            .iter()
                            .chain(&big[..random.below(300_000) as usize])
                            .copied()
                            .collect(),
                        1 => b"get keep\r\n".repeat(1 + random.below(500) as usize),
                        2 => b"get".to_vec(),
                        3 => [b"get", b" keep".repeat(400).as_slice()].concat(),
                        4 => [b"set gone 0 0 300000\r\n", &big[..], b"\r\n", b"get gone\r\n".repeat(20).as_slice()]
                            .concat(),
                        5 => Vec::new(),
                        _ => b"set keep 7 0 4\r\nkeep\r\nquit\r\n".to_vec(),
                    };
                    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("set a write timeout");
                    let _ = stream.write_all(&request);
                    if random.below(2) == 0 {
                        // Some clients read a little before they close.
                        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("set a read timeout");
                        let _ = stream.read(&mut [0; 100]);
                    }
                }
            });
        }
    });
    check_alive(&server);
    ask(&mut connect(address), b"get keep\r\n", b"VALUE keep 7 4\r\nkeep\r\nEND\r\n");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = connect(address);
        stream.write_all(b"stats\r\n").expect("send");
        if read_stats(&mut stream).contains("STAT curr_connections 1\r\n") {
            break;
        }
        assert!(Instant::now() < deadline, "connections of closed clients are kept");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_idle_connections_cost_two_kibibytes_each() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const CONNECTIONS: usize = 10_000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("raise the limit of descriptors to what is allowed");
    assert!(
        limit.current.is_none_or(|allowed| allowed > CONNECTIONS as u64 + 100),
        "this test needs {CONNECTIONS} descriptors, only {:?} are allowed (ulimit -Hn)",
        limit.current
    );
    let server = server(&["-c", "12000"]);
    for _ in 0..100 {
        check_alive(&server);
    }
    let before = server.resident_bytes().expect("resident memory");
    let mut streams = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        streams.push(connect(server.address));
    }
    // Each connection is served once, because memory that remains after a request counts too.
    for stream in &mut streams {
        stream.write_all(b"get idle\r\n").expect("send");
    }
    for stream in &mut streams {
        expect(stream, b"END\r\n");
    }
    let after = server.resident_bytes().expect("resident memory");
    let each = after.saturating_sub(before) / CONNECTIONS as u64;
    println!("{CONNECTIONS} idle connections: {each} bytes each ({before} bytes before, {after} after)");
    assert!(each <= 2048, "{each} bytes each");
    check_alive(&server);
    for stream in streams.iter_mut().step_by(997) {
        ask(stream, b"get idle\r\n", b"END\r\n");
    }
}

/// Values are sent from the store while they are overwritten, to clients that read late: each is of one version.
#[test]
fn long_values_are_of_one_version() {
    const BYTES: usize = 100_000;
    const READERS: usize = 12;
    const READS: usize = 20;
    let server = server(&["-t", "1"]);
    let mut writer = connect(server.address);
    let mut write = |version: usize| {
        let value = [b'a' + (version % 26) as u8; BYTES];
        let request = [format!("set k 0 0 {BYTES}\r\n").as_bytes(), &value, b"\r\n"].concat();
        ask(&mut writer, &request, b"STORED\r\n");
    };
    write(0);
    let mut readers: Vec<TcpStream> = (0..READERS).map(|_| connect(server.address)).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        reader.write_all(&b"get k\r\n".repeat(READS)).expect("send");
        write(number);
    }
    (0..60).for_each(&mut write);
    let mut got = vec![0; b"VALUE k 0 100000\r\n\r\nEND\r\n".len() + BYTES];
    for reader in &mut readers {
        for read in 0..READS {
            reader.read_exact(&mut got).expect("the whole reply");
            let (value, end) = got.strip_prefix(b"VALUE k 0 100000\r\n").expect("a value").split_at(BYTES);
            assert_eq!(end, b"\r\nEND\r\n");
            assert!(value.iter().all(|&byte| byte == value[0]), "reply {read} has bytes of two versions");
        }
    }
}
