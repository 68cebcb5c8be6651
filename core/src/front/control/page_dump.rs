//! A page of statistics, piece by piece. Each piece has the numbers of its own moment, so that a connection between two
//! pieces owns nothing but its place.

use super::{ControlReplies, settings::settings};
use crate::{
    command::Broadcast,
    limits,
    protocol::http::{self, AnswerForm, PageNumbers, PagePlace},
    statistics::{Classes, Counters, HostStatistics, Numbers, RefusalKind, Refusals},
};
use alloc::vec::Vec;

/// A page, and the place that it has reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageDump {
    pub(super) place: PagePlace,
    pub(super) form: AnswerForm,
}

impl PageDump {
    /// The broadcasts for the rows from `place` on.
    pub(super) fn broadcasts(place: PagePlace) -> [Option<Broadcast>; 2] {
        if place.is_in_classes() {
            [Some(Broadcast::Classes), None]
        } else {
            [Some(Broadcast::Counters), Some(Broadcast::Tuned)]
        }
    }

    /// Appends rows. Returns whether they were the last. A page without the numbers of a shard would show counters that
    /// fall: the connection ends before the page does.
    pub(super) fn answer(&mut self, out: &mut Vec<u8>, piece: &ControlReplies<'_>, refusals: &mut Refusals) -> bool {
        if piece.is_lost {
            refusals.count(RefusalKind::LostRequest);
            self.form.closes = true;
            return true;
        }
        let start = http::begin_chunk(out, self.form);
        let room = limits::DUMP_PIECE_BYTES as usize;
        if self.place.is_in_classes() {
            let classes = Classes::decode_merged(piece.first);
            self.place.write(out, &PageNumbers::Classes(&classes), room);
        } else {
            let numbers = Numbers {
                store: Counters::decode_merged(piece.first),
                host: HostStatistics::decode(piece.host),
                time: piece.time.unix(piece.time.now),
            };
            let settings = settings(piece.config, piece.second, piece.host);
            let numbers = PageNumbers::Server { config: piece.config, numbers: &numbers, settings: &settings };
            self.place.write(out, &numbers, room);
        }
        let is_last = self.place.is_at_end();
        http::end_chunk(out, self.form, start, is_last);
        is_last
    }
}
