//! Commands that change how the cache works: `lru`, `slabs automove`, parameters of `lru_crawler`, `cache_memlimit`,
//! `verbosity`.

use super::{Administrative, After, ControlReplies, Position};
use crate::{
    boundary::host::HostRequest,
    clock::Time,
    command::{Broadcast, Tuning},
    protocol::{control::Tune, text::words},
    settings::Setting,
};
use alloc::vec::Vec;

impl Administrative for Tune {
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        let factor = |bits| f64::from(f32::from_bits(bits)).to_bits();
        let tuning = match *self {
            Self::Eviction(eviction) => return [Some(Broadcast::Evict(eviction)), None],
            Self::MemoryLimit { .. } | Self::Verbosity { .. } => return [None, None],
            Self::Setting { setting, value } => Tuning::one(setting, value),
            Self::Lru { hot_percent, warm_percent, hot_factor, warm_factor } => Tuning([
                Some((Setting::HotLruPct, hot_percent.into())),
                Some((Setting::WarmLruPct, warm_percent.into())),
                Some((Setting::HotMaxFactor, factor(hot_factor))),
                Some((Setting::WarmMaxFactor, factor(warm_factor))),
            ]),
            Self::TemporaryTtl(ttl) => match u64::try_from(ttl) {
                Ok(ttl) => Tuning([Some((Setting::TempLru, 1)), Some((Setting::TemporaryTtl, ttl)), None, None]),
                Err(_) => Tuning::one(Setting::TempLru, 0),
            },
        };
        [Some(Broadcast::Tune(tuning)), None]
    }

    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        match *self {
            Self::Verbosity { level } => Some(HostRequest::Verbosity(level)),
            Self::MemoryLimit { mebibytes } => Some(HostRequest::MemoryLimit(u64::from(mebibytes) << 20)),
            Self::Eviction(_) | Self::Setting { .. } | Self::Lru { .. } | Self::TemporaryTtl(_) => None,
        }
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, replies: &ControlReplies<'_>) -> After {
        let has_failed = matches!(self, Self::MemoryLimit { .. }) && replies.host != [1];
        out.extend_from_slice(if has_failed { words::MEMLIMIT_FAILED } else { words::OK });
        After::Requests
    }
}
