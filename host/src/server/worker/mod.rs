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
mod logins;
mod room;
mod slot;

use super::{Shared, lingering::Lingering};
use crate::{
    clock::Reading,
    counters::WorkerCounters,
    guest::{ConnectionKind, Fault, Front},
    inbox::{Message, WAKER},
    limits::{EVENTS_MAX, LATER_PAUSE, ROOM_WAIT_MIN, SWEEP_PAUSE, SWEEP_STEPS},
    network::{
        datagram::{UdpListener, UdpSocket},
        registry::RegistryEntry,
        socket::{Incoming, Socket},
        tls::Scratch,
    },
    options::Security,
    stores::Desks,
};
use connection::{Connection, ConnectionFlag};
use mio::{Events, Poll, Token};
use room::RoomState;
use slab::Slab;
use slot::FrontSlot;
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
/// The token of the first lingering socket.
const FIRST_LINGERING: usize = usize::MAX / 4;
/// Pause before another attempt to replace a front.
const REPLACE_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    front: FrontSlot,
    desks: Desks,
    /// The front's count of yields when it was last added to the statistics.
    yields_seen: u32,
    /// The front's counts of logins when they were last added to the statistics.
    logins_seen: (u32, u32),
    /// The front's counts of refusals when they were last added to the statistics.
    refusals_seen: [u32; Refusals::COUNT],
    connections: Slab<Connection>,
    ready: VecDeque<usize>,
    /// Connections whose logins wait for a later second.
    later: Vec<usize>,
    /// When the request at hand arrived.
    now: u32,
    /// The clock was read in this turn.
    has_read_clock: bool,
    /// The kinds of events that the front records.
    watched: Kinds,
    /// Connections that watch.
    watchers: Vec<usize>,
    /// When the last upkeep began.
    upkeep_at: u32,
    sweeps_left: u32,
    room: RoomState,
    scratch: Scratch,
    udp_sockets: Vec<UdpSocket>,
    lingering: Lingering,
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
        let desks = shared.stores.desks(index);
        Ok(Self {
            shared,
            index,
            poll,
            front: FrontSlot::new(front),
            desks,
            yields_seen: 0,
            logins_seen: (0, 0),
            refusals_seen: [0; Refusals::COUNT],
            connections: Slab::new(),
            ready: VecDeque::new(),
            later: Vec::new(),
            now,
            has_read_clock: true,
            watched: Kinds::NONE,
            watchers: Vec::new(),
            upkeep_at: now,
            sweeps_left: 0,
            room: RoomState::default(),
            scratch: Scratch::default(),
            udp_sockets,
            lingering: Lingering::new(FIRST_LINGERING),
        })
    }

    /// Serves until the server stops.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.shared.stores.take_desks(&mut self.desks, self.now);
        let opened = self.open_udp_sockets();
        self.replace_front(opened);
        while !self.shared.is_stopping() {
            let timeout = self.lingering.shorten(self.timeout());
            self.turn(&mut events, timeout);
            self.upkeep();
        }
        self.finish(&mut events);
        self.shared.inboxes[self.index].close();
        self.shared.wake_main();
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
        self.has_read_clock = false;
        self.handle_messages();
        for event in events.iter() {
            let result = match event.token() {
                WAKER => Ok(()),
                Token(number @ FIRST_UDP_SOCKET..) => self.on_udp_event(number - FIRST_UDP_SOCKET, event),
                token @ Token(FIRST_LINGERING..) => {
                    self.lingering.on_event(token);
                    Ok(())
                }
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
        if !self.lingering.is_empty() {
            self.lingering.turn();
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
        let result = self.read_clock();
        self.replace_front(result);
        let mut delivered = false;
        for message in messages {
            let result = match message {
                Message::Connection(incoming) => self.open(incoming),
                Message::Job(job) => job(&mut self.front),
                Message::Budget(order) => self.on_budget_order(order),
                Message::ShardReplaced => {
                    self.shared.stores.leave_replaced(&mut self.desks);
                    Ok(())
                }
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
        } else if self.room.waiting > 0 {
            Some(ROOM_WAIT_MIN)
        } else if !self.later.is_empty() {
            Some(LATER_PAUSE)
        } else if self.room.is_reclaimable
            || shared.stores.worker_sweeps() > 0
            || shared.options.idle_timeout_s > 0
            || shared.tls.is_some()
        {
            Some(Duration::from_secs(1))
        } else {
            None
        }
    }

    /// Runs the tasks of each second, and the sweep of a store in the worker's guest.
    fn upkeep(&mut self) {
        let result = self.catch_up_clock();
        self.replace_front(result);
        if self.now != self.upkeep_at {
            self.upkeep_at = self.now;
            self.end_waiting();
            self.sweeps_left = self.shared.stores.worker_sweeps();
            let result = self.close_idle().and_then(|()| self.reclaim());
            self.replace_front(result);
        }
        self.search_room();
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
        let number = self.shared.users.as_ref().map(|users| users.number_of(&entry.peer));
        let numbered = number.map_or(Ok(()), |number| self.front.peer(guest, number));
        let label = numbered.and_then(|()| self.front.label(guest, entry.descriptor));
        self.shared.watching.opened(&entry.peer, entry.descriptor);
        vacancy.insert(Connection::new(socket, guest, entry));
        label
    }

    /// Closes idle connections, and those whose handshake takes too long.
    fn close_idle(&mut self) -> Result<(), Fault> {
        let limit_s = self.shared.options.idle_timeout_s;
        if limit_s == 0 && self.shared.tls.is_none() {
            return Ok(());
        }
        for index in 0..self.connections.capacity() {
            let Some(connection) = self.connections.get_mut(index) else { continue };
            if connection.is_handshake_overdue(self.now) {
                self.shared.tls.iter().for_each(|tls| tls.count_overdue());
                self.drop_because(index, Reason::Error)?;
            } else if limit_s > 0 && connection.is_idle(self.now, limit_s) {
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
        self.forget_room();
        self.watchers.clear();
        self.watched = Kinds::NONE;
        for connection in self.connections.drain() {
            let RegistryEntry { peer, descriptor, .. } = &*connection.entry;
            self.shared.watching.closed(peer, *descriptor, Reason::Error);
            self.shared.forget(&connection.entry);
            self.lingering.add(self.poll.registry(), connection.socket);
        }
        self.ready.clear();
        self.later.clear();
        self.yields_seen = 0;
        self.logins_seen = (0, 0);
        self.refusals_seen = [0; Refusals::COUNT];
        loop {
            match self.front.replace(|| self.shared.create_front()) {
                Ok(()) => match self.open_udp_sockets() {
                    Ok(()) => return,
                    Err(fault) => tracing::error!("front {} trapped again: {}", self.index, fault.message),
                },
                Err(fault) => tracing::error!("front {} cannot be replaced yet: {}", self.index, fault.message),
            }
            thread::sleep(REPLACE_PAUSE);
        }
    }

    /// Reads the clock: once for each event, and at least once in each turn.
    #[inline]
    fn read_clock(&mut self) -> Result<(), Fault> {
        let Reading { now, relation } = self.shared.clock.read();
        self.now = now;
        self.has_read_clock = true;
        self.front.set_clock(relation)
    }

    /// Reads the clock, unless this turn has.
    fn catch_up_clock(&mut self) -> Result<(), Fault> {
        if self.has_read_clock { Ok(()) } else { self.read_clock() }
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
