//! The host's limits. Those of the engine are in `wasmcached_core::limits`; those that users choose are in the table of
//! flags.

use std::time::Duration;
use wasmcached_core::limits::BORROWED_SLICES_MAX;

// Connections

/// Bytes that are read of the file of a token, which is much shorter; the guest judges it.
pub(crate) const HTTP_TOKEN_FILE_BYTES_MAX: usize = 16 * 1024;

/// Connections accepted between two checks for signals.
pub(crate) const ACCEPTED_AT_ONCE_MAX: usize = 256;

/// Pause before the next attempt when the system has no descriptor or memory for a connection: ten attempts a second use no
/// noticeable processor time, and a client that waits notices no delay.
pub(crate) const STARVATION_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Time without such a failure after which the next one is logged again.
pub(crate) const STARVATION_FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// Events of sockets in one turn of a worker.
pub(crate) const EVENTS_MAX: usize = 1024;

/// Time in which a client must take a byte of its answer, where `idle_timeout` is on and less than this. A system with a
/// full buffer reports room for more only when a good part is free (Linux: a sixteenth of up to 32 MB), so a slow reader
/// shows progress at long intervals.
pub(crate) const UNREAD_S_MAX: u32 = 60;

/// Sockets that one thread keeps after their connections have ended, so that unread input does not reset them.
pub(crate) const LINGERING_MAX: usize = 64;

/// Time that such a socket is kept.
pub(crate) const LINGERING_DURATION_MAX: Duration = Duration::from_secs(2);

/// Time that such a socket is kept while nothing arrives: a client that still sends does so within a few round trips.
pub(crate) const LINGERING_QUIET_MAX: Duration = Duration::from_millis(500);

/// Bytes that are received from such a socket and discarded: a few milliseconds of the thread.
pub(crate) const LINGERING_BYTES_MAX: usize = 16 << 20;

/// The same for one turn of the thread.
pub(crate) const LINGERING_BYTES_AT_ONCE_MAX: usize = 256 << 10;

/// Time that a stop gives clients to complete their requests and read their replies. With [`LINGERING_DURATION_MAX`] it
/// must be less than service managers wait: ten seconds and more.
pub(crate) const STOP_DURATION_MAX: Duration = Duration::from_secs(5);

/// Time without input after which a client is taken to have sent everything that it sent before a stop: many round trips.
pub(crate) const STOP_QUIET_MIN: Duration = Duration::from_millis(100);

/// Time that a stop serves clients which send without such a pause.
pub(crate) const STOP_NEW_REQUESTS_MAX: Duration = Duration::from_secs(1);

/// Time in which a client must send or read a byte while a stop waits for it.
pub(crate) const STOP_STALL_MAX: Duration = Duration::from_secs(1);

/// Times that a stop accepts [`ACCEPTED_AT_ONCE_MAX`] of the connections that wait, which clients may go on making.
pub(crate) const STOP_ACCEPTS_MAX: usize = 16;

/// Bytes that a stop receives from one connection: more than the buffers of two systems hold.
pub(crate) const STOP_BYTES_MAX: u32 = 64 << 20;

/// Time without input, in seconds, after which a stop ends a connection at once: nothing of it is on its way.
pub(crate) const STOP_UNUSED_S_MIN: u32 = 2;

/// Descriptors besides those of connections.
pub(crate) const RESERVED_DESCRIPTORS: usize = 32 + LINGERING_MAX;

/// The same for each worker: event queue, waker and lingering sockets.
pub(crate) const RESERVED_DESCRIPTORS_PER_WORKER: usize = 4 + LINGERING_MAX;

/// Time limit of a health check.
pub(crate) const PING_DURATION_MAX: Duration = Duration::from_secs(3);

// Files

/// Bytes of an old pid file that are read: more than the longest process id and the end of its line.
pub(crate) const PID_FILE_BYTES_READ_MAX: u64 = 32;

/// Bytes of a configuration file: many times more than one with every flag.
pub(crate) const CONFIGURATION_BYTES_MAX: u64 = 1 << 20;

// Encryption

/// Time without a byte of an unfinished handshake.
pub(crate) const HANDSHAKE_S_MAX: u32 = 10;

/// Time limit of a handshake, whatever arrives: its client has proved nothing yet.
pub(crate) const HANDSHAKE_TOTAL_S_MAX: u32 = 60;

/// Ciphertext of one receive.
pub(crate) const RECEIVED_BYTES_MAX: usize = 64 * 1024;

/// Ciphertext in the buffer, with the rest of earlier receives: more than the longest message of a handshake.
pub(crate) const INCOMING_BYTES_MAX: usize = RECEIVED_BYTES_MAX + 128 * 1024;

/// Receives without a byte of plaintext before the next connection has its turn.
pub(crate) const RECEIVES_WITHOUT_PLAINTEXT_MAX: u32 = 8;

// Datagrams and events

/// Datagrams of one socket in a turn of its worker.
pub(crate) const DATAGRAMS_AT_ONCE_MAX: usize = 32;

/// Bytes of datagrams of one socket in a turn of its worker: as many commands fit as into one receive of a stream. The
/// datagram that reaches the limit is answered.
pub(crate) const DATAGRAMS_AT_ONCE_BYTES_MAX: usize = 64 * 1024;

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

/// Stack of a worker in a guest whose memory workers share: the same as a guest alone has.
pub(crate) const SHARED_STACK_BYTES: usize = 64 << 10;

/// Inaccessible bytes below such a stack, so that a stack that is too deep is a trap: a page of any supported system.
pub(crate) const SHARED_STACK_GUARD_BYTES: usize = 16 << 10;

/// Memory of a desk in a shard: its stack, and buffers for orders and replies that are kept
/// ([`wasmcached_core::limits::RUN_BYTES_KEPT_MAX`], [`wasmcached_core::limits::REPLY_BYTES_HIGH`]), while they grow. One
/// longer run at a time is in all shards.
pub(crate) const DESK_BYTES: u64 = 2 << 20;

/// Bytes of a huge page. Each pool of a shard begins with one, so there may be so many unused addresses before it.
pub(crate) const HUGE_PAGE_BYTES: u64 = 2 << 20;

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

/// Pause before a worker looks whether the second has come that logins wait for.
pub(crate) const LATER_PAUSE: Duration = Duration::from_millis(50);

/// Longest message of a trapped guest.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// Runs of one batch. A sound guest makes no more runs than commands, which are fewer.
pub(crate) const RUNS_MAX: u32 = 4096;

/// Slices of the output of one turn: borrowed ones, and the front's own between them.
pub(crate) const OUTPUT_SLICES_MAX: usize = 2 * BORROWED_SLICES_MAX + 1;

/// Times that a worker lets others run at once while one of them has a lock of a shard that it needs. Then it pauses.
pub(crate) const LOCK_YIELDS_MAX: u32 = 64;

/// The pause of a worker that waits for such a lock for long.
pub(crate) const LOCK_PAUSE: Duration = Duration::from_micros(100);

/// Time that all threads have to leave the memory of a shard that is replaced, before there is a new one. Only those need it
/// that are in the middle of a call.
pub(crate) const SHARD_LEAVING_TIME_MAX: Duration = Duration::from_millis(200);

/// Steps of one sweep.
pub(crate) const SWEEP_STEPS: u32 = 8;

/// Sweeps of one store each second.
pub(crate) const SWEEPS_PER_TICK_MAX: u32 = 64;

/// Pause between two sweeps of one store.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(1);
