//! The threads beside the workers: the ticks, and the upkeep of stores that all workers share.

use super::Shared;
use crate::{
    exit::{self, ExitError, reason},
    guest::TICK,
};
use std::{sync::Arc, thread};

/// Starts a thread.
pub(super) fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, ExitError> {
    thread::Builder::new()
        .name(name)
        .spawn(work)
        .map_err(|error| ExitError::new(exit::SYSTEM, format!("failed to start a thread: {}", reason(&error))))
}

/// Starts the ticks, which interrupt guests that do not return. Their thread never enters a guest.
pub(super) fn start_ticks(shared: &Arc<Shared>) -> Result<(), ExitError> {
    let shared = Arc::clone(shared);
    let tick = move || {
        loop {
            thread::sleep(TICK);
            shared.module.tick();
            shared.stores.tick();
        }
    };
    spawn("ticks".to_owned(), tick).map(drop)
}

/// Starts the upkeep of the shared stores, if there are any.
pub(super) fn start_sweeps(shared: &Arc<Shared>) -> Result<(), ExitError> {
    if !shared.stores.need_sweeps() {
        return Ok(());
    }
    let shared = Arc::clone(shared);
    let sweep = move || {
        let mut desks = shared.stores.desks(shared.options.threads);
        loop {
            shared.stores.rest(&mut desks, TICK);
            shared.stores.sweep(&mut desks, &shared.clock);
        }
    };
    spawn("upkeep".to_owned(), sweep).map(drop)
}
