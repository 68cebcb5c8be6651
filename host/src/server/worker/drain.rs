//! The end of a worker: requests under way are finished, within a time limit.

use super::{Worker, connection::ConnectionFlag};
use crate::{guest::Fault, limits::STOP_DURATION_MAX};
use mio::Events;
use std::time::{Duration, Instant};
use wasmcached_core::boundary::event::Reason;

impl Worker {
    /// Answers what has arrived, waits a bounded time for slow readers, and closes everything.
    pub(super) fn finish(&mut self, events: &mut Events) {
        let deadline = Instant::now() + STOP_DURATION_MAX;
        self.end_waiting();
        self.turn(events, Some(Duration::ZERO));
        loop {
            for index in 0..self.connections.capacity() {
                let result = self.finish_one(index);
                self.replace_front(result);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.connections.is_empty() || left.is_zero() {
                return;
            }
            self.turn(events, Some(left.min(Duration::from_millis(20))));
        }
    }

    /// Closes a connection once all its requests are answered.
    fn finish_one(&mut self, index: usize) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if connection.is(ConnectionFlag::Writing) || connection.is(ConnectionFlag::Queued) {
            return Ok(());
        }
        connection.set(ConnectionFlag::Readable, true);
        self.drive(index)?;
        match self.connections.get(index) {
            Some(connection) if !connection.is(ConnectionFlag::Writing) && !connection.is(ConnectionFlag::Queued) => {
                self.close_because(index, Reason::Shutdown)
            }
            _ => Ok(()),
        }
    }
}
