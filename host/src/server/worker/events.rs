//! What happens, on its way from this worker's front to everybody who watches, and from everybody to those who watch here.

use super::Worker;
use super::connection::Flag;
use crate::guest::Fault;
use std::sync::atomic::Ordering;
use wasmcached_core::boundary::event::Kinds;

impl Worker {
    /// Sees to it that the front records what somebody watches. To be called before it does something.
    #[inline]
    pub(super) fn record(&mut self) -> Result<(), Fault> {
        let kinds = self.shared.watching.kinds();
        if kinds == self.watched {
            return Ok(());
        }
        self.watched = kinds;
        self.front.watch(kinds)
    }

    /// Sends on what the front has recorded.
    #[inline]
    pub(super) fn report(&mut self) -> Result<(), Fault> {
        if self.watched != Kinds::NONE
            && let Some(recorded) = self.front.events()?
        {
            self.shared.watching.post(recorded);
        }
        Ok(())
    }

    /// Shows what has come to those who watch.
    pub(super) fn show_events(&mut self) -> Result<(), Fault> {
        let letters = self.shared.watching.take(self.index);
        if letters.is_empty() {
            return Ok(());
        }
        for letter in letters {
            let (sent, skipped) = self.front.deliver(&letter)?;
            let watching = &self.shared.watching;
            watching.sent.fetch_add(sent.into(), Ordering::Relaxed);
            watching.skipped.fetch_add(skipped.into(), Ordering::Relaxed);
        }
        for index in self.watchers.clone() {
            if let Some(connection) = self.connections.get_mut(index)
                && !connection.is(Flag::Writing)
            {
                // Its output is kept by the guest, which has to hear of all that is sent.
                connection.set(Flag::Writing, true);
                self.flush(index)?;
            }
        }
        Ok(())
    }
}
