//! Memory of the server under everything that clients can make it hold: each hostile pattern beside victims that must be
//! served.
//!
//! The process stays at or under 1.25 times `-m` and 64 MiB, what victims ask for is answered, and after the hostile
//! clients have left the process is about as large as before. Memory is sampled throughout each pattern.

#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use wasmcached_tests::server::{Server, wasmcached_program};

/// Longest wait for a reply. Connections that stall end a second or two after somebody needs their room.
const PATIENCE: Duration = Duration::from_secs(30);
/// Length of the values of victims.
const VICTIM_BYTES: usize = 500_000;
const VICTIMS: usize = 40;
/// Most memory that the process keeps, besides items, when hostile clients have left.
const KEPT_BYTES_MAX: u64 = 16 << 20;

/// A conversation that hostile clients begin and do not go on with.
enum Pattern {
    /// `count` sets of `announced` bytes each, of which `sent` arrive.
    Uploads { count: usize, announced: usize, sent: usize },
    /// `count` clients ask for an item of `bytes` bytes `times` times, and read nothing until the victims are served.
    LateReaders { count: usize, bytes: usize, times: usize },
    /// `count` prefixes of keys as long as there are, counted by `stats detail`, and clients that ask for all of them and
    /// read nothing until the victims are served.
    Prefixes { count: usize, readers: usize },
}

/// The part of its replies that a late reader has not read.
enum Rest {
    Bytes(usize),
    /// The prefixes of `stats detail`.
    Dump,
}

impl Rest {
    fn read(&self, stream: &TcpStream) {
        match self {
            Self::Bytes(bytes) => {
                let received = std::io::copy(&mut stream.take(*bytes as u64), &mut std::io::sink());
                assert_eq!(received.expect("everything in time"), *bytes as u64);
            }
            Self::Dump => {
                let lines = BufReader::new(stream).lines().map(|line| line.expect("everything in time"));
                let prefixes =
                    lines.take_while(|line| line != "END").inspect(|line| assert!(line.starts_with("PREFIX ")));
                assert!(prefixes.count() > 1000);
            }
        }
    }
}

struct Scenario {
    name: &'static str,
    flags: &'static str,
    memory_mib: u64,
    patterns: &'static [Pattern],
}

use Pattern::{LateReaders, Prefixes, Uploads};

const MB: usize = 1_000_000;

#[rustfmt::skip]
const SCENARIOS: [Scenario; 12] = [
    Scenario { name: "stalled uploads", flags: "-t 4", memory_mib: 64,
        patterns: &[Uploads { count: 300, announced: MB, sent: MB - 10 }] },
    Scenario { name: "stalled uploads, one worker", flags: "-t 1", memory_mib: 64,
        patterns: &[Uploads { count: 90, announced: MB, sent: MB - 10 }] },
    Scenario { name: "small halves and stalled uploads", flags: "-t 4", memory_mib: 64,
        patterns: &[
            Uploads { count: 60, announced: MB, sent: MB / 2 },
            Uploads { count: 1250, announced: 10_000, sent: 9000 },
        ] },
    Scenario { name: "16 shards and 8 workers", flags: "-t 8 -o shards=16", memory_mib: 64,
        patterns: &[Uploads { count: 80, announced: MB, sent: MB - 10 }] },
    Scenario { name: "announcements", flags: "-t 2", memory_mib: 64,
        patterns: &[Uploads { count: 60, announced: MB, sent: 3 }] },
    Scenario { name: "items of 64 MiB", flags: "-t 4 -I 64m", memory_mib: 512,
        patterns: &[Uploads { count: 14, announced: 60 * MB, sent: 55 * MB }] },
    Scenario { name: "late readers of 1 MB", flags: "-t 4", memory_mib: 64,
        patterns: &[LateReaders { count: 1000, bytes: MB, times: 3 }] },
    Scenario { name: "late readers of 100 kB", flags: "-t 4", memory_mib: 64,
        patterns: &[LateReaders { count: 1000, bytes: 100_000, times: 12 }] },
    Scenario { name: "late readers of 10 kB", flags: "-t 2 -o shards=4", memory_mib: 64,
        patterns: &[LateReaders { count: 1000, bytes: 10_000, times: 300 }] },
    Scenario { name: "late readers of 100 bytes", flags: "-t 4", memory_mib: 64,
        patterns: &[LateReaders { count: 1000, bytes: 100, times: 4000 }] },
    Scenario { name: "long pipelines of late readers", flags: "-t 2 -R 100", memory_mib: 64,
        patterns: &[LateReaders { count: 100, bytes: MB, times: 100 }] },
    Scenario { name: "prefixes", flags: "-t 4 -o shards=16", memory_mib: 64,
        patterns: &[Prefixes { count: 400_000, readers: 100 }] },
];

#[test]
fn memory_is_bounded_and_victims_are_served() {
    let program = wasmcached_program().unwrap_or_else(|message| panic!("{message}"));
    for scenario in &SCENARIOS {
        let memory = format!("-m {} -c 4000 {}", scenario.memory_mib, scenario.flags);
        let flags: Vec<String> = memory.split(' ').map(str::to_owned).collect();
        scenario.run(&Server::start(&program, &flags).unwrap_or_else(|message| panic!("{message}")));
    }
}

