//! A client that a worker serves, and the little state that the host keeps of it.

use crate::network::{registry::Entry, socket::Socket};
use std::sync::Arc;
use wasmcached_core::boundary::host::ConnectionState;

/// A client that a worker serves.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    /// The front's number for it.
    pub(crate) guest: u32,
    flags: u8,
    pub(crate) entry: Arc<Entry>,
}

/// What is known of a connection between two events.
#[derive(Clone, Copy)]
pub(crate) enum Flag {
    /// The socket may have something to receive.
    Readable = 1,
    /// The peer has closed or reset: receive until the end is read.
    HungUp = 2,
    /// The socket did not take all of the output.
    Writing = 4,
    /// The guest has more to do without reading.
    More = 8,
    /// The guest holds a part of a request.
    Partial = 16,
    /// In the worker's ready queue.
    Queued = 32,
    /// Is shown what happens.
    Watching = 64,
}

impl Connection {
    /// A connection that has not said anything yet.
    pub(crate) fn new(socket: Socket, guest: u32, entry: Arc<Entry>) -> Self {
        Self { socket, guest, flags: 0, entry }
    }

    /// Whether `flag` is set.
    #[inline]
    pub(crate) fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }

    /// Sets or clears `flag`.
    #[inline]
    pub(crate) fn set(&mut self, flag: Flag, value: bool) {
        if value {
            self.flags |= flag as u8;
        } else {
            self.flags &= !(flag as u8);
        }
    }

    /// Tells the registry what the connection is doing.
    #[inline]
    pub(crate) fn publish(&self) {
        self.entry.set_state(if self.is(Flag::Watching) {
            ConnectionState::Watching
        } else if self.is(Flag::Writing) {
            ConnectionState::Writing
        } else if self.is(Flag::Partial) {
            ConnectionState::Reading
        } else {
            ConnectionState::Waiting
        });
    }
}

/// Ten thousand idle connections are cheap.
const _: () = assert!(size_of::<Connection>() <= 64 && size_of::<Entry>() <= 128);
