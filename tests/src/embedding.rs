//! A host in miniature: drives the verbs of `docs/internals/boundary.md` without sockets or threads, for any form of the
//! engine.
//!
//! It is also the shortest example of an embedder: send output before reading input, execute the runs, then resume. It
//! sends output in pieces, as to a slow client.

use crate::target::{Received, Target};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};
use wasmcached_core::{
    boundary::{
        config::{Authentication, Binding, Config, Role},
        host::{HostRequest, Target as RunTarget},
    },
    front::ConnectionId,
    limits,
    settings::Setting,
    statistics::Refusals,
};
use wasmcached_wasm::local_host::{Guests, LocalHost};

/// The users of every transcript, relative to this crate.
const USERS_FILE: &str = "data/users.txt";
/// Start of every replay, in Unix seconds.
const START: u32 = 1_800_000_000;
/// Most bytes of output that are sent at a time.
const SENT_BYTES_MAX: usize = 50_000;

/// A run of commands from the front.
#[derive(Debug)]
pub struct Run {
    /// Shard number, or one of the special targets.
    pub target: u32,
    /// The commands as bytes, and the tail.
    pub commands: Vec<u8>,
    /// Bytes of the tail.
    pub tail_bytes: u32,
    /// Number of commands.
    pub count: u32,
}

/// The verbs of `docs/internals/boundary.md` as an embedder calls them; statuses are its bits.
pub trait Verbs {
    /// See the boundary.
    fn open(&mut self, kind: u32) -> u32;
    /// `input`, then copies as much as fits into the window; returns the number of bytes.
    fn fill(&mut self, connection: u32, bytes: &[u8]) -> usize;
    /// See the boundary.
    fn advance(&mut self, connection: u32, received: u32, now: u32) -> u32;
    /// See the boundary.
    fn resume(&mut self, now: u32) -> u32;
    /// See the boundary.
    fn output(&mut self, connection: u32) -> Vec<u8>;
    /// See the boundary.
    fn consume(&mut self, connection: u32, bytes: u32) -> u32;
    /// See the boundary.
    fn close(&mut self, connection: u32);
    /// The runs that the last status announced.
    fn runs(&mut self) -> Vec<Run>;
    /// `reply`, then copies the replies.
    fn reply(&mut self, run: u32, executed: u32, replies: &[u8]);
    /// `commands`, the copy, `execute`; returns the number of executed commands, and the replies.
    fn execute(&mut self, run: &Run, now: u32, room: u32) -> (u32, Vec<u8>);
    /// See the boundary.
    fn sweep(&mut self, now: u32, steps: u32) -> u32;
    /// See the boundary: `reserve`, the copy, `users`.
    fn users(&mut self, list: &[u8]) -> u32;
    /// See the boundary.
    fn logins(&mut self) -> u64;
    /// See the boundary: the counts of refusals.
    fn refusals(&mut self) -> Vec<u32>;
    /// See the boundary.
    fn limit(&mut self, bytes: u64) -> u32;
}

const OUTPUT: u32 = 1;
const MORE: u32 = 2;
const LATER: u32 = 32;
const CLOSE: u32 = 4;
const RUNS: u32 = 8;

/// An engine and its connections.
pub struct Embedding {
    guests: Instances,
    host: LocalHost,
    now: u32,
    opened: usize,
    connections: HashMap<usize, Connection>,
}

/// The instances of one engine.
struct Instances {
    front: Box<dyn Verbs>,
    /// Empty for a solo engine.
    shards: Vec<Box<dyn Verbs>>,
}

impl Guests for Instances {
    fn set_limit(&mut self, memory_bytes: u64) -> bool {
        if self.shards.is_empty() {
            return self.front.limit(memory_bytes) == 1;
        }
        let part = memory_bytes / self.shards.len() as u64;
        self.shards.iter_mut().all(|shard| shard.limit(part) == 1)
    }

    fn logins(&mut self) -> (u32, u32) {
        let logins = self.front.logins();
        (logins as u32, (logins >> 32) as u32)
    }

    fn refusals(&mut self) -> [u32; Refusals::COUNT] {
        self.front.refusals().try_into().unwrap_or_default()
    }
}

#[derive(Default)]
struct Connection {
    number: u32,
    /// Output that the client has not read.
    outbox: Vec<u8>,
    is_closed: bool,
}

