//! The end of a worker: what clients sent before the stop is answered, within limits; then each connection ends in order.
//!
//! A system does not tell what a client has sent, only what has arrived. So a client is taken to have sent everything
//! once nothing has come from it for a moment. One that goes on without such a pause ends between two requests, after a
//! while; one that neither reads its answers nor completes its request ends when it has not moved a byte for too long.

use super::{
    Worker,
    connection::{Connection, ConnectionFlag, MovedBytes},
};
use crate::{
    guest::Fault,
    limits::{
        LINGERING_DURATION_MAX, STOP_BYTES_MAX, STOP_DURATION_MAX, STOP_NEW_REQUESTS_MAX, STOP_QUIET_MIN,
        STOP_STALL_MAX, STOP_UNUSED_S_MIN,
    },
    network::registry::RegistryEntry,
};
use mio::Events;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmcached_core::boundary::event::Reason;

/// Interval at which a stopping worker looks at its connections.
const STEP: Duration = Duration::from_millis(10);

/// A connection, as a stopping worker has seen it.
struct Ending {
    /// Tells the connection from a later one with the same index.
    entry: Arc<RegistryEntry>,
    /// At the first look.
    received_before: u32,
    /// At the last look.
    moved: MovedBytes,
    /// When `moved` was last found to have changed.
    moved_at: Instant,
}

/// Fate of a connection.
#[derive(Clone, Copy)]
enum Verdict {
    Stays,
    /// Its client may still send.
    Lingers,
    /// Nothing came from its client for so long that nothing is on its way.
    Ends,
}

impl Ending {
    fn new(connection: &Connection) -> Self {
        let moved = connection.moved_bytes();
        let entry = Arc::clone(&connection.entry);
        Self { entry, received_before: moved.received, moved, moved_at: Instant::now() }
    }

    /// The fate of the connection, `elapsed` after the stop began.
    fn verdict(&mut self, connection: &Connection, elapsed: Duration, now_s: u32) -> Verdict {
        let (now, moved) = (Instant::now(), connection.moved_bytes());
        if moved != self.moved {
            (self.moved, self.moved_at) = (moved, now);
        }
        let quiet = now - self.moved_at;
        let received_bytes = moved.received.wrapping_sub(self.received_before);
        let is_sending = connection.is(ConnectionFlag::Writing) || connection.socket.has_unsent();
        let has_work = [ConnectionFlag::More, ConnectionFlag::Queued, ConnectionFlag::Waiting]
            .into_iter()
            .any(|flag| connection.is(flag));
        let is_between_requests = !is_sending
            && !has_work
            && !connection.is(ConnectionFlag::Partial)
            && !connection.socket.has_partial_record();
        let is_unused = received_bytes == 0 && connection.entry.idle_s(now_s) >= STOP_UNUSED_S_MIN;
        let is_over = elapsed >= STOP_DURATION_MAX
            || !has_work && quiet >= STOP_STALL_MAX
            || !is_sending && !connection.is(ConnectionFlag::More) && received_bytes >= STOP_BYTES_MAX;
        if is_between_requests && is_unused {
            Verdict::Ends
        } else if is_over || is_between_requests && (quiet >= STOP_QUIET_MIN || elapsed >= STOP_NEW_REQUESTS_MAX) {
            Verdict::Lingers
        } else {
            Verdict::Stays
        }
    }
}

impl Worker {
    /// Answers what has arrived and what is on its way, and ends every connection.
    pub(super) fn finish(&mut self, events: &mut Events) {
        self.lingering.lift_limit();
        self.end_waiting();
        let began = Instant::now();
        let mut looked_at = None;
        let mut endings: Vec<Option<Ending>> = Vec::new();
        loop {
            let timeout = if self.ready.is_empty() { STEP } else { Duration::ZERO };
            self.turn(events, self.lingering.shorten(Some(timeout)));
            // Busy connections have many turns between two looks.
            if looked_at.is_none_or(|at: Instant| at.elapsed() >= STEP) {
                looked_at = Some(Instant::now());
                let result = self.catch_up_clock();
                self.replace_front(result);
                endings.resize_with(self.connections.capacity().max(endings.len()), || None);
                for (index, ending) in endings.iter_mut().enumerate() {
                    let result = self.finish_one(index, ending, began.elapsed());
                    self.replace_front(result);
                }
            }
            let is_done =
                self.connections.is_empty() && self.lingering.is_empty() && self.shared.has_stopped_accepting();
            if is_done || self.shared.stops_at_once() || began.elapsed() >= STOP_DURATION_MAX + LINGERING_DURATION_MAX {
                return;
            }
        }
    }

    /// Looks at a connection, and ends it once its requests are answered.
    fn finish_one(&mut self, index: usize, ending: &mut Option<Ending>, elapsed: Duration) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(index) else {
            *ending = None;
            return Ok(());
        };
        match ending {
            Some(ending) if Arc::ptr_eq(&ending.entry, &connection.entry) => {
                match ending.verdict(connection, elapsed, self.now) {
                    Verdict::Stays => Ok(()),
                    Verdict::Lingers => self.close_because(index, Reason::Shutdown),
                    Verdict::Ends => {
                        let mut socket = self.forget(index, Reason::Shutdown)?;
                        // The client may be gone.
                        let _ = socket.end_output();
                        Ok(())
                    }
                }
            }
            _ => {
                *ending = Some(Ending::new(connection));
                // Finds out whether there is input, whatever was announced.
                connection.set(ConnectionFlag::Readable, true);
                if connection.is(ConnectionFlag::Queued) { Ok(()) } else { self.drive(index) }
            }
        }
    }
}