impl Scenario {
    fn run(&self, server: &Server) {
        let begin = Instant::now();
        let resident = || server.resident_bytes().expect("the server runs");
        fill(server.address, self.memory_mib);
        let before = resident();
        let (watching, most) = (AtomicBool::new(true), AtomicU64::new(before));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while watching.load(Ordering::Relaxed) {
                    most.fetch_max(resident(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.attack(server.address)));
            watching.store(false, Ordering::Relaxed);
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        let most = most.into_inner() >> 20;
        println!("{:34} {most} MiB at most, {:.1} s", self.name, begin.elapsed().as_secs_f64());
        assert!(most <= self.memory_mib * 5 / 4 + 64, "{}: {most} MiB", self.name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let after = resident();
            if after <= before + KEPT_BYTES_MAX {
                break;
            }
            assert!(Instant::now() < deadline, "{}: {} KiB kept", self.name, (after - before) >> 10);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn attack(&self, address: SocketAddr) {
        let mut hostile = Vec::new();
        let mut readers = Vec::new();
        for pattern in self.patterns {
            match *pattern {
                Uploads { count, announced, sent } => {
                    let head = format!("set stalled 0 0 {announced}\r\n");
                    let piece = vec![b'u'; sent];
                    hostile.extend((0..count).map(|_| stalled(address, &[head.as_bytes(), &piece].concat())));
                }
                LateReaders { count, bytes, times } => {
                    set(&mut connect(address), "item", &vec![b'v'; bytes]);
                    let answer_bytes = format!("VALUE item 0 {bytes}\r\n\r\nEND\r\n").len() + bytes;
                    readers.extend((0..count).map(|_| {
                        let stream = connect(address);
                        (&stream).write_all(&b"get item\r\n".repeat(times)).expect("send");
                        (stream, Rest::Bytes(times * answer_bytes))
                    }));
                }
                Prefixes { count, readers: dumps } => {
                    count_prefixes(&mut connect(address), count);
                    readers.extend((0..dumps).map(|_| {
                        let stream = connect(address);
                        (&stream).write_all(b"stats detail dump\r\n").expect("send");
                        (stream, Rest::Dump)
                    }));
                }
            }
        }
        let value = vec![b'x'; VICTIM_BYTES];
        for number in 0..VICTIMS {
            set(&mut connect(address), &format!("one-{number}"), &value);
        }
        std::thread::scope(|scope| {
            for number in 0..VICTIMS {
                let value = &value;
                scope.spawn(move || set(&mut connect(address), &format!("all-{number}"), value));
            }
        });
        assert_eq!(ask(&mut connect(address), b"get nothing\r\n"), "END\r\n");
        std::thread::scope(|scope| {
            for (stream, rest) in &readers {
                scope.spawn(move || rest.read(stream));
            }
        });
        drop((hostile, readers));
        // Nothing is counted for clients that are gone.
        let deadline = Instant::now() + PATIENCE;
        while statistic(address, "buffers_bytes") > 0 || statistic(address, "buffers_waiting_connections") > 0 {
            assert!(Instant::now() < deadline, "{}: bytes are held for nobody", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(statistic(address, "front_traps"), 0);
        // Each connection that was ended for others is counted: with its request, or with its replies.
        let refused = statistic(address, "read_buf_oom") + statistic(address, "response_obj_oom");
        assert_eq!(refused, statistic(address, "buffers_ended_connections"), "{}", self.name);
        // Uploads that fill the budget have to end for others. A budget of few large items may have room for the victims.
        let fills = |pattern: &Pattern| matches!(pattern, Uploads { announced, .. } if *announced <= MB);
        assert!(!self.patterns.iter().any(fills) || refused > 0, "{}", self.name);
    }
}

/// Stores items until all memory for them is in use.
fn fill(address: SocketAddr, memory_mib: u64) {
    let mut stream = connect(address);
    let value = vec![b'f'; 10_000];
    for number in 0..memory_mib * 130 {
        set(&mut stream, &format!("fill-{number}"), &value);
    }
    assert!(statistic(address, "evictions") > 0);
}

/// Asks for `count` keys with different prefixes of 249 bytes, which `stats detail` counts from now on.
fn count_prefixes(stream: &mut TcpStream, count: usize) {
    assert_eq!(ask(stream, b"stats detail on\r\n"), "OK\r\n");
    for begin in (0..count).step_by(1000) {
        let numbers = begin..count.min(begin + 1000);
        let mut answers = vec![0; numbers.len() * b"END\r\n".len()];
        let requests: String = numbers.map(|number| format!("get {number:0249}:\r\n")).collect();
        stream.write_all(requests.as_bytes()).expect("send");
        stream.read_exact(&mut answers).expect("answers in time");
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("set a read timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("set a write timeout");
    stream
}

/// A client that sends what the system takes of `bytes` and stops.
fn stalled(address: SocketAddr, mut bytes: &[u8]) -> TcpStream {
    let stream = connect(address);
    // Of a connection that waits the server reads nothing.
    stream.set_write_timeout(Some(Duration::from_millis(20))).expect("set a write timeout");
    while !bytes.is_empty() {
        match (&stream).write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            // It was ended for others meanwhile.
            Err(_) => break,
        }
    }
    stream
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).expect("send");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer in time");
    line
}

fn set(stream: &mut TcpStream, key: &str, value: &[u8]) {
    let request = [format!("set {key} 0 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat();
    assert_eq!(ask(stream, &request), "STORED\r\n", "{key}");
}

fn statistic(address: SocketAddr, name: &str) -> u64 {
    let mut stream = connect(address);
    stream.write_all(b"stats\r\n").expect("send");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("an answer")).take_while(|line| line != "END");
    let values: Vec<String> = lines.collect();
    let line = values.iter().find_map(|line| line.strip_prefix(&format!("STAT {name} ")));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}
