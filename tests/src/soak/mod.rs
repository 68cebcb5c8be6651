//! A soak: many connections, each with its own keys and a model of them, against a server that is too small for all keys,
//! while items expire, are flushed, and the memory limit changes. A miss is legal; a wrong or stale value is not.
//!
//! Owns: the clients, the model, the disturber that flushes and changes the limit. Refuses: judging by time, except that
//! items that have expired by the server's clock must not be found.

pub mod client;
pub mod model;
pub mod value;

use crate::server::Server;
use client::Client;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Longest wait for a reply on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Interval at which the disturber reads the server's clock.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Parameters of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Total duration.
    pub duration: Duration,
    /// Number of connections.
    pub connections: u64,
    /// `-m` in MiB, small enough for evictions.
    pub memory_mib: u64,
    /// Seed of all random choices.
    pub seed: u64,
    /// Further flags of the server.
    pub flags: Vec<String>,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts so far.
        #[derive(Debug, Default)]
        pub struct Counts { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl std::fmt::Display for Counts {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let all = [$((stringify!($name), &self.$name)),*];
                let words: Vec<String> =
                    all.iter().map(|(name, count)| format!("{name} {}", count.load(Ordering::Relaxed))).collect();
                f.write_str(&words.join(", "))
            }
        }
    };
}

counts! {
    /// Requests with a reply.
    requests,
    /// Correct values.
    hits,
    /// Keys that were not found.
    misses,
    /// Misses of keys that hold a value in the model: evictions.
    lost,
    /// Misses of keys that had expired by the server's clock.
    expired,
    /// Misses of keys that were set before a flush.
    flushed,
    /// Flushes.
    flushes,
    /// Changes of the memory limit.
    limits,
    /// Reconnects.
    reconnects,
}

/// State shared by the clients and the disturber.
#[derive(Debug, Default)]
pub struct Shared {
    counts: Counts,
    stopping: AtomicBool,
    /// The server's clock at the last look, a lower bound of its time.
    server_time_s: AtomicU32,
    /// The last completed flush.
    flush: Mutex<Option<Flush>>,
}

/// A flush, which took place between two moments of the client's clock.
#[derive(Clone, Copy, Debug)]
pub struct Flush {
    /// Items stored before this moment are flushed.
    pub asked: Instant,
    /// Requests after this moment see the flush.
    pub answered: Instant,
}

/// Starts a server and soaks it.
///
/// # Errors
/// The first wrong reply, or a run without evictions, expiry or flushes.
pub fn soak(program: &Path, plan: &Plan) -> Result<(), String> {
    let mut flags = vec!["-m".to_owned(), plan.memory_mib.to_string(), "-c".to_owned(), "4096".to_owned()];
    flags.extend(plan.flags.iter().cloned());
    let mut server = Server::start(program, &flags)?;
    println!("{} connections for {} s, server {}", plan.connections, plan.duration.as_secs(), flags.join(" "));
    let shared = Shared::default();
    let mut disturber = Disturber::new(&server, plan)?;
    disturber.look(&shared)?;
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.connections)
            .map(|number| {
                let (shared, address, seed) = (&shared, server.address, plan.seed);
                scope.spawn(move || {
                    let outcome = Client::connect(address, number, seed, shared).and_then(|mut client| client.run());
                    // A wrong reply stops all clients.
                    if outcome.is_err() {
                        shared.stopping.store(true, Ordering::Relaxed);
                    }
                    outcome.map_err(|error| format!("connection {number}: {error}"))
                })
            })
            .collect();
        let disturbed = disturber.run(plan, &shared);
        shared.stopping.store(true, Ordering::Relaxed);
        let ended = clients.into_iter().map(|client| match client.join() {
            Ok(outcome) => outcome,
            Err(_) => Err("a client panicked".to_owned()),
        });
        ended.chain([disturbed]).filter_map(Result::err).collect()
    });
    if let Some(first) = wrong.first() {
        println!("{}\nthe server's log: {}", shared.counts, server.log());
        if let Some(status) = server.exit_status() {
            return Err(format!("the server ended ({status}); {first} (seed {})", plan.seed));
        }
        return Err(format!("{first} (seed {}, {} of them in all)", plan.seed, wrong.len()));
    }
    let evictions = disturber.look(&shared)?;
    println!("{}, evictions {evictions}", shared.counts);
    shared.counts.check_coverage(evictions, plan)
}

