//! A host in one thread: carries runs between a front and shards as `docs/internals/boundary.md` says.

use super::random::Random;
use wasmcached_core::{
    boundary::{
        config::{Config, Role},
        host::{HostRequest, Target},
    },
    clock::Seconds,
    engine::Engine,
    front::{ConnectionId, ConnectionStatus, Front, Run},
    shard::Shard,
    statistics::HostStatistics,
};

/// A solo engine, or a front and its shards.
pub(crate) struct Server {
    engine: Engine,
    shards: Vec<Engine>,
    /// Reply bytes after which a shard stops.
    pub(crate) room: usize,
    pub(crate) now: Seconds,
    /// Requests to the host.
    pub(crate) asked: Vec<HostRequest>,
    /// Carries that did not execute everything.
    pub(crate) cut_short: usize,
    /// Stores that were replaced by empty ones.
    pub(crate) losses: u64,
    /// Runs for shards after which one traps.
    pub(crate) traps_after: Option<u32>,
    config: Config,
}

impl Server {
    pub(crate) fn solo(config: &Config, now: Seconds) -> Self {
        Self::with(config.clone(), Engine::new(config, now).expect("memory"), Vec::new(), now)
    }

    /// A front and `shards` shards.
    pub(crate) fn sharded(config: &Config, shards: u32, now: Seconds) -> Self {
        let config = Config { shards, ..config.clone() };
        let role = |role| Engine::new(&Config { role, ..config.clone() }, now).expect("memory");
        let (front, shards) = (role(Role::Front), (0..shards).map(|_| role(Role::Shard)).collect());
        Self::with(config, front, shards, now)
    }

    /// A front and `shards` shards, or a solo engine if there are none.
    pub(crate) fn new(config: &Config, shards: u32, now: Seconds) -> Self {
        if shards == 0 { Self::solo(config, now) } else { Self::sharded(config, shards, now) }
    }

    fn with(config: Config, engine: Engine, shards: Vec<Engine>, now: Seconds) -> Self {
        let room = wasmcached_core::limits::REPLY_BYTES_HIGH;
        Self { engine, shards, room, now, asked: Vec::new(), cut_short: 0, losses: 0, traps_after: None, config }
    }

    /// The replies to `stream`, and whether the connection was closed.
    pub(crate) fn replay(&mut self, stream: &[u8], cuts: Cuts, seed: u64) -> (Vec<u8>, bool) {
        let mut client = Client::new(self);
        client.unread.extend_from_slice(stream);
        client.drain(self, &mut Random::new(seed), cuts);
        self.check();
        (client.received, client.closed)
    }

    pub(crate) fn front(&mut self) -> &mut Front {
        self.engine.front().expect("it has a front")
    }

    pub(crate) fn each_shard(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.engine.shard().into_iter().chain(self.shards.iter_mut().filter_map(Engine::shard))
    }

    /// Every invariant of every store.
    pub(crate) fn check(&mut self) {
        self.each_shard().for_each(|shard| shard.store().check());
    }

    pub(crate) fn sweep(&mut self) {
        let now = self.now;
        self.each_shard().for_each(|shard| {
            shard.sweep(now, 2);
        });
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        self.engine.close(id);
        self.advance(ConnectionId::NONE, 0);
    }

    /// Bytes of all stores that are kept for readers only.
    pub(crate) fn held_bytes(&mut self) -> u64 {
        self.each_shard().map(|shard| shard.store().held_bytes()).sum()
    }

    pub(crate) fn open(&mut self) -> ConnectionId {
        self.front().open(false)
    }

