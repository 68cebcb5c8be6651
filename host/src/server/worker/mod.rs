//! A worker: one thread, one front, its connections, one event loop.
//!
//! A readable event is one receive straight into the guest's memory, one call into the guest, one send straight out of
//! it (`exchange`). A connection with more to do waits in the ready queue until all others have had a turn.

mod answers;
mod connection;
mod counts;
mod datagrams;
mod drain;
mod events;
mod exchange;

use super::Shared;
use crate::{
    counters::WorkerCounters,
    guest::{ConnectionKind, Fault, Front},
    inbox::{Message, WAKER},
    limits::{EVENTS_MAX, HANDSHAKE_S_MAX, SWEEP_PAUSE, SWEEP_STEPS},
    network::{
        datagram::{UdpListener, UdpSocket},
        registry::RegistryEntry,
        socket::{Incoming, Socket},
        tls::Scratch,
    },
    options::Security,
};
use connection::{Connection, ConnectionFlag};
use mio::{Events, Poll, Token};
use slab::Slab;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::Arc,
    thread,
    time::Duration,
};
use wasmcached_core::{
    boundary::event::{Kinds, Reason},
    statistics::Refusals,
};

/// The token of the first UDP socket; connections have their index.
const FIRST_UDP_SOCKET: usize = usize::MAX / 2;
/// Pause before another attempt to replace a front.
const REPLACE_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    front: Front,
    /// The front's count of yields when it was last added to the statistics.
    yields_seen: u32,
    /// The front's counts of logins when they were last added to the statistics.
    logins_seen: (u32, u32),
    /// The front's counts of refusals when they were last added to the statistics.
    refusals_seen: [u32; Refusals::COUNT],
    connections: Slab<Connection>,
    ready: VecDeque<usize>,
    now: u32,
    /// The kinds of events that the front records.
    watched: Kinds,
    /// Connections that watch.
    watchers: Vec<usize>,
    /// When the last upkeep began.
    upkeep_at: u32,
    sweeps_left: u32,
    scratch: Scratch,
    udp_sockets: Vec<UdpSocket>,
}

