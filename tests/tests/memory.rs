//! Memory of the server under everything that moves data: never more than 1.1 times `-m` and 16 MiB, and `stats` accounts
//! for each byte of the pool.
//!
//! Memory, unlike time, is deterministic enough to be asserted; it is sampled throughout each step.

#![cfg(target_os = "linux")]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use wasmcached_tests::server::{Server, wasmcached_program};

const LIMIT_MIB: u64 = 64;
const LIMIT_BYTES: u64 = LIMIT_MIB << 20;
const RESIDENT_BYTES_MAX: u64 = LIMIT_BYTES / 10 * 11 + (16 << 20);
/// Number of clients, each with a part of the keys, so that every front is busy.
const CLIENTS: u64 = 4;
/// Approximate size of a write.
const PIECE_BYTES: usize = 256 * 1024;
/// Longest wait for an expected reply on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn four_workers_stay_within_their_memory() {
    every_scenario(&["-t", "4"]);
}

#[test]
fn one_worker_stays_within_its_memory() {
    every_scenario(&["-t", "1"]);
}

fn every_scenario(flags: &[&str]) {
    let program = wasmcached_program().unwrap_or_else(|message| panic!("{message}"));
    let mut all = vec!["-m".to_owned(), LIMIT_MIB.to_string()];
    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let scenario = Scenario(Server::start(&program, &all).unwrap_or_else(|message| panic!("{message}")));
    scenario.step("filling", |client| client.set_all(100, 0, LIMIT_BYTES * 5 / 4));
    assert!(scenario.stats()["evictions"] > 0, "it is full");
    // Ten times the capacity in all, in sizes that differ strongly from one step to the next.
    for value_bytes in [4000, 30, 20_000, 300, 500_000, 1000, 100_000, 60, 10_000, 2000] {
        scenario.step(&format!("overwriting with {value_bytes} bytes"), |client| {
            client.set_all(value_bytes, 0, LIMIT_BYTES);
        });
    }
    scenario.step("filling with 200 bytes", |client| client.set_all(200, 0, LIMIT_BYTES));
    // Covers every key so far: the smallest items had the most keys.
    scenario.step("deleting everything", |client| client.delete_all(30, LIMIT_BYTES));
    assert_eq!(scenario.stats()["curr_items"], 0, "everything was deleted");
    scenario.step("filling with what expires", |client| client.set_all(500, 1, LIMIT_BYTES / 2));
    scenario.step("waiting until it has expired", |client| {
        if client.number == 0 {
            client.wait_until("curr_items", 0);
        }
    });
    scenario.step("filling after that", |client| client.set_all(700, 0, LIMIT_BYTES));
    scenario.step("flush_all", |client| {
        if client.number == 0 {
            client.add(format_args!("flush_all noreply\r\n"));
            client.wait_for_all();
        }
    });
    scenario.step("filling after that", |client| client.set_all(1500, 0, LIMIT_BYTES));
    scenario.step("growing", |client| client.grow(0));
    scenario.step("shrinking", |client| client.set_all(3, 0, LIMIT_BYTES / 8));
    scenario.step("growing again", |client| client.grow(1));
    scenario.step("filling again", |client| client.set_all(100, 0, LIMIT_BYTES * 5 / 4));
    let stats = scenario.stats();
    let used = stats["bytes"] + stats["hash_bytes"];
    assert!(used >= LIMIT_BYTES / 100 * 93, "only {used} bytes are in use");
}

struct Scenario(Server);

