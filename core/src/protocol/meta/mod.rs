//! The meta commands: memcached's text protocol with flags of one letter. They share connections with the text
//! protocol; the first word decides ([`recognizes`]).
//!
//! ```text
//! request  = line [data CR LF]             lines and tokens as in the text protocol
//! line     = "mg" key *flag                read; answers EN, HD or VA
//!          | "ms" key bytes *flag data     write; answers HD, NS, EX, NF
//!          | "md" key *flag                remove or make stale; answers HD, NF, EX
//!          | "ma" key *flag                count; answers HD or VA, NF, NS, EX
//!          | "me" key ["b"]                everything known of an item, for people; answers ME or EN
//!          | "mn"                          answers MN, after everything before it
//! flag     = letter [argument]             each letter once; at most 20 tokens in all
//! reply    = code [bytes] *(SPACE flag) CR LF [data CR LF]
//! ```
//!
//! A flag that its command does not know is refused if no command knows it, and ignored otherwise. Flags come back in
//! the order in which they were asked for; behind them `Z` (another client is to write the item anew), `X` (it is
//! stale) and `W` (write it anew). `q` leaves out the answer that says nothing: EN of `mg`, HD and VA of the others.

mod encode;
mod flags;
mod key;
mod parse;
pub mod words;

pub use encode::{Echo, answer, answer_plain_get};
pub use key::{decode_key, encode_key};
pub use parse::{PlainGet, parse, parse_plain_get, recognizes};

use super::{KeyRequest, Span};

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaRequest {
    /// A command on one key.
    Command(KeyRequest<MetaFormat>),
    /// A request that needs no execution: the answer is `text`, and `swallow` bytes of data behind it are ignored.
    Answer {
        /// With its line end.
        text: &'static [u8],
        /// Bytes of a data block that belongs to a refused line.
        swallow: u64,
    },
}

/// Details of a request that only the encoder needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFormat {
    /// Which command.
    pub verb: MetaVerb,
    /// The key came in base64.
    pub encoded_key: bool,
    /// Leave out the usual answer.
    pub quiet: bool,
    /// Each flag is a space and a letter, and changes nothing.
    pub single_letters: bool,
    /// Place of the flags, with the spaces between them.
    pub flags: Span,
}

/// The commands that have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVerb {
    /// `mg`
    Get,
    /// `ms`
    Set,
    /// `md`
    Delete,
    /// `ma`
    Arithmetic,
    /// `me`
    Debug,
}
