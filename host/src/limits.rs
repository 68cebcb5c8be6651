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

// Room for what connections hold

/// Change of what a front holds before the other workers see it: less is not worth a shared cache line.
pub(crate) const HELD_BYTES_PUBLISHED: u32 = 16 * 1024;

/// Fall of what a front holds after which its memory is given back before the second is over.
pub(crate) const HELD_BYTES_RECLAIMED: u32 = 4 * 1024 * 1024;

/// Time that a request waits for room before connections without progress end for it. It is also the pause between two
/// looks at them.
pub(crate) const ROOM_WAIT_MIN: Duration = Duration::from_millis(100);

/// Time after which workers that have not answered are asked again for their largest holder.
pub(crate) const ROOM_ROUND_DURATION_MAX: Duration = Duration::from_secs(1);

// Guests

/// Processor time of a watched call before it is interrupted. Waiting for the processor does not count.
pub(crate) const CALL_THREAD_TIME_MAX: Duration = Duration::from_millis(500);

/// Memory of a guest besides items and buffers: tables, stack, the allocator's overhead.
pub(crate) const GUEST_BYTES: u64 = 128 << 20;

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
