//! The engine for JavaScript, through wasm-bindgen: front and store in one instance, one instance a cache.
//!
//! Keys and values cross in a window of this instance's memory, and every method takes and returns `u32`: slices and
//! strings would cost an allocation, a copy and a release each. Further results of a method are in the mailbox. The
//! verbs of connections are those of `docs/internals/boundary.md`; the runs for the host are answered by [`LocalHost`].
//!
//! A call with invalid arguments does nothing. A panic becomes a JavaScript error with the panic's message.

use crate::local_host::{CONNECTIONS_MAX, LocalHost};
#[cfg(target_family = "wasm")]
use crate::message::Message;
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec,
    vec::Vec,
};
#[cfg(target_family = "wasm")]
use core::fmt;
use wasm_bindgen::prelude::wasm_bindgen;
use wasmcached_core::{
    boundary::config::{Config, Permissions, Role, StoreConfig},
    clock::{Expiry, Seconds},
    command::{Command, Operation, StoreMode, StoreOptions, Touched},
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    hash::Seed,
    limits,
    reply::{Reply, Value},
    settings::Setting,
    shard::Shard,
};

/// Result of [`Solo::get`] for a missing key.
const MISSING: u32 = u32::MAX;

/// Result of [`Solo::open`] at the limit of connections.
const NO_CONNECTION: u32 = u32::MAX;

/// The result of [`Solo::set`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum SetOutcome {
    Stored,
    TooLarge,
    OutOfMemory,
    Refused,
}

/// Bits of the `switches` of [`Solo::create`].
mod switch {
    pub(super) const NO_EVICTIONS: u32 = 1;
    pub(super) const NO_CAS: u32 = 2;
    pub(super) const NO_FLUSH: u32 = 4;
    pub(super) const SHUTDOWN: u32 = 8;
}

/// Words of the mailbox.
mod word {
    pub(super) const VALUE_AT: usize = 0;
    pub(super) const WINDOW_AT: usize = 1;
    pub(super) const WINDOW_BYTES: usize = 2;
    pub(super) const OUTPUT_AT: usize = 3;
    pub(super) const OUTPUT_BYTES: usize = 4;
    pub(super) const COUNT: usize = 5;
}

/// A larger window or scratch buffer is freed as soon as a smaller one suffices.
const BUFFER_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Segments that the upkeep of one second visits: in 4 MiB, one in 128.
const SWEEP_STEPS: u32 = 8;

/// One cache.
#[wasm_bindgen]
pub struct Solo {
    engine: Engine,
    seed: Seed,
    mailbox: Box<[u32; word::COUNT]>,
    /// Receives keys, and values to store.
    window: Vec<u8>,
    /// Joins values that the store holds in pieces.
    scratch: Vec<u8>,
    swept: Seconds,
    host: LocalHost,
}

#[wasm_bindgen]
impl Solo {
    /// An empty cache with a budget of `memory_bytes` bytes. `None` if the budget is too small, or memory not available.
    #[allow(clippy::too_many_arguments, reason = "numbers cross the boundary without a copy")]
    pub fn create(
        memory_bytes: u32,
        item_bytes_max: u32,
        switches: u32,
        seed_0: u32,
        seed_1: u32,
        seed_2: u32,
        seed_3: u32,
        now: u32,
    ) -> Option<Solo> {
        let seed = Seed(join(seed_0, seed_1), join(seed_2, seed_3));
        let config = configure(memory_bytes, item_bytes_max, switches, seed);
        let mut engine = Engine::new(&config, now)?;
        if let Some(front) = engine.front() {
            // The clock of JavaScript has milliseconds, and is the wall clock.
            front.set_clock(true, 0);
        }
        Some(Self {
            engine,
            seed,
            mailbox: Box::new([0; word::COUNT]),
            window: Vec::new(),
            scratch: Vec::new(),
            swept: now,
            host: LocalHost::new(memory_bytes.into(), now),
        })
    }

    /// The address of the mailbox. It never moves.
    pub fn mailbox(&self) -> u32 {
        self.mailbox.as_ptr().addr() as u32
    }

    /// The address of a window of `bytes` bytes for keys and values. Its content is undefined.
    pub fn window(&mut self, bytes: u32) -> u32 {
        let bytes = bytes as usize;
        if self.window.len() < bytes || (self.window.len() > BUFFER_BYTES_KEPT_MAX && bytes <= BUFFER_BYTES_KEPT_MAX) {
            self.window = Vec::new();
            self.window = vec![0; bytes];
        }
        address(&self.window)
    }

    /// The length of the value of the key in the window; the mailbox has its address, valid until the next call.
    pub fn get(&mut self, key_bytes: u32, now: u32) -> u32 {
        self.maintain(now);
        let (Some(key), Some(shard)) = (key(&self.window, key_bytes), self.engine.shard()) else { return MISSING };
        let command = Command { hash: self.seed.hash(key), key, operation: Operation::Get { touch: None } };
        match shard.execute(&command, now) {
            Reply::Found(found) => {
                self.mailbox[word::VALUE_AT] = place(&found.value, &mut self.scratch);
                found.value.len() as u32
            }
            _ => MISSING,
        }
    }

