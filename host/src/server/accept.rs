//! The main thread's loop: takes connections in, refuses those beyond the limit, deals them out, hears signals.

use super::Shared;
use crate::{
    limits::ACCEPTED_AT_ONCE_MAX,
    network::{
        listener::{Acceptor, Listener},
        socket::{Incoming, Socket},
        tls::Scratch,
    },
    options::Security,
    refusal::{Refusal, exit, reason},
    system::{
        signals::{Asked, Signals},
        supervisor,
    },
};
use mio::{Events, Poll, Token, Waker};
use std::{
    io::ErrorKind,
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    time::{Duration, Instant},
};
use wasmcached_core::boundary::config::Binding;

/// The token of this loop's waker.
pub(crate) const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
/// When the system has no descriptor or memory for a connection: tried again after this, or when one closes.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The way to a worker.
pub(crate) struct Outlet {
    pub(crate) incoming: Sender<Incoming>,
    pub(crate) waker: Arc<Waker>,
}

/// See the module.
pub(crate) struct Reception {
    shared: Arc<Shared>,
    poll: Poll,
    signals: Signals,
    doors: Vec<Door>,
    outlets: Vec<Outlet>,
    next_outlet: usize,
    /// What a client beyond the limit is told.
    refusal: Vec<u8>,
    refuse_fast: bool,
    closed_since: Option<Instant>,
}

struct Door {
    acceptor: Acceptor,
    number: u32,
    security: Security,
    binding: Option<Binding>,
    /// Somebody may be waiting.
    ready: bool,
}

impl Reception {
    /// Opens the doors.
    pub(crate) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        listeners: Vec<Listener>,
        outlets: Vec<Outlet>,
        refusal: Vec<u8>,
        refuse_fast: bool,
    ) -> Result<Self, Refusal> {
        let refused = |error| Refusal::new(exit::SYSTEM, format!("failed to start the event loop: {}", reason(&error)));
        let signals = Signals::listen(poll.registry(), SIGNALS, &shared.reception_waker).map_err(refused)?;
        let doors = listeners.into_iter().enumerate().map(|(index, listener)| {
            let address = listener.address().clone();
            let (security, binding) = (listener.security(), listener.binding());
            let acceptor = listener.register(poll.registry(), Token(index)).map_err(refused)?;
            let number = shared.registry.add_listener(acceptor.descriptor(), address);
            Ok(Door { acceptor, number, security, binding, ready: false })
        });
        let doors = doors.collect::<Result<_, _>>()?;
        let reception =
            Self { shared, poll, signals, doors, outlets, next_outlet: 0, refusal, refuse_fast, closed_since: None };
        Ok(reception)
    }

    /// Runs until the server is to stop; then nobody is let in any more, and the workers know. The outlets come back:
    /// a waker that is dropped takes its call with it, so they must outlive the workers.
    pub(crate) fn run(mut self) -> Vec<Outlet> {
        let mut events = Events::with_capacity(64);
        while !self.shared.is_stopping() {
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!("cannot wait for connections: {error}");
                std::thread::sleep(RETRY_AFTER);
            }
            for event in events.iter() {
                if let Some(door) = self.doors.get_mut(event.token().0) {
                    door.ready = true;
                }
            }
            for asked in self.signals.pending() {
                match asked {
                    Asked::Stop(who) => self.shared.stop(who),
                    Asked::Reload(who) => {
                        supervisor::reloading();
                        self.shared.reloads.run(who);
                        supervisor::ready();
                    }
                }
            }
            if !self.shared.is_stopping() {
                self.admit();
            }
        }
        self.doors.clear();
        for outlet in &self.outlets {
            if let Err(error) = outlet.waker.wake() {
                tracing::error!("a worker cannot be told to stop: {error}");
            }
        }
        self.outlets
    }

    fn timeout(&self) -> Option<Duration> {
        if self.closed_since.is_some() && self.refuse_fast {
            Some(RETRY_AFTER)
        } else if self.doors.iter().any(|door| door.ready) {
            Some(Duration::ZERO)
        } else if cfg!(windows) {
            Some(Duration::from_secs(1))
        } else {
            None
        }
    }

    /// Takes in who is waiting.
    fn admit(&mut self) {
        self.reopen();
        let mut budget = ACCEPTED_AT_ONCE_MAX;
        for index in 0..self.doors.len() {
            while self.doors[index].ready && budget > 0 {
                if !self.refuse_fast && self.is_full() && self.close_doors() {
                    return;
                }
                let is_full = self.is_full();
                let door = &mut self.doors[index];
                match door.acceptor.accept() {
                    Ok((socket, peer)) => {
                        let descriptor = socket.descriptor();
                        if self.refuse_fast && is_full {
                            self.refuse(socket);
                        } else {
                            let (number, security, binding) = (door.number, door.security, door.binding);
                            tracing::info!("{peer} connected");
                            let now = self.shared.clock.now();
                            let entry = self.shared.registry.add(descriptor, peer, number, now);
                            self.deal_out(Incoming { socket, security, binding, entry });
                        }
                        budget -= 1;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => door.ready = false,
                    Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(error) => {
                        if self.closed_since.is_none() {
                            tracing::warn!("cannot accept connections for now: {}", reason(&error));
                        }
                        self.close_doors();
                        return;
                    }
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.shared.registry.count() >= self.shared.connections_max
    }

    /// In the clear even where others are encrypted, as memcached does: nothing was agreed on yet.
    fn refuse(&self, mut socket: Socket) {
        self.shared.listening.rejected_connections.fetch_add(1, Ordering::Relaxed);
        // A fresh socket takes so few bytes at once; if it does not, the peer is gone.
        let _ = socket.send(&self.refusal, &mut Scratch::default());
    }

    fn deal_out(&mut self, incoming: Incoming) {
        self.shared.listening.total_connections.fetch_add(1, Ordering::Relaxed);
        let outlet = &self.outlets[self.next_outlet];
        self.next_outlet = (self.next_outlet + 1) % self.outlets.len();
        // A worker ends only with the server.
        if outlet.incoming.send(incoming).is_ok()
            && let Err(error) = outlet.waker.wake()
        {
            tracing::error!("a worker cannot be told of a connection: {error}");
        }
    }

    /// Lets connections wait until one closes. False if one has closed meanwhile.
    fn close_doors(&mut self) -> bool {
        self.shared.doors_closed.store(true, Ordering::SeqCst);
        if !self.refuse_fast && !self.is_full() {
            self.shared.doors_closed.store(false, Ordering::SeqCst);
            return false;
        }
        if self.closed_since.is_none() {
            self.closed_since = Some(Instant::now());
            self.shared.listening.not_accepting.store(true, Ordering::Relaxed);
            self.shared.listening.listen_disabled_num.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Ends what [`Reception::close_doors`] began; it begins anew if the reason is still there.
    fn reopen(&mut self) {
        if !self.refuse_fast && self.is_full() {
            return;
        }
        if let Some(since) = self.closed_since.take() {
            let listening = &self.shared.listening;
            listening.not_accepting.store(false, Ordering::Relaxed);
            listening.time_in_listen_disabled_us.fetch_add(since.elapsed().as_micros() as u64, Ordering::Relaxed);
        }
        self.shared.doors_closed.store(false, Ordering::SeqCst);
    }
}
