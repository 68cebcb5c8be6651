//! Drives connections against one server for a while, in a closed or an open loop.
//!
//! A closed loop sends the next round once the last one is answered: it finds the rate. An open loop sends at a fixed
//! rate whatever the server does, and counts the latency of a request from the moment it was due: a stall of the server
//! counts for every request that it delays (no coordinated omission).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use super::connection::Connection;
use super::dataset::{Dataset, KeyStream, Popularity};
use super::protocol::Protocol;
use super::replies::{Done, Shape};
use super::workload::{Operation, RequestWriter};
use crate::environment;
use crate::outcome::{Outcome, ResultExt as _};

const READ_BUFFER_BYTES: usize = 256 << 10;

/// Longest sleep of a worker before it checks the phase again.
const POLL_TIMEOUT_MAX: Duration = Duration::from_millis(50);

/// Longer latencies are counted as this one.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// Timing of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each connection sends as soon as its last round is answered.
    Closed,
    /// All connections together send this many requests per second, on schedule.
    Open(f64),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run<'d> {
    /// Address of the server.
    pub address: SocketAddr,
    /// TLS configuration, if the address speaks TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// Keys and values of the server.
    pub dataset: &'d Dataset,
    /// Protocol.
    pub protocol: Protocol,
    /// Work.
    pub operation: Operation,
    /// Distribution of the keys.
    pub popularity: Popularity,
    /// Connections of all threads together.
    pub connections: u32,
    /// Client threads.
    pub threads: u32,
    /// Cores of the client threads.
    pub cores: Vec<usize>,
    /// Closed or open loop.
    pub pace: Pace,
    /// Warm-up before the measured time.
    pub warmup: Duration,
    /// Measured time.
    pub duration: Duration,
    /// One reply in so many is checked in full; 0: none.
    pub check_every: u32,
}

/// Counts of one run.
#[derive(Clone, Debug)]
pub struct Counted<P> {
    /// Requests answered in the measured time.
    pub requests: u64,
    /// Keys of these requests.
    pub keys: u64,
    /// Keys that were not found.
    pub misses: u64,
    /// Measured time.
    pub elapsed: Duration,
    /// Latency of each of these requests, nanoseconds.
    pub latency_ns: Histogram<u64>,
    /// Result of the probe at the start of the measured time.
    pub before: P,
    /// Result of the probe at its end.
    pub after: P,
}

impl<P> Counted<P> {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs and counts; `probe` is called at both ends of the measured time.
///
/// # Errors
/// The first wrong reply or lost connection ends the run.
pub fn run<P>(run: &Run<'_>, mut probe: impl FnMut() -> Outcome<P>) -> Outcome<Counted<P>> {
    let control = Control::new(run.threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..run.threads)
            .map(|index| {
                let control = &control;
                scope.spawn(move || {
                    let result = Worker::new(run, index, control).and_then(|mut worker| worker.run());
                    // After a failure no one may wait for this worker.
                    if result.is_err() {
                        control.phase.store(STOP, Ordering::Release);
                    }
                    result
                })
            })
            .collect();
        let window = coordinate(run, &control, &mut probe);
        control.phase.store(STOP, Ordering::Release);
        let mut latency_ns = new_histogram()?;
        for worker in workers {
            let worker_latency = worker.join().map_err(|_| "a client thread panicked".to_owned())??;
            latency_ns.add(worker_latency).context("histogram")?;
        }
        let (start, end) = window?;
        Ok(Counted {
            requests: end.requests - start.requests,
            keys: end.keys - start.keys,
            misses: end.misses - start.misses,
            elapsed: end.at - start.at,
            latency_ns,
            before: start.probed,
            after: end.probed,
        })
    })
}

const CONNECT: u8 = 0;
const WARM_UP: u8 = 1;
const COUNT: u8 = 2;
const STOP: u8 = 3;