impl Embedding {
    /// Creates the instances by `make`: a solo engine, or a front and `shards` shards.
    ///
    /// # Errors
    /// If `make` fails, or if a flag has no meaning without a server.
    pub fn new(
        flags: &[String],
        shards: u32,
        make: impl Fn(&Config, u32) -> Result<Box<dyn Verbs>, String>,
    ) -> Result<Self, String> {
        let mut config = configuration(flags).map_err(|flag| format!("`{flag}` needs a server"))?;
        let host = LocalHost::new(config.store.memory_bytes, START);
        let asks_logins = config.authentication != Authentication::None;
        let (mut front, shards) = if shards == 0 {
            (make(&config, START)?, Vec::new())
        } else {
            config.shards = shards;
            config.role = Role::Front;
            let front = make(&config, START)?;
            config.role = Role::Shard;
            config.store.memory_bytes /= u64::from(shards);
            config.store.memory_bytes_capacity /= u64::from(shards);
            let shards: Result<_, _> =
                (0..shards).map(|shard| make(&Config { shard, ..config.clone() }, START)).collect();
            (front, shards?)
        };
        if asks_logins {
            let list = std::fs::read(users_file()).map_err(|error| format!("{USERS_FILE}: {error}"))?;
            match front.users(&list) {
                0 => {}
                line => return Err(format!("{USERS_FILE}:{line}: no user")),
            }
        }
        let guests = Instances { front, shards };
        Ok(Self { guests, host, now: START, opened: 0, connections: HashMap::new() })
    }

    /// Follows the status of a connection until it is idle.
    fn apply_status(&mut self, id: usize, mut status: u32) -> Result<(), String> {
        let number = self.connections.get(&id).ok_or("no such connection")?.number;
        loop {
            if status & RUNS != 0 {
                let closes = self.execute_runs(number);
                status = self.guests.front.resume(self.now);
                if closes {
                    status |= CLOSE;
                }
            } else if status & OUTPUT != 0 {
                let output = self.guests.front.output(number);
                if output.is_empty() {
                    return Err("status OUTPUT without output".into());
                }
                let sent = output.len().min(SENT_BYTES_MAX);
                self.host.sent(sent as u64);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.outbox.extend_from_slice(&output[..sent]);
                }
                status = self.guests.front.consume(number, sent as u32);
            } else if status & CLOSE != 0 {
                self.guests.front.close(number);
                self.host.closed(ConnectionId(number));
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.is_closed = true;
                }
                return Ok(());
            } else if status & MORE != 0 && status & LATER == 0 {
                status = self.guests.front.advance(number, 0, self.now);
            } else {
                return Ok(());
            }
        }
    }

    /// Executes the runs of the front; returns true if a client asked to stop the server.
    fn execute_runs(&mut self, asking: u32) -> bool {
        let mut closes = false;
        let mut room = limits::REPLY_BYTES_HIGH as u32;
        for (number, run) in (0..).zip(self.guests.front.runs()) {
            if RunTarget(run.target) == RunTarget::HOST {
                let request = HostRequest::decode(&run.commands);
                closes |= matches!(request, Some(HostRequest::Shutdown { .. }));
                let answer = request.map_or_else(Vec::new, |request| {
                    self.host.answer(request, &mut self.guests, ConnectionId(asking), self.now)
                });
                self.guests.front.reply(number, 1, &answer);
                continue;
            }
            let every = RunTarget(run.target) == RunTarget::EVERY_SHARD;
            let mut executed_last = run.count;
            for (index, shard) in self.guests.shards.iter_mut().enumerate() {
                if !every && index as u32 != run.target {
                    continue;
                }
                let (executed, replies) = shard.execute(&run, self.now, room);
                room = room.saturating_sub(replies.len() as u32);
                self.guests.front.reply(number, executed, &replies);
                executed_last = executed;
            }
            if executed_last < run.count {
                break;
            }
        }
        closes
    }
}

impl Target for Embedding {
    fn open(&mut self) -> Result<usize, String> {
        let number = self.guests.front.open(0);
        self.host.opened(ConnectionId(number), self.now);
        self.opened += 1;
        let id = self.opened;
        self.connections.insert(id, Connection { number, ..Connection::default() });
        Ok(id)
    }

