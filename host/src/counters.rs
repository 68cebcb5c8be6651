//! The host's counters. Each worker has its own, so that counting needs no shared cache line.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use wasmcached_core::statistics::{HostStatistics, Refusals};

/// Counters of one worker.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct WorkerCounters {
    pub(crate) bytes_read: Count,
    pub(crate) bytes_written: Count,
    pub(crate) yields: Count,
    pub(crate) idle_kicks: Count,
    pub(crate) logins: Count,
    pub(crate) logins_refused: Count,
    pub(crate) refusals: [Count; Refusals::COUNT],
    pub(crate) replies_cut: Count,
    pub(crate) connection_errors: Count,
    pub(crate) datagrams_lost: Count,
}

/// A counter with one writer, for which a plain load and store suffice.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds. Only the one writer may call this.
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// The count.
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of the listeners.
#[derive(Debug, Default)]
pub(crate) struct ListenerCounters {
    pub(crate) total_connections: AtomicU64,
    pub(crate) rejected_connections: AtomicU64,
    pub(crate) listen_disabled_num: AtomicU64,
    pub(crate) time_in_listen_disabled_us: AtomicU64,
    pub(crate) not_accepting: AtomicBool,
}

/// The statistics at the last reset.
#[derive(Debug, Default)]
pub(crate) struct Baseline(pub(crate) Mutex<HostStatistics>);

/// Counters of guests that were replaced.
#[derive(Debug, Default)]
pub(crate) struct FaultCounters {
    pub(crate) shard_traps: AtomicU64,
    pub(crate) front_traps: AtomicU64,
    pub(crate) interrupts: AtomicU64,
}
