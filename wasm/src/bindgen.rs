//! The engine for JavaScript, through wasm-bindgen: front and store in one instance, one instance a cache.
//!
//! Keys and values cross in a window of this instance's memory, and every method takes and returns `u32`: slices and
//! strings would cost an allocation, a copy and a release each. What a method returns beside its number stands in the
//! mailbox. The verbs of connections are those of `docs/internals/boundary.md`; the runs for the host are answered here,
//! with what is true where nobody listens.
//!
//! Arguments that make no sense do nothing. A panic becomes a JavaScript error with the panic's message.

#[cfg(target_family = "wasm")]
use alloc as std_or_alloc;
#[cfg(not(target_family = "wasm"))]
use std as std_or_alloc;

#[cfg(target_family = "wasm")]
use core::fmt;
use crate::local_host::{CONNECTIONS_MAX, LocalHost};
use std_or_alloc::{boxed::Box, string::String, string::ToString, vec, vec::Vec};
use wasm_bindgen::prelude::wasm_bindgen;
use wasmcached_core::{
    boundary::{
        config::{Config, Role},
        host::{ConnectionRecord, ConnectionState, HostRequest, HostStatistics, Target},
    },
    clock::{Expiry, Seconds},
    command::{Command, Operation, StoreMode, StoreOptions, Touched},
    engine::Engine,
    front::{ConnectionId, Status},
    hash::Seed,
    limits,
    reply::{Reply, Value},
    settings::Setting,
    shard::Shard,
};

/// What [`Solo::get`] returns where there is no such key.
const MISSING: u32 = u32::MAX;

/// What [`Solo::open`] returns where there are too many.
const NO_CONNECTION: u32 = u32::MAX;

/// The outcome of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Outcome {
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

/// A window or scratch buffer larger than this is given back when a smaller one will do.
const BUFFER_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Segments that the upkeep looks at whenever the clock has moved on by a second.
const SWEEP_STEPS: u32 = 4;

/// One cache.
#[wasm_bindgen]
pub struct Solo {
    engine: Engine,
    seed: Seed,
    mailbox: Box<[u32; word::COUNT]>,
    /// Where keys and values to store come in.
    window: Vec<u8>,
    /// Where values that lie in pieces are put together.
    scratch: Vec<u8>,
    swept: Seconds,
    host: LocalHost,
}