    fn send(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(state) = self.connections.get(&connection) else { return Err("no such connection".into()) };
            if state.is_closed {
                return Ok(());
            }
            let number = state.number;
            let taken = self.guests.front.fill(number, rest);
            if taken == 0 {
                return Err("an empty window".into());
            }
            self.host.received(ConnectionId(number), taken as u64, self.now);
            rest = &rest[taken..];
            let status = self.guests.front.advance(number, taken as u32, self.now);
            self.apply_status(connection, status)?;
        }
        Ok(())
    }

    fn receive(&mut self, connection: usize, inbox: &mut Vec<u8>, _wait: Duration) -> Result<Received, String> {
        let connection = self.connections.get_mut(&connection).ok_or("no such connection")?;
        if !connection.outbox.is_empty() {
            inbox.append(&mut connection.outbox);
            return Ok(Received::Bytes);
        }
        Ok(if connection.is_closed { Received::Closed } else { Received::Nothing })
    }

    fn close(&mut self, connection: usize) {
        if let Some(connection) = self.connections.remove(&connection)
            && !connection.is_closed
        {
            self.guests.front.close(connection.number);
            self.host.closed(ConnectionId(connection.number));
        }
    }

    fn pass(&mut self, seconds: u32) {
        // A host sweeps once per second, until nothing is left to sweep.
        for _ in 0..seconds.min(10) {
            self.now += 1;
            let now = self.now;
            let stores = if self.guests.shards.is_empty() {
                std::slice::from_mut(&mut self.guests.front)
            } else {
                &mut self.guests.shards
            };
            for store in stores {
                while store.sweep(now, 4) == 1 {}
            }
        }
        self.now += seconds.saturating_sub(10);
    }

    fn is_asynchronous(&self) -> bool {
        false
    }
}

/// Path of the users of the transcripts.
pub fn users_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(USERS_FILE)
}

/// Configures an engine without a server.
///
/// # Errors
/// The first flag that needs a server.
pub fn configuration(flags: &[String]) -> Result<Config, String> {
    let mut config = Config::default();
    config.store.memory_bytes_capacity = 1984 << 20;
    let mut flags = flags.iter();
    let mut shown = |setting, value: String| config.settings.push((setting, value));
    while let Some(flag) = flags.next() {
        let mut value = || flags.next().cloned().ok_or_else(|| flag.clone());
        match flag.as_str() {
            "-M" => {
                config.store.evictions = false;
                shown(Setting::Evictions, "off".into());
            }
            "-C" => {
                config.store.cas = false;
                shown(Setting::CasEnabled, "no".into());
            }
            "-F" => {
                config.permissions.flush = false;
                shown(Setting::FlushEnabled, "no".into());
            }
            "-A" => {
                config.permissions.shutdown = true;
                shown(Setting::ShutdownCommand, "yes".into());
            }
            "-D" => {
                let delimiter = value()?;
                config.detail = true;
                shown(Setting::DetailEnabled, "yes".into());
                config.prefix_delimiter = *delimiter.as_bytes().first().ok_or(flag.clone())?;
                shown(Setting::StatKeyPrefix, delimiter);
            }
            "-m" => {
                let mebibytes: u64 = value()?.parse().map_err(|_| flag.clone())?;
                config.store.memory_bytes = mebibytes << 20;
                shown(Setting::MaxBytes, config.store.memory_bytes.to_string());
            }
            "-I" => {
                config.store.item_bytes_max = size(&value()?).ok_or(flag.clone())?;
                shown(Setting::ItemSizeMax, config.store.item_bytes_max.to_string());
            }
            "-S" => {
                config.authentication = Authentication::Sasl;
                shown(Setting::AuthEnabledSasl, "yes".into());
                shown(Setting::BindingProtocol, "binary".into());
            }
            "-Y" => {
                config.authentication = Authentication::Text;
                shown(Setting::AuthEnabledAscii, value()?);
                shown(Setting::BindingProtocol, "ascii".into());
            }
            "-B" => {
                (config.binding, _) = match value()?.as_str() {
                    "auto" => (Binding::Auto, ()),
                    "ascii" => (Binding::Ascii, shown(Setting::BindingProtocol, "ascii".into())),
                    "binary" => (Binding::Binary, shown(Setting::BindingProtocol, "binary".into())),
                    "http" => (Binding::Http, ()),
                    _ => return Err(flag.clone()),
                }
            }
            "-R" => config.requests_per_event = value()?.parse().map_err(|_| flag.clone())?,
            "-X" => {
                config.permissions.dump = false;
                shown(Setting::DumpEnabled, "no".into());
            }
            "-W" => config.permissions.watch = false,
            "-o" => match value()?.as_str() {
                "track_sizes" => {
                    config.track_sizes = true;
                    shown(Setting::TrackSizes, "yes".into());
                }
                "no_slab_reassign" => shown(Setting::SlabReassign, "no".into()),
                // Options of real memcached without a meaning for this engine.
                _ => {}
            },
            _ => return Err(flag.clone()),
        }
    }
    Ok(config)
}

/// Parses `2k`, `4m` or a plain number of bytes.
fn size(text: &str) -> Option<u32> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1024),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |number| (number, 1024 * 1024)),
    };
    number.parse::<u32>().ok()?.checked_mul(factor)
}