    /// Receives as many of `bytes` as there is room for. Returns their number and the status.
    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: &[u8]) -> (usize, ConnectionStatus) {
        let window = self.front().input(id);
        assert!(!window.is_empty());
        let taken = bytes.len().min(window.len());
        window[..taken].copy_from_slice(&bytes[..taken]);
        (taken, self.advance(id, taken))
    }

    /// Advances, and carries the runs.
    pub(crate) fn advance(&mut self, id: ConnectionId, received: usize) -> ConnectionStatus {
        let mut status = self.engine.advance(id, received, self.now);
        while status.has(ConnectionStatus::RUNS) {
            assert_eq!(status, ConnectionStatus::RUNS);
            self.carry();
            status = self.engine.resume(self.now);
        }
        status
    }

    fn carry(&mut self) {
        let runs = self.front().runs().0.to_vec();
        assert!(!runs.is_empty());
        let mut room = self.room;
        for (number, run) in runs.iter().enumerate() {
            let front = self.front();
            let orders = [&front.runs().1[run.start..run.start + run.bytes], front.tail(run)].concat();
            let orders = &orders[..];
            if run.target == Target::HOST {
                let request = HostRequest::decode(orders).expect("a request for the host");
                self.asked.push(request);
                let answer = self.answer(request);
                self.reply(number, 1, &answer);
                continue;
            }
            let shards = match run.target {
                Target::EVERY_SHARD => 0..self.shards.len(),
                Target(shard) => shard as usize..shard as usize + 1,
            };
            for shard in shards {
                if self.traps() {
                    self.lose_shard(shard);
                    self.reply(number, u32::MAX, &[]);
                    continue;
                }
                let (executed, replies) = self.execute(shard, orders, run, room);
                self.reply(number, executed, &replies);
                room = room.saturating_sub(replies.len());
                if executed < run.count {
                    self.cut_short += 1;
                    return;
                }
            }
        }
    }

    /// Replaces a shard by an empty one, as after a trap.
    pub(crate) fn lose_shard(&mut self, shard: usize) {
        let config = Config { role: Role::Shard, ..self.config.clone() };
        self.shards[shard] = Engine::new(&config, self.now).expect("memory");
        self.losses += 1;
    }

    fn traps(&mut self) -> bool {
        let is_due = self.traps_after == Some(0);
        self.traps_after = self.traps_after.and_then(|left| left.checked_sub(1));
        is_due
    }

    fn answer(&self, request: HostRequest) -> Vec<u8> {
        match request {
            HostRequest::Statistics => {
                HostStatistics { limit_maxbytes: 7, accepting_conns: 1, ..HostStatistics::default() }.encode()
            }
            HostRequest::MemoryLimit(_) => vec![1],
            HostRequest::Losses => self.losses.to_le_bytes().to_vec(),
            _ => Vec::new(),
        }
    }

    fn execute(&mut self, shard: usize, orders: &[u8], run: &Run, room: usize) -> (u32, Vec<u8>) {
        let mut replies = Vec::new();
        let shard = self.shards[shard].shard().expect("it is a shard");
        let executed = shard.execute_batch(orders.split_at(run.bytes), run.count, self.now, room, &mut replies);
        // 0 is possible: the first read has to be sent again, in order.
        assert!(executed <= run.count);
        (executed, replies)
    }

    fn reply(&mut self, run: usize, executed: u32, bytes: &[u8]) {
        self.front().reply(run, executed, bytes.len()).expect("there is such a run").copy_from_slice(bytes);
    }

    pub(crate) fn consume(&mut self, id: ConnectionId, bytes: usize) -> ConnectionStatus {
        self.engine.consume(id, bytes)
    }

    /// The whole output of a connection, after a call that returned `status`.
    pub(crate) fn output(&mut self, id: ConnectionId, status: ConnectionStatus) -> Vec<u8> {
        if !status.has(ConnectionStatus::SLICES) {
            return self.front().output(id).to_vec();
        }
        let mut output = Vec::new();
        self.engine.output_slices(|slice| output.extend_from_slice(slice));
        output
    }
}

/// A client and what the host knows of its socket.
pub(crate) struct Client {
    pub(crate) id: ConnectionId,
    /// Sent by the client, not received by the host.
    pub(crate) unread: Vec<u8>,
    /// Everything that it received.
    pub(crate) received: Vec<u8>,
    pub(crate) status: ConnectionStatus,
    pub(crate) closed: bool,
    /// Bytes of each read of the host.
    pub(crate) reads: Vec<usize>,
}

/// The way in which a host cuts streams into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// As large as possible.
    None,
    /// From the seed.
    Random,
    /// Never more than this.
    Every(usize),
}

impl Cuts {
    fn length(self, random: &mut Random, most: usize) -> usize {
        match self {
            Self::None => most,
            Self::Every(bytes) => bytes.min(most),
            Self::Random if random.once_in(3) => most,
            Self::Random => random.within(0..most.min(300)) + 1,
        }
    }
}

