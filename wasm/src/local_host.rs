//! A host in miniature, without process, socket or thread: for skins without a host around them, and for tests that embed
//! an engine.
//!
//! It counts connections and bytes, answers each [`HostRequest`], and carries the runs of a solo engine
//! ([`LocalHost::advance`]). It knows neither sockets nor protocols. An embedder with shards carries their runs itself.

use alloc::{format, string::String, vec, vec::Vec};
use wasmcached_core::{
    boundary::host::{ConnectionRecord, ConnectionState, Connections, HostRequest, Target},
    clock::Seconds,
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    limits,
    statistics::{HostStatistics, Refusals, show_refusals},
};

/// Open connections of one cache; memcached's default.
pub const CONNECTIONS_MAX: usize = 1024;

/// The highest log level.
const VERBOSITY_MAX: u32 = 2;

/// The parts of an answer that only the guests of an embedder know.
pub trait Guests {
    /// Changes the memory of all stores together; `false` if that cannot be done.
    fn set_limit(&mut self, memory_bytes: u64) -> bool;

    /// Logins tried since creation, and those of them that were refused.
    fn logins(&mut self) -> (u32, u32);

    /// The counts of everything that was refused since creation, in the order of `RefusalKind`.
    fn refusals(&mut self) -> [u32; Refusals::COUNT];
}

impl Guests for Engine {
    fn set_limit(&mut self, memory_bytes: u64) -> bool {
        self.shard().is_some_and(|shard| shard.set_limit(memory_bytes))
    }

    fn logins(&mut self) -> (u32, u32) {
        self.front().map_or((0, 0), |front| front.logins())
    }

