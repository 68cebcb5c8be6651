//! The main thread's loop: takes connections in, refuses those beyond the limit, deals them out, hears signals.

use super::Shared;
use crate::{
    exit::{self, ExitError, reason},
    limits::ACCEPTED_AT_ONCE_MAX,
    network::{
        listener::{Acceptor, Listener},
        socket::{Incoming, Socket},
        tls::Scratch,
    },
    options::Security,
    system::{
        signals::{SignalRequest, Signals},
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
pub(crate) struct AcceptLoop {
    shared: Arc<Shared>,
    poll: Poll,
    signals: Signals,
    listeners: Vec<ListenerState>,
    outlets: Vec<Outlet>,
    next_outlet: usize,
    /// What a client beyond the limit is told.
    rejection: Vec<u8>,
    reject_fast: bool,
    paused_since: Option<Instant>,
}

struct ListenerState {
    acceptor: Acceptor,
    number: u32,
    security: Security,
    binding: Option<Binding>,
    /// Somebody may be waiting.
    ready: bool,
}

impl AcceptLoop {
    /// Opens the listeners.
    pub(crate) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        listeners: Vec<Listener>,
        outlets: Vec<Outlet>,
        rejection: Vec<u8>,
        reject_fast: bool,
    ) -> Result<Self, ExitError> {
        let failure =
            |error| ExitError::new(exit::SYSTEM, format!("failed to start the event loop: {}", reason(&error)));
        let signals = Signals::listen(poll.registry(), SIGNALS, &shared.main_waker).map_err(failure)?;
        let listeners = listeners.into_iter().enumerate().map(|(index, listener)| {
            let address = listener.address().clone();
            let (security, binding) = (listener.security(), listener.binding());
            let acceptor = listener.register(poll.registry(), Token(index)).map_err(failure)?;
            let number = shared.registry.add_listener(acceptor.descriptor(), address);
            Ok(ListenerState { acceptor, number, security, binding, ready: false })
        });
        let listeners = listeners.collect::<Result<_, _>>()?;
        let accept_loop = Self {
            shared,
            poll,
            signals,
            listeners,
            outlets,
            next_outlet: 0,
            rejection,
            reject_fast,
            paused_since: None,
        };
        Ok(accept_loop)
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
                if let Some(listener) = self.listeners.get_mut(event.token().0) {
                    listener.ready = true;
                }
            }
            for asked in self.signals.pending() {
                match asked {
                    SignalRequest::Stop(who) => self.shared.stop(who),
                    SignalRequest::Reload(who) => {
                        supervisor::reloading();
                        self.shared.reloads.run(who);
                        supervisor::ready();
                    }
                }
            }
            if !self.shared.is_stopping() {
                self.accept_pending();
            }
        }
        self.listeners.clear();
        for outlet in &self.outlets {
            if let Err(error) = outlet.waker.wake() {
                tracing::error!("a worker cannot be told to stop: {error}");
            }
        }
        self.outlets
    }

    fn timeout(&self) -> Option<Duration> {
        if self.paused_since.is_some() && self.reject_fast {
            Some(RETRY_AFTER)
        } else if self.listeners.iter().any(|listener| listener.ready) {
            Some(Duration::ZERO)
        } else if cfg!(windows) {
            Some(Duration::from_secs(1))
        } else {
            None
        }
    }

    /// Takes in who is waiting.
    fn accept_pending(&mut self) {
        self.resume_accepting();
        let mut budget = ACCEPTED_AT_ONCE_MAX;
        for index in 0..self.listeners.len() {
            while self.listeners[index].ready && budget > 0 {
                if !self.reject_fast && self.is_full() && self.pause_accepting() {
                    return;
                }
                let is_full = self.is_full();
                let listener = &mut self.listeners[index];
                match listener.acceptor.accept() {
                    Ok((socket, peer)) => {
                        let descriptor = socket.descriptor();
                        if self.reject_fast && is_full {
                            self.refuse(socket);
                        } else {
                            let (number, security, binding) = (listener.number, listener.security, listener.binding);
                            tracing::info!("{peer} connected");
                            let now = self.shared.clock.now();
                            let entry = self.shared.registry.add(descriptor, peer, number, now);
                            self.assign(Incoming { socket, security, binding, entry });
                        }
                        budget -= 1;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(error) => {
                        if self.paused_since.is_none() {
                            tracing::warn!("cannot accept connections for now: {}", reason(&error));
                        }
                        self.pause_accepting();
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
        let _ = socket.send(&self.rejection, &mut Scratch::default());
    }

    fn assign(&mut self, incoming: Incoming) {
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
    fn pause_accepting(&mut self) -> bool {
        self.shared.accept_paused.store(true, Ordering::SeqCst);
        if !self.reject_fast && !self.is_full() {
            self.shared.accept_paused.store(false, Ordering::SeqCst);
            return false;
        }
        if self.paused_since.is_none() {
            self.paused_since = Some(Instant::now());
            self.shared.listening.not_accepting.store(true, Ordering::Relaxed);
            self.shared.listening.listen_disabled_num.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// GuestConnections what [`AcceptLoop::pause_accepting`] began; it begins anew if the reason is still there.
    fn resume_accepting(&mut self) {
        if !self.reject_fast && self.is_full() {
            return;
        }
        if let Some(since) = self.paused_since.take() {
            let listening = &self.shared.listening;
            listening.not_accepting.store(false, Ordering::Relaxed);
            listening.time_in_listen_disabled_us.fetch_add(since.elapsed().as_micros() as u64, Ordering::Relaxed);
        }
        self.shared.accept_paused.store(false, Ordering::SeqCst);
    }
}