#[derive(Debug)]
struct Control {
    phase: AtomicU8,
    ready: AtomicU64,
    counts: Vec<Counts>,
}

/// Counts of one client thread, in cache lines of its own: clients share nothing that they write.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    requests: AtomicU64,
    keys: AtomicU64,
    misses: AtomicU64,
}

impl Control {
    fn new(threads: u32) -> Self {
        let counts = (0..threads).map(|_| Counts::default()).collect();
        Self { phase: AtomicU8::new(CONNECT), ready: AtomicU64::new(0), counts }
    }

    fn sum(&self, field: fn(&Counts) -> &AtomicU64) -> u64 {
        self.counts.iter().map(|counts| field(counts).load(Ordering::Relaxed)).sum()
    }
}

struct Moment<P> {
    at: Instant,
    requests: u64,
    keys: u64,
    misses: u64,
    probed: P,
}

fn coordinate<P>(
    run: &Run<'_>,
    control: &Control,
    probe: &mut impl FnMut() -> Outcome<P>,
) -> Outcome<(Moment<P>, Moment<P>)> {
    let stopped = || control.phase.load(Ordering::Acquire) == STOP;
    while control.ready.load(Ordering::Acquire) < u64::from(run.threads) && !stopped() {
        thread::sleep(Duration::from_millis(1));
    }
    let mut moment = || -> Outcome<Moment<P>> {
        Ok(Moment {
            at: Instant::now(),
            requests: control.sum(|counts| &counts.requests),
            keys: control.sum(|counts| &counts.keys),
            misses: control.sum(|counts| &counts.misses),
            probed: probe()?,
        })
    };
    // A STOP set by a failed worker is never overwritten.
    let advance = |from, to| control.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
    if advance(CONNECT, WARM_UP) {
        thread::sleep(run.warmup);
    }
    let start = moment()?;
    if advance(WARM_UP, COUNT) {
        thread::sleep(run.duration);
    }
    Ok((start, moment()?))
}

/// One client thread.
struct Worker<'r> {
    run: &'r Run<'r>,
    control: &'r Control,
    counts: &'r Counts,
    shape: Shape<'r>,
    writer: RequestWriter<'r>,
    connections: Vec<Connection>,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    latency_ns: Histogram<u64>,
    epoch: Instant,
    schedule: Option<Schedule>,
}

