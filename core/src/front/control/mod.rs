//! Administrative commands, one file a group. Each has its three parts in one place: the broadcasts for the shards,
//! the request to the host, and the answer to the client.

mod crawler;
mod dumping;
mod flush;
mod items;
mod listing;
#[cfg(feature = "http")]
mod page_dump;
#[cfg(feature = "http")]
mod pages;
mod server;
mod settings;
mod statistics;
mod tuning;
mod watch;

pub(super) use dumping::{Dumping, PieceReplies};

use crate::{
    boundary::{
        batch,
        config::Config,
        event::Kinds,
        host::{HostRequest, Target},
    },
    clock::Time,
    command::Broadcast,
    protocol::control::Control,
    settings::Setting,
    wire::Reader,
};
use alloc::vec::Vec;

/// The halves of an administrative command.
pub(super) trait Administrative {
    /// Broadcasts for the shards, in this order.
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        [None, None]
    }

    /// The shards that receive them.
    fn target(&self) -> Target {
        Target::EVERY_SHARD
    }

    /// The request to the host.
    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        None
    }

    /// Encodes the answer in lines and returns what the connection does next.
    fn answer(&self, out: &mut Vec<u8>, position: Position, replies: &ControlReplies<'_>) -> After;
}

/// The halves of `control`.
pub(super) fn administrative(control: &Control) -> &dyn Administrative {
    match control {
        Control::Flush(flush) => flush,
        Control::Statistics(group) => group,
        Control::Tune(tune) => tune,
        Control::Crawler(crawler) => crawler,
        Control::List(dump) => dump,
        Control::Continue(continuation) => continuation,
        Control::Watch(kinds) => kinds,
        Control::Server(server) => server,
        #[cfg(feature = "http")]
        Control::Http(request) => request,
    }
}

/// Where a command stands in the input of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// Other requests of the connection came before it in the same turn.
    pub(super) follows: bool,
    /// It came in a datagram: nothing can be shown for longer than one answer takes.
    pub(super) in_datagram: bool,
}

/// Everything an answer is made of.
pub(super) struct ControlReplies<'a> {
    pub(super) config: &'a Config,
    pub(super) time: &'a Time,
    /// Replies of the shards to the first broadcast, one after the other.
    pub(super) first: &'a [u8],
    /// Replies to the second.
    pub(super) second: &'a [u8],
    pub(super) host: &'a [u8],
    /// A shard trapped instead of replying.
    #[cfg(feature = "http")]
    pub(super) is_lost: bool,
}

/// The next step of the connection after an administrative command.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// It continues with the next request.
    Requests,
    /// The same, but the answer is sent even if the client wants none.
    RequestsWithAnswer,
    /// It closes.
    Closing,
    /// It answers in pieces first.
    Dumping(Dumping),
    /// It shows events from now on.
    Watching(Kinds),
}

/// The value of a setting among those that the shards remember.
fn tuned(answer: &[u8], wanted: Setting) -> Option<u64> {
    tuned_settings(answer).find(|(setting, _)| *setting == wanted).map(|(_, value)| value)
}

/// The settings that the shards remember, and their values.
fn tuned_settings(answer: &[u8]) -> impl Iterator<Item = (Setting, u64)> + '_ {
    let mut r = Reader(answer);
    core::iter::from_fn(move || batch::decode_tuned(&mut r))
}
