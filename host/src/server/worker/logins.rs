//! The logins that this worker's front has checked, and those that wait.

use super::{Worker, connection::ConnectionFlag};
use crate::guest::Fault;
use wasmcached_core::boundary::event::Reason;

impl Worker {
    /// Adds the front's new logins to the statistics.
    pub(super) fn publish_logins(&mut self) -> Result<(), Fault> {
        if self.shared.users.is_none() {
            return Ok(());
        }
        let (tries, failures) = self.front.logins()?;
        let (tries_seen, failures_seen) = std::mem::replace(&mut self.logins_seen, (tries, failures));
        let counters = self.counters();
        counters.logins.add(u64::from(tries.wrapping_sub(tries_seen)));
        counters.logins_refused.add(u64::from(failures.wrapping_sub(failures_seen)));
        Ok(())
    }

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
