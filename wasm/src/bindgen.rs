//! The engine for JavaScript, through wasm-bindgen: front and store in one instance, one instance a cache.
//!
//! Every method takes and returns `u32`: slices and strings would cost an allocation, a copy and a release each. Further
//! results of a method are in the mailbox. The verbs are those of `docs/internals/boundary.md`; the runs for the host are
//! answered by [`LocalHost`].
//!
//! A call with invalid arguments does nothing. A panic becomes a JavaScript error with the panic's message.

use crate::local_host::{CONNECTIONS_MAX, LocalHost};
#[cfg(target_family = "wasm")]
use crate::message::Message;
use alloc::{
    boxed::Box,
    string::{String, ToString},
};
#[cfg(target_family = "wasm")]
use core::fmt;
use wasm_bindgen::prelude::wasm_bindgen;
use wasmcached_core::{
    boundary::config::{Config, Permissions, Role, StoreConfig},
    clock::Seconds,
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    hash::Seed,
    settings::Setting,
};

/// Result of [`Solo::open`] at the limit of connections.
const NO_CONNECTION: u32 = u32::MAX;

/// Bits of the `switches` of [`Solo::create`].
mod switch {
    pub(super) const NO_EVICTIONS: u32 = 1;
    pub(super) const NO_CAS: u32 = 2;
    pub(super) const NO_FLUSH: u32 = 4;
    pub(super) const SHUTDOWN: u32 = 8;
}

/// Words of the mailbox.
mod word {
    pub(super) const WINDOW_AT: usize = 0;
    pub(super) const WINDOW_BYTES: usize = 1;
    pub(super) const OUTPUT_AT: usize = 2;
    pub(super) const OUTPUT_BYTES: usize = 3;
    pub(super) const COUNT: usize = 4;
}

/// Segments that the upkeep of one second visits: in 4 MiB, one in 128.
const SWEEP_STEPS: u32 = 8;

/// One cache.
#[wasm_bindgen]
pub struct Solo {
    engine: Engine,
    mailbox: Box<[u32; word::COUNT]>,
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
            mailbox: Box::new([0; word::COUNT]),
            swept: now,
            host: LocalHost::new(memory_bytes.into(), now),
        })
    }

    /// The address of the mailbox. It never moves.
    pub fn mailbox(&self) -> u32 {
        self.mailbox.as_ptr().addr() as u32
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
    fn maintain(&mut self, now: Seconds) {
        if self.swept == now {
            return;
        }
        self.swept = now;
        if let Some(shard) = self.engine.shard() {
            shard.sweep(now, SWEEP_STEPS);
        }
    }

    /// Puts the output of `connection` into the mailbox.
    fn output(&mut self, connection: u32) {
        let Some(front) = self.engine.front() else { return };
        let output = front.output(ConnectionId(connection));
        self.mailbox[word::OUTPUT_AT] = address(output);
        self.mailbox[word::OUTPUT_BYTES] = output.len() as u32;
    }
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