impl<'r> Worker<'r> {
    fn new(run: &'r Run<'r>, index: u32, control: &'r Control) -> Outcome<Self> {
        environment::pin_this_thread(&run.cores)?;
        let poll = Poll::new().context("epoll")?;
        let share = (index..run.connections).step_by(run.threads as usize).count();
        let mut connections = Vec::with_capacity(share);
        for token in 0..share {
            let mut connection = Connection::open(run.address, run.tls.as_ref())?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut connection.stream, Token(token), interest).context("epoll")?;
            connections.push(connection);
        }
        let keys = KeyStream::new(run.dataset.keys, run.popularity, 0xbe7c + u64::from(index))?;
        Ok(Self {
            run,
            control,
            counts: &control.counts[index as usize],
            shape: Shape::new(run.dataset, run.protocol),
            writer: RequestWriter::new(run.dataset, run.protocol, run.operation, keys, run.check_every),
            connections,
            poll,
            events: Events::with_capacity(256),
            buffer: vec![0; READ_BUFFER_BYTES],
            latency_ns: new_histogram()?,
            epoch: Instant::now(),
            schedule: Schedule::new(run),
        })
    }

    fn run(&mut self) -> Outcome<Histogram<u64>> {
        self.control.ready.fetch_add(1, Ordering::AcqRel);
        while self.phase() == CONNECT {
            thread::sleep(Duration::from_micros(200));
        }
        match &mut self.schedule {
            Some(schedule) => schedule.due_ns = self.epoch.elapsed().as_nanos() as u64 as f64,
            None => self.start_all()?,
        }
        loop {
            let phase = self.phase();
            if phase == STOP {
                return Ok(std::mem::replace(&mut self.latency_ns, new_histogram()?));
            }
            let timeout = self.send_due()?;
            match self.poll.poll(&mut self.events, Some(timeout)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.context("epoll")?,
            }
            self.serve_events(phase == COUNT)?;
        }
    }

    fn phase(&self) -> u8 {
        self.control.phase.load(Ordering::Acquire)
    }

    fn start_all(&mut self) -> Outcome<()> {
        for connection in &mut self.connections {
            let now_ns = self.epoch.elapsed().as_nanos() as u64;
            connection.queue(self.run.operation.requests_per_round(), now_ns, &mut self.writer);
            connection.flush()?;
        }
        Ok(())
    }

    /// Sends the due requests of an open loop; returns the longest time to sleep.
    fn send_due(&mut self) -> Outcome<Duration> {
        let Some(schedule) = &mut self.schedule else { return Ok(POLL_TIMEOUT_MAX) };
        let now_ns = self.epoch.elapsed().as_nanos() as u64 as f64;
        while schedule.due_ns <= now_ns {
            let Some(connection) = schedule.pick(&mut self.connections) else {
                // Every connection is full: the request stays due, and its latency grows.
                return Ok(Duration::from_millis(1));
            };
            connection.queue(self.run.operation.requests_per_round(), schedule.due_ns as u64, &mut self.writer);
            connection.flush()?;
            schedule.due_ns += schedule.interval_ns;
        }
        // epoll sleeps whole milliseconds; shorter waits are busy.
        Ok(Duration::from_millis(((schedule.due_ns - now_ns) / 1e6) as u64).min(POLL_TIMEOUT_MAX))
    }

    fn serve_events(&mut self, counting: bool) -> Outcome<()> {
        let (mut requests, mut keys, mut misses) = (0, 0, 0);
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            if event.is_readable() {
                let (epoch, latency_ns) = (self.epoch, &mut self.latency_ns);
                let mut now_ns = 0;
                connection.receive(&mut self.buffer, &self.shape, |done: Done| {
                    if now_ns == 0 {
                        now_ns = epoch.elapsed().as_nanos() as u64;
                    }
                    requests += 1;
                    keys += u64::from(done.keys);
                    misses += u64::from(done.misses);
                    if counting {
                        latency_ns.saturating_record(now_ns.saturating_sub(done.due_ns));
                    }
                })?;
                if self.schedule.is_none() && connection.is_idle() {
                    let now_ns = self.epoch.elapsed().as_nanos() as u64;
                    connection.queue(self.run.operation.requests_per_round(), now_ns, &mut self.writer);
                }
            }
            connection.flush()?;
        }
        self.counts.requests.fetch_add(requests, Ordering::Relaxed);
        self.counts.keys.fetch_add(keys, Ordering::Relaxed);
        self.counts.misses.fetch_add(misses, Ordering::Relaxed);
        Ok(())
    }
}

/// Due time and connection of the next round of an open loop.
struct Schedule {
    due_ns: f64,
    interval_ns: f64,
    next_connection: usize,
}

impl Schedule {
    fn new(run: &Run<'_>) -> Option<Self> {
        let Pace::Open(requests_per_second) = run.pace else { return None };
        let rounds_per_second =
            requests_per_second / f64::from(run.threads) / f64::from(run.operation.requests_per_round());
        Some(Self { due_ns: 0.0, interval_ns: 1e9 / rounds_per_second, next_connection: 0 })
    }

    /// The next connection in turn that accepts a round.
    fn pick<'c>(&mut self, connections: &'c mut [Connection]) -> Option<&'c mut Connection> {
        for _ in 0..connections.len() {
            let index = self.next_connection;
            self.next_connection = (index + 1) % connections.len();
            if connections[index].has_room() {
                return Some(&mut connections[index]);
            }
        }
        None
    }
}

fn new_histogram() -> Outcome<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).context("histogram")
}
