//! A connection that is being shown items: one bounded piece of one shard after the other. It owns no copy of them; what
//! is remembered between two pieces is a place in the order of hashes, so a slow reader costs nothing.

use crate::front::barrier::{Barrier, Style};
use crate::{
    boundary::listing::{BEGIN, END, Piece},
    command::Walk,
    protocol::text::{self, Control, Dump, Form},
};
use alloc::vec::Vec;

/// Bytes of records that a piece asks for.
const PIECE_BYTES: u32 = 16 * 1024;
/// What memcached's `stats cachedump` can show of a class.
const ITEMS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// See the module.
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
        let is_bounded = dump.form == Form::Items;
        Self {
            dump,
            shard: 0,
            shards,
            cursor: BEGIN,
            left: if dump.limit == 0 { u32::MAX } else { dump.limit },
            bytes_left: if is_bounded { ITEMS_BYTES_MAX } else { usize::MAX },
        }
    }

    /// What asks for the next piece.
    pub(in crate::front) fn barrier(&self) -> Barrier {
        let walk = Walk { cursor: self.cursor, classes: self.dump.classes, room: PIECE_BYTES };
        Barrier::new(Control::Walk { shard: self.shard, walk }, Style::Text)
    }

    /// Shows a piece. True: that was the last.
    pub(in crate::front) fn answer(&mut self, out: &mut Vec<u8>, piece: &[u8]) -> bool {
        let mut piece = Piece::decode(piece);
        self.cursor = piece.cursor;
        for item in piece.by_ref() {
            let before = out.len();
            text::answer_listed(out, self.dump.form, &item);
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
            out.extend_from_slice(self.dump.form.tail());
        }
        is_over
    }
}
