//! Requests that concern all shards or the host: nothing of their connection runs beside them.

use super::carry::{Carry, Slot};
use crate::{
    clock::{Expiry, Seconds},
    command::{Broadcast, Detail, Eviction},
    config::{Config, Setting},
    host::{HostRequest, HostStatistics, Refreshed},
    prefixes::Prefixes,
    protocol::{
        binary,
        text::{self, Control, Group, words},
    },
    statistics::{Classes, Counters},
    wire::Reader,
};
use alloc::{string::ToString, vec::Vec};

/// A request that needs more than one shard.
#[derive(Clone, Copy, Debug)]
pub struct Barrier {
    pub(super) control: Control,
    pub(super) style: Style,
}

/// How a barrier is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// In lines.
    Text,
    /// Not at all.
    Silent,
    /// In packets.
    Binary(binary::Style),
}

impl Barrier {
    /// What every shard is told, in this order.
    pub fn broadcasts(&self, now: Seconds) -> impl Iterator<Item = (Slot, Broadcast)> {
        let (first, second) = match self.control {
            Control::Flush { exptime } => (Some(Broadcast::Flush { at: flush_time(exptime, now) }), None),
            Control::RefuseFlush(_) => (Some(Broadcast::RefuseFlush), None),
            Control::Evict(eviction) => (Some(Broadcast::Evict(eviction)), None),
            Control::Stats(Group::General) => (Some(Broadcast::Counters), None),
            Control::Stats(Group::Items) => (Some(Broadcast::Classes), None),
            Control::Stats(Group::Slabs) => (Some(Broadcast::Classes), Some(Broadcast::Counters)),
            Control::Stats(Group::Sizes) => (Some(Broadcast::Sizes), None),
            Control::Stats(Group::Reset) => (Some(Broadcast::ResetCounters), None),
            Control::Stats(Group::Detail(detail)) => (Some(Broadcast::Detail(detail)), None),
            _ => (None, None),
        };
        [(Slot::First, first), (Slot::Second, second)].into_iter().filter_map(|(slot, b)| Some((slot, b?)))
    }

    /// What the host is asked.
    pub fn host_request(&self) -> Option<HostRequest> {
        match self.control {
            Control::Stats(Group::General | Group::Settings) => Some(HostRequest::Statistics),
            Control::Stats(Group::Connections) => Some(HostRequest::Connections),
            Control::Stats(Group::Reset) => Some(HostRequest::ResetStatistics),
            Control::Verbosity { level } => Some(HostRequest::Verbosity(level)),
            Control::MemoryLimit { mebibytes } => Some(HostRequest::MemoryLimit(u64::from(mebibytes) << 20)),
            Control::Clock(order) => Some(HostRequest::Clock(order)),
            Control::Shutdown { graceful } => Some(HostRequest::Shutdown { graceful }),
            Control::RefreshCertificates => Some(HostRequest::RefreshCertificates),
            _ => None,
        }
    }

    /// Encodes the answer from what the runs brought. `true`: the connection closes.
    pub(super) fn answer(&self, out: &mut Vec<u8>, config: &mut Config, carry: &Carry, now: Seconds) -> bool {
        let start = out.len();
        let (first, second, host) =
            (carry.brought(Slot::First), carry.brought(Slot::Second), carry.brought(Slot::Host));
        match self.control {
            Control::Flush { .. } | Control::Verbosity { .. } | Control::Clock(_) => out.extend_from_slice(words::OK),
            Control::Evict(eviction) => {
                set(config, Setting::LruSegmented, if eviction == Eviction::Lru { "no" } else { "yes" });
                out.extend_from_slice(words::OK);
            }
            Control::RefuseFlush(text) => out.extend_from_slice(text),
            Control::MemoryLimit { .. } if host == [1] => out.extend_from_slice(words::OK),
            Control::MemoryLimit { .. } => out.extend_from_slice(words::MEMLIMIT_FAILED),
            Control::Shutdown { .. } => return true,
            Control::RefreshCertificates => match Refreshed::decode(host) {
                Refreshed::Done => out.extend_from_slice(words::OK),
                // A client that wants no answer learns of a failure nevertheless, as with memcached.
                Refreshed::Off => {
                    out.extend_from_slice(words::TLS_OFF);
                    return false;
                }
                Refreshed::Refused(reason) => {
                    text::answer_refusal(out, &reason);
                    return false;
                }
            },
            Control::Stats(group) => match group {
                Group::General => {
                    let host = HostStatistics::decode(host);
                    text::answer_general(out, config, &merged(first), &host, now);
                }
                Group::Settings => {
                    let host = HostStatistics::decode(host);
                    set(config, Setting::MaxBytes, &host.limit_maxbytes.to_string());
                    set(config, Setting::Verbosity, &host.verbosity.to_string());
                    text::answer_settings(out, config);
                }
                Group::Items => text::answer_classes(out, &Classes::decode_merged(first)),
                Group::Slabs => text::answer_slabs(out, &Classes::decode_merged(first), &merged(second)),
                Group::Sizes => text::answer_sizes(out, first),
                Group::Connections => text::answer_connections(out, host),
                Group::Reset => out.extend_from_slice(words::RESET),
                Group::Detail(Detail::Dump) => text::answer_prefixes(out, &Prefixes::decode_merged(first)),
                Group::Detail(detail) => {
                    set(config, Setting::DetailEnabled, if detail == Detail::On { "yes" } else { "no" });
                    out.extend_from_slice(words::OK);
                }
            },
        }
        match self.style {
            Style::Text => {}
            Style::Silent => out.truncate(start),
            Style::Binary(style) => self.translate(out, start, style),
        }
        false
    }

    /// Makes packets of the lines from `start` on.
    fn translate(&self, out: &mut Vec<u8>, start: usize, style: binary::Style) {
        match self.control {
            Control::Stats(group) => {
                let whole = matches!(group, Group::Detail(Detail::Dump)).then_some(&b"detailed"[..]);
                binary::encode_statistics(out, start, style, whole);
            }
            _ => {
                out.truncate(start);
                if !style.quiet {
                    binary::status(out, style, binary::Status::Success);
                }
            }
        }
    }
}

/// The counters of all shards together.
fn merged(records: &[u8]) -> Counters {
    let mut r = Reader(records);
    let mut sum = Counters::decode(&mut r).unwrap_or_default();
    // Every shard saw each flush.
    let flushes = sum.cmd_flush;
    while let Some(counters) = Counters::decode(&mut r) {
        sum.merge(&counters);
    }
    sum.cmd_flush = flushes;
    sum
}

/// When a flush takes effect: not positive is now, and so is anything that is over already.
fn flush_time(exptime: i64, now: Seconds) -> Seconds {
    if exptime <= 0 { now } else { Expiry::from_exptime(exptime, now).0 }
}

/// `stats settings` shows what is in force, not what was configured.
fn set(config: &mut Config, setting: Setting, value: &str) {
    match config.settings.iter_mut().find(|(told, _)| *told == setting) {
        Some((_, told)) => *told = value.into(),
        None => config.settings.push((setting, value.into())),
    }
}
