//! Requests that concern all shards or the host: nothing of their connection runs beside them.

use super::runs::{Carry, Slot};
use crate::{
    boundary::{
        batch,
        config::Config,
        event::Kinds,
        host::{HostRequest, HostStatistics, Refreshed, Target},
    },
    clock::{Expiry, Seconds},
    command::{Broadcast, Detail, Tuning},
    protocol::{
        binary,
        text::{self, Control, Dump, Form, Group, words},
    },
    settings::Setting,
    statistics::{Classes, Counters, Prefixes, Sizes},
    wire::Reader,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// A request that needs more than one shard.
#[derive(Clone, Copy, Debug)]
pub struct Barrier {
    pub(super) control: Control,
    pub(super) style: Style,
    /// Other requests of its connection came before it in the same turn.
    pub(super) follows: bool,
    /// It came in a datagram: nothing can be shown for longer than one answer takes.
    pub(super) in_datagram: bool,
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

/// What becomes of the connection after a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It goes on.
    Requests,
    /// It is closed.
    Closing,
    /// It shows items first.
    Dumping(Dump),
    /// It shows events from now on.
    Watching(Kinds),
}

impl Barrier {
    /// The first of its turn, in a stream.
    pub(super) fn new(control: Control, style: Style) -> Self {
        Self { control, style, follows: false, in_datagram: false }
    }

    /// What every shard is told, in this order.
    pub fn broadcasts(&self, now: Seconds) -> impl Iterator<Item = (Slot, Broadcast)> {
        let (first, second) = match self.control {
            Control::Flush { exptime } => (Some(Broadcast::Flush { at: flush_time(exptime, now) }), None),
            Control::RefuseFlush(_) => (Some(Broadcast::RefuseFlush), None),
            Control::Evict(eviction) => (Some(Broadcast::Evict(eviction)), None),
            Control::Crawl(text) if text == words::OK => (Some(Broadcast::Crawl), None),
            Control::Crawl(_) | Control::Stats(Group::Settings) => (Some(Broadcast::Tuned), None),
            Control::Dump(dump) if dump.form != Form::Items && !self.in_datagram => (Some(Broadcast::BeginWalk), None),
            Control::Walk { walk, .. } => (Some(Broadcast::Walk(walk)), None),
            Control::Crawler { .. } | Control::Tune { .. } | Control::TuneLru { .. } | Control::TemporaryTtl(_) => {
                (Some(Broadcast::Tune(self.tuning())), None)
            }
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

    /// Where they go.
    pub(super) fn target(&self) -> Target {
        match self.control {
            Control::Walk { shard, .. } => Target(shard),
            _ => Target::EVERY_SHARD,
        }
    }

    fn tuning(&self) -> Tuning {
        let factor = |bits| f64::from(f32::from_bits(bits)).to_bits();
        match self.control {
            Control::Crawler { enable } => Tuning::one(Setting::LruCrawler, enable.into()),
            Control::Tune { setting, value } => Tuning::one(setting, value),
            Control::TuneLru { hot_percent, warm_percent, hot_factor, warm_factor } => Tuning([
                Some((Setting::HotLruPct, hot_percent.into())),
                Some((Setting::WarmLruPct, warm_percent.into())),
                Some((Setting::HotMaxFactor, factor(hot_factor))),
                Some((Setting::WarmMaxFactor, factor(warm_factor))),
            ]),
            Control::TemporaryTtl(ttl) => match u64::try_from(ttl) {
                Ok(ttl) => Tuning([Some((Setting::TempLru, 1)), Some((Setting::TemporaryTtl, ttl)), None, None]),
                Err(_) => Tuning::one(Setting::TempLru, 0),
            },
            _ => Tuning::default(),
        }
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
            Control::Watch(kinds) if kinds != Kinds::NONE && !self.follows && !self.in_datagram => {
                Some(HostRequest::Watch(kinds.0))
            }
            _ => None,
        }
    }

    /// Encodes the answer from what the runs brought, and says what becomes of the connection.
    pub(super) fn answer(&self, out: &mut Vec<u8>, config: &Config, carry: &Carry, now: Seconds) -> After {
        let start = out.len();
        let (first, second, host) =
            (carry.brought(Slot::First), carry.brought(Slot::Second), carry.brought(Slot::Host));
        match self.control {
            Control::Flush { .. }
            | Control::Verbosity { .. }
            | Control::Clock(_)
            | Control::Evict(_)
            | Control::Tune { .. }
            | Control::TuneLru { .. }
            | Control::TemporaryTtl(_) => out.extend_from_slice(words::OK),
            Control::Crawl(text) if text == words::OK && first.first() == Some(&0) => {
                out.extend_from_slice(words::CRAWLER_DISABLED);
            }
            Control::Crawl(text) if text != words::OK && tuned(first, Setting::LruCrawler) == Some(0) => {
                out.extend_from_slice(words::CRAWLER_DISABLED);
            }
            Control::Crawl(text) => out.extend_from_slice(text),
            Control::Crawler { enable } => {
                let before = Reader(first).u64().unwrap_or(u64::MAX);
                out.extend_from_slice(if enable && before != 0 { words::CRAWLER_RUNS } else { words::OK });
            }
            Control::Dump(dump) if self.in_datagram => out.extend_from_slice(dump.form.not_allowed()),
            Control::Dump(dump) => match self.refuse_dump(dump, config, first) {
                Some(refusal) => out.extend_from_slice(refusal),
                None => {
                    out.extend_from_slice(dump.form.head());
                    return After::Dumping(dump);
                }
            },
            Control::Walk { .. } => {}
            Control::RefuseFlush(text) => out.extend_from_slice(text),
            Control::MemoryLimit { .. } if host == [1] => out.extend_from_slice(words::OK),
            Control::MemoryLimit { .. } => out.extend_from_slice(words::MEMLIMIT_FAILED),
            Control::Watch(_) if self.in_datagram => out.extend_from_slice(words::WATCH_NOT_ALLOWED),
            Control::Watch(_) if self.follows => out.extend_from_slice(words::WATCH_PIPELINED),
            Control::Watch(Kinds::NONE) => out.extend_from_slice(words::ERROR),
            Control::Watch(kinds) if host == [1] => {
                out.extend_from_slice(words::OK);
                return After::Watching(kinds);
            }
            Control::Watch(_) if host == [0] => out.extend_from_slice(words::WATCHERS_TOO_MANY),
            Control::Watch(_) => out.extend_from_slice(words::WATCHER_FAILED),
            Control::Shutdown { .. } => return After::Closing,
            Control::RefreshCertificates => match Refreshed::decode(host) {
                Refreshed::Done => out.extend_from_slice(words::OK),
                // A client that wants no answer learns of a failure nevertheless, as with memcached.
                Refreshed::Off => {
                    out.extend_from_slice(words::TLS_OFF);
                    return After::Requests;
                }
                Refreshed::Refused(reason) => {
                    text::answer_refusal(out, &reason);
                    return After::Requests;
                }
            },
            Control::Stats(group) => match group {
                Group::General => {
                    let host = HostStatistics::decode(host);
                    text::answer_general(out, config, &merged(first), &host, now);
                }
                Group::Settings => {
                    let host = HostStatistics::decode(host);
                    let mut settings = config.settings.clone();
                    set(&mut settings, Setting::MaxBytes, host.limit_maxbytes.to_string());
                    set(&mut settings, Setting::Verbosity, host.verbosity.to_string());
                    let mut r = Reader(first);
                    while let Some((setting, value)) = batch::decode_tuned(&mut r) {
                        set(&mut settings, setting, setting.shown(value));
                    }
                    text::answer_settings(out, &settings);
                }
                Group::Items => text::answer_classes(out, &Classes::decode_merged(first)),
                Group::Slabs => text::answer_slabs(out, &Classes::decode_merged(first), &merged(second)),
                Group::Sizes => text::answer_sizes(out, &Sizes::decode_merged(first)),
                Group::Connections => text::answer_connections(out, host),
                Group::Reset => out.extend_from_slice(words::RESET),
                Group::Detail(Detail::Dump) => text::answer_prefixes(out, &Prefixes::decode_merged(first)),
                Group::Detail(_) => out.extend_from_slice(words::OK),
            },
        }
        match self.style {
            Style::Text => {}
            Style::Silent => out.truncate(start),
            Style::Binary(style) => self.translate(out, start, style),
        }
        After::Requests
    }

    /// Why items are not shown. What memcached says first, it says first here.
    fn refuse_dump(&self, dump: Dump, config: &Config, crawler: &[u8]) -> Option<&'static [u8]> {
        if dump.form == Form::Items {
            None
        } else if crawler.first() == Some(&0) {
            Some(words::CRAWLER_DISABLED)
        } else if !config.permissions.dump {
            Some(dump.form.not_allowed())
        } else if self.follows {
            Some(dump.form.pipelined())
        } else if dump.classes == 0 {
            Some(words::BAD_CLASS)
        } else {
            None
        }
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

impl Carry {
    pub(super) fn load_barrier(&mut self, barrier: &Barrier, now: Seconds, solo: bool) {
        self.clear();
        if !solo {
            for (slot, broadcast) in barrier.broadcasts(now) {
                let start = self.orders.len();
                batch::encode_broadcast(&mut self.orders, broadcast);
                self.add_run(barrier.target(), start, 1);
                self.slots.push(slot);
            }
        }
        if let Some(request) = barrier.host_request() {
            let start = self.orders.len();
            request.encode(&mut self.orders);
            self.add_run(Target::HOST, start, 1);
            self.slots.push(Slot::Host);
        }
    }
}

/// The counters of all shards together.
fn merged(records: &[u8]) -> Counters {
    let mut r = Reader(records);
    let mut sum = Counters::decode(&mut r).unwrap_or_default();
    // Every shard saw each of these.
    let (flushes, crawls) = (sum.cmd_flush, sum.lru_crawler_starts);
    while let Some(counters) = Counters::decode(&mut r) {
        sum.merge(&counters);
    }
    (sum.cmd_flush, sum.lru_crawler_starts) = (flushes, crawls);
    sum
}

/// When a flush takes effect: not positive is now, and so is anything that is over already.
fn flush_time(exptime: i64, now: Seconds) -> Seconds {
    if exptime <= 0 { now } else { Expiry::from_exptime(exptime, now).0 }
}

/// `stats settings` shows what is in force, not what was configured.
fn set(settings: &mut Vec<(Setting, String)>, setting: Setting, value: String) {
    match settings.iter_mut().find(|(told, _)| *told == setting) {
        Some((_, told)) => *told = value,
        None => settings.push((setting, value)),
    }
}

/// The value of a setting among those that the shards remember.
fn tuned(answer: &[u8], wanted: Setting) -> Option<u64> {
    let mut r = Reader(answer);
    core::iter::from_fn(|| batch::decode_tuned(&mut r)).find(|(setting, _)| *setting == wanted).map(|(_, value)| value)
}
