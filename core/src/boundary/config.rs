//! The configuration of a guest: one row an option.

use super::record::{Record, enumeration, record};
use crate::{command::Eviction, hash::Seed, limits, settings::Setting};
use alloc::{string::String, vec::Vec};

/// Which part of a server a guest plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Connections, parsing, encoding; no store.
    Front,
    /// A store; no connections.
    Shard,
    /// Both in one instance.
    #[default]
    Solo,
}

enumeration! { Role: Front Shard Solo }

/// Which protocols a port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Binding {
    /// The first byte of a connection selects the protocol.
    #[default]
    Auto,
    /// Text and meta commands.
    Ascii,
    /// Packets.
    Binary,
}

impl Binding {
    /// Each binding, at its number.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Ascii, Self::Binary];
}

enumeration! { Binding: Auto Ascii Binary }

/// Whether clients have to log in, and how. See [`crate::front::Front::set_users`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Authentication {
    /// No login.
    #[default]
    None,
    /// `-S`: SASL over the binary protocol.
    Sasl,
    /// `-Y`: a `set` as the first command of the text protocol.
    Text,
}

enumeration! { Authentication: None Sasl Text }

record! {
    /// The configuration of one guest. An option is one row here, or in one of the nested records.
    pub struct Config {
        /// See [`Role`].
        1 role: Role = Role::Solo,
        /// Number of shards of the server, at least 1. Solo: 1.
        2 shards: u32 = 1,
        /// Index of this shard, from 0.
        3 shard: u32 = 0,
        /// Random numbers that no other guest has: nonces of logins derive from them.
        4 entropy: [u64; 4] = [0; 4],
        /// `-B`: the protocols of listeners without a binding of their own.
        5 binding: Binding = Binding::Auto,
        /// `-S`, `-Y`: how clients log in.
        6 authentication: Authentication = Authentication::None,
        /// `-R`: requests of one connection in a row before the others have their turn.
        7 requests_per_event: u32 = 20,
        /// `-o udp_amplification`: largest ratio of bytes sent to bytes received for an unverified peer; 0: no limit.
        8 udp_amplification: u32 = limits::DATAGRAM_AMPLIFICATION_DEFAULT,
        /// `-D`: statistics by key prefix from the start.
        9 detail: bool = false,
        /// `-D`: the byte that ends a prefix.
        10 prefix_delimiter: u8 = b':',
        /// `-o track_sizes` sets it: items are counted by size.
        11 track_sizes: bool = false,
        /// Lines of `stats settings`; a missing setting shows its default.
        12 settings: Vec<(Setting, String)> = Vec::new(),
        ..
        /// The store of a shard.
        store: StoreConfig,
        ..
        /// What clients may do.
        permissions: Permissions,
    }
}

record! {
    /// How a store is made.
    #[derive(Copy)]
    pub struct StoreConfig {
        /// Secret of the key hash: the same in every guest of a server.
        32 seed: Seed = Seed(0, 0),
        /// The limit of the pool: items, index and the table of segments together. This shard's part of `-m`.
        33 memory_bytes: u64 = 64 * 1024 * 1024,
        /// How far `cache_memlimit` can raise that limit. It reserves address space, not memory; less than
        /// `memory_bytes` means `memory_bytes`.
        34 memory_bytes_capacity: u64 = 64 * 1024 * 1024,
        /// A power of two, or 0: chosen by the size of the pool.
        35 segment_bytes: u32 = 0,
        /// `-I`: largest item, counted as memcached counts it ([`crate::limits::item_bytes`]).
        36 item_bytes_max: u32 = limits::ITEM_BYTES_MAX_DEFAULT,
        /// `-M` clears it: live items may be removed for room.
        37 evictions: bool = true,
        /// `-o eviction`: which items are evicted.
        38 eviction: Eviction = Eviction::S3Fifo,
        /// `-C` clears it: items have uniques.
        39 cas: bool = true,
    }
}

record! {
    /// What clients may do: commands that a flag allows or forbids.
    #[derive(Copy)]
    pub struct Permissions {
        /// `-F` clears it: empty the cache.
        64 flush: bool = true,
        /// `-A` sets it: stop the server.
        65 shutdown: bool = false,
        /// `-o debugtime` sets it: stop and move the clock, for tests.
        66 debug_time: bool = false,
        /// `-X` clears it: list keys.
        67 dump: bool = true,
        /// `-W` clears it: watch events.
        68 watch: bool = true,
    }
}

impl Permissions {
    /// Everything is allowed.
    pub const ALL: Self = Self { flush: true, shutdown: true, debug_time: true, dump: true, watch: true };
}

impl Config {
    /// The form that crosses the boundary.
    pub fn encode(&self) -> Vec<u8> {
        Record::encode(self)
    }

    /// Reads a record; `None` if a field is unknown, cut or invalid.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Record::decode(bytes)
    }

    /// The value of a setting that the host sent, or its default.
    pub fn setting(&self, setting: Setting) -> &str {
        let sent = self.settings.iter().find(|(sent, _)| *sent == setting);
        sent.map_or(setting.default_value(), |(_, value)| value)
    }

    /// The value of a setting as a number; 0 if it is none.
    pub fn number(&self, setting: Setting) -> usize {
        self.setting(setting).parse().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec};

    #[test]
    fn config_survives_the_boundary() {
        let config = Config {
            role: Role::Shard,
            shards: 3,
            shard: 2,
            binding: Binding::Binary,
            authentication: Authentication::Text,
            entropy: [1, 2, 3, u64::MAX],
            settings: vec![(Setting::TcpPort, "0".into()), (Setting::Inter, "127.0.0.1".into())],
            store: StoreConfig {
                seed: Seed(1, u64::MAX),
                cas: false,
                eviction: Eviction::Lru,
                ..StoreConfig::default()
            },
            permissions: Permissions::ALL,
            ..Config::default()
        };
        let bytes = config.encode();
        assert_eq!(Config::decode(&bytes), Some(config));
        // A cut between two fields leaves a shorter record; any other cut is an error.
        let valid = (0..bytes.len()).filter(|&cut| Config::decode(&bytes[..cut]).is_some()).count();
        assert_eq!(valid, Config::rows().len() + 1);
    }

    #[test]
    fn an_empty_record_has_defaults_and_an_unknown_field_none() {
        assert_eq!(Config::decode(&[]), Some(Config::default()));
        assert_eq!(Config::decode(&[1, 1]), Some(Config { role: Role::Shard, ..Config::default() }));
        assert_eq!(Config::decode(&[1, 3]), None, "there is no such role");
        assert_eq!(Config::decode(&[0, 0]), None, "there is no such field");
        assert_eq!(Config::decode(&[12, u8::MAX, 0, 0, 0, 0]), None, "there is no such setting");
    }

    #[test]
    fn numbers_of_fields_are_unique() {
        let rows = Config::rows();
        assert_eq!(rows.iter().map(|row| row.number).collect::<BTreeSet<_>>().len(), rows.len());
    }
}