impl Client {
    pub(crate) fn new(server: &mut Server) -> Self {
        Self {
            id: server.open(),
            unread: Vec::new(),
            received: Vec::new(),
            status: ConnectionStatus::default(),
            closed: false,
            reads: Vec::new(),
        }
    }

    /// Whether there is an event for this client.
    pub(crate) fn is_busy(&self) -> bool {
        !self.closed && (!self.unread.is_empty() || self.is_working())
    }

    /// Whether it is busy even if the client sends no more bytes.
    pub(crate) fn is_working(&self) -> bool {
        !self.closed
            && (self.status.has(ConnectionStatus::OUTPUT)
                || self.status.has(ConnectionStatus::MORE)
                || self.status.has(ConnectionStatus::CLOSE))
    }

    /// One event: a send, an `advance` without new bytes, or a receive.
    pub(crate) fn event(&mut self, server: &mut Server, random: &mut Random, cuts: Cuts) {
        assert!(!self.closed);
        if self.status.has(ConnectionStatus::OUTPUT) {
            self.send(server, random, cuts);
        } else if self.status.has(ConnectionStatus::CLOSE) {
            server.close(self.id);
            self.closed = true;
        } else if self.status.has(ConnectionStatus::MORE) {
            self.status = server.advance(self.id, 0);
            self.first_send(server, random, cuts);
        } else {
            let taken = cuts.length(random, self.unread.len());
            let (taken, status) = server.receive(self.id, &self.unread[..taken]);
            self.unread.drain(..taken);
            self.reads.push(taken);
            self.status = status;
            self.first_send(server, random, cuts);
        }
    }

    /// The send after an `advance`. If a part is sent, the host consumes it before it touches another connection; if
    /// everything is sent, it need not.
    fn first_send(&mut self, server: &mut Server, random: &mut Random, cuts: Cuts) {
        if !self.status.has(ConnectionStatus::OUTPUT) {
            return;
        }
        if cuts == Cuts::None || (cuts == Cuts::Random && random.once_in(2)) {
            let output = server.output(self.id, self.status);
            assert!(!output.is_empty());
            self.received.extend_from_slice(&output);
            let taken = ConnectionStatus::OUTPUT.0 | ConnectionStatus::SLICES.0;
            self.status = ConnectionStatus(self.status.0 & !taken);
            let length = output.len();
            if random.once_in(2) {
                self.status = server.consume(self.id, length);
            }
        } else if random.once_in(3) {
            // The socket is full.
            self.status = server.consume(self.id, 0);
        } else {
            self.send(server, random, cuts);
        }
    }

    fn send(&mut self, server: &mut Server, random: &mut Random, cuts: Cuts) {
        let output = server.output(self.id, self.status);
        assert!(!output.is_empty(), "there should be output");
        let sent = cuts.length(random, output.len());
        self.received.extend_from_slice(&output[..sent]);
        let all = sent == output.len();
        self.status = server.consume(self.id, sent);
        // The guest keeps the rest, or makes it again.
        let unsent = self.status.has(ConnectionStatus::OUTPUT) || self.status.has(ConnectionStatus::MORE);
        assert!(if all { !self.status.has(ConnectionStatus::OUTPUT) } else { unsent });
    }

    /// Events until there are no more.
    pub(crate) fn drain(&mut self, server: &mut Server, random: &mut Random, cuts: Cuts) {
        while self.is_busy() {
            self.event(server, random, cuts);
        }
    }

    /// Receives `bytes` bytes of what the client sent, in pieces.
    pub(crate) fn drain_until(&mut self, server: &mut Server, bytes: usize, piece: usize) {
        let rest = self.unread.split_off(bytes.min(self.unread.len()));
        self.drain(server, &mut Random::new(0), Cuts::Every(piece));
        self.unread = rest;
    }

    /// Sends `bytes` and returns what comes back.
    pub(crate) fn ask(&mut self, server: &mut Server, bytes: &[u8]) -> Vec<u8> {
        self.unread.extend_from_slice(bytes);
        self.drain(server, &mut Random::new(0), Cuts::None);
        std::mem::take(&mut self.received)
    }
}
