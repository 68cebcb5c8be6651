//! Administrative commands: requests that concern the whole store or the server. Text and binary parsers produce them, and
//! `front/control` has a file for each group.

#[cfg(feature = "http")]
use super::http::{HttpRequest, PagePlace};
use crate::{
    boundary::{event::Kinds, host::ClockOrder},
    command::{Eviction, Extent, Walk},
    settings::Setting,
};

/// An administrative command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `flush_all`
    Flush(Flush),
    /// `stats`
    Statistics(StatisticsGroup),
    /// `lru`, `slabs automove`, `cache_memlimit`, `verbosity` and parameters of `lru_crawler`
    Tune(Tune),
    /// `lru_crawler crawl`, `enable` and `disable`
    Crawler(Crawler),
    /// Commands that show items.
    List(Dump),
    /// The next piece of an answer that is given in pieces; no client sends it.
    Continue(Continuation),
    /// `watch`; without kinds, the client asked for events of an unknown kind.
    Watch(Kinds),
    /// `shutdown`, `debugtime`, `refresh_certs`
    Server(ServerControl),
    /// Any request of HTTP.
    #[cfg(feature = "http")]
    Http(HttpRequest),
}

/// See [`Control::Flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// With the delay as the client sent it (not positive: now).
    At {
        /// Seconds, or an absolute time beyond 30 days.
        exptime: i64,
    },
    /// Refused with this answer, but counted.
    Refused(&'static [u8]),
}

/// A group of statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticsGroup {
    /// `stats`
    General,
    /// `stats settings`
    Settings,
    /// `stats items`
    Items,
    /// `stats slabs`
    Slabs,
    /// `stats sizes`
    Sizes,
    /// `stats conns`
    Connections,
    /// `stats reset`
    Reset,
    /// `stats detail on|off|dump`
    Detail(Detail),
}

/// See [`StatisticsGroup::Detail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Count from now on.
    On,
    /// Stop counting; what was counted stays.
    Off,
    /// Show the counts.
    Dump,
}

/// See [`Control::Tune`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tune {
    /// `lru mode`
    Eviction(Eviction),
    /// `cache_memlimit`
    MemoryLimit {
        /// MiB.
        mebibytes: u32,
    },
    /// `verbosity`
    Verbosity {
        /// 0 to 2.
        level: u32,
    },
    /// A setting that only `stats settings` shows.
    Setting {
        /// Its name.
        setting: Setting,
        /// Its value; of a ratio, the bits of an `f64`.
        value: u64,
    },
    /// `lru tune`
    Lru {
        /// Part of the memory in percent.
        hot_percent: u32,
        /// Part of the memory in percent.
        warm_percent: u32,
        /// The bits of an `f32`.
        hot_factor: u32,
        /// The bits of an `f32`.
        warm_factor: u32,
    },
    /// `lru temp_ttl`; negative turns it off.
    TemporaryTtl(i32),
}

/// See [`Control::Crawler`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crawler {
    /// `lru_crawler crawl`
    Crawl,
    /// The same, refused with this answer unless background work is off, which is another refusal.
    RefuseCrawl(&'static [u8]),
    /// `lru_crawler enable`, or `disable`
    Enable(bool),
}

/// See [`Control::List`]: the items that a client asks to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dump {
    /// How they are shown.
    pub format: ListingFormat,
    /// Bit `n`: those of size class `n`; no bit: the client asked for classes that cannot exist.
    pub classes: u64,
    /// The most items; 0: all.
    pub limit: u32,
}

/// How items are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingFormat {
    /// `lru_crawler metadump`: everything but the value.
    Metadata,
    /// `lru_crawler mgdump`: meta commands that read them.
    Keys,
    /// `stats cachedump`: key, length, expiry.
    Items,
}

/// See [`Control::Continue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// Items of one shard.
    Items {
        /// Which shard.
        shard: u32,
        /// Which piece.
        walk: Walk,
    },
    /// Prefixes of keys, of all shards.
    Prefixes(Extent),
    /// Sizes of items, of all shards.
    Sizes(Extent),
    /// Connections.
    Connections {
        /// See [`crate::boundary::host::HostRequest::Connections`].
        from: u64,
    },
    /// Rows of a page of HTTP.
    #[cfg(feature = "http")]
    Page(PagePlace),
}

/// See [`Control::Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerControl {
    /// `shutdown`
    Shutdown {
        /// Let connections finish.
        graceful: bool,
    },
    /// `debugtime`
    Clock(ClockOrder),
    /// `refresh_certs`
    RefreshCertificates,
}
