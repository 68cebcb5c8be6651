//! A worker: one thread, one front, the connections it was given, one event loop.
//!
//! A readable event is one receive straight into the guest's memory, one call into the guest, one send straight out of
//! it. A connection that has more to do waits in the ready queue until all others had their turn.

mod answers;
mod connection;
mod datagrams;
mod drain;
mod events;
mod logins;

use super::Shared;
use crate::{
    counters::WorkerCounters,
    guest::{ConnectionKind, Fault, Front, Status},
    limits::{EVENTS_MAX, HANDSHAKE_S_MAX, SWEEP_STEPS, SWEEPS_PER_TICK_MAX},
    network::{
        datagram::{Datagrams, UdpListener},
        registry::Entry,
        socket::{Incoming, Socket},
        tls::Scratch,
    },
    options::Security,
};
use connection::{Connection, Flag};
use mio::{Events, Poll, Token, event::Event};
use slab::Slab;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{Arc, atomic::Ordering, mpsc::Receiver},
    thread,
    time::Duration,
};
use wasmcached_core::boundary::event::{Kinds, Reason};

/// The token of a worker's waker; connections have their index.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Of the sockets for datagrams, the first one's token.
const FIRST_DATAGRAMS: usize = usize::MAX / 2;
/// Between two calls for upkeep.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(1);

/// See the module.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    incoming: Receiver<Incoming>,
    front: Front,
    /// Calls of the front that had already given way, in guests that were replaced.
    yields_seen: u32,
    /// What the front has counted of logins when it was last asked.
    logins_seen: (u32, u32),
    /// The list of users that the front has.
    users_seen: u32,
    connections: Slab<Connection>,
    ready: VecDeque<usize>,
    now: u32,
    /// What the front was told to record.
    watched: Kinds,
    /// Connections that watch.
    watchers: Vec<usize>,
    /// When the last upkeep began.
    upkeep_at: u32,
    sweeps_left: u32,
    scratch: Scratch,
    datagrams: Vec<Datagrams>,
}

