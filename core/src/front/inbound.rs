//! The input at hand: the connection that it belongs to, the place of its bytes, and how many of them are answered.

use super::connection::Connection;
use crate::limits;
use alloc::{vec, vec::Vec};
use slab::Slab;

/// The place of the bytes of the connection at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The first bytes of the shared window.
    Window(usize),
    /// The connection's own buffer.
    Own,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Inbound {
    /// The connection at hand; [`Inbound::NO_CONNECTION`] before the first and after it is closed.
    pub(super) connection: usize,
    pub(super) source: Source,
    /// Every connection reads into it, so idle ones own no buffer. It never moves.
    pub(super) window: Vec<u8>,
    /// Bytes of the input that are answered.
    pub(super) cursor: usize,
}

impl Inbound {
    pub(super) const NO_CONNECTION: usize = usize::MAX;

    pub(super) fn new() -> Self {
        let window = vec![0; limits::WINDOW_BYTES];
        Self { connection: Self::NO_CONNECTION, source: Source::Own, window, cursor: 0 }
    }

    /// The bytes. A method of this field and not of the front, so that the output can be written meanwhile.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, connections: &'a Slab<Connection>) -> &'a [u8] {
        match self.source {
            Source::Window(length) => &self.window[..length],
            Source::Own => match connections.get(self.connection) {
                Some(connection) => connection.input(),
                None => &[],
            },
        }
    }

    /// Whether the input is in the window, and all of it is answered.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.source, Source::Window(length) if self.cursor >= length)
    }

    /// Gives the part that is not answered back to its connection.
    pub(super) fn put_aside(&mut self, connection: &mut Connection) {
        match self.source {
            Source::Window(length) => connection.keep_input(&self.window[self.cursor.min(length)..length]),
            Source::Own => connection.drop_input(self.cursor),
        }
        self.forget();
    }

    /// Nothing of the window belongs to the connection any more.
    pub(super) fn forget(&mut self) {
        self.cursor = 0;
        self.source = Source::Own;
    }
}
