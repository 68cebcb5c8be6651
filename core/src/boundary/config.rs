//! What a guest is told at creation.

use crate::{
    command::Eviction,
    hash::Seed,
    limits,
    settings::Setting,
    wire::{Reader, Writer},
};
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

/// Which protocols a port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Binding {
    /// The first byte of a connection says which one it speaks.
    #[default]
    Auto,
    /// Text and meta commands.
    Ascii,
    /// Packets.
    Binary,
}

impl Binding {
    /// Each, at its number.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Ascii, Self::Binary];
}

/// Whether clients have to say who they are, and how. See [`crate::front::Front::set_users`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Authentication {
    /// They need not.
    #[default]
    None,
    /// `-S`: SASL over the binary protocol.
    Sasl,
    /// `-Y`: a `set` as the first command of the text protocol.
    Text,
}

impl Authentication {
    const ALL: [Self; 3] = [Self::None, Self::Sasl, Self::Text];
}

/// The configuration of one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// See [`Role`].
    pub role: Role,
    /// How many shards the server has, at least 1. Solo: 1.
    pub shards: u32,
    /// Which of them this one is, from 0.
    pub shard: u32,
    /// The secret of the key hash: the same in every guest of a server.
    pub seed: Seed,
    /// The pool of this guest's store: this shard's part of `-m`.
    pub memory_bytes: u64,
    /// How far `cache_memlimit` can raise the pool (address space is reserved, memory is not). At least `memory_bytes`.
    pub memory_bytes_capacity: u64,
    /// Size of a segment; 0 chooses by the pool.
    pub segment_bytes: u32,
    /// `-I`: largest item, header included.
    pub item_bytes_max: u32,
    /// `-M` clears it.
    pub evictions: bool,
    /// `-o eviction`: which items give way.
    pub eviction: Eviction,
    /// `-C` clears it.
    pub cas: bool,
    /// `-F` clears it.
    pub flush: bool,
    /// `-A` sets it.
    pub shutdown: bool,
    /// `-B`: which protocols are spoken.
    pub binding: Binding,
    /// `-S`, `-Y`: who has to say who it is.
    pub authentication: Authentication,
    /// `-o debugtime`: clients may stop and move the clock, for tests.
    pub debug_time: bool,
    /// Random, and in no other guest: nonces of logins come from it.
    pub entropy: [u64; 4],
    /// `-X` clears it.
    pub dump: bool,
    /// `-W` clears it.
    pub watch: bool,
    /// `-o track_sizes` sets it.
    pub track_sizes: bool,
    /// `-D`: prefix statistics from the start.
    pub detail: bool,
    /// `-D`: what ends a prefix.
    pub prefix_delimiter: u8,
    /// `-o udp_amplification`: how many times what it sent a peer that may be another is sent; 0: anything.
    pub udp_amplification: u32,
    /// `-R`: requests of one connection before others get their turn.
    pub requests_per_event: u32,
    /// What `stats settings` shows, by setting; what is missing here shows its default.
    pub settings: Vec<(Setting, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::Solo,
            shards: 1,
            shard: 0,
            seed: Seed::default(),
            memory_bytes: 64 * 1024 * 1024,
            memory_bytes_capacity: 64 * 1024 * 1024,
            segment_bytes: 0,
            item_bytes_max: limits::ITEM_BYTES_MAX_DEFAULT,
            evictions: true,
            eviction: Eviction::default(),
            cas: true,
            flush: true,
            shutdown: false,
            binding: Binding::Auto,
            authentication: Authentication::None,
            entropy: [0; 4],
            debug_time: false,
            dump: true,
            watch: true,
            track_sizes: false,
            detail: false,
            prefix_delimiter: b':',
            udp_amplification: limits::DATAGRAM_AMPLIFICATION_DEFAULT,
            requests_per_event: 20,
            settings: Vec::new(),
        }
    }
}

impl Config {
    /// The form that crosses the boundary.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = Writer(&mut bytes);
        w.u8(self.role as u8);
        w.u32(self.shards);
        w.u32(self.shard);
        w.u64(self.seed.0);
        w.u64(self.seed.1);
        w.u64(self.memory_bytes);
        w.u64(self.memory_bytes_capacity);
        w.u32(self.segment_bytes);
        w.u32(self.item_bytes_max);
        let flags = [self.evictions, self.cas, self.flush, self.shutdown, self.debug_time, self.detail];
        for flag in flags.into_iter().chain([self.dump, self.watch, self.track_sizes]) {
            w.u8(u8::from(flag));
        }
        w.u8(self.eviction as u8);
        w.u8(self.binding as u8);
        w.u8(self.authentication as u8);
        self.entropy.iter().for_each(|&number| w.u64(number));
        w.u8(self.prefix_delimiter);
        w.u32(self.udp_amplification);
        w.u32(self.requests_per_event);
        for (setting, value) in &self.settings {
            w.u8(*setting as u8);
            w.bytes(value.as_bytes());
        }
        bytes
    }

    /// What the host said of a setting, or its default.
    pub fn setting(&self, setting: Setting) -> &str {
        let told = self.settings.iter().find(|(told, _)| *told == setting);
        told.map_or(setting.default_value(), |(_, value)| value)
    }

    /// The same as a number; 0 where it is none.
    pub fn number(&self, setting: Setting) -> usize {
        self.setting(setting).parse().unwrap_or(0)
    }

    /// Reads what [`Config::encode`] wrote; `None` if it is not that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        let mut config = Self {
            role: match r.u8()? {
                0 => Role::Front,
                1 => Role::Shard,
                2 => Role::Solo,
                _ => return None,
            },
            shards: r.u32()?,
            shard: r.u32()?,
            seed: Seed(r.u64()?, r.u64()?),
            memory_bytes: r.u64()?,
            memory_bytes_capacity: r.u64()?,
            segment_bytes: r.u32()?,
            item_bytes_max: r.u32()?,
            evictions: r.u8()? != 0,
            cas: r.u8()? != 0,
            flush: r.u8()? != 0,
            shutdown: r.u8()? != 0,
            debug_time: r.u8()? != 0,
            detail: r.u8()? != 0,
            dump: r.u8()? != 0,
            watch: r.u8()? != 0,
            track_sizes: r.u8()? != 0,
            eviction: Eviction::decode(u32::from(r.u8()?))?,
            binding: *Binding::ALL.get(usize::from(r.u8()?))?,
            authentication: *Authentication::ALL.get(usize::from(r.u8()?))?,
            entropy: [r.u64()?, r.u64()?, r.u64()?, r.u64()?],
            prefix_delimiter: r.u8()?,
            udp_amplification: r.u32()?,
            requests_per_event: r.u32()?,
            settings: Vec::new(),
        };
        while !r.is_empty() {
            let setting = *Setting::ALL.get(usize::from(r.u8()?))?;
            let value = core::str::from_utf8(r.bytes()?).ok()?;
            config.settings.push((setting, value.into()));
        }
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn config_survives_the_boundary() {
        let config = Config {
            role: Role::Shard,
            shards: 3,
            shard: 2,
            seed: Seed(1, u64::MAX),
            cas: false,
            binding: Binding::Binary,
            authentication: Authentication::Text,
            entropy: [1, 2, 3, u64::MAX],
            settings: vec![(Setting::TcpPort, "0".into()), (Setting::Inter, "127.0.0.1".into())],
            ..Config::default()
        };
        let bytes = config.encode();
        assert_eq!(Config::decode(&bytes), Some(config));
        for cut in 0..50 {
            assert_eq!(Config::decode(&bytes[..cut]), None);
        }
    }
}