impl Worker {
    /// Number `index` of the server's workers, with its front and its sockets for datagrams.
    ///
    /// # Errors
    /// The event loop does not take one of those.
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: usize,
        poll: Poll,
        incoming: Receiver<Incoming>,
        front: Front,
        udp_listeners: Vec<UdpListener>,
    ) -> io::Result<Self> {
        let now = shared.clock.now();
        let users_seen = shared.users_version();
        let datagrams = udp_listeners.into_iter().enumerate().map(|(number, mailbox)| {
            Datagrams::new(mailbox, poll.registry(), Token(FIRST_DATAGRAMS + number), &shared.registry, now)
        });
        let datagrams = datagrams.collect::<io::Result<_>>()?;
        Ok(Self {
            shared,
            index,
            poll,
            incoming,
            front,
            yields_seen: 0,
            logins_seen: (0, 0),
            users_seen,
            connections: Slab::new(),
            ready: VecDeque::new(),
            now,
            watched: Kinds::NONE,
            watchers: Vec::new(),
            upkeep_at: now,
            sweeps_left: 0,
            scratch: Scratch::default(),
            datagrams,
        })
    }

    /// Serves until the server stops.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let opened = self.open_datagrams();
        self.replace_front(opened);
        while !self.shared.is_stopping() {
            let timeout = self.timeout();
            self.turn(&mut events, timeout);
            self.upkeep();
        }
        self.finish(&mut events);
    }

    /// One round: what has happened, then everyone who waits for a turn, once.
    fn turn(&mut self, events: &mut Events, timeout: Option<Duration>) {
        if let Err(error) = self.poll.poll(events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                tracing::warn!("worker {} cannot wait for events: {error}", self.index);
                thread::sleep(Duration::from_millis(10));
            }
            return;
        }
        self.now = self.shared.clock.now();
        let result = self.take_users();
        self.replace_front(result);
        for event in events.iter() {
            let result = match event.token() {
                WAKER => {
                    self.take_incoming();
                    Ok(())
                }
                Token(number @ FIRST_DATAGRAMS..) => self.on_datagrams(number - FIRST_DATAGRAMS, event),
                Token(index) => self.on_event(index, event),
            };
            self.replace_front(result);
        }
        for _ in 0..self.ready.len() {
            let Some(index) = self.ready.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(index) {
                connection.set(Flag::Queued, false);
                let result = self.drive(index);
                self.replace_front(result);
            }
        }
        for number in 0..self.datagrams.len() {
            let result = self.drive_datagrams(number);
            self.replace_front(result);
        }
        if !self.watchers.is_empty() {
            let result = self.show_events();
            self.replace_front(result);
        }
        let yields = self.front.yields();
        if yields != self.yields_seen {
            self.counters().yields.add(u64::from(yields.wrapping_sub(self.yields_seen)));
            self.yields_seen = yields;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || self.datagrams.iter().any(Datagrams::is_ready) {
            Some(Duration::ZERO)
        } else if self.sweeps_left > 0 {
            Some(SWEEP_PAUSE)
        } else if self.shared.is_solo() || self.shared.idle_timeout_s > 0 || self.shared.tls.is_some() {
            Some(Duration::from_secs(1))
        } else {
            None
        }
    }

    /// What is due once a second, and the sweep that a solo guest asked to go on with.
    fn upkeep(&mut self) {
        if self.now != self.upkeep_at {
            self.upkeep_at = self.now;
            self.sweeps_left = if self.shared.is_solo() { SWEEPS_PER_TICK_MAX } else { 0 };
            let result = self.close_idle();
            self.replace_front(result);
        }
        if self.sweeps_left > 0 {
            let swept = self.front.sweep(self.now, SWEEP_STEPS).and_then(|more| self.report().map(|()| more));
            match swept {
                Ok(more) => self.sweeps_left = if more { self.sweeps_left - 1 } else { 0 },
                Err(fault) => self.replace_front(Err(fault)),
            }
        }
    }

    /// Takes in whoever waits. The waker is not heard again for those who are there already, so a fault must not leave any.
    fn take_incoming(&mut self) {
        while let Ok(incoming) = self.incoming.try_recv() {
            let result = self.take_in(incoming);
            self.replace_front(result);
        }
    }

    fn take_in(&mut self, incoming: Incoming) -> Result<(), Fault> {
        let Incoming { socket, security, binding, entry } = incoming;
        let socket = match (socket, &self.shared.tls, security) {
            (socket, _, Security::Plain) | (socket, None, _) => Ok(socket),
            (Socket::Tcp(stream), Some(tls), _) => {
                tls.accept(stream, security, self.now).map(|stream| Socket::Tls(Box::new(stream)))
            }
            (socket, Some(_), _) => Ok(socket),
        };
        let slot = self.connections.vacant_entry();
        let registered = socket.and_then(|mut socket| {
            socket.register(self.poll.registry(), Token(slot.key()))?;
            Ok(socket)
        });
        let socket = match registered {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!("{}: {error}", entry.peer);
                self.shared.forget(&entry);
                return Ok(());
            }
        };
        let guest = match self.front.open(binding.map_or(ConnectionKind::Client, ConnectionKind::Bound)) {
            Ok(guest) => guest,
            Err(fault) => {
                self.shared.forget(&entry);
                return Err(fault);
            }
        };
        let label = self.front.label(guest, entry.descriptor);
        self.shared.watching.opened(&entry.peer, entry.descriptor);
        slot.insert(Connection::new(socket, guest, entry));
        label
    }

    fn on_event(&mut self, index: usize, event: &Event) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let hung_up = event.is_read_closed() || event.is_error();
        if event.is_readable() || hung_up {
            connection.set(Flag::Readable, true);
            if hung_up {
                connection.set(Flag::HungUp, true);
            }
        }
        // Nobody else asks for what the socket itself has to say: it goes out before anything is received.
        if event.is_writable() && connection.socket.has_unsent() {
            connection.set(Flag::Readable, true);
        }
        if connection.is(Flag::Writing) {
            if event.is_writable() || event.is_write_closed() || event.is_error() { self.flush(index) } else { Ok(()) }
        } else if connection.is(Flag::Queued) {
            Ok(())
        } else {
            self.drive(index)
        }
    }

    /// Gives a connection one turn: what it has still to do, or else what it has received.
    #[inline]
    fn drive(&mut self, index: usize) -> Result<(), Fault> {
        self.record()?;
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if connection.is(Flag::Writing) {
            return Ok(());
        }
        if connection.is(Flag::More) {
            let status = self.front.advance(connection.guest, 0, self.now)?;
            return self.apply_status(index, status);
        }
        if !connection.is(Flag::Readable) {
            return Ok(());
        }
        let window = self.front.window(connection.guest, connection.is(Flag::Partial))?;
        match connection.socket.receive(window, &mut self.scratch) {
            Ok(0) => self.close(index),
            Ok(received) => {
                // Less than was asked for: there is no more. Windows tells again only after it has said so itself.
                let drained =
                    cfg!(unix) && connection.socket.is_drained(received, window.len()) && !connection.is(Flag::HungUp);
                connection.set(Flag::Readable, !drained);
                // A turn may last, and who was told by another worker that a second is over must not find what it ended.
                self.now = self.shared.clock.now();
                connection.entry.touch(self.now);
                self.shared.workers[self.index].bytes_read.add(received as u64);
                let status = self.front.advance(connection.guest, received, self.now)?;
                self.apply_status(index, status)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Where it is its own output that waits, nothing is known of what there is to receive: the event stays.
                if !connection.socket.has_unsent() {
                    connection.set(Flag::Readable, false);
                    connection.set(Flag::HungUp, false);
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.queue(index);
                Ok(())
            }
            Err(error) => {
                tracing::warn!("{}: receiving: {error}", connection.entry.peer);
                self.close_because(index, Reason::Error)
            }
        }
    }

    /// Does what the guest wants done after a call about this connection.
    #[inline]
    fn apply_status(&mut self, index: usize, mut status: Status) -> Result<(), Fault> {
        while status.runs() {
            self.carry(index)?;
            // What was carried may have moved it.
            self.now = self.shared.clock.now();
            status = self.front.resume(self.now)?;
        }
        self.report()?;
        // Before the answer is out: who has it may ask another worker for the count.
        self.publish_logins()?;
        if status.output() {
            return self.send(index, status);
        }
        self.store_status(index, status)
    }

    /// Sends the guest's output, all in one if the socket takes it.
    fn send(&mut self, index: usize, mut status: Status) -> Result<(), Fault> {
        let counters = &self.shared.workers[self.index];
        let connection = &mut self.connections[index];
        let mut writing = false;
        while status.output() {
            let output = self.front.output()?;
            let bytes = output.len();
            if bytes == 0 {
                break;
            }
            let sent = match connection.socket.send(output, &mut self.scratch) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!("{}: sending: {error}", connection.entry.peer);
                    return self.close_because(index, Reason::Error);
                }
            };
            counters.bytes_written.add(sent as u64);
            if sent == bytes && !connection.is(Flag::Writing) {
                break;
            }
            status = self.front.consume(connection.guest, sent)?;
            writing = sent < bytes;
            // Windows tells that a socket is writable only after it has said that it is not.
            if writing && (cfg!(unix) || sent == 0) {
                break;
            }
        }
        connection.set(Flag::Writing, writing);
        self.store_status(index, status)
    }

    /// The socket takes output again.
    fn flush(&mut self, index: usize) -> Result<(), Fault> {
        let guest = self.connections[index].guest;
        self.front.load_output(guest)?;
        self.send(index, Status::OUTPUT)
    }

    /// Remembers what the guest said, and what follows from it.
    #[inline]
    fn store_status(&mut self, index: usize, status: Status) -> Result<(), Fault> {
        let connection = &mut self.connections[index];
        connection.set(Flag::More, status.more());
        connection.set(Flag::Partial, status.partial());
        connection.publish();
        if connection.is(Flag::Writing) {
            // What else there is to do, the guest says again when the output is sent.
            return Ok(());
        }
        if status.close() {
            return self.close(index);
        }
        if connection.is(Flag::More) || connection.is(Flag::Readable) {
            self.queue(index);
        }
        Ok(())
    }

    fn queue(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.is(Flag::Queued) {
            connection.set(Flag::Queued, true);
            self.ready.push_back(index);
        }
    }

    fn close(&mut self, index: usize) -> Result<(), Fault> {
        self.close_because(index, Reason::Normal)
    }

    fn close_because(&mut self, index: usize, reason: Reason) -> Result<(), Fault> {
        let mut connection = self.connections.remove(index);
        connection.socket.end();
        let Entry { peer, descriptor, .. } = &*connection.entry;
        tracing::info!("{peer} closed");
        if connection.is(Flag::Watching) {
            self.watchers.retain(|&watching| watching != index);
            self.shared.watching.forget(self.index, connection.guest);
        }
        self.shared.watching.closed(peer, *descriptor, reason);
        self.shared.forget(&connection.entry);
        self.front.close(connection.guest)
    }

    /// Carries the runs that a request of this connection made.
    fn carry(&mut self, index: usize) -> Result<(), Fault> {
        self.publish_logins()?;
        let connection = &mut self.connections[index];
        let asker =
            answers::RequestOrigin { entry: &connection.entry, stream: Some(connection.guest), worker: self.index };
        answers::carry(&self.shared, &mut self.front, &asker, self.now)?;
        if connection.entry.is_watching() && !connection.is(Flag::Watching) {
            connection.set(Flag::Watching, true);
            self.watchers.push(index);
        }
        Ok(())
    }

    /// Closes those who are silent for too long, and those who take too long to agree on how to talk.
    fn close_idle(&mut self) -> Result<(), Fault> {
        let limit_s = self.shared.idle_timeout_s;
        if limit_s == 0 && self.shared.tls.is_none() {
            return Ok(());
        }
        for index in 0..self.connections.capacity() {
            let Some(connection) = self.connections.get(index) else { continue };
            let opening = connection.socket.handshaking_since();
            let is_idle = || !connection.is(Flag::Watching) && connection.entry.idle_s(self.now) > limit_s;
            if opening.is_some_and(|since| self.now.saturating_sub(since) > HANDSHAKE_S_MAX) {
                self.shared.tls.iter().for_each(|tls| tls.count_overdue());
                self.close_because(index, Reason::Error)?;
            } else if limit_s > 0 && is_idle() {
                self.counters().idle_kicks.add(1);
                self.close_because(index, Reason::Idle)?;
            }
        }
        Ok(())
    }

    /// Goes on after a trap of the front: its connections are lost, and a new front takes over.
    fn replace_front(&mut self, result: Result<(), Fault>) {
        let Err(fault) = result else { return };
        let faults = &self.shared.faults;
        fault.record(faults, &faults.front_traps, "front", self.index);
        if self.shared.is_solo() {
            faults.shard_traps.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.watching.forget_worker(self.index);
        self.watchers.clear();
        self.watched = Kinds::NONE;
        for connection in self.connections.drain() {
            let Entry { peer, descriptor, .. } = &*connection.entry;
            self.shared.watching.closed(peer, *descriptor, Reason::Error);
            self.shared.forget(&connection.entry);
        }
        self.ready.clear();
        self.yields_seen = 0;
        self.logins_seen = (0, 0);
        self.users_seen = self.shared.users_version();
        loop {
            match self.shared.create_front() {
                Ok(front) => {
                    self.front = front;
                    match self.open_datagrams() {
                        Ok(()) => return,
                        Err(fault) => tracing::error!("front {} is not well: {}", self.index, fault.message),
                    }
                }
                Err(fault) => tracing::error!("front {} cannot be replaced yet: {}", self.index, fault.message),
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn counters(&self) -> &WorkerCounters {
        &self.shared.workers[self.index]
    }
}
