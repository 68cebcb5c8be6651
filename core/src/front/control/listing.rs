//! `lru_crawler metadump`, `mgdump` and `stats cachedump`: the beginning of a list of items, or its refusal.

use super::{Administrative, After, ControlReplies, Position, dumping::Dumping};
use crate::{
    boundary::{config::Config, host::HostRequest},
    clock::Time,
    command::Broadcast,
    protocol::{
        control::{Dump, ListingFormat},
        text::words,
    },
};
use alloc::vec::Vec;

impl Administrative for Dump {
    fn broadcasts(&self, position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        let walks = self.format != ListingFormat::Items && !position.in_datagram;
        [walks.then_some(Broadcast::BeginWalk), None]
    }

    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        Some(HostRequest::Losses)
    }

    fn answer(&self, out: &mut Vec<u8>, position: Position, replies: &ControlReplies<'_>) -> After {
        if let Some(refusal) = refusal(*self, position, replies.config, replies.first) {
            out.extend_from_slice(refusal);
            return After::Requests;
        }
        out.extend_from_slice(self.format.head());
        After::Dumping(Dumping::items(*self))
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
