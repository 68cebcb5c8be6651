//! Connections of clients: from received bytes to commands, from replies to bytes to send.
//!
//! A front never calls out in the middle of a parse. [`Front::step`] turns the whole requests that a read delivered
//! into a list of [`Pending`] answers. The store executes their commands: in a solo engine that of the same guest, else
//! those of other guests through [`Run`]s. Then the front answers in order. It knows neither sockets nor the store.

mod barrier;
mod collect;
mod connection;
mod control;
mod datagram;
mod inbound;
mod login;
mod pending;
mod route;
mod runs;
mod state;
mod status;
mod watch;

pub use barrier::Barrier;
pub use pending::Pending;
pub use runs::{ReplySlot, Run};
pub use state::ConnectionId;
pub use status::ConnectionStatus;
pub use watch::Delivered;

use crate::{
    boundary::{
        config::{Authentication, Binding, Config},
        event::{Events, Kinds},
    },
    clock::Seconds,
    command::Command,
    hash::Seed,
    limits,
    protocol::{
        Context,
        control::{Control, Listing},
        text::words,
    },
    reply::Reply,
    settings::Setting,
    statistics::{RefusalKind, Refusals},
};
use alloc::boxed::Box;
use alloc::vec::Vec;
use barrier::ControlFormat;
use collect::Collected;
use connection::Connection;
use control::{After, Dumping, Position};
use inbound::{Inbound, Source};
use login::Gate;
use pending::Input;
use runs::Runs;
use slab::Slab;
use state::State;
use watch::Watchers;

/// The result of [`Front::step`].
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Pending commands are to be executed and answered.
    Execute,
    /// A request that concerns all shards or the host.
    Barrier(Barrier),
    /// No more requests for now.
    Idle,
}

/// The connections of one worker.
///
/// A front does no I/O: an engine drives it, with the bytes of a host. It has four kinds of methods.
///
/// *Connections* begin with [`open`](Self::open), [`open_bound`](Self::open_bound) or
/// [`open_datagrams`](Self::open_datagrams) and end with [`close`](Self::close), at any time.
///
/// *An event* makes its connection the one at hand, in this order:
/// 1. [`input`](Self::input) gives the space for a read, [`begin`](Self::begin) takes the bytes;
/// 2. [`step`](Self::step) until it returns [`Step::Idle`];
///    - after [`Step::Execute`] either [`command`](Self::command) and [`answer`](Self::answer) for each number from 0
///      on, and [`retire`](Self::retire); or [`load_commands`](Self::load_commands), [`runs`](Self::runs),
///      [`reply`](Self::reply) for each run, and [`answer_runs`](Self::answer_runs);
///    - after [`Step::Barrier`] [`load_barrier`](Self::load_barrier), then [`reply`](Self::reply) for each run or
///      [`barrier_answer`](Self::barrier_answer) for each broadcast, and [`answer_barrier`](Self::answer_barrier);
/// 3. [`park`](Self::park), which returns the next actions of the host.
///
/// *Output* follows an event: [`output`](Self::output), and [`consume`](Self::consume) with the number of bytes that
/// were sent. The next `begin` or [`deliver`](Self::deliver) drops output of the connection at hand that was not
/// consumed.
///
/// *Everything else* observes or configures, at any time.
///
/// From `begin` to `park`, `input` and a second `begin` are illegal: they overwrite the input at hand, so requests are
/// lost or garbled. `close` of the connection at hand is legal: the steps that follow are idle.
pub struct Front {
    config: Config,
    context: Context,
    connections: Slab<Connection>,
    inbound: Inbound,
    /// Output of the connection at hand.
    output: Vec<u8>,
    pending: Vec<Pending>,
    /// The keys of pending commands that came in base64.
    decoded: Vec<u8>,
    runs: Runs,
    requests_left: u32,
    /// A request of the connection at hand was answered in this turn.
    has_answered: bool,
    gate: Gate,
    /// Output of the connection at hand beyond which it stops parsing.
    output_bytes_high: usize,
    buffers_bytes: usize,
    yields: u32,
    refusals: Refusals,
    events: Events,
    watchers: Watchers,
}

