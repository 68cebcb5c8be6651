//! `watch`: the connection shows events from then on.

use super::{Administrative, After, ControlReplies, Position};
use crate::{
    boundary::{event::Kinds, host::HostRequest},
    protocol::text::words,
};
use alloc::vec::Vec;

impl Administrative for Kinds {
    fn host_request(&self, position: Position) -> Option<HostRequest> {
        let is_allowed = *self != Self::NONE && !position.follows && !position.in_datagram;
        is_allowed.then_some(HostRequest::Watch(self.0))
    }

    fn answer(&self, out: &mut Vec<u8>, position: Position, replies: &ControlReplies<'_>) -> After {
        let refusal = match replies.host {
            _ if position.in_datagram => words::WATCH_NOT_ALLOWED,
            _ if position.follows => words::WATCH_PIPELINED,
            _ if *self == Self::NONE => words::ERROR,
            [1] => {
                out.extend_from_slice(words::OK);
                return After::Watching(*self);
            }
            [0] => words::WATCHERS_TOO_MANY,
            _ => words::WATCHER_FAILED,
        };
        out.extend_from_slice(refusal);
        After::Requests
    }
}