impl Worker {
    /// Number `index` of the server's workers, with its event loop, its front and its UDP sockets.
    ///
    /// # Errors
    /// A socket cannot be registered.
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        poll: Poll,
        front: Front,
        udp_listeners: Vec<UdpListener>,
    ) -> io::Result<Self> {
        let now = shared.clock.now();
        let udp_sockets = udp_listeners.into_iter().enumerate().map(|(number, listener)| {
            UdpSocket::new(listener, poll.registry(), Token(FIRST_UDP_SOCKET + number), &shared.registry, now)
        });
        let udp_sockets = udp_sockets.collect::<io::Result<_>>()?;
        Ok(Self {
            shared,
            index,
            poll,
            front,
            yields_seen: 0,
            logins_seen: (0, 0),
            refusals_seen: [0; Refusals::COUNT],
            connections: Slab::new(),
            ready: VecDeque::new(),
            now,
            watched: Kinds::NONE,
            watchers: Vec::new(),
            upkeep_at: now,
            sweeps_left: 0,
            scratch: Scratch::default(),
            udp_sockets,
        })
    }

    /// Serves until the server stops.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let opened = self.open_udp_sockets();
        self.replace_front(opened);
        while !self.shared.is_stopping() {
            let timeout = self.timeout();
            self.turn(&mut events, timeout);
            self.upkeep();
        }
        self.finish(&mut events);
        self.shared.inboxes[self.index].close();
    }

    /// One round: messages, events of sockets, one turn for each ready connection and each UDP socket.
    fn turn(&mut self, events: &mut Events, timeout: Option<Duration>) {
        if let Err(error) = self.poll.poll(events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                tracing::warn!("worker {} cannot wait for events: {error}", self.index);
                thread::sleep(Duration::from_millis(10));
            }
            return;
        }
        self.now = self.shared.clock.now();
        self.handle_messages();
        for event in events.iter() {
            let result = match event.token() {
                WAKER => Ok(()),
                Token(number @ FIRST_UDP_SOCKET..) => self.on_udp_event(number - FIRST_UDP_SOCKET, event),
                Token(index) => self.on_event(index, event),
            };
            self.replace_front(result);
        }
        for _ in 0..self.ready.len() {
            let Some(index) = self.ready.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(index) {
                connection.set(ConnectionFlag::Queued, false);
                let result = self.drive(index);
                self.replace_front(result);
            }
        }
        for number in 0..self.udp_sockets.len() {
            let result = self.drive_udp_socket(number);
            self.replace_front(result);
        }
        if !self.watchers.is_empty() {
            // Events of this turn are delivered now, not after the next poll.
            self.handle_messages();
        }
        self.publish_yields();
    }

    /// Handles what other threads have sent. A fault does not end the loop: nothing announces the other messages again.
    #[inline]
    fn handle_messages(&mut self) {
        let messages = self.shared.inboxes[self.index].take();
        if messages.is_empty() {
            return;
        }
        let mut delivered = false;
        for message in messages {
            let result = match message {
                Message::Connection(incoming) => self.open(incoming),
                Message::Job(job) => job(&mut self.front),
                // The last watcher may have been closed while this batch was on its way.
                Message::Events(_) if self.watchers.is_empty() => Ok(()),
                Message::Events(batch) => {
                    delivered = true;
                    self.deliver_events(&batch)
                }
            };
            self.replace_front(result);
        }
        if delivered {
            let result = self.flush_watchers();
            self.replace_front(result);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let shared = &self.shared;
        if !self.ready.is_empty() || self.udp_sockets.iter().any(UdpSocket::is_ready) {
            Some(Duration::ZERO)
        } else if self.sweeps_left > 0 {
            Some(SWEEP_PAUSE)
        } else if shared.stores.worker_sweeps() > 0 || shared.options.idle_timeout_s > 0 || shared.tls.is_some() {
            Some(Duration::from_secs(1))
        } else {
            None
        }
    }

    /// Runs the tasks of each second, and the sweep of a store in the worker's guest.
    fn upkeep(&mut self) {
        if self.now != self.upkeep_at {
            self.upkeep_at = self.now;
            self.sweeps_left = self.shared.stores.worker_sweeps();
            let result = self.close_idle();
            self.replace_front(result);
        }
        if self.sweeps_left > 0 {
            let swept = self.front.sweep(self.now, SWEEP_STEPS).and_then(|more| self.post_events().map(|()| more));
            match swept {
                Ok(more) => self.sweeps_left = if more { self.sweeps_left - 1 } else { 0 },
                Err(fault) => self.replace_front(Err(fault)),
            }
        }
    }

    /// Begins to serve a client.
    fn open(&mut self, incoming: Incoming) -> Result<(), Fault> {
        let Incoming { socket, security, binding, entry } = incoming;
        let socket = match (socket, &self.shared.tls, security) {
            (socket, _, Security::Plain) | (socket, None, _) => Ok(socket),
            (Socket::Tcp(stream), Some(tls), _) => {
                tls.accept(stream, security, self.now).map(|stream| Socket::Tls(Box::new(stream)))
            }
            (socket, Some(_), _) => Ok(socket),
        };
        let vacancy = self.connections.vacant_entry();
        let registered = socket.and_then(|mut socket| {
            socket.register(self.poll.registry(), Token(vacancy.key()))?;
            Ok(socket)
        });
        let socket = match registered {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!("{}: {error}", entry.peer);
                self.counters().connection_errors.add(1);
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
        vacancy.insert(Connection::new(socket, guest, entry));
        label
    }

    /// Closes connections without input for too long, and those whose handshake takes too long.
    fn close_idle(&mut self) -> Result<(), Fault> {
        let limit_s = self.shared.options.idle_timeout_s;
        if limit_s == 0 && self.shared.tls.is_none() {
            return Ok(());
        }
        for index in 0..self.connections.capacity() {
            let Some(connection) = self.connections.get(index) else { continue };
            let handshaking = connection.socket.handshaking_since();
            let is_idle = || !connection.is(ConnectionFlag::Watching) && connection.entry.idle_s(self.now) > limit_s;
            if handshaking.is_some_and(|since| self.now.saturating_sub(since) > HANDSHAKE_S_MAX) {
                self.shared.tls.iter().for_each(|tls| tls.count_overdue());
                self.close_because(index, Reason::Error)?;
            } else if limit_s > 0 && is_idle() {
                self.counters().idle_kicks.add(1);
                self.close_because(index, Reason::Idle)?;
            }
        }
        Ok(())
    }

    /// After a trap of the front: closes its connections and makes a new front.
    fn replace_front(&mut self, result: Result<(), Fault>) {
        let Err(fault) = result else { return };
        self.shared.stores.count_worker_trap(&fault, self.index);
        self.shared.watching.forget_worker(self.index);
        self.watchers.clear();
        self.watched = Kinds::NONE;
        for connection in self.connections.drain() {
            let RegistryEntry { peer, descriptor, .. } = &*connection.entry;
            self.shared.watching.closed(peer, *descriptor, Reason::Error);
            self.shared.forget(&connection.entry);
        }
        self.ready.clear();
        self.yields_seen = 0;
        self.logins_seen = (0, 0);
        self.refusals_seen = [0; Refusals::COUNT];
        loop {
            match self.shared.create_front() {
                Ok(front) => {
                    self.front = front;
                    match self.open_udp_sockets() {
                        Ok(()) => return,
                        Err(fault) => tracing::error!("front {} trapped again: {}", self.index, fault.message),
                    }
                }
                Err(fault) => tracing::error!("front {} cannot be replaced yet: {}", self.index, fault.message),
            }
            thread::sleep(REPLACE_PAUSE);
        }
    }

    /// Adds the front's new yields to the statistics.
    fn publish_yields(&mut self) {
        let yields = self.front.yields();
        if yields != self.yields_seen {
            self.counters().yields.add(u64::from(yields.wrapping_sub(self.yields_seen)));
            self.yields_seen = yields;
        }
    }

    fn counters(&self) -> &WorkerCounters {
        &self.shared.workers[self.index]
    }
}
