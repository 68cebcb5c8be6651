//! The configuration of a guest: one row an option.

use super::record::{Record, Row, enumeration, record};
pub use crate::command::Eviction;
use crate::{hash::Seed, limits, settings::Setting};
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
    /// Pages over HTTP. A guest without them closes the connection.
    Http,
}

impl Binding {
    /// Each binding, at its number.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Ascii, Self::Binary, Self::Http];
}

enumeration! { Binding: Auto Ascii Binary Http }

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
        /// The [`Role`]: 0 front, 1 shard, 2 solo.
        1 role: Role = Role::Solo,
        /// Number of shards of the server; solo: 1.
        2 shards: u32 = 1,
        /// Index of this shard, from 0.
        3 shard: u32 = 0,
        /// Random numbers that no other guest has. Logins need them.
        4 entropy: [u64; 4] = [0; 4],
        /// The [`Binding`] of connections of kind 0: 0 the first byte selects the protocol, 1 text, 2 binary,
        /// 3 HTTP.
        5 binding: Binding = Binding::Auto,
        /// How clients log in ([`Authentication`]): 0 not at all, 1 SASL in the binary protocol, 2 `set` in the text
        /// protocol.
        6 authentication: Authentication = Authentication::None,
        /// Requests of one connection in a row before the others have their turn; at least 1.
        7 requests_per_event: u32 = 20,
        /// Largest ratio of bytes sent to bytes received for an unverified peer of UDP; 0: no limit.
        8 udp_amplification: u32 = limits::DATAGRAM_AMPLIFICATION_DEFAULT,
        /// Statistics by key prefix from the start.
        9 detail: bool = false,
        /// The byte that ends a key prefix.
        10 prefix_delimiter: u8 = b':',
        /// `stats sizes` counts items by size.
        11 track_sizes: bool = false,
        /// A line of `stats settings`: the number of the setting (`u8`), its value (`bytes`, UTF-8). A setting without a
        /// line shows its default.
        12 settings: Vec<(Setting, String)> = Vec::new(),
        /// Budget of what the connections of the whole server hold (unfinished requests, unsent replies); 0: chosen by
        /// `memory_bytes` and `item_bytes_max`.
        13 buffers_bytes_max: u64 = 0,
        /// Solo: the host sends output that lies in several places (status `SLICES`), so that long values are not copied.
        14 output_slices: bool = false,
        ..
        /// The store of a shard.
        store: StoreConfig,
        ..
        /// Commands that clients may use.
        permissions: Permissions,
    }
}

record! {
    /// How a store is made.
    #[derive(Copy)]
    pub struct StoreConfig {
        /// Random secret of the key hash, the same in every guest of a server.
        32 seed: Seed = Seed(0, 0),
        /// Limit of the store: items, index and table of segments together.
        33 memory_bytes: u64 = 64 * 1024 * 1024,
        /// The highest limit that `limit` can set. It reserves address space, not memory. Less than `memory_bytes` means
        /// `memory_bytes`.
        34 memory_bytes_capacity: u64 = 64 * 1024 * 1024,
        /// Size of a segment, a power of two; 0: chosen by the limit.
        35 segment_bytes: u32 = 0,
        /// Largest item, counted as memcached counts it: header, key and value.
        36 item_bytes_max: u32 = limits::ITEM_BYTES_MAX_DEFAULT,
        /// A full store evicts items; 0: it refuses new ones.
        37 evictions: bool = true,
        /// Which items are evicted ([`Eviction`]): 0 the least recently used, 1 by S3-FIFO.
        38 eviction: Eviction = Eviction::S3Fifo,
        /// Items have CAS uniques.
        39 cas: bool = true,
    }
}

record! {
    /// Commands that clients may use, as flags allow or forbid them.
    #[derive(Copy)]
    pub struct Permissions {
        /// Clients may empty the cache.
        64 flush: bool = true,
        /// Clients may stop the server.
        65 shutdown: bool = false,
        /// Clients may stop and move the clock, for tests.
        66 debug_time: bool = false,
        /// Clients may list keys.
        67 dump: bool = true,
        /// Clients may watch events.
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

    /// Every field, for the documentation.
    pub fn rows() -> Vec<Row> {
        <Self as Record>::rows()
    }

    /// The budget of what the connections of the whole server hold.
    pub fn buffers_bytes(&self) -> u64 {
        match self.buffers_bytes_max {
            0 => limits::buffers_bytes_max(self.store.memory_bytes, self.store.item_bytes_max),
            bytes => bytes.min(u32::MAX.into()),
        }
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
    fn of_a_repeated_field_the_last_counts_and_of_a_setting_the_first() {
        assert_eq!(Config::decode(&[1, 1, 1, 0]), Some(Config { role: Role::Front, ..Config::default() }));
        let settings = vec![(Setting::SlabReassign, "no".into()), (Setting::SlabReassign, "yes".into())];
        let config = Config { settings, ..Config::default() };
        let decoded = Config::decode(&config.encode()).unwrap();
        assert_eq!((decoded.setting(Setting::SlabReassign), &decoded), ("no", &config));
    }

    /// Bytes of fields come from other processes and languages: none of them may panic.
    #[test]
    fn any_change_of_a_byte_is_a_record_or_none() {
        let bytes = Config { settings: vec![(Setting::Inter, "h\u{e9}".into())], ..Config::default() }.encode();
        for at in 0..bytes.len() {
            for byte in 0..=u8::MAX {
                let mut changed = bytes.clone();
                changed[at] = byte;
                if let Some(config) = Config::decode(&changed) {
                    assert_eq!(Config::decode(&config.encode()), Some(config), "byte {at}: {byte}");
                }
            }
        }
    }

    #[test]
    fn numbers_of_fields_are_unique() {
        let rows = Config::rows();
        assert_eq!(rows.iter().map(|row| row.number).collect::<BTreeSet<_>>().len(), rows.len());
    }
}
