//! Nanoseconds per request inside the engine, without sockets: `cargo run --release -p wasmcached-bench --bin engine -- [KEYS [REQUESTS [NAME]]]`.
//!
//! Sends the same requests as `cargo xtask bench` sends over loopback, which separates the engine's cost from the
//! kernel's.

use std::{env, fs, hint::black_box, sync::OnceLock, time::Instant};
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    hash::Seed,
};

const NOW: u32 = 1_800_000_000;
const VALUE: [u8; 100] = [b'v'; 100];

/// CPU time of this process, which other programs disturb less than wall time; wall time where `/proc` has no schedstat.
fn cpu_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let schedstat = fs::read_to_string("/proc/self/schedstat").ok();
    schedstat.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_else(|| start.elapsed().as_nanos() as u64)
}

struct Bench {
    engine: Engine,
    id: ConnectionId,
    keys: u32,
    random: u64,
}

impl Bench {
    fn new(keys: u32) -> Self {
        let bytes = (u64::from(keys) * 200).max(64 << 20);
        let config = Config {
            requests_per_event: 1000,
            store: StoreConfig {
                memory_bytes: bytes,
                memory_bytes_capacity: bytes,
                seed: Seed(1, 2),
                ..StoreConfig::default()
            },
            ..Config::default()
        };
        let mut engine = Engine::new(&config, NOW).expect("memory for the pool");
        let id = engine.front().expect("a solo engine has a front").open(false);
        Self { engine, id, keys, random: 88172645463325252 }
    }

    fn key(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * u64::from(self.keys)) >> 32) as u32
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let front = self.engine.front().expect("a solo engine has a front");
        front.input(self.id)[..bytes.len()].copy_from_slice(bytes);
        let mut status = self.engine.advance(self.id, bytes.len(), NOW);
        let mut sent = 0;
        loop {
            sent += black_box(self.engine.front().expect("a front").output(self.id)).len();
            if !status.has(ConnectionStatus::MORE) {
                return sent;
            }
            status = self.engine.advance(self.id, 0, NOW);
        }
    }

    /// Times `requests` requests, sent `batch` at a time; `write` appends the request for a key.
    fn run(&mut self, name: &str, batch: u32, requests: u32, write: impl Fn(&mut Vec<u8>, u32)) {
        if !is_wanted(name) {
            return;
        }
        let chunks: Vec<Vec<u8>> = (0..requests / batch)
            .map(|_| {
                let mut bytes = Vec::new();
                (0..batch).for_each(|_| write(&mut bytes, self.key()));
                bytes
            })
            .collect();
        let start = cpu_ns();
        let mut bytes = 0;
        for chunk in &chunks {
            bytes += self.send(chunk);
        }
        let ns = (cpu_ns() - start) as f64 / f64::from(requests);
        println!("{name:24} {ns:8.1} ns   {:6.1} bytes back", bytes as f64 / f64::from(requests));
    }
}

/// Whether the command line selects this measurement; without a name it selects all.
fn is_wanted(name: &str) -> bool {
    env::args().nth(3).is_none_or(|wanted| wanted == name)
}

fn set(out: &mut Vec<u8>, key: u32) {
    out.extend_from_slice(format!("set {key:020} 0 0 100\r\n").as_bytes());
    out.extend_from_slice(&VALUE);
    out.extend_from_slice(b"\r\n");
}

fn get(out: &mut Vec<u8>, key: u32) {
    out.extend_from_slice(format!("get {key:020}\r\n").as_bytes());
}

fn meta_get(out: &mut Vec<u8>, key: u32) {
    out.extend_from_slice(format!("mg {key:020} k f v\r\n").as_bytes());
}

fn meta_get_quiet(out: &mut Vec<u8>, key: u32) {
    out.extend_from_slice(format!("mg {key:020} k f v q\r\n").as_bytes());
}

fn meta_set(out: &mut Vec<u8>, key: u32) {
    out.extend_from_slice(format!("ms {key:020} 100\r\n").as_bytes());
    out.extend_from_slice(&VALUE);
    out.extend_from_slice(b"\r\n");
}

/// A packet of the binary protocol.
fn packet(out: &mut Vec<u8>, opcode: u8, extras: &[u8], key: u32, value: &[u8]) {
    let key = format!("{key:020}");
    let body_bytes = (extras.len() + key.len() + value.len()) as u32;
    out.extend_from_slice(&[0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0]);
    out.extend_from_slice(&body_bytes.to_be_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(extras);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value);
}

fn main() {
    let keys = env::args().nth(1).and_then(|keys| keys.parse().ok()).unwrap_or(1_000_000);
    let requests = env::args().nth(2).and_then(|requests| requests.parse().ok()).unwrap_or(1_000_000);
    let mut bench = Bench::new(keys);
    for first in (0..keys).step_by(8) {
        let mut bytes = Vec::new();
        (first..keys.min(first + 8)).for_each(|key| set(&mut bytes, key));
        bench.send(&bytes);
    }
    println!("{keys} keys of 20 bytes, 100-byte values");
    bench.run("get", 1, requests, get);
    bench.run("get, 16 a read", 16, requests, get);
    bench.run("get a, a miss", 16, requests, |out, key| get(out, key + 2_000_000_000));
    bench.run("set", 1, requests, set);
    bench.run("set, 8 a read", 8, requests, set);
    bench.run("mg", 1, requests, meta_get);
    bench.run("mg, 16 a read", 16, requests, meta_get);
    bench.run("mg q, 50 a read", 50, requests, meta_get_quiet);
    bench.run("ms", 1, requests, meta_set);
    bench.run("ms, 8 a read", 8, requests, meta_set);
    bench.id = bench.engine.front().expect("a solo engine has a front").open(false);
    bench.run("packets: get", 1, requests, |out, key| packet(out, 0x00, &[], key, &[]));
    bench.run("packets: get, 16 a read", 16, requests, |out, key| packet(out, 0x00, &[], key, &[]));
    bench.run("packets: getkq, 50 a read", 50, requests, |out, key| packet(out, 0x0d, &[], key, &[]));
    bench.run("packets: set", 1, requests, |out, key| packet(out, 0x01, &[0; 8], key, &VALUE));
    bench.run("packets: set, 8 a read", 8, requests, |out, key| packet(out, 0x01, &[0; 8], key, &VALUE));
    bench.id = bench.engine.front().expect("a solo engine has a front").open(false);
    if !is_wanted("get of 50 keys") {
        return;
    }
    let requests = requests / 50;
    let lines: Vec<Vec<u8>> = (0..requests)
        .map(|_| {
            let mut line = b"get".to_vec();
            (0..50).for_each(|_| line.extend_from_slice(format!(" {:020}", bench.key()).as_bytes()));
            line.extend_from_slice(b"\r\n");
            line
        })
        .collect();
    let start = cpu_ns();
    for line in &lines {
        bench.send(line);
    }
    let ns = (cpu_ns() - start) as f64 / f64::from(requests * 50);
    println!("{:24} {ns:8.1} ns a key", "get of 50 keys");
}
