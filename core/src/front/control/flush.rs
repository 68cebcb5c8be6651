//! `flush_all`.

use super::{Administrative, After, ControlReplies, Position};
use crate::{
    clock::{Expiry, Seconds, Time},
    command::Broadcast,
    protocol::{control::Flush, text::words},
};
use alloc::vec::Vec;

impl Administrative for Flush {
    fn broadcasts(&self, _position: Position, time: &Time) -> [Option<Broadcast>; 2] {
        let broadcast = match *self {
            Self::At { exptime } => Broadcast::Flush { at: flush_time(exptime, time) },
            Self::Refused(_) => Broadcast::RefuseFlush,
        };
        [Some(broadcast), None]
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, _replies: &ControlReplies<'_>) -> After {
        out.extend_from_slice(match self {
            Self::At { .. } => words::OK,
            Self::Refused(text) => text,
        });
        After::Requests
    }
}

/// The moment at which a flush takes effect: now if `exptime` is not positive or names a moment in the past.
fn flush_time(exptime: i64, time: &Time) -> Seconds {
    if exptime <= 0 { time.now } else { Expiry::from_exptime(exptime, time).0 }
}
