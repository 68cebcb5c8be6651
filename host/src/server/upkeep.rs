//! The threads beside the workers: the clock, and the sweep of the shards.

use super::Shared;
use super::worker::SWEEP_PAUSE;
use crate::{
    exit::{self, ExitError, reason},
    guest::TICK,
    limits::{SWEEP_STEPS, SWEEPS_PER_TICK_MAX},
};
use std::{sync::Arc, thread};

/// Starts a thread.
pub(super) fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, ExitError> {
    thread::Builder::new()
        .name(name)
        .spawn(work)
        .map_err(|error| ExitError::new(exit::SYSTEM, format!("failed to start a thread: {}", reason(&error))))
}

/// Moves the time, and interrupts guests that do not return. This thread never enters a guest.
pub(super) fn start_clock(shared: &Arc<Shared>) -> Result<(), ExitError> {
    let shared = Arc::clone(shared);
    let tick = move || {
        loop {
            thread::sleep(shared.clock.advance().min(TICK));
            shared.engine.tick();
        }
    };
    spawn("clock".to_owned(), tick).map(drop)
}

/// Once a second each shard gets some upkeep, and more as long as it says that there is more.
pub(super) fn sweep_shards(shared: &Shared) {
    loop {
        thread::sleep(TICK);
        for index in 0..shared.shards.count() {
            for _ in 0..SWEEPS_PER_TICK_MAX {
                if !shared.shards.sweep(index, shared.clock.now(), SWEEP_STEPS, &shared.faults) {
                    break;
                }
                thread::sleep(SWEEP_PAUSE);
            }
        }
    }
}
