//! Logins that wait for a later second.

use super::{Worker, connection::ConnectionFlag};
use crate::guest::Fault;
use wasmcached_core::boundary::event::Reason;

impl Worker {
    /// Gives a connection its next turn in a later second. A server that stops does not wait for that.
    pub(super) fn wait_for_later(&mut self, index: usize) -> Result<(), Fault> {
        if self.shared.is_stopping() {
            return self.close_because(index, Reason::Shutdown);
        }
        let connection = &mut self.connections[index];
        if !connection.is(ConnectionFlag::Queued) {
            connection.set(ConnectionFlag::Queued, true);
            self.later.push(index);
        }
        Ok(())
    }

    /// Gives the connections that wait for a later second their turn now.
    pub(super) fn end_waiting(&mut self) {
        self.ready.extend(self.later.drain(..));
    }
}
