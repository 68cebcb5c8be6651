//! The host's statistics: the sums of its counters.

use super::Shared;
use crate::{
    counters::{Count, WorkerCounters},
    network::tls::Tls,
};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmcached_core::statistics::HostStatistics;

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// All statistics since the last reset.
pub(super) fn gather(shared: &Shared) -> HostStatistics {
    measure(shared).since(&shared.baseline.0.lock())
}

/// Resets the counters. States are not reset.
pub(super) fn reset(shared: &Shared) {
    let statistics = measure(shared);
    *shared.baseline.0.lock() = statistics;
}

fn measure(shared: &Shared) -> HostStatistics {
    let sum = |of: fn(&WorkerCounters) -> &Count| shared.workers.iter().map(|worker| of(worker).value()).sum();
    let (rusage_user, rusage_system) = crate::system::process::cpu_time_us();
    let tls = |of: fn(&Tls) -> u64| shared.tls.as_deref().map_or(0, of);
    HostStatistics {
        pid: u64::from(std::process::id()),
        uptime: shared.clock.uptime_s(),
        pointer_size: u64::from(usize::BITS),
        rusage_user,
        rusage_system,
        max_connections: shared.options.connections_max as u64,
        curr_connections: shared.registry.count() as u64,
        total_connections: load(&shared.listening.total_connections),
        rejected_connections: load(&shared.listening.rejected_connections),
        connection_structures: shared.registry.capacity() as u64,
        reserved_fds: shared.reserved_descriptors as u64,
        bytes_read: sum(|worker| &worker.bytes_read),
        bytes_written: sum(|worker| &worker.bytes_written),
        limit_maxbytes: shared.stores.memory_bytes(),
        accepting_conns: u64::from(!shared.listening.not_accepting.load(Ordering::Relaxed)),
        listen_disabled_num: load(&shared.listening.listen_disabled_num),
        time_in_listen_disabled_us: load(&shared.listening.time_in_listen_disabled_us),
        threads: shared.workers.len() as u64,
        conn_yields: sum(|worker| &worker.yields),
        idle_kicks: sum(|worker| &worker.idle_kicks),
        auth_cmds: sum(|worker| &worker.logins),
        auth_errors: sum(|worker| &worker.logins_refused),
        shard_traps: load(&shared.faults.shard_traps),
        front_traps: load(&shared.faults.front_traps),
        guest_interrupts: load(&shared.faults.interrupts),
        log_worker_dropped: load(&shared.watching.dropped),
        log_worker_written: load(&shared.watching.recorded),
        log_watcher_skipped: load(&shared.watching.skipped),
        log_watcher_sent: load(&shared.watching.sent),
        log_watchers: shared.watching.count() as u64,
        buffers_bytes: shared.budget.held_bytes(),
        buffers_limit_bytes: shared.budget.bytes_max(),
        buffers_waiting_connections: shared.budget.waiting() as u64,
        buffers_ended_connections: load(&shared.budget.ended),
        verbosity: shared.log.verbosity().into(),
        ssl_new_sessions: tls(|tls| load(&tls.counters.new_sessions)),
        ssl_handshake_errors: tls(|tls| load(&tls.counters.handshake_errors)),
        ssl_proto_errors: tls(|tls| load(&tls.counters.protocol_errors)),
        time_since_server_cert_refresh: tls(Tls::age_s),
    }
}