    /// Stores the bytes behind the key in the window until `expires_at` (0: no expiry). A [`SetOutcome`].
    pub fn set(&mut self, key_bytes: u32, value_bytes: u32, flags: u32, expires_at: u32, now: u32) -> u32 {
        self.maintain(now);
        let start = key_bytes as usize;
        let value = start.checked_add(value_bytes as usize).and_then(|end| self.window.get(start..end));
        let (Some(value), Some(key), Some(shard)) = (value, key(&self.window, key_bytes), self.engine.shard()) else {
            return SetOutcome::Refused as u32;
        };
        let (mode, expiry) = (StoreMode::Set, Expiry(expires_at));
        let operation =
            Operation::Store { mode, flags, expiry, compare: None, options: StoreOptions::default(), value };
        let reply = shard.execute(&Command { hash: self.seed.hash(key), key, operation }, now);
        let outcome = match reply {
            Reply::Stored { .. } => SetOutcome::Stored,
            Reply::TooLarge => SetOutcome::TooLarge,
            Reply::OutOfMemory => SetOutcome::OutOfMemory,
            _ => SetOutcome::Refused,
        };
        outcome as u32
    }

    /// Counts a store that was refused for its size, and removes the old value of the key in the window as stale.
    pub fn refuse(&mut self, key_bytes: u32, now: u32) {
        if let Some((shard, command)) = self.command(key_bytes, Operation::RefuseLarge { unlink: true }) {
            shard.execute(&command, now);
        }
    }

    /// Removes the key in the window; 1 if it had a value.
    pub fn delete(&mut self, key_bytes: u32, now: u32) -> u32 {
        self.maintain(now);
        let Some((shard, command)) = self.command(key_bytes, Operation::Delete) else { return 0 };
        u32::from(matches!(shard.execute(&command, now), Reply::Deleted))
    }

    /// Gives the key in the window a new expiry (0: none); 1 if it had a value.
    pub fn touch(&mut self, key_bytes: u32, expires_at: u32, now: u32) -> u32 {
        self.maintain(now);
        let operation = Operation::Touch { expiry: Expiry(expires_at), touched: Touched::Nothing };
        let Some((shard, command)) = self.command(key_bytes, operation) else { return 0 };
        u32::from(matches!(shard.execute(&command, now), Reply::Touched))
    }

    /// Opens a connection of a client; [`NO_CONNECTION`] at the limit.
    pub fn open(&mut self, now: u32) -> u32 {
        if !self.host.admit() {
            return NO_CONNECTION;
        }
        let connection = self.open_internal();
        self.host.opened(ConnectionId(connection), now);
        connection
    }

    /// Opens a connection for requests of the package itself: neither counted nor limited.
    pub fn open_internal(&mut self) -> u32 {
        self.engine.front().map_or(NO_CONNECTION, |front| front.open(false).0)
    }

    /// Puts the place for the next received bytes of `connection` into the mailbox.
    pub fn input(&mut self, connection: u32) {
        let Some(front) = self.engine.front() else { return };
        let window = front.input(ConnectionId(connection));
        self.mailbox[word::WINDOW_AT] = address(window);
        self.mailbox[word::WINDOW_BYTES] = window.len() as u32;
    }

    /// Processes `received` bytes of `connection`; the status is that of the boundary, but never asks for runs.
    pub fn advance(&mut self, connection: u32, received: u32, now: u32) -> u32 {
        self.maintain(now);
        let status = self.host.advance(&mut self.engine, ConnectionId(connection), received, now);
        self.output(connection);
        status.0
    }

    /// 1 if the rest of a request of `connection` has no room, so that its client should not send more for now.
    pub fn waits(&mut self, connection: u32, now: u32) -> u32 {
        u32::from(self.host.waits(&mut self.engine, ConnectionId(connection), now))
    }

    /// Puts the output of `connection` into the mailbox.
    pub fn output(&mut self, connection: u32) {
        let Some(front) = self.engine.front() else { return };
        let output = front.output(ConnectionId(connection));
        self.mailbox[word::OUTPUT_AT] = address(output);
        self.mailbox[word::OUTPUT_BYTES] = output.len() as u32;
    }

    /// Discards the first `bytes` of the output, which were sent; the status.
    pub fn consume(&mut self, connection: u32, bytes: u32) -> u32 {
        self.host.sent(bytes.into());
        let Some(front) = self.engine.front() else { return ConnectionStatus::CLOSE.0 };
        let status = front.consume(ConnectionId(connection), bytes as usize);
        self.output(connection);
        status.0
    }

    /// Closes `connection`.
    pub fn close(&mut self, connection: u32) {
        self.host.closed(ConnectionId(connection));
        self.engine.close(ConnectionId(connection));
    }

    /// Bounded upkeep of the store; 1 if there is more to do at once.
    pub fn sweep(&mut self, now: u32, steps: u32) -> u32 {
        self.swept = now;
        self.engine.shard().map_or(0, |shard| u32::from(shard.sweep(now, steps)))
    }
}