#[wasm_bindgen]
impl Solo {
    /// An empty cache of `memory_bytes` bytes in all. `None`: that is too little, or more than is to be had.
    #[allow(clippy::too_many_arguments, reason = "numbers are what crosses the boundary for nothing")]
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
        Some(Self {
            engine: Engine::new(&config, now)?,
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

    /// The address of a window of `bytes` bytes for keys and values; what was in it is lost.
    pub fn window(&mut self, bytes: u32) -> u32 {
        let bytes = bytes as usize;
        if self.window.len() < bytes || (self.window.len() > BUFFER_BYTES_KEPT_MAX && bytes <= BUFFER_BYTES_KEPT_MAX) {
            self.window = Vec::new();
            self.window = vec![0; bytes];
        }
        address(&self.window)
    }

    /// The length of the value of the key in the window, its address in the mailbox: good until the next call.
    pub fn get(&mut self, key_bytes: u32, now: u32) -> u32 {
        self.tend(now);
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

    /// Stores what follows the key in the window, until `expires_at` (0: for good). An [`Outcome`].
    pub fn set(&mut self, key_bytes: u32, value_bytes: u32, flags: u32, expires_at: u32, now: u32) -> u32 {
        self.tend(now);
        let start = key_bytes as usize;
        let value = start.checked_add(value_bytes as usize).and_then(|end| self.window.get(start..end));
        let (Some(value), Some(key), Some(shard)) = (value, key(&self.window, key_bytes), self.engine.shard()) else {
            return Outcome::Refused as u32;
        };
        let (mode, expiry) = (StoreMode::Set, Expiry(expires_at));
        let operation =
            Operation::Store { mode, flags, expiry, compare: None, options: StoreOptions::default(), value };
        let reply = shard.execute(&Command { hash: self.seed.hash(key), key, operation }, now);
        let outcome = match reply {
            Reply::Stored { .. } => Outcome::Stored,
            Reply::TooLarge => Outcome::TooLarge,
            Reply::OutOfMemory => Outcome::OutOfMemory,
            _ => Outcome::Refused,
        };
        outcome as u32
    }

    /// Counts a store that was refused for its size, and removes what the key in the window had: nobody is to read it.
    pub fn refuse(&mut self, key_bytes: u32, now: u32) {
        if let Some((shard, command)) = self.command(key_bytes, Operation::RefuseLarge { unlink: true }) {
            shard.execute(&command, now);
        }
    }

    /// Removes the key in the window; 1 if it was there.
    pub fn delete(&mut self, key_bytes: u32, now: u32) -> u32 {
        self.tend(now);
        let Some((shard, command)) = self.command(key_bytes, Operation::Delete) else { return 0 };
        u32::from(matches!(shard.execute(&command, now), Reply::Deleted))
    }

    /// Gives the key in the window a new end (0: none); 1 if it was there.
    pub fn touch(&mut self, key_bytes: u32, expires_at: u32, now: u32) -> u32 {
        self.tend(now);
        let operation = Operation::Touch { expiry: Expiry(expires_at), touched: Touched::Nothing };
        let Some((shard, command)) = self.command(key_bytes, operation) else { return 0 };
        u32::from(matches!(shard.execute(&command, now), Reply::Touched))
    }

    /// A new connection of a client; [`NO_CONNECTION`] if there are as many as there may be.
    pub fn open(&mut self, now: u32) -> u32 {
        if !self.host.admit() {
            return NO_CONNECTION;
        }
        let connection = self.open_internal();
        self.host.opened(ConnectionId(connection), now);
        connection
    }

    /// A connection for questions of the package itself: neither counted nor limited.
    pub fn open_internal(&mut self) -> u32 {
        self.engine.front().map_or(NO_CONNECTION, |front| front.open(false).0)
    }

    /// Shows in the mailbox where the next received bytes of `connection` go.
    pub fn input(&mut self, connection: u32) {
        let Some(front) = self.engine.front() else { return };
        let window = front.input(ConnectionId(connection));
        self.mailbox[word::WINDOW_AT] = address(window);
        self.mailbox[word::WINDOW_BYTES] = window.len() as u32;
    }

    /// Takes `received` bytes of `connection` as far as it goes; the status is that of the boundary, never with runs.
    pub fn advance(&mut self, connection: u32, received: u32, now: u32) -> u32 {
        self.tend(now);
        let status = self.host.advance(&mut self.engine, ConnectionId(connection), received, now);
        self.output(connection);
        status.0
    }

    /// Shows in the mailbox what `connection` has to send.
    pub fn output(&mut self, connection: u32) {
        let Some(front) = self.engine.front() else { return };
        let output = front.output(ConnectionId(connection));
        self.mailbox[word::OUTPUT_AT] = address(output);
        self.mailbox[word::OUTPUT_BYTES] = output.len() as u32;
    }

    /// The first `bytes` of the output were taken; the status.
    pub fn consume(&mut self, connection: u32, bytes: u32) -> u32 {
        self.host.sent(bytes.into());
        let Some(front) = self.engine.front() else { return Status::CLOSE.0 };
        let status = front.consume(ConnectionId(connection), bytes as usize);
        self.output(connection);
        status.0
    }

    /// Forgets `connection`.
    pub fn close(&mut self, connection: u32) {
        self.host.closed(ConnectionId(connection));
        if let Some(front) = self.engine.front() {
            front.close(ConnectionId(connection));
        }
    }

    /// Bounded upkeep of the store; 1 if there is more to do at once.
    pub fn sweep(&mut self, now: u32, steps: u32) -> u32 {
        self.swept = now;
        self.engine.shard().map_or(0, |shard| u32::from(shard.sweep(now, steps)))
    }
}

impl Solo {
    /// Upkeep that no timer does: a little of it in the first call of each second.
    #[inline]
    fn tend(&mut self, now: Seconds) {
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

/// The key at the beginning of the window, if it can be one.
#[inline]
fn key(window: &[u8], key_bytes: u32) -> Option<&[u8]> {
    let key_bytes = key_bytes as usize;
    if key_bytes == 0 || key_bytes > limits::KEY_BYTES_MAX { None } else { window.get(..key_bytes) }
}

/// Ends the call that panicked with a JavaScript error. Allocates nothing, since the panic may be about that.
#[cfg(target_family = "wasm")]
pub(crate) fn throw(message: &dyn fmt::Display) -> ! {
    let mut text = Text { bytes: [0; MESSAGE_BYTES_MAX], length: 0 };
    // `Text` never fails; a `Display` that does has said what it could.
    let _ = fmt::write(&mut text, format_args!("{message}"));
    wasm_bindgen::throw_str(core::str::from_utf8(&text.bytes[..text.length]).unwrap_or_default())
}

/// Bytes of a panic's message that are kept.
#[cfg(target_family = "wasm")]
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(target_family = "wasm")]
struct Text {
    bytes: [u8; MESSAGE_BYTES_MAX],
    length: usize,
}

#[cfg(target_family = "wasm")]
impl fmt::Write for Text {
    /// Keeps what fits and drops the rest.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.bytes[self.length..];
        let taken = &text[..text.floor_char_boundary(free.len())];
        free[..taken.len()].copy_from_slice(taken.as_bytes());
        self.length += taken.len();
        Ok(())
    }
}

/// The address of the value: its own where it is in one piece, else that of a copy.
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
        seed,
        memory_bytes: u64::from(memory_bytes),
        memory_bytes_capacity: u64::from(memory_bytes),
        item_bytes_max,
        evictions: !is_set(switch::NO_EVICTIONS),
        cas: !is_set(switch::NO_CAS),
        flush: !is_set(switch::NO_FLUSH),
        shutdown: is_set(switch::SHUTDOWN),
        // The caller waits for all of it: there is nobody to give way to.
        requests_per_event: u32::MAX,
        ..Config::default()
    };
    // The byte above the switches, if there is one, turns statistics by prefix on and ends a prefix.
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
        (Setting::Evictions, if config.evictions { "on".into() } else { "off".into() }),
        (Setting::CasEnabled, word(config.cas)),
        (Setting::FlushEnabled, word(config.flush)),
        (Setting::ShutdownCommand, word(config.shutdown)),
        (Setting::DetailEnabled, word(config.detail)),
    ]);
    config
}