    fn refusals(&mut self) -> [u32; Refusals::COUNT] {
        self.front().map_or([0; Refusals::COUNT], |front| *front.refusals().counts())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct LocalHost {
    started: Seconds,
    memory_bytes: u64,
    verbosity: u32,
    total_connections: u64,
    rejected_connections: u64,
    bytes_read: u64,
    bytes_written: u64,
    /// The statistics at the last reset.
    baseline: HostStatistics,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    id: ConnectionId,
    used_at: Seconds,
}

impl LocalHost {
    /// A host that starts `now`, with stores of `memory_bytes` bytes together.
    pub fn new(memory_bytes: u64, now: Seconds) -> Self {
        Self { started: now, memory_bytes, ..Self::default() }
    }

    /// Whether another client may connect; a refusal is counted.
    pub fn admit(&mut self) -> bool {
        let is_admitted = self.clients.len() < CONNECTIONS_MAX;
        self.rejected_connections += u64::from(!is_admitted);
        is_admitted
    }

    /// Counts the new connection of a client.
    pub fn opened(&mut self, id: ConnectionId, now: Seconds) {
        self.total_connections += 1;
        self.clients.push(Client { id, used_at: now });
    }

    /// Forgets a connection; one that was never counted is ignored.
    pub fn closed(&mut self, id: ConnectionId) {
        self.clients.retain(|client| client.id != id);
    }

    /// Counts bytes that a client sent.
    pub fn received(&mut self, id: ConnectionId, bytes: u64, now: Seconds) {
        self.bytes_read += bytes;
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            client.used_at = now;
        }
    }

    /// Counts bytes that clients were sent.
    pub fn sent(&mut self, bytes: u64) {
        self.bytes_written += bytes;
    }

    /// [`Engine::advance`] for a solo engine: carries the runs as well, so the status never has [`ConnectionStatus::RUNS`].
    pub fn advance(&mut self, engine: &mut Engine, id: ConnectionId, received: u32, now: Seconds) -> ConnectionStatus {
        self.received(id, received.into(), now);
        let mut status = engine.advance(id, received as usize, now);
        while status.has(ConnectionStatus::RUNS) {
            self.carry_runs(engine, id, now);
            status = engine.resume(now);
        }
        status
    }

    /// Whether the rest of a request of `id` has no room: its client should send no more for now. It has room from then
    /// on if it fits.
    pub fn waits(&self, engine: &mut Engine, id: ConnectionId, now: Seconds) -> bool {
        let Some(front) = engine.front() else { return false };
        let waits = front.wanted_bytes(id) > front.room_bytes();
        if !waits {
            front.admit(id, now);
        }
        waits
    }

    /// Answers the runs for the host: a solo engine hands out no others.
    fn carry_runs(&mut self, engine: &mut Engine, asking: ConnectionId, now: Seconds) {
        let Some((runs, orders)) = engine.front().map(|front| front.runs()) else { return };
        let request = |start: usize, bytes: usize| HostRequest::decode(orders.get(start..start + bytes)?);
        let requests: Vec<_> = runs
            .iter()
            .map(|run| if run.target == Target::HOST { request(run.start, run.bytes) } else { None })
            .collect();
        for (number, request) in requests.into_iter().enumerate() {
            let Some(request) = request else { continue };
            let answer = self.answer(request, engine, asking, now);
            if let Some(room) = engine.front().and_then(|front| front.reply(number, 1, answer.len())) {
                room.copy_from_slice(&answer);
            }
        }
    }

    /// The bytes that answer a request of the connection `asking`.
    pub fn answer(
        &mut self,
        request: HostRequest,
        guests: &mut impl Guests,
        asking: ConnectionId,
        now: Seconds,
    ) -> Vec<u8> {
        match request {
            HostRequest::Statistics => self.measure(guests, now).since(&self.baseline).encode(),
            HostRequest::Connections { from } => self.connections(asking, from, now),
            HostRequest::ResetStatistics => {
                self.baseline = self.measure(guests, now);
                Vec::new()
            }
            HostRequest::Verbosity(level) => {
                self.verbosity = level.min(VERBOSITY_MAX);
                Vec::new()
            }
            HostRequest::MemoryLimit(bytes) => {
                let is_done = guests.set_limit(bytes);
                if is_done {
                    self.memory_bytes = bytes;
                }
                vec![u8::from(is_done)]
            }
            // A store is lost with its connections here.
            HostRequest::Losses => Vec::new(),
            // No events are delivered here: an empty answer refuses the watcher.
            HostRequest::Watch(_) => Vec::new(),
            // There is no server to stop, no certificate to read and no clock to move.
            HostRequest::Shutdown { .. } | HostRequest::RefreshCertificates | HostRequest::Clock(_) => Vec::new(),
        }
    }

    /// The numbers since the start.
    fn measure(&self, guests: &mut impl Guests, now: Seconds) -> HostStatistics {
        let (logins, logins_refused) = guests.logins();
        let mut statistics = HostStatistics {
            uptime: now.saturating_sub(self.started).into(),
            pointer_size: usize::BITS.into(),
            curr_connections: self.clients.len() as u64,
            max_connections: CONNECTIONS_MAX as u64,
            total_connections: self.total_connections,
            rejected_connections: self.rejected_connections,
            connection_structures: self.clients.capacity() as u64,
            bytes_read: self.bytes_read,
            bytes_written: self.bytes_written,
            limit_maxbytes: self.memory_bytes,
            accepting_conns: 1,
            threads: 1,
            auth_cmds: logins.into(),
            auth_errors: logins_refused.into(),
            verbosity: self.verbosity.into(),
            ..HostStatistics::default()
        };
        show_refusals(&mut statistics, &guests.refusals().map(u64::from));
        statistics
    }

    fn connections(&self, asking: ConnectionId, from: u64, now: Seconds) -> Vec<u8> {
        let first = usize::try_from(from).unwrap_or(usize::MAX).min(self.clients.len());
        let end = (first + limits::CONNECTIONS_PIECE_MAX).min(self.clients.len());
        let next = if end == self.clients.len() { Connections::END } else { end as u64 };
        let records = self.clients[first..end].iter().map(|client| ConnectionRecord {
            descriptor: client.id.0,
            state: if client.id == asking { ConnectionState::Parsing } else { ConnectionState::Waiting },
            idle_s: now.saturating_sub(client.used_at),
            address: format!("memory:{}", client.id.0),
            listen_address: String::from("memory"),
        });
        Connections::encode(next, records)
    }
}
