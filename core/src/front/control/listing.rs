//! `lru_crawler metadump`, `mgdump` and `stats cachedump`: a connection shows items, one bounded piece of one shard after
//! the other. It owns no copy of them: between two pieces it remembers a place in the order of hashes, so a slow reader
//! costs nothing.

use super::{Administrative, After, ControlReplies, Position};
use crate::{
    boundary::{
        config::Config,
        host::Target,
        listing::{BEGIN, END, Piece},
    },
    clock::Time,
    command::{Broadcast, Walk},
    protocol::{
        control::{Control, Dump, Listing, ListingFormat},
        text::{self, words},
    },
};
use alloc::vec::Vec;

impl Administrative for Listing {
    fn broadcasts(&self, position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        match *self {
            Self::Begin(dump) if dump.format == ListingFormat::Items || position.in_datagram => [None, None],
            Self::Begin(_) => [Some(Broadcast::BeginWalk), None],
            Self::Next { walk, .. } => [Some(Broadcast::Walk(walk)), None],
        }
    }

    fn target(&self) -> Target {
        match *self {
            Self::Begin(_) => Target::EVERY_SHARD,
            Self::Next { shard, .. } => Target(shard),
        }
    }

    /// [`Dumping::answer`] encodes the pieces.
    fn answer(&self, out: &mut Vec<u8>, position: Position, replies: &ControlReplies<'_>) -> After {
        let Self::Begin(dump) = *self else { return After::Requests };
        if let Some(refusal) = refusal(dump, position, replies.config, replies.first) {
            out.extend_from_slice(refusal);
            return After::Requests;
        }
        out.extend_from_slice(dump.format.head());
        After::Dumping(dump)
    }
}

/// The reason why no items are shown, if there is one; of several, the one that memcached reports.
fn refusal(dump: Dump, position: Position, config: &Config, crawler: &[u8]) -> Option<&'static [u8]> {
    let format = dump.format;
    if position.in_datagram {
        Some(format.not_allowed())
    } else if format == ListingFormat::Items {
        None
    } else if crawler.first() == Some(&0) {
        Some(words::CRAWLER_DISABLED)
    } else if !config.permissions.dump {
        Some(format.not_allowed())
    } else if position.follows {
        Some(format.pipelined())
    } else if dump.classes == 0 {
        Some(words::BAD_CLASS)
    } else {
        None
    }
}

/// Bytes of records that a piece asks for.
const PIECE_BYTES: u32 = 16 * 1024;
/// Most bytes that memcached's `stats cachedump` shows of a class.
const ITEMS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A listing in progress.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct Dumping {
    dump: Dump,
    shard: u32,
    shards: u32,
    cursor: u64,
    /// Items still to show.
    left: u32,
    /// Bytes still to show.
    bytes_left: usize,
}

impl Dumping {
    /// From the first item of the first of `shards`.
    pub(in crate::front) fn new(dump: Dump, shards: u32) -> Self {
        let is_bounded = dump.format == ListingFormat::Items;
        Self {
            dump,
            shard: 0,
            shards,
            cursor: BEGIN,
            left: if dump.limit == 0 { u32::MAX } else { dump.limit },
            bytes_left: if is_bounded { ITEMS_BYTES_MAX } else { usize::MAX },
        }
    }

    /// The command for the next piece.
    pub(in crate::front) fn next(&self) -> Control {
        let walk = Walk { cursor: self.cursor, classes: self.dump.classes, room: PIECE_BYTES };
        Control::List(Listing::Next { shard: self.shard, walk })
    }

    /// Encodes a piece. Returns whether it was the last.
    pub(in crate::front) fn answer(&mut self, out: &mut Vec<u8>, piece: &[u8], time: &Time) -> bool {
        let mut piece = Piece::decode(piece);
        self.cursor = piece.cursor;
        for item in piece.by_ref() {
            let before = out.len();
            text::answer_listed(out, self.dump.format, &item, time);
            let bytes = out.len() - before;
            if self.left == 0 || bytes > self.bytes_left {
                out.truncate(before);
                self.left = 0;
                break;
            }
            self.left -= 1;
            self.bytes_left -= bytes;
        }
        if self.cursor == END {
            self.cursor = BEGIN;
            self.shard += 1;
        }
        let is_over = self.shard >= self.shards || self.left == 0;
        if is_over {
            out.extend_from_slice(self.dump.format.tail());
        }
        is_over
    }
}
