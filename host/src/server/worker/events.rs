//! Events on their way from this worker's front to all watching connections, and to those of this worker.

use super::{Worker, connection::ConnectionFlag};
use crate::guest::{EventBatch, Fault};
use std::sync::atomic::Ordering;
use wasmcached_core::boundary::event::Kinds;

impl Worker {
    /// Makes the front record the kinds that any connection watches; called before the front does anything.
    #[inline]
    pub(super) fn record_events(&mut self) -> Result<(), Fault> {
        let kinds = self.shared.watching.kinds();
        if kinds == self.watched {
            return Ok(());
        }
        self.watched = kinds;
        self.front.watch(kinds)
    }

    /// Posts the events that the front has recorded.
    #[inline]
    pub(super) fn post_events(&mut self) -> Result<(), Fault> {
        if self.watched != Kinds::NONE
            && let Some(recorded) = self.front.events()?
        {
            self.shared.watching.post(recorded);
        }
        Ok(())
    }

    /// Gives events to the front, which formats them for the watching connections.
    pub(super) fn deliver_events(&mut self, batch: &EventBatch) -> Result<(), Fault> {
        let (sent, skipped) = self.front.deliver(batch)?;
        let watching = &self.shared.watching;
        watching.sent.fetch_add(sent.into(), Ordering::Relaxed);
        watching.skipped.fetch_add(skipped.into(), Ordering::Relaxed);
        Ok(())
    }

    /// Sends delivered events.
    pub(super) fn flush_watchers(&mut self) -> Result<(), Fault> {
        for index in self.watchers.clone() {
            if let Some(connection) = self.connections.get_mut(index)
                && !connection.is(ConnectionFlag::Writing)
            {
                // The guest keeps the output until all of it is reported as sent.
                connection.set(ConnectionFlag::Writing, true);
                self.flush(index)?;
            }
        }
        Ok(())
    }
}
