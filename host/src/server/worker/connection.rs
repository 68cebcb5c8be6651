//! A client that a worker serves, and the little state that the host keeps of it.

use crate::{
    limits::{HANDSHAKE_S_MAX, HANDSHAKE_TOTAL_S_MAX, UNREAD_S_MAX},
    network::{registry::RegistryEntry, socket::Socket},
};
use std::sync::Arc;
use wasmcached_core::boundary::host::ConnectionState;

/// A client that a worker serves.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// The front's number of the connection.
    pub(super) guest: u32,
    flags: u16,
    pub(super) entry: Arc<RegistryEntry>,
    /// Bytes received, modulo 2^32.
    received_bytes: u32,
    /// Bytes sent while the socket did not take all of the output, modulo 2^32.
    flushed_bytes: u32,
    /// Bytes that the system still sent when they were last counted.
    unsent_bytes: u32,
    /// When the peer was last found to have taken output that had waited for it.
    taken_s: u32,
}

/// Numbers that change with every byte that a client sends or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MovedBytes {
    pub(super) received: u32,
    flushed: u32,
    /// Bytes that the system still sends, if the connection sends anything.
    unsent: u32,
}

/// State of a connection between two events.
#[derive(Clone, Copy)]
pub(super) enum ConnectionFlag {
    /// The socket may have something to receive.
    Readable = 1,
    /// The peer has closed or reset: receive until the end of the stream.
    HungUp = 2,
    /// The socket did not take all of the output.
    Writing = 4,
    /// The guest has more to do without reading.
    More = 8,
    /// The guest holds a part of a request.
    Partial = 16,
    /// In the worker's ready queue.
    Queued = 32,
    /// Receives events.
    Watching = 64,
    /// A request has no room: the connection is left alone.
    Waiting = 128,
}

impl Connection {
    /// A connection without input so far.
    pub(super) fn new(socket: Socket, guest: u32, entry: Arc<RegistryEntry>) -> Self {
        Self { socket, guest, flags: 0, entry, received_bytes: 0, flushed_bytes: 0, unsent_bytes: 0, taken_s: 0 }
    }

    /// Whether `flag` is set.
    #[inline]
    pub(super) fn is(&self, flag: ConnectionFlag) -> bool {
        self.flags & flag as u16 != 0
    }

    /// Sets or clears `flag`.
    #[inline]
    pub(super) fn set(&mut self, flag: ConnectionFlag, value: bool) {
        if value {
            self.flags |= flag as u16;
        } else {
            self.flags &= !(flag as u16);
        }
    }

    /// Notes input at `now`.
    #[inline]
    pub(super) fn note_received(&mut self, bytes: usize, now: u32) {
        self.entry.touch(now);
        self.received_bytes = self.received_bytes.wrapping_add(bytes as u32);
    }

    /// Notes output that has waited for the peer and was sent at `now`.
    pub(super) fn note_flushed(&mut self, bytes: usize, now: u32) {
        if bytes > 0 {
            self.flushed_bytes = self.flushed_bytes.wrapping_add(bytes as u32);
            self.taken_s = now;
        }
    }

    /// Whether the client has neither sent nor taken a byte for more than `limit_s` seconds, and the server owes it nothing.
    /// While output waits for the client, the limit is [`UNREAD_S_MAX`] at least.
    pub(super) fn is_idle(&mut self, now: u32, limit_s: u32) -> bool {
        let idle_s = self.entry.idle_s(now);
        if idle_s <= limit_s || self.is(ConnectionFlag::Watching) {
            return false;
        }
        let unsent_bytes = self.socket.unsent_bytes();
        if unsent_bytes != self.unsent_bytes {
            (self.unsent_bytes, self.taken_s) = (unsent_bytes, now);
        }
        let idle_s = idle_s.min(now.saturating_sub(self.taken_s));
        if self.is(ConnectionFlag::Writing) || self.socket.has_unsent() || unsent_bytes > 0 {
            return idle_s > limit_s.max(UNREAD_S_MAX);
        }
        let is_served =
            self.is(ConnectionFlag::More) || self.is(ConnectionFlag::Queued) || self.is(ConnectionFlag::Waiting);
        idle_s > limit_s && !is_served && !self.is(ConnectionFlag::Readable)
    }

    /// Whether the client takes too long for its handshake.
    pub(super) fn is_handshake_overdue(&self, now: u32) -> bool {
        self.socket.handshaking_since().is_some_and(|since_s| {
            self.entry.idle_s(now) > HANDSHAKE_S_MAX || now.saturating_sub(since_s) > HANDSHAKE_TOTAL_S_MAX
        })
    }

    /// See [`MovedBytes`].
    pub(super) fn moved_bytes(&self) -> MovedBytes {
        let unsent = if self.is(ConnectionFlag::Writing) { self.socket.unsent_bytes() } else { 0 };
        MovedBytes { received: self.received_bytes, flushed: self.flushed_bytes, unsent }
    }

    /// Updates the registry.
    #[inline]
    pub(super) fn publish(&self) {
        self.entry.set_state(if self.is(ConnectionFlag::Watching) {
            ConnectionState::Watching
        } else if self.is(ConnectionFlag::Writing) {
            ConnectionState::Writing
        } else if self.is(ConnectionFlag::Partial) {
            ConnectionState::Reading
        } else {
            ConnectionState::Waiting
        });
    }
}

// Ten thousand idle connections stay cheap.
const _: () = assert!(size_of::<Connection>() <= 64 && size_of::<RegistryEntry>() <= 128);