/// The map of the memory, for the playground.
#[cfg(feature = "playground")]
#[wasm_bindgen]
impl Solo {
    /// Number of segments.
    pub fn segments(&mut self) -> u32 {
        self.engine.shard().map_or(0, |shard| shard.store().segments())
    }

    /// Size of a segment, in bytes.
    pub fn segment_bytes(&mut self) -> u32 {
        self.engine.shard().map_or(0, |shard| shard.store().segment_bytes())
    }

    /// The use of a segment: its content in bits 28 to 31, live bytes in bits 14 to 27 and dead bytes in bits 0 to 13, in
    /// units of eight bytes.
    pub fn segment(&mut self, number: u32) -> u32 {
        let Some(shard) = self.engine.shard() else { return 0 };
        let part = shard.store().segment_use(number);
        (part.content as u32) << 28 | (part.live_bytes / 8) << 14 | (part.dead_bytes / 8)
    }
}

impl Solo {
    /// A little upkeep in the first call of each second, in place of a timer.
    #[inline]
    fn maintain(&mut self, now: Seconds) {
        if self.swept != now {
            self.sweep(now, SWEEP_STEPS);
        }
    }

    /// The store and a command on the key in the window.
    #[inline]
    fn command<'a>(&'a mut self, key_bytes: u32, operation: Operation<'a>) -> Option<(&'a mut Shard, Command<'a>)> {
        let key = key(&self.window, key_bytes)?;
        Some((self.engine.shard()?, Command { hash: self.seed.hash(key), key, operation }))
    }
}

/// The key at the beginning of the window; `None` if its length is not that of a key.
#[inline]
fn key(window: &[u8], key_bytes: u32) -> Option<&[u8]> {
    let key_bytes = key_bytes as usize;
    if key_bytes == 0 || key_bytes > limits::KEY_BYTES_MAX { None } else { window.get(..key_bytes) }
}

/// Ends the call that panicked with a JavaScript error. Allocates nothing, since the panic may be about memory.
#[cfg(target_family = "wasm")]
pub(crate) fn throw(message: &dyn fmt::Display) -> ! {
    let mut kept = Message::<MESSAGE_BYTES_MAX>::new();
    kept.set(message);
    wasm_bindgen::throw_str(kept.text())
}

/// Bytes of a panic's message that are kept.
#[cfg(target_family = "wasm")]
const MESSAGE_BYTES_MAX: usize = 512;

/// The address of the value. A value in several pieces is copied to `scratch`.
#[inline]
fn place(value: &Value<'_>, scratch: &mut Vec<u8>) -> u32 {
    let mut whole = None;
    value.for_each_piece(|piece| {
        if piece.len() == value.len() {
            whole = Some(piece);
        }
    });
    if let Some(whole) = whole {
        return address(whole);
    }
    scratch.clear();
    scratch.shrink_to(BUFFER_BYTES_KEPT_MAX);
    scratch.reserve_exact(value.len());
    value.for_each_piece(|piece| scratch.extend_from_slice(piece));
    address(scratch)
}

#[inline]
fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr().addr() as u32
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn configure(memory_bytes: u32, item_bytes_max: u32, switches: u32, seed: Seed) -> Config {
    let is_set = |bit| switches & bit != 0;
    let word = |on: bool| String::from(if on { "yes" } else { "no" });
    let mut config = Config {
        role: Role::Solo,
        // The caller waits for all replies, so no connection yields to others.
        requests_per_event: u32::MAX,
        store: StoreConfig {
            seed,
            memory_bytes: u64::from(memory_bytes),
            memory_bytes_capacity: u64::from(memory_bytes),
            item_bytes_max,
            evictions: !is_set(switch::NO_EVICTIONS),
            cas: !is_set(switch::NO_CAS),
            ..StoreConfig::default()
        },
        permissions: Permissions {
            flush: !is_set(switch::NO_FLUSH),
            shutdown: is_set(switch::SHUTDOWN),
            ..Permissions::default()
        },
        ..Config::default()
    };
    // The byte above the switches, if not 0, enables statistics by prefix and is the delimiter.
    let delimiter = (switches >> 8) as u8;
    if delimiter != 0 {
        config.detail = true;
        config.prefix_delimiter = delimiter;
        config.settings.push((Setting::StatKeyPrefix, char::from(delimiter).to_string()));
    }
    config.settings.extend([
        (Setting::MaxConnections, CONNECTIONS_MAX.to_string()),
        (Setting::TcpPort, "0".into()),
        (Setting::NumThreads, "1".into()),
        (Setting::ItemSizeMax, item_bytes_max.to_string()),
        (Setting::Evictions, if config.store.evictions { "on".into() } else { "off".into() }),
        (Setting::CasEnabled, word(config.store.cas)),
        (Setting::FlushEnabled, word(config.permissions.flush)),
        (Setting::ShutdownCommand, word(config.permissions.shutdown)),
        (Setting::DetailEnabled, word(config.detail)),
    ]);
    config
}
