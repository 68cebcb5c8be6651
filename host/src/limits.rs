//! The host's limits. Those of the engine are in `wasmcached_core::limits`; those that users choose are in the table of
//! flags.

use std::time::Duration;

// Connections

/// Connections accepted between two checks for signals.
pub(crate) const ACCEPTED_AT_ONCE_MAX: usize = 256;

/// Events of sockets in one turn of a worker.
pub(crate) const EVENTS_MAX: usize = 1024;

/// Time that a stop gives clients to read their replies.
pub(crate) const STOP_DURATION_MAX: Duration = Duration::from_secs(1);

/// Descriptors besides those of connections.
pub(crate) const RESERVED_DESCRIPTORS: usize = 32;

/// The same for each worker: event queue and waker.
pub(crate) const RESERVED_DESCRIPTORS_PER_WORKER: usize = 4;

/// Time limit of a health check.
pub(crate) const PING_DURATION_MAX: Duration = Duration::from_secs(3);

// Encryption

/// Time limit of a handshake.
pub(crate) const HANDSHAKE_S_MAX: u32 = 10;

/// Ciphertext of one receive.
pub(crate) const RECEIVED_BYTES_MAX: usize = 64 * 1024;

/// Ciphertext in the buffer, with the rest of earlier receives: more than the longest message of a handshake.
pub(crate) const INCOMING_BYTES_MAX: usize = RECEIVED_BYTES_MAX + 128 * 1024;

/// Receives without a byte of plaintext before the next connection has its turn.
pub(crate) const RECEIVES_WITHOUT_PLAINTEXT_MAX: u32 = 8;

// Datagrams and events

/// Datagrams of one socket in a turn of its worker.
pub(crate) const DATAGRAMS_AT_ONCE_MAX: usize = 32;

/// Records of events that wait in one inbox. Events beyond that are counted and dropped.
pub(crate) const EVENT_QUEUE_BYTES_MAX: usize = 1024 * 1024;

// Guests

/// Time in user mode of a watched call before it is interrupted, besides that for its bytes. Time in the kernel does not
/// count: page faults and reclaim are not the guest's work.
pub(crate) const CALL_USER_TIME_MAX: Duration = Duration::from_millis(500);

/// Bytes of a call that its guest processes in a millisecond on the slowest machine. It is this slow because a large value
/// walks over four times its bytes of small items to make room: a microsecond for each of 64 bytes.
pub(crate) const CALL_BYTES_PER_MS: u64 = 16 * 1024;

/// The same for bytes that are copied only.
pub(crate) const CALL_COPIED_BYTES_PER_MS: u64 = 128 * 1024;

/// Memory of a guest besides items and buffers: tables, stack, the allocator's overhead.
pub(crate) const GUEST_BYTES: u64 = 128 << 20;

/// Memory of a front with the buffers of its connections, where memory is limited.
pub(crate) const COMPACT_FRONT_BYTES: u64 = 8 << 20;

/// Address space behind the memory of each guest there, besides that for some items: the buffers of a store grow into it.
/// Otherwise the whole store would have to move, into as much memory again.
pub(crate) const COMPACT_GROWTH_BYTES: u64 = 8 << 20;

/// Address space of the process besides guests and threads: connections, TLS, the allocator's overhead.
pub(crate) const HOST_BYTES: u64 = 24 << 20;

/// Address space of a thread: its stack, and those for signals.
pub(crate) const THREAD_BYTES: u64 = 3 << 20;

/// Pieces of memory that one sweep returns to the system.
pub(crate) const RECLAIMS_PER_SWEEP_MAX: usize = 64;

/// Longest message of a trapped guest.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// Runs of one batch. A sound guest makes no more runs than commands, which are fewer.
pub(crate) const RUNS_MAX: u32 = 4096;

/// Steps of one sweep.
pub(crate) const SWEEP_STEPS: u32 = 8;

/// Sweeps of one store each second.
pub(crate) const SWEEPS_PER_TICK_MAX: u32 = 64;

/// Pause between two sweeps of one store.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(1);