impl Counts {
    /// Fails a run without hits, evictions, expiry or flushes, which proves nothing.
    fn check_coverage(&self, evictions: u64, plan: &Plan) -> Result<(), String> {
        let must = [
            ("hits", self.hits.load(Ordering::Relaxed)),
            ("lost", self.lost.load(Ordering::Relaxed)),
            ("expired", self.expired.load(Ordering::Relaxed)),
            ("flushed", self.flushed.load(Ordering::Relaxed)),
            ("evictions", evictions),
        ];
        let never: Vec<&str> = must.iter().filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect();
        // Flushes and expiry need some seconds.
        if never.is_empty() || plan.duration < Duration::from_secs(8) {
            return Ok(());
        }
        Err(format!("the run had no {}, so it proves nothing", never.join(", no ")))
    }
}

/// Reads the server's clock, flushes, changes the memory limit, and reports.
struct Disturber<'s> {
    server: &'s Server,
    stream: BufReader<TcpStream>,
    random: rand::rngs::SmallRng,
    memory_mib: u64,
}

impl<'s> Disturber<'s> {
    fn new(server: &'s Server, plan: &Plan) -> Result<Self, String> {
        let random = rand::SeedableRng::seed_from_u64(plan.seed);
        Ok(Self { server, stream: connect(server.address)?, random, memory_mib: plan.memory_mib })
    }

    fn run(&mut self, plan: &Plan, shared: &Shared) -> Result<(), String> {
        use rand::RngExt as _;
        let start = Instant::now();
        let mut report_at = start + REPORT_EVERY;
        let mut flush_at = start + Duration::from_secs(3);
        let mut limit_at = start + Duration::from_secs(2);
        while start.elapsed() < plan.duration && !shared.stopping.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY);
            let evictions = self.look(shared)?;
            let now = Instant::now();
            if now >= flush_at {
                flush_at = now + Duration::from_millis(self.random.random_range(1000..6000));
                self.flush(shared)?;
            }
            if now >= limit_at {
                limit_at = now + Duration::from_millis(self.random.random_range(1000..4000));
                let mebibytes = self.memory_mib + self.random.random_range(0..=self.memory_mib);
                self.ask(&format!("cache_memlimit {mebibytes}\r\n"), "OK\r\n")?;
                shared.counts.limits.fetch_add(1, Ordering::Relaxed);
            }
            if now >= report_at {
                report_at += REPORT_EVERY;
                let resident = self.server.resident_bytes().map_or(0, |bytes| bytes >> 20);
                println!(
                    "{:4} s: {}, evictions {evictions}, resident {resident} MiB",
                    start.elapsed().as_secs(),
                    shared.counts
                );
            }
        }
        Ok(())
    }

    /// Reads the server's clock, returns its evictions, and checks that no guest has trapped.
    fn look(&mut self, shared: &Shared) -> Result<u64, String> {
        let stats = self.stats()?;
        let number = |name: &str| {
            let text = stats.get(name).ok_or_else(|| format!("stats has no {name}"))?;
            text.parse::<u64>().map_err(|error| format!("{name} is {text}: {error}"))
        };
        for name in ["shard_traps", "front_traps", "guest_interrupts"] {
            if number(name)? != 0 {
                return Err(format!("{name} is {}", number(name)?));
            }
        }
        shared.server_time_s.store(number("time")? as u32, Ordering::Release);
        number("evictions")
    }

    fn flush(&mut self, shared: &Shared) -> Result<(), String> {
        let asked = Instant::now();
        self.ask("flush_all\r\n", "OK\r\n")?;
        let flush = Flush { asked, answered: Instant::now() };
        *shared.flush.lock().map_err(|_| "a client panicked")? = Some(flush);
        shared.counts.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn ask(&mut self, request: &str, expected: &str) -> Result<(), String> {
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|error| format!("send: {error}"))?;
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| format!("receive: {error}"))?;
        if line == expected { Ok(()) } else { Err(format!("{request:?} got the reply {line:?}")) }
    }

    fn stats(&mut self) -> Result<HashMap<String, String>, String> {
        self.stream.get_mut().write_all(b"stats\r\n").map_err(|error| format!("send: {error}"))?;
        let mut stats = HashMap::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).map_err(|error| format!("receive: {error}"))?;
            match line.trim_end().splitn(3, ' ').collect::<Vec<_>>()[..] {
                ["STAT", name, value] => drop(stats.insert(name.to_owned(), value.to_owned())),
                ["END"] => return Ok(stats),
                _ => return Err(format!("{line:?} is no statistic")),
            }
        }
    }
}

/// Connects with timeouts.
pub(crate) fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>, String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
    let set = || {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))
    };
    set().map_err(|error| format!("connect: {error}"))?;
    Ok(BufReader::new(stream))
}
