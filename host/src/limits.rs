//! The host's limits, in one file. Those of the engine are in `wasmcached_core::limits`; what users may choose is in the
//! table of flags.

use std::time::Duration;

// Connections

/// Connections taken in before signals and stops are looked at again.
pub(crate) const ACCEPTED_AT_ONCE_MAX: usize = 256;

/// Events of sockets that a worker takes at once.
pub(crate) const EVENTS_MAX: usize = 1024;

/// How long a graceful stop waits for clients to read their replies.
pub(crate) const STOP_DURATION_MAX: Duration = Duration::from_secs(1);

/// Descriptors that a server needs besides its connections.
pub(crate) const RESERVED_DESCRIPTORS: usize = 32;

/// Of those, each worker's: event queue and waker.
pub(crate) const RESERVED_DESCRIPTORS_PER_WORKER: usize = 4;

/// A server that needs longer to answer a health check is not well.
pub(crate) const PING_DURATION_MAX: Duration = Duration::from_secs(3);

// Encryption

/// A client that has not come to an agreement after so long is closed.
pub(crate) const HANDSHAKE_S_MAX: u32 = 10;

/// Ciphertext that is received at once.
pub(crate) const RECEIVED_BYTES_MAX: usize = 64 * 1024;

/// The same with what was left of the last time: more than the longest message of a handshake.
pub(crate) const INCOMING_BYTES_MAX: usize = RECEIVED_BYTES_MAX + 128 * 1024;

/// Receives without a byte of plaintext before others get their turn.
pub(crate) const RECEIVES_WITHOUT_PLAINTEXT_MAX: u32 = 8;

// Datagrams, and those who watch

/// Datagrams of one socket before others have their turn.
pub(crate) const DATAGRAMS_AT_ONCE_MAX: usize = 32;

/// Records of events that wait for one worker; what comes when there is no room is counted and forgotten.
pub(crate) const EVENT_QUEUE_BYTES_MAX: usize = 1024 * 1024;

// Guests

/// A watched call that uses more of the processor than this is interrupted: a guest that gets no time is not guilty.
pub(crate) const CALL_THREAD_TIME_MAX: Duration = Duration::from_millis(500);

/// What a guest may use besides what it is told to hold: tables, stack, the allocator's own.
pub(crate) const GUEST_BYTES: u64 = 128 << 20;

/// Pieces of memory that one piece of upkeep gives back at most.
pub(crate) const RECLAIMS_PER_SWEEP_MAX: usize = 64;

/// Longest message that is taken from a trapped guest.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// No batch makes more runs than it has commands; beyond this, a guest has lost its mind.
pub(crate) const RUNS_MAX: u32 = 4096;

/// Steps of upkeep in one call into a guest.
pub(crate) const SWEEP_STEPS: u32 = 8;

/// Such calls a second, if there is that much to do.
pub(crate) const SWEEPS_PER_TICK_MAX: u32 = 64;

/// Pause between two such calls.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(1);
