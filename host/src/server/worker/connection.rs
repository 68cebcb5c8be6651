//! A client that a worker serves, and the little state that the host keeps of it.

use crate::network::{registry::RegistryEntry, socket::Socket};
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
        Self { socket, guest, flags: 0, entry }
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
