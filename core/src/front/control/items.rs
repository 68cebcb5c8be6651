//! A list of items: one bounded piece of one shard after the other.

use crate::{
    boundary::listing::{BEGIN, END, Piece},
    clock::Time,
    command::Walk,
    limits,
    protocol::{
        control::{Continuation, Dump, ListingFormat},
        text,
    },
};
use alloc::vec::Vec;

/// Most bytes that memcached's `stats cachedump` shows of a class.
const ITEMS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The place of a connection among the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ItemsPlace {
    dump: Dump,
    shard: u32,
    cursor: u64,
    /// Items still to show.
    left: u32,
    /// Bytes still to show.
    bytes_left: usize,
}

impl ItemsPlace {
    /// The first item of the first shard.
    pub(super) fn new(dump: Dump) -> Self {
        let is_bounded = dump.format == ListingFormat::Items;
        Self {
            dump,
            shard: 0,
            cursor: BEGIN,
            left: if dump.limit == 0 { u32::MAX } else { dump.limit },
            bytes_left: if is_bounded { ITEMS_BYTES_MAX } else { usize::MAX },
        }
    }

    /// The command for the next piece.
    pub(super) fn next(&self) -> Continuation {
        let walk = Walk { cursor: self.cursor, classes: self.dump.classes, room: limits::DUMP_PIECE_BYTES };
        Continuation::Items { shard: self.shard, walk }
    }

    /// Appends a piece, and the end behind the last. Returns whether it was the last.
    pub(super) fn answer(&mut self, out: &mut Vec<u8>, piece: &[u8], shards: u32, time: &Time) -> bool {
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
        let is_last = self.shard >= shards || self.left == 0;
        if is_last {
            out.extend_from_slice(self.dump.format.tail());
        }
        is_last
    }
}