impl Front {
    /// No connections yet.
    pub fn new(config: Config, now: Seconds) -> Self {
        let context = Context::new(&config, now);
        let events = Events::new(config.number(Setting::WorkerLogbufSize));
        let watchers = Watchers::new(config.number(Setting::WatcherLogbufSize));
        Self {
            runs: Runs::new(config.shards),
            config,
            context,
            connections: Slab::new(),
            inbound: Inbound::new(),
            output: Vec::with_capacity(limits::OUTPUT_BYTES_KEPT),
            pending: Vec::with_capacity(limits::BATCH_COMMANDS_MAX),
            decoded: Vec::new(),
            requests_left: 0,
            has_answered: false,
            gate: Gate::default(),
            output_bytes_high: limits::OUTPUT_BYTES_HIGH,
            buffers_bytes: 0,
            yields: 0,
            refusals: Refusals::default(),
            events,
            watchers,
        }
    }

    /// A new client; `refused`: it is above the connection limit, and its output is the refusal.
    pub fn open(&mut self, refused: bool) -> ConnectionId {
        let mut connection = Connection::new(self.first_state(self.config.binding));
        if refused {
            connection.refuse(words::TOO_MANY_CONNECTIONS);
            self.buffers_bytes += connection.buffers_bytes();
        }
        ConnectionId(self.connections.insert(connection) as u32)
    }

    /// A new client of a listener for these protocols. If clients have to log in, the protocol is the one with logins.
    pub fn open_bound(&mut self, binding: Binding) -> ConnectionId {
        let connection = Connection::new(self.first_state(binding));
        ConnectionId(self.connections.insert(connection) as u32)
    }

    /// The state in which a conversation begins.
    fn first_state(&self, binding: Binding) -> State {
        match binding {
            _ if self.config.authentication == Authentication::Text => State::Locked,
            _ if self.config.authentication == Authentication::Sasl => State::Packets { locked: true },
            Binding::Auto => State::Fresh,
            Binding::Ascii => State::Requests,
            Binding::Binary => State::Packets { locked: false },
        }
    }

    /// Sets the host's number for a client, which events show.
    pub fn label(&mut self, id: ConnectionId, descriptor: u32) {
        if let Some(connection) = self.connections.get_mut(id.0 as usize) {
            connection.descriptor = descriptor;
        }
    }

