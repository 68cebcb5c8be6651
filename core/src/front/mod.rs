//! Connections of clients: from received bytes to commands, from replies to bytes to send.
//!
//! A front never calls out in the middle of a parse. [`Front::step`] turns the whole requests that a read delivered
//! into a list of [`Pending`] answers. The store executes their commands: in a solo engine that of the same guest, else
//! those of other guests through [`Run`]s. Then the front answers in order. It knows neither sockets nor the store.

mod answers;
mod barrier;
mod borrowed;
mod budget;
mod collect;
mod connection;
mod control;
mod datagram;
mod inbound;
mod leaving;
mod lent_buffers;
mod login;
mod long_requests;
mod output;
#[cfg(feature = "http")]
mod pages;
mod pending;
mod route;
mod runs;
mod state;
mod stream;
mod watch;

pub use barrier::Barrier;
pub use pending::Pending;
pub use runs::{ReplySlot, Run};
pub use state::ConnectionId;
pub use watch::Delivered;

pub use crate::boundary::status::ConnectionStatus;
use crate::{
    boundary::{
        config::{Authentication, Binding, Config},
        event::{Events, Kinds},
    },
    clock::{Seconds, Time},
    command::{Broadcast, Command},
    hash::Seed,
    limits,
    protocol::{Context, control::Control, text::words},
    reply::Reply,
    settings::Setting,
    statistics::{RefusalKind, Refusals},
};
use alloc::boxed::Box;
use alloc::vec::Vec;
use barrier::ControlFormat;
use borrowed::Borrowed;
use budget::Budget;
use collect::Collected;
use connection::Connection;
use control::{After, PieceReplies, Position};
use inbound::{Inbound, Source};
use leaving::Leaving;
use login::{FrontLogins, Wait};
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
    /// Readers of long values have left.
    Leave,
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
///    - after [`Step::Execute`] either [`command`](Self::command) and [`answer`](Self::answer), without a command
///      [`answer_fixed`](Self::answer_fixed), for each number from 0 on, and [`retire`](Self::retire); or
///      [`load_commands`](Self::load_commands), [`runs`](Self::runs), [`reply`](Self::reply) for each run, and
///      [`answer_runs`](Self::answer_runs);
///    - after [`Step::Barrier`] [`load_barrier`](Self::load_barrier), then [`reply`](Self::reply) for each run or
///      [`barrier_answer`](Self::barrier_answer) for each broadcast, and [`answer_barrier`](Self::answer_barrier);
///    - after [`Step::Leave`] either [`take_leaving`](Self::take_leaving); or [`load_leaving`](Self::load_leaving),
///      [`runs`](Self::runs), and [`answer_runs`](Self::answer_runs);
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
    borrowed: Borrowed,
    pending: Vec<Pending>,
    /// The keys of pending commands that came in base64.
    decoded: Vec<u8>,
    runs: Runs,
    leaving: Leaving,
    requests_left: u32,
    /// Commands that the turn has left; none after a walk.
    commands_left: u32,
    /// A request of the connection at hand was answered in this turn.
    has_answered: bool,
    logins: FrontLogins,
    /// The token that clients of HTTP send; empty: none.
    #[cfg(feature = "http")]
    http_token: Vec<u8>,
    /// Output of the connection at hand beyond which it stops parsing.
    output_bytes_high: usize,
    budget: Budget,
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
            budget: Budget::new(&config),
            config,
            context,
            connections: Slab::new(),
            inbound: Inbound::new(),
            output: Vec::with_capacity(limits::OUTPUT_BYTES_KEPT),
            borrowed: Borrowed::default(),
            pending: Vec::with_capacity(limits::BATCH_COMMANDS_MAX),
            decoded: Vec::new(),
            leaving: Leaving::default(),
            requests_left: 0,
            commands_left: 0,
            has_answered: false,
            logins: FrontLogins::default(),
            #[cfg(feature = "http")]
            http_token: Vec::new(),
            output_bytes_high: limits::OUTPUT_BYTES_HIGH,
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
            connection.progress_at = self.context.time.now;
            self.budget.change(0, connection.held_bytes());
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
            #[cfg(feature = "http")]
            Binding::Http => State::Http,
            #[cfg(not(feature = "http"))]
            Binding::Http => State::Closing,
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
            if connection.is_in_request() {
                self.refusals.count(RefusalKind::CutRequest);
            }
            self.release(&connection);
            self.leaving.add(connection.stream.as_deref());
            if connection.watches != Kinds::NONE {
                self.watchers.remove(id.0 as usize);
            }
            if connection.logins.is_some() {
                self.forget_logins(id.0 as usize);
            }
        }
        if self.inbound.connection == id.0 as usize {
            self.inbound.connection = Inbound::NO_CONNECTION;
            self.output.clear();
            self.borrowed.clear();
        }
    }

    /// Space for the next received bytes of `id`; never empty.
    pub fn input(&mut self, id: ConnectionId) -> &mut [u8] {
        if self.connections.get(id.0 as usize).is_some_and(|connection| connection.long.are_expected()) {
            self.lend_buffer(id.0 as usize);
        }
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return &mut self.inbound.window };
        let before = connection.held_bytes();
        let in_window = connection.prepare_input(&mut self.inbound.window);
        self.budget.change(before, connection.held_bytes());
        let Some(held) = in_window else { return self.connections[id.0 as usize].input_space() };
        let end = self.window_end(&self.connections[id.0 as usize], held);
        &mut self.inbound.window[held..end]
    }

    /// Takes what the front must know of the clock besides `now`: whether `now` is the whole part of a time with a
    /// fraction, and how many seconds the wall clock is ahead of it.
    pub fn set_clock(&mut self, has_fraction: bool, wall_ahead_s: i64) {
        self.context.time = Time { has_fraction, wall_ahead_s, ..self.context.time };
    }

    /// Takes `received` new bytes of `id`; without new bytes, continues with the input that is there.
    pub fn begin(&mut self, id: ConnectionId, received: usize, now: Seconds) {
        self.context.time.now = now;
        self.inbound.connection = id.0 as usize;
        self.inbound.cursor = 0;
        self.requests_left = self.config.requests_per_event.max(1);
        self.commands_left = limits::TURN_COMMANDS_MAX;
        // Input that is left of an earlier turn follows its requests.
        self.has_answered = received == 0;
        self.output_bytes_high = self.budget.output_bytes_high();
        self.pending.clear();
        self.trim_output();
        self.output.clear();
        self.borrowed.clear();
        self.inbound.source = match self.connections.get_mut(self.inbound.connection) {
            None => Source::Window(0),
            Some(connection) => {
                let sent = connection.keep_stream();
                self.leaving.add(sent.as_deref());
                if connection.holds_no_input() {
                    Source::Window(received.min(limits::WINDOW_BYTES))
                } else {
                    self.begin_held(received)
                }
            }
        };
        self.begin_datagram();
    }

    /// Finds the next requests of the connection at hand.
    #[inline(never)]
    pub fn step(&mut self) -> Step {
        loop {
            match self.find_step() {
                None => {}
                Some(Step::Idle) => return self.last_step(),
                Some(step) => return step,
            }
        }
    }

    /// [`Front::step`], or `None` after a part of a login, which is answered at once.
    fn find_step(&mut self) -> Option<Step> {
        let Some(connection) = self.connections.get(self.inbound.connection) else { return Some(Step::Idle) };
        if connection.stream.is_some() {
            return Some(self.stream_step());
        }
        if self.output.len() >= self.output_bytes_high || connection.has_output() {
            return Some(Step::Idle);
        }
        if connection.watches != Kinds::NONE {
            // While a connection watches, its input is discarded.
            self.inbound.cursor = self.inbound.bytes(&self.connections).len();
            return Some(Step::Idle);
        }
        if self.commands_left == 0 {
            return Some(Step::Idle);
        }
        if let Some(dumping) = &connection.dumping {
            let barrier = Barrier::new(dumping.next(self.config.shards.max(1)), ControlFormat::Text);
            if connection.datagrams.is_none() {
                self.commands_left = 0;
            } else if self.requests_left == 0 {
                return Some(Step::Idle);
            } else {
                // A datagram has one turn.
                self.requests_left -= 1;
            }
            return Some(Step::Barrier(barrier));
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
        if self.pending.is_empty() {
            return self.accept(collected);
        }
        self.commands_left = self.commands_left.saturating_sub(self.pending.len() as u32);
        Some(Step::Execute)
    }

    /// Consumes input that has no pending answers; a barrier or a login may follow it.
    #[inline(never)]
    fn accept(&mut self, collected: Collected) -> Option<Step> {
        let connection = &mut self.connections[self.inbound.connection];
        let before = (self.inbound.cursor, connection.state);
        self.inbound.cursor = collected.cursor;
        let in_datagram = connection.datagrams.is_some();
        connection.state = collected.state;
        connection.needed = collected.needed;
        if let Some(login) = collected.login {
            if self.log_in(login) {
                return None;
            }
            // The login waits, and is parsed again.
            (self.inbound.cursor, self.connections[self.inbound.connection].state) = before;
            return Some(Step::Idle);
        }
        let Some(barrier) = collected.barrier else { return Some(Step::Idle) };
        #[cfg(feature = "http")]
        let barrier = self.admit_page(barrier);
        let turn = self.config.requests_per_event.max(1);
        let follows = self.has_answered || self.requests_left + 1 < turn;
        if in_datagram {
            // A barrier costs every shard work: with one among its requests, a datagram has one turn like a stream.
            self.requests_left = self.requests_left.min(turn - 1);
        } else if barrier.is_walk(&self.context.time) {
            self.commands_left = 0;
        }
        let position = Position { follows, in_datagram };
        Some(Step::Barrier(Barrier { position, ..barrier }))
    }

    /// Number of pending answers.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// The hashes of the pending commands, for [`crate::shard::Shard::touch_lines`].
    pub fn pending_hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.iter().filter(|pending| pending.is_command()).map(|pending| pending.hash)
    }

    /// The command of a pending answer; `None` if it needs none.
    #[inline]
    pub fn command(&self, number: usize) -> Option<Command<'_>> {
        self.pending.get(number)?.command(self.pending_input())
    }

    /// Encodes a pending answer from the reply to its command. `false`: this is the last, because the output is full or
    /// ends within a long value.
    #[inline]
    pub fn answer(&mut self, number: usize, reply: &Reply<'_>) -> bool {
        if let Some(value) = reply.value()
            && value.len() >= limits::LONG_VALUE_BYTES
        {
            return self.answer_long(number, reply, value);
        }
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, time: &self.context.time };
        self.pending[number].answer(&mut self.output, input, Some(reply), &mut self.refusals);
        self.output.len() < self.output_bytes_high
    }

    /// Encodes a pending answer that needs no command. `false`: this is the last, because the output is full.
    #[inline(never)]
    pub fn answer_fixed(&mut self, number: usize) -> bool {
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, time: &self.context.time };
        self.pending[number].answer(&mut self.output, input, None, &mut self.refusals);
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
        let after = barrier.answer(&mut self.output, &self.config, &self.runs, &self.context.time, &mut self.refusals);
        self.context.time.now = now;
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return };
        match after {
            After::Requests | After::RequestsWithAnswer => {}
            After::Closing => connection.state = State::Closing,
            After::Watching(kinds) => {
                connection.watches = kinds;
                self.watchers.add(self.inbound.connection);
            }
            After::Dumping(dumping) => connection.dumping = Some(Box::new(dumping)),
        }
        if matches!(barrier.control, Control::Continue(_))
            && let Some(dumping) = &mut connection.dumping
        {
            let piece = PieceReplies {
                stores: self.runs.replies_of(ReplySlot::First),
                host: self.runs.replies_of(ReplySlot::Host),
                is_lost: self.runs.has_losses(),
                shards: self.config.shards.max(1),
                time: &self.context.time,
                #[cfg(feature = "http")]
                config: &self.config,
                #[cfg(feature = "http")]
                second: self.runs.replies_of(ReplySlot::Second),
            };
            if dumping.answer(&mut self.output, &piece, &mut self.refusals) {
                if dumping.closes() {
                    connection.state = State::Closing;
                }
                connection.dumping = None;
            }
        }
    }

    /// Keeps the rest of the input with its connection. Returns the next actions of the host.
    pub fn park(&mut self) -> ConnectionStatus {
        if self.takes_datagrams() {
            return self.park_datagram();
        }
        let Some(connection) = self.connections.get(self.inbound.connection) else { return ConnectionStatus::CLOSE };
        if self.inbound.is_answered() && connection.holds_no_input() && connection.dumping.is_none() {
            self.inbound.forget();
        } else {
            self.park_held();
        }
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else {
            return ConnectionStatus::CLOSE;
        };
        let full = self.output.len() >= self.output_bytes_high || connection.has_output();
        let has_work = connection.has_work();
        // The turn after the end of a long value tells its shard.
        let streams = connection.stream.is_some();
        let yields = (self.requests_left == 0 || self.commands_left == 0) && has_work;
        // Only `-R` counts, as in memcached.
        self.yields = self.yields.wrapping_add(u32::from(self.requests_left == 0 && has_work));
        let closing = connection.state == State::Closing;
        let waits = connection.logins.as_ref().and_then(|logins| logins.waits);
        let has_input = connection.has_input();
        connection.status = ConnectionStatus::default()
            .with(ConnectionStatus::MORE, !closing && (full && has_work || yields || waits.is_some() || streams))
            .with(ConnectionStatus::LATER, !closing && waits == Some(Wait::Second))
            .with(ConnectionStatus::CLOSE, closing)
            .with(ConnectionStatus::PARTIAL, has_input)
            .with(ConnectionStatus::WAITING, connection.wanted > 0)
            .with(ConnectionStatus::WINDOW, !has_input && connection.long.are_expected());
        let borrows = !self.borrowed.is_empty();
        connection
            .status
            .with(ConnectionStatus::OUTPUT, !self.output.is_empty() || borrows || connection.has_output())
            .with(ConnectionStatus::SLICES, borrows)
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
        let limit = self.reply_limit();
        let connection = self.connections.get_mut(self.inbound.connection);
        let repeated = connection.map_or(0, Connection::take_repeated_reads);
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, time: &self.context.time };
        self.runs.limit = limit;
        self.runs.load_commands(&self.pending, input, repeated);
    }

    /// The broadcasts of a barrier for the shards, in this order.
    pub fn broadcasts(&self, barrier: &Barrier) -> impl Iterator<Item = (ReplySlot, Broadcast)> + use<> {
        barrier.broadcasts(&self.context.time)
    }

    /// Turns a barrier into runs; `solo`: its broadcasts are no runs, since the store is in this guest.
    pub fn load_barrier(&mut self, barrier: &Barrier, solo: bool) {
        self.runs.load_barrier(barrier, &self.context.time, solo);
    }

    /// The runs to carry and the bytes they point into.
    pub fn runs(&self) -> (&[Run], &[u8]) {
        self.runs.runs()
    }

    /// The bytes that follow the orders of a run.
    pub fn tail(&self, run: &Run) -> &[u8] {
        run.tail.of(self.inbound.bytes(&self.connections))
    }

    /// Room for the replies of a run (`executed` as in `docs/internals/boundary.md`); `None`: no such run.
    pub fn reply(&mut self, run: usize, executed: u32, bytes: usize) -> Option<&mut [u8]> {
        self.runs.reply(run, executed, bytes)
    }

    /// The buffer for the answer to a barrier's broadcast in a solo engine.
    pub fn barrier_answer(&mut self, slot: ReplySlot) -> &mut Vec<u8> {
        self.runs.reply_buffer(slot)
    }

    fn pending_input(&self) -> Input<'_> {
        Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, time: &self.context.time }
    }

    /// The key hash.
    pub fn seed(&self) -> Seed {
        self.config.store.seed
    }
}
