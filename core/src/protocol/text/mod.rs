//! The classic text protocol.
//!
//! ```text
//! request  = line [data CR LF]             a line ends LF; a CR before it is optional
//! line     = word *(SPACE token)           runs of SPACE are one; every other byte belongs to a token
//! store    = ("set" | "add" | "replace" | "append" | "prepend") key flags exptime bytes ["noreply"] data
//!          | "cas" key flags exptime bytes unique ["noreply"] data
//! retrieve = ("get" | "gets") 1*key | ("gat" | "gats") exptime 1*key
//! change   = "delete" key | ("incr" | "decr") key delta | "touch" key exptime       each with ["noreply"]
//! control  = "flush_all" [exptime] | "cache_memlimit" megabytes | "lru" ("mode" | "tune" | "temp_ttl") …
//!          | "verbosity" level | "version" | "quit" | "refresh_certs"
//!          | "shutdown" ["graceful"] | "stats" [group] | "debugtime" ("p" | "r" | seconds)
//!          | "lru_crawler" (("crawl" | "metadump" | "mgdump") classes | "enable" | "disable" | ("sleep" | "tocrawl") number)
//!          | "slabs" ("reassign" class class | "automove" (number | ("ratio" | "freeratio" | "window") number))
//!          | "watch" *kind
//! classes  = "all" | "hash" | number *("," number)
//! ```

mod admin;
mod encode;
mod listing;
mod login;
mod parse;
mod statistics;
mod watch;
pub mod words;

pub use encode::{answer_found, answer_refusal, answer_status};
pub use listing::{Form, answer_listed};
pub use login::{Login, parse_login};
pub use parse::{continue_retrieval, parse};
pub use statistics::{
    answer_classes, answer_connections, answer_general, answer_prefixes, answer_settings, answer_sizes, answer_slabs,
};

pub use watch::answer_event;

use super::Span;
use crate::{
    boundary::{event::Kinds, host::ClockOrder},
    clock::Expiry,
    command::{Detail, Eviction, Operation, Walk},
    settings::Setting,
};

/// What a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Keys to read; each becomes a command of its own.
    Retrieve(Retrieve),
    /// One command on one key.
    Command(KeyRequest),
    /// Something that has its answer already: `text` (nothing, if empty), then `swallow` bytes of data are ignored.
    Answer {
        /// With its line end.
        text: &'static [u8],
        /// Bytes of a data block that belongs to a refused line.
        swallow: u64,
    },
    /// Something that concerns more than one key.
    Control {
        /// What.
        control: Control,
        /// The client wants no answer.
        noreply: bool,
    },
    /// `quit`: close when everything before it is answered.
    Quit,
}

/// See [`Request::Retrieve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieve {
    /// `gets`, `gats`: show uniques.
    pub cas: bool,
    /// `gat`, `gats`.
    pub touch: Option<Expiry>,
    /// The keys and the spaces between them: the end of what was consumed, but for the line's end.
    pub keys: Span,
    /// Whether the line ended; otherwise more keys follow ([`continue_retrieval`]).
    pub whole: bool,
}

/// See [`Request::Command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Where the key is.
    pub key: Span,
    /// Where the data block is; [`Operation::Store`] has an empty value here.
    pub value: Span,
    /// What to do.
    pub operation: Operation<'static>,
    /// The client wants no answer.
    pub noreply: bool,
    /// As in [`Request::Answer`].
    pub swallow: u64,
}

/// See [`Request::Control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `flush_all`, with the delay as the client sent it (not positive: now).
    Flush {
        /// Seconds, or an absolute time beyond 30 days.
        exptime: i64,
    },
    /// `flush_all` that is refused with this answer, but counts.
    RefuseFlush(&'static [u8]),
    /// `lru mode`.
    Evict(Eviction),
    /// `cache_memlimit`.
    MemoryLimit {
        /// MiB.
        mebibytes: u32,
    },
    /// `verbosity`.
    Verbosity {
        /// 0 to 2.
        level: u32,
    },
    /// `shutdown`.
    Shutdown {
        /// Let connections finish.
        graceful: bool,
    },
    /// `debugtime`.
    Clock(ClockOrder),
    /// `refresh_certs`.
    RefreshCertificates,
    /// `stats` and its groups.
    Stats(Group),
    /// `watch`; no kinds: it asked for something that there is not.
    Watch(Kinds),
    /// `lru_crawler crawl`. This is the answer, unless background work is off.
    Crawl(&'static [u8]),
    /// `lru_crawler enable` and `disable`.
    Crawler {
        /// Which.
        enable: bool,
    },
    /// Commands that show items.
    Dump(Dump),
    /// A piece of what [`Control::Dump`] began; no client sends it.
    Walk {
        /// Which shard.
        shard: u32,
        /// Which piece.
        walk: Walk,
    },
    /// Something that `stats settings` shows from now on.
    Tune {
        /// What.
        setting: Setting,
        /// Its value; of a ratio, the bits of the number.
        value: u64,
    },
    /// `lru tune`.
    TuneLru {
        /// Part of the memory in percent.
        hot_percent: u32,
        /// The same.
        warm_percent: u32,
        /// The bits of a number.
        hot_factor: u32,
        /// The same.
        warm_factor: u32,
    },
    /// `lru temp_ttl`; negative turns it off.
    TemporaryTtl(i32),
}

/// A wish to see items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dump {
    /// How.
    pub form: Form,
    /// Bit `n`: those of size class `n`; no bit: the client asked for classes that there cannot be.
    pub classes: u64,
    /// At most so many; 0: all.
    pub limit: u32,
}

/// A group of statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
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
