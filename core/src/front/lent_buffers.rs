//! Lent buffers: a connection that has sent a long request receives its next directly into a buffer that holds all of it.
//!
//! Otherwise the beginning would arrive in the shared window, and be copied from there into a buffer of its own. The
//! buffers are lent to one connection after the other, so they need not be cleared.

use super::{Front, connection::Connection};
use crate::limits;
use alloc::{vec, vec::Vec};
use slab::Slab;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LentBuffers {
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
    /// The connection that was given one last.
    borrower: Option<usize>,
}

impl LentBuffers {
    /// A buffer with room for more than `bytes`: a read that does not fill it has emptied its socket.
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        match self.spare.iter().position(|buffer| buffer.len() > bytes) {
            Some(place) => {
                let buffer = self.spare.swap_remove(place);
                self.spare_bytes -= buffer.capacity();
                buffer
            }
            None => vec![0; (bytes + 1).next_multiple_of(limits::LENT_BUFFER_STEP_BYTES)],
        }
    }

    /// Keeps a buffer for the next long request.
    pub(super) fn put(&mut self, buffer: Vec<u8>) {
        if self.spare_bytes + buffer.capacity() <= limits::SPARE_BUFFERS_BYTES_MAX {
            self.spare_bytes += buffer.capacity();
            self.spare.push(buffer);
        }
    }

    /// Frees buffers that wait for the next long request.
    pub(super) fn trim(&mut self) {
        self.spare.clear();
        self.spare_bytes = 0;
    }

    /// Takes back a buffer into which nothing was received.
    fn recall(&mut self, connections: &mut Slab<Connection>) {
        let connection = self.borrower.take().and_then(|number| connections.get_mut(number));
        let connection = connection.filter(|connection| connection.long.has_buffer && !connection.has_input());
        if let Some(buffer) = connection.and_then(|connection| connection.return_buffer(0)) {
            self.put(buffer);
        }
    }
}

impl Front {
    /// Gives a connection a buffer for the long request that it probably begins now.
    #[inline(never)]
    pub(super) fn lend_buffer(&mut self, number: usize) {
        let is_idle = |connection: &&mut Connection| !connection.has_input() && !connection.long.has_buffer;
        if self.budget.is_pressed() || self.connections.get_mut(number).filter(is_idle).is_none() {
            return;
        }
        self.inbound.lent.recall(&mut self.connections);
        if let Some(connection) = self.connections.get_mut(number) {
            let before = connection.held_bytes();
            connection.borrow_buffer(self.inbound.lent.take(connection.long.bytes));
            self.budget.change(before, connection.held_bytes());
            self.inbound.lent.borrower = Some(number);
        }
    }
}
