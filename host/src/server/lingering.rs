//! Sockets whose connections have ended while their clients may still send.
//!
//! A system resets a socket that is closed with unread input, or that receives input later; the reset destroys answers
//! that the client has not read yet. So the server ends its output, and receives and discards until the client closes,
//! within limits of number, time and bytes. Such a socket is no connection any more: it has no guest, and `-c` does not
//! count it.

use crate::{
    limits::{
        LINGERING_BYTES_AT_ONCE_MAX, LINGERING_BYTES_MAX, LINGERING_DURATION_MAX, LINGERING_MAX, LINGERING_QUIET_MAX,
    },
    network::socket::Socket,
};
use mio::{Registry, Token};
use slab::Slab;
use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

/// Bytes of one receive.
const RECEIVED_BYTES: usize = 64 << 10;

/// The lingering sockets of one thread.
#[derive(Debug)]
pub(super) struct Lingering {
    /// Token of the socket with index 0.
    first_token: usize,
    sockets_max: usize,
    sockets: Slab<LingeringSocket>,
    /// Sockets that may have more to receive.
    ready: Vec<usize>,
    /// For what is discarded; empty until first use.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct LingeringSocket {
    socket: Socket,
    ended_at: Instant,
    /// When something was last received, or the client was last found to have answers on their way.
    active_at: Instant,
    bytes_left: usize,
}

impl LingeringSocket {
    /// When the socket is closed if nothing arrives.
    fn deadline(&self) -> Instant {
        (self.ended_at + LINGERING_DURATION_MAX).min(self.active_at + LINGERING_QUIET_MAX)
    }

    /// Whether the socket stays. While answers are on their way it does, up to [`LINGERING_DURATION_MAX`].
    fn stays(&mut self, now: Instant) -> bool {
        if now >= self.active_at + LINGERING_QUIET_MAX && self.socket.unsent_bytes() > 0 {
            self.active_at = now;
        }
        now < self.deadline()
    }
}

/// Outcome of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// Nothing more for now.
    Waits,
    /// More than one turn discards.
    Goes,
    /// The end of the stream, or an error.
    Ended,
}

impl Lingering {
    /// No sockets yet. Their tokens begin with `first_token`.
    pub(super) fn new(first_token: usize) -> Self {
        Self { first_token, sockets_max: LINGERING_MAX, sockets: Slab::new(), ready: Vec::new(), buffer: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// From now on their number has no limit: no connection is accepted any more, so descriptors suffice.
    pub(super) fn lift_limit(&mut self) {
        self.sockets_max = usize::MAX;
    }

    /// Ends the output of a socket that is registered with the event loop of `registry`, and keeps the socket until its
    /// client closes. Of more than [`LINGERING_MAX`] sockets, the one from which nothing came for longest is closed.
    pub(super) fn add(&mut self, registry: &Registry, socket: Socket) {
        self.keep(socket, |socket, token| socket.reregister(registry, token));
    }

    /// [`Lingering::add`] for a socket that is not registered yet.
    pub(super) fn add_unregistered(&mut self, registry: &Registry, socket: Socket) {
        self.keep(socket, |socket, token| socket.register(registry, token));
    }

    fn keep(&mut self, mut socket: Socket, register: impl FnOnce(&mut Socket, Token) -> io::Result<()>) {
        if socket.end_output().is_err() {
            return;
        }
        let now = Instant::now();
        let mut lingering = LingeringSocket { socket, ended_at: now, active_at: now, bytes_left: LINGERING_BYTES_MAX };
        let input = discard(&mut lingering, &mut self.buffer);
        if input == Input::Ended {
            return;
        }
        if self.sockets.len() >= self.sockets_max
            && let Some((quiet, _)) = self.sockets.iter().min_by_key(|(_, lingering)| lingering.active_at)
        {
            self.sockets.remove(quiet);
        }
        let vacancy = self.sockets.vacant_entry();
        if register(&mut lingering.socket, Token(self.first_token + vacancy.key())).is_err() {
            return;
        }
        if input == Input::Goes {
            self.ready.push(vacancy.key());
        }
        vacancy.insert(lingering);
    }

    /// Handles an event of the socket with that token; others are ignored.
    pub(super) fn on_event(&mut self, token: Token) {
        self.receive(token.0 - self.first_token);
    }

    /// Continues with sockets that have more to receive, and closes those whose time is up.
    pub(super) fn turn(&mut self) {
        for index in std::mem::take(&mut self.ready) {
            self.receive(index);
        }
        let now = Instant::now();
        self.sockets.retain(|_, lingering| lingering.stays(now));
    }

    /// The timeout of the event loop, or less if [`Lingering::turn`] has something to do earlier.
    pub(super) fn shorten(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(deadline) = self.sockets.iter().map(|(_, lingering)| lingering.deadline()).min() else {
            return timeout;
        };
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    fn receive(&mut self, index: usize) {
        let Some(lingering) = self.sockets.get_mut(index) else { return };
        match discard(lingering, &mut self.buffer) {
            Input::Waits => {}
            Input::Goes => self.ready.push(index),
            Input::Ended => drop(self.sockets.remove(index)),
        }
    }
}

/// Receives and discards at most [`LINGERING_BYTES_AT_ONCE_MAX`] bytes. Beyond [`LINGERING_BYTES_MAX`] the socket is not
/// read any more: its client waits, and has time to read.
fn discard(lingering: &mut LingeringSocket, buffer: &mut Vec<u8>) -> Input {
    buffer.resize(RECEIVED_BYTES, 0);
    let mut at_once = 0;
    while lingering.bytes_left > 0 {
        if at_once >= LINGERING_BYTES_AT_ONCE_MAX {
            return Input::Goes;
        }
        match lingering.socket.receive_raw(buffer) {
            Ok(0) => return Input::Ended,
            Ok(received) => {
                lingering.active_at = Instant::now();
                lingering.bytes_left = lingering.bytes_left.saturating_sub(received);
                at_once += received;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Input::Waits,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Input::Ended,
        }
    }
    Input::Waits
}