impl Scenario {
    /// Runs all clients at once and samples the memory.
    fn step(&self, name: &str, work: impl Fn(&mut Client) + Sync) {
        let start = Instant::now();
        let (watching, most) = (AtomicBool::new(true), AtomicU64::new(self.resident_bytes()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while watching.load(Ordering::Relaxed) {
                    most.fetch_max(self.resident_bytes(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let work = &work;
                    scope.spawn(move || work(&mut Client::connect(self.0.address, number)))
                })
                .collect();
            let ended: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
            // The sampling thread must stop even after a panic.
            watching.store(false, Ordering::Relaxed);
            ended.into_iter().for_each(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        });
        let most = most.into_inner().max(self.resident_bytes());
        let stats = self.stats();
        println!(
            "{name:32} {:5.1} MiB resident at most, {} items, {:.1} s",
            most as f64 / f64::from(1 << 20),
            stats["curr_items"],
            start.elapsed().as_secs_f64()
        );
        assert!(most <= RESIDENT_BYTES_MAX, "{name}: {most} bytes are resident, {RESIDENT_BYTES_MAX} are the limit");
        let parts = ["bytes", "hash_bytes", "pool_free_bytes", "pool_dead_bytes"].map(|part| stats[part]);
        assert_eq!(parts.iter().sum::<u64>(), LIMIT_BYTES, "{name}: used, index, free and dead bytes are {parts:?}");
        assert_eq!((stats["pool_bytes"], stats["limit_maxbytes"]), (LIMIT_BYTES, LIMIT_BYTES), "{name}");
        assert_eq!((stats["shard_traps"], stats["front_traps"]), (0, 0), "{name}");
    }

    fn resident_bytes(&self) -> u64 {
        self.0.resident_bytes().expect("the server runs")
    }

    fn stats(&self) -> HashMap<String, u64> {
        Client::connect(self.0.address, 0).stats()
    }
}

/// A client that sends noreply requests, and waits for all of them by a request with a reply.
struct Client {
    stream: BufReader<TcpStream>,
    number: u64,
    out: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, number: u64) -> Self {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("set no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("set a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("set a write timeout");
        Self { stream: BufReader::new(stream), number, out: Vec::new() }
    }

    /// This client's part of the keys whose items of this size take `bytes` bytes together.
    fn keys(&self, value_bytes: u64, bytes: u64) -> impl Iterator<Item = u64> + use<> {
        let count = bytes / (value_bytes + 40);
        (self.number..count).step_by(CLIENTS as usize)
    }

    /// Sets items of one size that take `bytes` bytes together with those of the other clients.
    fn set_all(&mut self, value_bytes: u64, exptime: u32, bytes: u64) {
        let value = vec![b'v'; value_bytes as usize];
        for key in self.keys(value_bytes, bytes) {
            self.add(format_args!("set key{key:09} 0 {exptime} {value_bytes} noreply\r\n"));
            self.out.extend_from_slice(&value);
            self.add(format_args!("\r\n"));
        }
        self.wait_for_all();
    }

    fn delete_all(&mut self, value_bytes: u64, bytes: u64) {
        for key in self.keys(value_bytes, bytes) {
            self.add(format_args!("delete key{key:09} noreply\r\n"));
        }
        self.wait_for_all();
    }

    /// Grows values at both ends from nothing to 100,000 bytes, more of them than fit.
    fn grow(&mut self, round: u32) {
        let piece = [b'p'; 5000];
        let keys: Vec<u64> = self.keys(100_000, LIMIT_BYTES * 3 / 2).collect();
        for key in &keys {
            self.add(format_args!("set grow{round}-{key} 0 0 0 noreply\r\n\r\n"));
        }
        for step in 0..20 {
            let verb = if step % 3 == 0 { "prepend" } else { "append" };
            for key in &keys {
                self.add(format_args!("{verb} grow{round}-{key} 0 0 {} noreply\r\n", piece.len()));
                self.out.extend_from_slice(&piece);
                self.add(format_args!("\r\n"));
            }
        }
        self.wait_for_all();
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a vector takes everything");
        if self.out.len() > PIECE_BYTES {
            self.send();
        }
    }

    fn send(&mut self) {
        self.stream.get_mut().write_all(&self.out).expect("send");
        self.out.clear();
    }

    /// Waits until all requests are executed; checks that none of them had a reply.
    fn wait_for_all(&mut self) {
        self.add(format_args!("version\r\n"));
        self.send();
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        assert!(line.starts_with("VERSION "), "without replies there is no {line:?}");
    }

    fn stats(&mut self) -> HashMap<String, u64> {
        self.stream.get_mut().write_all(b"stats\r\n").expect("send");
        let lines = self.stream.by_ref().lines().map(|line| line.expect("an answer")).take_while(|line| line != "END");
        let numbers = lines.filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        });
        numbers.collect()
    }

    /// Waits until a statistic reaches a value.
    fn wait_until(&mut self, name: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.stats()[name] != value {
            assert!(Instant::now() < deadline, "{name} is {}, not {value}", self.stats()[name]);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
