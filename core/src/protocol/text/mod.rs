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

pub use encode::{answer_found, answer_found_whole, answer_refusal, answer_status};
pub use listing::answer_listed;
pub use login::{TextLogin, parse_login};
pub use parse::{SingleGet, continue_retrieval, parse, parse_single_get};
pub use statistics::{
    answer_classes, answer_connection, answer_general, answer_prefix, answer_settings, answer_size,
    answer_sizes_disabled, answer_slabs,
};

pub use watch::answer_event;

use super::{KeyRequest, Span, control::Control};
use crate::clock::Expiry;

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRequest {
    /// Keys to read; each becomes a command of its own.
    Retrieve(Retrieve),
    /// One command on one key.
    Command(KeyRequest<TextFormat>),
    /// A request that needs no execution: the answer is `text`, and `swallow` bytes of data behind it are ignored.
    Answer {
        /// With its line end.
        text: &'static [u8],
        /// Bytes of a data block that belongs to a refused line.
        swallow: u64,
    },
    /// An administrative command.
    Control {
        /// The command.
        control: Control,
        /// The client wants no answer.
        noreply: bool,
    },
    /// `quit`: close when everything before it is answered.
    Quit,
}

/// See [`TextRequest::Retrieve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieve {
    /// `gets`, `gats`: show uniques.
    pub cas: bool,
    /// `gat`, `gats`.
    pub touch: Option<Expiry>,
    /// The keys and the spaces between them: everything up to the line's end.
    pub keys: Span,
    /// Whether the line ended; otherwise more keys follow ([`continue_retrieval`]).
    pub whole: bool,
}

/// Details of a request that only the encoder needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextFormat {
    /// The client wants no answer.
    pub noreply: bool,
}
