//! The main thread's loop: accepts connections, rejects those beyond the limit, spreads them over the workers, handles
//! signals.

use super::{Shared, lingering::Lingering};
use crate::{
    exit::{self, ExitError, reason},
    limits::{ACCEPTED_AT_ONCE_MAX, STARVATION_FORGOTTEN_AFTER, STARVATION_RETRY_AFTER, STOP_ACCEPTS_MAX},
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
use mio::{Events, Poll, Token};
use std::{
    io::{self, ErrorKind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use wasmcached_core::boundary::config::Binding;

/// The token of this loop's waker.
pub(super) const WAKER: Token = Token(usize::MAX);
pub(super) const SIGNALS: Token = Token(usize::MAX - 1);
/// The token of the first lingering socket; listeners have their number.
const FIRST_LINGERING: usize = usize::MAX / 2;
/// Interval at which the loop looks whether the workers have ended; they wake it, shortly before they do.
const FINISH_STEP: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct AcceptLoop {
    shared: Arc<Shared>,
    poll: Poll,
    signals: Signals,
    listeners: Vec<ListenerState>,
    next_worker: usize,
    /// The reply to a client beyond the limit.
    rejection: Vec<u8>,
    pause: Option<Pause>,
    /// When the system last had no descriptor or memory for a connection.
    starved_at: Option<Instant>,
    /// Clients beyond the limit, until they have read so.
    lingering: Lingering,
}

/// No connection is accepted. The pause may end early when a connection closes.
struct Pause {
    since: Instant,
    reason: PauseReason,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PauseReason {
    /// The limit of connections is reached, and those beyond it wait.
    Full,
    /// The system has no descriptor or memory for a connection.
    Starved,
}

struct ListenerState {
    acceptor: Acceptor,
    number: u32,
    security: Security,
    binding: Option<Binding>,
    /// Connections may be waiting.
    ready: bool,
}

impl AcceptLoop {
    /// Registers the listeners with the loop.
    pub(super) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        signals: Signals,
        listeners: Vec<Listener>,
        rejection: Vec<u8>,
    ) -> Result<Self, ExitError> {
        let failure =
            |error| ExitError::new(exit::SYSTEM, format!("failed to start the event loop: {}", reason(&error)));
        let listeners = listeners.into_iter().enumerate().map(|(index, listener)| {
            let address = listener.address().clone();
            let (security, binding) = (listener.security(), listener.binding());
            let acceptor = listener.register(poll.registry(), Token(index)).map_err(failure)?;
            let number = shared.registry.add_listener(acceptor.descriptor(), address);
            Ok(ListenerState { acceptor, number, security, binding, ready: false })
        });
        let listeners = listeners.collect::<Result<_, _>>()?;
        let lingering = Lingering::new(FIRST_LINGERING);
        Ok(Self {
            shared,
            poll,
            signals,
            listeners,
            next_worker: 0,
            rejection,
            pause: None,
            starved_at: None,
            lingering,
        })
    }

    /// Runs until the server is to stop; then closes the listeners and wakes the workers.
    pub(super) fn run(&mut self) {
        let mut events = Events::with_capacity(64);
        while !self.shared.is_stopping() {
            self.wait(&mut events, self.timeout());
            for request in self.signals.pending() {
                match request {
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
        self.accept_last();
        self.listeners.clear();
        self.shared.accepting_ended.store(true, Ordering::SeqCst);
        self.shared.inboxes.iter().for_each(|inbox| inbox.wake());
    }

    /// After [`AcceptLoop::run`]: waits for the end of the workers, and of the clients that were rejected. Another signal to
    /// stop ends both at once.
    pub(super) fn finish(mut self, has_workers: impl Fn() -> bool) {
        let mut events = Events::with_capacity(64);
        while has_workers() || !self.lingering.is_empty() && !self.shared.stops_at_once() {
            self.wait(&mut events, Some(FINISH_STEP));
            for request in self.signals.pending() {
                if let SignalRequest::Stop(who) = request {
                    self.shared.stop_at_once(who);
                }
            }
        }
    }

    /// Waits for events of sockets, signals and other threads.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) {
        if let Err(error) = self.poll.poll(events, self.lingering.shorten(timeout))
            && error.kind() != ErrorKind::Interrupted
        {
            tracing::error!("cannot wait for connections: {error}");
            std::thread::sleep(STARVATION_RETRY_AFTER);
        }
        for event in events.iter() {
            match event.token() {
                WAKER | SIGNALS => {}
                token @ Token(FIRST_LINGERING..) => self.lingering.on_event(token),
                Token(number) => {
                    if let Some(listener) = self.listeners.get_mut(number) {
                        listener.ready = true;
                    }
                }
            }
        }
        self.lingering.turn();
    }

    /// Time until the next attempt to accept, unless an event comes first.
    fn timeout(&self) -> Option<Duration> {
        let signals_polled = cfg!(windows).then_some(Duration::from_secs(1));
        match &self.pause {
            // The end of a connection wakes this thread.
            Some(Pause { reason: PauseReason::Full, .. }) => signals_polled,
            Some(Pause { reason: PauseReason::Starved, .. }) => Some(STARVATION_RETRY_AFTER),
            None if self.listeners.iter().any(|listener| listener.ready) => Some(Duration::ZERO),
            None => signals_polled,
        }
    }

    /// Accepts the connections that wait when the server stops: their clients may have sent requests. Closing a listener
    /// resets them.
    fn accept_last(&mut self) {
        self.listeners.iter_mut().for_each(|listener| listener.ready = true);
        for _ in 0..STOP_ACCEPTS_MAX {
            self.accept_pending();
            if self.pause.is_some() || self.listeners.iter().all(|listener| !listener.ready) {
                break;
            }
        }
    }

    /// Accepts waiting connections, a bounded number of them.
    fn accept_pending(&mut self) {
        let mut budget = ACCEPTED_AT_ONCE_MAX;
        for index in 0..self.listeners.len() {
            while self.listeners[index].ready && budget > 0 {
                if self.must_wait() {
                    return self.begin_pause(PauseReason::Full);
                }
                let rejects = self.rejects_fast() && self.is_full();
                let listener = &mut self.listeners[index];
                budget -= 1;
                match listener.acceptor.accept() {
                    Ok((socket, peer)) => {
                        let (number, security, binding) = (listener.number, listener.security, listener.binding);
                        self.end_pause();
                        if rejects {
                            self.reject(socket);
                            continue;
                        }
                        tracing::info!("{peer} connected");
                        let now = self.shared.clock.now();
                        let entry = self.shared.registry.add(socket.descriptor(), peer, number, now);
                        self.assign(Incoming { socket, security, binding, entry });
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(error) => {
                        self.report_starvation(&error);
                        return self.begin_pause(PauseReason::Starved);
                    }
                }
            }
        }
        // Nobody waits any more: those who did may have given up.
        if self.listeners.iter().all(|listener| !listener.ready) {
            self.end_pause();
        }
    }

    /// Whether the limit is reached and connections beyond it wait. If so, the end of a connection wakes this thread.
    fn must_wait(&self) -> bool {
        if self.rejects_fast() || !self.is_full() {
            return false;
        }
        self.shared.accept_paused.store(true, Ordering::SeqCst);
        // One may have ended before the store.
        if self.is_full() {
            return true;
        }
        self.shared.accept_paused.store(self.pause.is_some(), Ordering::SeqCst);
        false
    }

    /// Logs a failure to accept: the first one, and the first one after a time without any.
    fn report_starvation(&mut self, error: &io::Error) {
        let now = Instant::now();
        let last = self.starved_at.replace(now);
        if last.is_none_or(|last| now.duration_since(last) > STARVATION_FORGOTTEN_AFTER) {
            tracing::warn!("cannot accept connections for now: {}", reason(error));
        }
    }

    fn is_full(&self) -> bool {
        self.shared.registry.count() >= self.shared.options.connections_max
    }

    /// Whether connections beyond the limit are answered and closed; otherwise they wait.
    fn rejects_fast(&self) -> bool {
        self.shared.options.reject_fast
    }

    /// Sends plaintext even where TLS is on, as memcached does: there was no handshake yet.
    fn reject(&mut self, mut socket: Socket) {
        self.shared.listening.rejected_connections.fetch_add(1, Ordering::Relaxed);
        // The empty buffer of a new socket holds these few bytes. The send fails only if the peer has left.
        let _ = socket.send(&self.rejection, &mut Scratch::default());
        self.lingering.add_unregistered(self.poll.registry(), socket);
    }

    /// Hands the connection to the next worker in turn.
    fn assign(&mut self, incoming: Incoming) {
        self.shared.listening.total_connections.fetch_add(1, Ordering::Relaxed);
        self.shared.inboxes[self.next_worker].connect(incoming);
        self.next_worker = (self.next_worker + 1) % self.shared.inboxes.len();
    }

    /// Accepts no connection until one closes or, if the system is short of something, for a while.
    fn begin_pause(&mut self, reason: PauseReason) {
        self.shared.accept_paused.store(true, Ordering::SeqCst);
        match &mut self.pause {
            Some(pause) => pause.reason = reason,
            None => {
                self.pause = Some(Pause { since: Instant::now(), reason });
                self.shared.listening.not_accepting.store(true, Ordering::Relaxed);
                self.shared.listening.listen_disabled_num.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Connections are accepted again.
    fn end_pause(&mut self) {
        let Some(pause) = self.pause.take() else { return };
        let listening = &self.shared.listening;
        self.shared.accept_paused.store(false, Ordering::SeqCst);
        listening.not_accepting.store(false, Ordering::Relaxed);
        listening.time_in_listen_disabled_us.fetch_add(pause.since.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}