    /// Forgets a client. Unknown ones are ignored.
    pub fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.try_remove(id.0 as usize) {
            self.buffers_bytes -= connection.buffers_bytes();
            if connection.is_in_request() {
                self.refusals.count(RefusalKind::CutRequest);
            }
            if connection.watches != Kinds::NONE {
                self.watchers.remove(id.0 as usize);
            }
        }
        if self.inbound.connection == id.0 as usize {
            self.inbound.connection = Inbound::NO_CONNECTION;
            self.output.clear();
        }
    }

    /// Space for the next received bytes of `id`; never empty.
    pub fn input(&mut self, id: ConnectionId) -> &mut [u8] {
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return &mut self.inbound.window };
        let before = connection.buffers_bytes();
        let in_window = connection.prepare_input(&mut self.inbound.window);
        self.buffers_bytes = self.buffers_bytes + connection.buffers_bytes() - before;
        match in_window {
            Some(held) => &mut self.inbound.window[held..],
            None => connection.input_space(),
        }
    }

    /// Takes `received` new bytes of `id`; without new bytes, continues with the input that is there.
    pub fn begin(&mut self, id: ConnectionId, received: usize, now: Seconds) {
        self.context.now = now;
        self.inbound.connection = id.0 as usize;
        self.inbound.cursor = 0;
        self.requests_left = self.config.requests_per_event.max(1);
        self.has_answered = false;
        self.output_bytes_high = limits::OUTPUT_BYTES_HIGH;
        self.pending.clear();
        if self.output.capacity() > limits::OUTPUT_BYTES_KEPT_MAX {
            self.output = Vec::with_capacity(limits::OUTPUT_BYTES_KEPT);
        }
        self.output.clear();
        self.inbound.source = match self.connections.get_mut(self.inbound.connection) {
            None => Source::Window(0),
            Some(connection) => {
                let before = connection.buffers_bytes();
                let source = match connection.accept_input(received) {
                    Some(in_window) => Source::Window(in_window.min(limits::WINDOW_BYTES)),
                    None => Source::Own,
                };
                self.buffers_bytes = self.buffers_bytes + connection.buffers_bytes() - before;
                source
            }
        };
        self.begin_datagram();
    }

    /// Finds the next requests of the connection at hand.
    #[inline(never)]
    pub fn step(&mut self) -> Step {
        loop {
            if let Some(step) = self.find_step() {
                return step;
            }
        }
    }

    /// [`Front::step`], or `None` after a part of a login, which is answered at once.
    fn find_step(&mut self) -> Option<Step> {
        let Some(connection) = self.connections.get(self.inbound.connection) else { return Some(Step::Idle) };
        if self.output.len() >= self.output_bytes_high || connection.has_output() {
            return Some(Step::Idle);
        }
        if connection.watches != Kinds::NONE {
            // While a connection watches, its input is discarded.
            self.inbound.cursor = self.inbound.bytes(&self.connections).len();
            return Some(Step::Idle);
        }
        if let Some(dumping) = &connection.dumping {
            if self.requests_left == 0 {
                return Some(Step::Idle);
            }
            self.requests_left -= 1;
            return Some(Step::Barrier(Barrier::new(dumping.next(), ControlFormat::Text)));
        }
        let state = connection.state;
        let input = self.inbound.bytes(&self.connections);
        if self.inbound.cursor == input.len() && matches!(state, State::Requests | State::Packets { .. }) {
            // All input is consumed.
            self.connections[self.inbound.connection].needed = 0;
            return Some(Step::Idle);
        }
        self.decoded.clear();
        let collected = collect::collect(
            &mut self.pending,
            &mut self.decoded,
            input,
            (self.inbound.cursor, state),
            &self.context,
            self.config.store.seed,
            &mut self.requests_left,
        );
        if self.pending.is_empty() { self.accept(collected) } else { Some(Step::Execute) }
    }

    /// Consumes input that has no pending answers; a barrier or a login may follow it.
    #[inline(never)]
    fn accept(&mut self, collected: Collected) -> Option<Step> {
        self.inbound.cursor = collected.cursor;
        let connection = &mut self.connections[self.inbound.connection];
        let in_datagram = connection.datagrams.is_some();
        connection.state = collected.state;
        connection.needed = collected.needed;
        if let Some(login) = collected.login {
            self.log_in(login);
            return None;
        }
        let Some(barrier) = collected.barrier else { return Some(Step::Idle) };
        let turn = self.config.requests_per_event.max(1);
        let follows = self.has_answered || self.requests_left + 1 < turn;
        if in_datagram {
            // A barrier costs every shard work: with one among its requests, a datagram has one turn like a stream.
            self.requests_left = self.requests_left.min(turn - 1);
        }
        let position = Position { follows, in_datagram };
        Some(Step::Barrier(Barrier { position, ..barrier }))
    }

    /// Number of pending answers.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// The hashes of the pending commands, for [`crate::shard::Shard::touch_lines`].
    pub fn pending_hashes(&self) -> impl Iterator<Item = u64> + Clone + '_ {
        self.pending.iter().filter(|pending| pending.is_command()).map(|pending| pending.hash)
    }

    /// The command of a pending answer; `None` if it needs none.
    #[inline]
    pub fn command(&self, number: usize) -> Option<Command<'_>> {
        self.pending.get(number)?.command(self.pending_input())
    }

    /// Encodes a pending answer; without a reply, one that needs none. `false`: the output is full, and this is the
    /// last.
    #[inline]
    pub fn answer(&mut self, number: usize, reply: Option<&Reply<'_>>) -> bool {
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, now: self.context.now };
        self.pending[number].answer(&mut self.output, input, reply, &mut self.refusals);
        self.output.len() < self.output_bytes_high
    }

    /// Consumes the input of the first `count` pending answers, which were given. The others are dropped and parsed
    /// again.
    pub fn retire(&mut self, count: usize) {
        if let Some(last) = count.checked_sub(1).and_then(|last| self.pending.get(last)) {
            self.has_answered = true;
            self.inbound.cursor = last.end as usize;
            if let Some(connection) = self.connections.get_mut(self.inbound.connection) {
                connection.state = last.after;
            }
        }
        self.pending.clear();
    }

    /// Answers a barrier from the replies to its runs. `now` is the time after it, as a barrier may move the clock.
    pub fn answer_barrier(&mut self, barrier: &Barrier, now: Seconds) {
        let after = barrier.answer(&mut self.output, &self.config, &self.runs, self.context.now, &mut self.refusals);
        self.context.now = now;
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return };
        match after {
            After::Requests | After::RequestsWithAnswer => {}
            After::Closing => connection.state = State::Closing,
            After::Watching(kinds) => {
                connection.watches = kinds;
                self.watchers.add(self.inbound.connection);
            }
            After::Dumping(dump) => connection.dumping = Some(Box::new(Dumping::new(dump, self.config.shards.max(1)))),
        }
        if matches!(barrier.control, Control::List(Listing::Next { .. }))
            && let Some(dumping) = &mut connection.dumping
            && dumping.answer(&mut self.output, self.runs.replies_of(ReplySlot::First))
        {
            connection.dumping = None;
        }
    }

    /// Keeps the rest of the input with its connection. Returns the next actions of the host.
    pub fn park(&mut self) -> ConnectionStatus {
        if self.takes_datagrams() {
            return self.park_datagram();
        }
        let buffers_bytes_max = self.buffers_bytes_max();
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else {
            return ConnectionStatus::CLOSE;
        };
        let before = connection.buffers_bytes();
        self.inbound.put_aside(connection);
        self.buffers_bytes = self.buffers_bytes + connection.buffers_bytes() - before;
        if self.buffers_bytes > buffers_bytes_max && connection.has_input() && connection.state != State::Closing {
            self.buffers_bytes -= connection.buffers_bytes();
            connection.forget_input();
            self.buffers_bytes += connection.buffers_bytes();
            self.output.extend_from_slice(words::OUT_OF_MEMORY_READING);
            self.refusals.count(RefusalKind::RequestWithoutMemory);
            connection.state = State::Closing;
        }
        let full = self.output.len() >= limits::OUTPUT_BYTES_HIGH || connection.has_output();
        let yields = self.requests_left == 0 && connection.has_work();
        self.yields = self.yields.wrapping_add(u32::from(yields));
        let closing = connection.state == State::Closing;
        connection.status = ConnectionStatus::default()
            .with(ConnectionStatus::MORE, !closing && (full && connection.has_work() || yields))
            .with(ConnectionStatus::CLOSE, closing)
            .with(ConnectionStatus::PARTIAL, connection.has_input());
        connection.status.with(ConnectionStatus::OUTPUT, !self.output.is_empty() || connection.has_output())
    }

    /// The output of `id`.
    pub fn output(&self, id: ConnectionId) -> &[u8] {
        match self.connections.get(id.0 as usize) {
            Some(connection) if connection.has_output() => connection.output(),
            Some(_) if self.inbound.connection == id.0 as usize => &self.output,
            _ => &[],
        }
    }

    /// Takes the first `sent` bytes from the output and keeps the rest with the connection. If all connections together
    /// then hold too much, drops the rest; the connection is to be closed.
    pub fn consume(&mut self, id: ConnectionId, sent: usize) -> ConnectionStatus {
        let buffers_bytes_max = self.buffers_bytes_max();
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return ConnectionStatus::CLOSE };
        let before = connection.buffers_bytes();
        if connection.has_output() {
            connection.drop_output(sent);
        } else if self.inbound.connection == id.0 as usize {
            connection.keep_output(&self.output[sent.min(self.output.len())..]);
            self.output.clear();
        }
        if self.buffers_bytes + connection.buffers_bytes() - before > buffers_bytes_max && connection.has_output() {
            self.refusals.count(RefusalKind::ReplyWithoutMemory);
            connection.forget_output();
            connection.forget_input();
            connection.state = State::Closing;
            connection.status = ConnectionStatus::CLOSE;
        }
        self.buffers_bytes = self.buffers_bytes + connection.buffers_bytes() - before;
        connection.status.with(ConnectionStatus::OUTPUT, connection.has_output())
    }

    /// Bytes that unfinished requests and unread replies of all connections hold.
    pub fn buffers_bytes(&self) -> usize {
        self.buffers_bytes
    }

    fn buffers_bytes_max(&self) -> usize {
        let by_items = limits::CONNECTION_BUFFERS_ITEMS_MAX * self.config.store.item_bytes_max as usize;
        by_items.max(limits::CONNECTION_BUFFERS_BYTES_MIN)
    }

    /// The connection at hand.
    pub fn current(&self) -> ConnectionId {
        ConnectionId(self.inbound.connection as u32)
    }

    /// Number of turns that ended after `-R` requests.
    pub fn yields(&self) -> u32 {
        self.yields
    }

    /// Everything that was refused since creation.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Turns the pending commands into runs for the shards.
    pub fn load_commands(&mut self) {
        let connection = self.connections.get_mut(self.inbound.connection);
        let repeated = connection.map_or(0, |connection| core::mem::take(&mut connection.repeated_reads));
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, now: self.context.now };
        self.runs.load_commands(&self.pending, input, repeated);
    }

    /// Turns a barrier into runs; `solo`: its broadcasts are no runs, since the store is in this guest.
    pub fn load_barrier(&mut self, barrier: &Barrier, solo: bool) {
        self.runs.load_barrier(barrier, self.context.now, solo);
    }

    /// The runs to carry and the bytes they point into.
    pub fn runs(&self) -> (&[Run], &[u8]) {
        self.runs.runs()
    }

    /// Room for the replies of a run (`executed` as in `docs/internals/boundary.md`); `None`: no such run.
    pub fn reply(&mut self, run: usize, executed: u32, bytes: usize) -> Option<&mut [u8]> {
        self.runs.reply(run, executed, bytes)
    }

    /// The buffer for the answer to a barrier's broadcast in a solo engine.
    pub fn barrier_answer(&mut self, slot: ReplySlot) -> &mut Vec<u8> {
        self.runs.reply_buffer(slot)
    }

    /// Answers the pending commands from the replies to their runs.
    pub fn answer_runs(&mut self) {
        let (mut answered, mut executed) = (0, 0);
        let watched_as = self.watched_as();
        let mut replies = self.runs.replies();
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, now: self.context.now };
        for (number, pending) in self.pending.iter().enumerate() {
            let reply = if pending.is_command() {
                match replies.next(number) {
                    Some(reply) => Some(reply),
                    None => {
                        executed = replies.executed_from(number, &self.pending);
                        break;
                    }
                }
            } else {
                None
            };
            pending.answer(&mut self.output, input, reply.as_ref(), &mut self.refusals);
            if let (Some(descriptor), Some(reply)) = (watched_as, &reply) {
                watch::record(&mut self.events, pending, input, reply, descriptor);
            }
            answered += 1;
        }
        if replies.lost > 0 {
            self.refusals.add(RefusalKind::LostRequest, replies.lost);
        }
        let is_whole = answered == self.pending.len();
        self.runs.finish(is_whole);
        if !is_whole || self.runs.repeated != 0 {
            let repeated = self.runs.repeated_after(answered, executed);
            if let Some(connection) = self.connections.get_mut(self.inbound.connection) {
                connection.repeated_reads = repeated;
            }
        }
        self.retire(answered);
    }

    fn pending_input(&self) -> Input<'_> {
        Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, now: self.context.now }
    }

    /// The key hash.
    pub fn seed(&self) -> Seed {
        self.config.store.seed
    }
}
