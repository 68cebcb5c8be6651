//! Memory of the server under everything that clients can make it hold: each hostile pattern beside victims that must be
//! served.
//!
//! The process stays at or under 1.25 times `-m` and 64 MiB, and what victims ask for is answered. Memory is sampled
//! throughout each pattern.

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

/// A conversation that hostile clients begin and do not go on with.
enum Pattern {
    /// `count` sets of `announced` bytes each, of which `sent` arrive.
    Uploads { count: usize, announced: usize, sent: usize },
    /// `count` clients ask for the item of 1 MB `times` times, and read nothing until the victims are served.
    LateReaders { count: usize, times: usize },
}

struct Scenario {
    name: &'static str,
    flags: &'static str,
    memory_mib: u64,
    patterns: &'static [Pattern],
    /// Whether victims store meanwhile.
    has_victims: bool,
}

use Pattern::{LateReaders, Uploads};

const MB: usize = 1_000_000;

#[rustfmt::skip]
const SCENARIOS: [Scenario; 7] = [
    Scenario { name: "stalled uploads", flags: "-t 4", memory_mib: 64, has_victims: true,
        patterns: &[Uploads { count: 300, announced: MB, sent: MB - 10 }] },
    Scenario { name: "stalled uploads, one worker", flags: "-t 1", memory_mib: 64, has_victims: true,
        patterns: &[Uploads { count: 90, announced: MB, sent: MB - 10 }] },
    Scenario { name: "small halves and stalled uploads", flags: "-t 4", memory_mib: 64, has_victims: true,
        patterns: &[
            Uploads { count: 60, announced: MB, sent: MB / 2 },
            Uploads { count: 1250, announced: 10_000, sent: 9000 },
        ] },
    Scenario { name: "16 shards and 8 workers", flags: "-t 8 -o shards=16", memory_mib: 64, has_victims: true,
        patterns: &[Uploads { count: 80, announced: MB, sent: MB - 10 }] },
    Scenario { name: "announcements", flags: "-t 2", memory_mib: 64, has_victims: true,
        patterns: &[Uploads { count: 60, announced: MB, sent: 3 }] },
    Scenario { name: "items of 64 MiB", flags: "-t 4 -I 64m", memory_mib: 512, has_victims: true,
        patterns: &[Uploads { count: 14, announced: 60 * MB, sent: 55 * MB }] },
    Scenario { name: "late readers", flags: "-t 4", memory_mib: 64, has_victims: false,
        patterns: &[LateReaders { count: 100, times: 12 }] },
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
        let (watching, most) = (AtomicBool::new(true), AtomicU64::new(resident()));
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
    }

    fn attack(&self, address: SocketAddr) {
        let value = vec![b'v'; MB];
        set(&mut connect(address), "item", &value);
        let mut hostile = Vec::new();
        let mut readers = Vec::new();
        for pattern in self.patterns {
            match *pattern {
                Uploads { count, announced, sent } => {
                    let head = format!("set stalled 0 0 {announced}\r\n");
                    let piece = vec![b'u'; sent];
                    hostile.extend((0..count).map(|_| stalled(address, &[head.as_bytes(), &piece].concat())));
                }
                LateReaders { count, times } => readers.extend((0..count).map(|_| {
                    let stream = connect(address);
                    (&stream).write_all(&b"get item\r\n".repeat(times)).expect("send");
                    (stream, times * (b"VALUE item 0 1000000\r\n\r\nEND\r\n".len() + MB))
                })),
            }
        }
        if self.has_victims {
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
        }
        std::thread::scope(|scope| {
            for (stream, expected) in &readers {
                scope.spawn(move || {
                    let received = std::io::copy(&mut stream.take(*expected as u64), &mut std::io::sink());
                    assert_eq!(received.expect("everything in time"), *expected as u64);
                });
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
