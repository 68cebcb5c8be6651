//! Barriers: requests that concern all shards or the host. No other request of the connection runs beside one.

use super::{
    control::{Administrative, After, ControlReplies, Position, administrative},
    runs::{ReplySlot, Runs},
};
use crate::{
    boundary::{
        batch,
        config::Config,
        host::{HostRequest, Target},
    },
    clock::Time,
    command::Broadcast,
    protocol::{binary, control::Control, text::words},
    statistics::{RefusalKind, Refusals},
};
use alloc::vec::Vec;

/// An administrative command, and how it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Barrier {
    pub(super) control: Control,
    pub(super) format: ControlFormat,
    pub(super) position: Position,
}

/// How a barrier is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum ControlFormat {
    /// In lines.
    Text,
    /// Not at all.
    Silent,
    /// In packets.
    Packets(binary::PacketFormat),
}

impl Barrier {
    /// The first of its turn, in a stream.
    pub(super) fn new(control: Control, format: ControlFormat) -> Self {
        Self { control, format, position: Position::default() }
    }

    /// Broadcasts for the shards, in this order.
    pub fn broadcasts(&self, time: &Time) -> impl Iterator<Item = (ReplySlot, Broadcast)> + use<> {
        let [first, second] = self.administrative().broadcasts(self.position, time);
        [(ReplySlot::First, first), (ReplySlot::Second, second)].into_iter().filter_map(|(slot, b)| Some((slot, b?)))
    }

    /// Whether it ends the turn of its connection.
    pub(super) fn is_walk(&self, time: &Time) -> bool {
        self.broadcasts(time).any(|(_, broadcast)| broadcast.is_walk())
    }

    /// The shards that receive them.
    fn target(&self) -> Target {
        self.administrative().target()
    }

    /// The request to the host.
    pub fn host_request(&self) -> Option<HostRequest> {
        self.administrative().host_request(self.position)
    }

    /// Encodes the answer from the replies of the runs, and returns what the connection does next.
    pub(super) fn answer(
        &self,
        out: &mut Vec<u8>,
        config: &Config,
        runs: &Runs,
        time: &Time,
        refusals: &mut Refusals,
    ) -> After {
        let start = out.len();
        let (first, second) = (runs.replies_of(ReplySlot::First), runs.replies_of(ReplySlot::Second));
        let replies = ControlReplies {
            config,
            time,
            first,
            second,
            host: runs.replies_of(ReplySlot::Host),
            #[cfg(feature = "http")]
            is_lost: runs.has_losses(),
        };
        let after = self.administrative().answer(out, self.position, &replies);
        if matches!(after, After::Requests | After::RequestsWithAnswer)
            && out.len() > start
            && words::refuses(&out[start..])
        {
            refusals.count(RefusalKind::RequestError);
        }
        if let After::Dumping(dumping) = after {
            return After::Dumping(dumping.begun(self.format, replies.host));
        }
        if matches!(after, After::Requests) {
            match self.format {
                ControlFormat::Text => {}
                ControlFormat::Silent => out.truncate(start),
                ControlFormat::Packets(format) => self.translate(out, start, format),
            }
        }
        after
    }

    fn administrative(&self) -> &dyn Administrative {
        administrative(&self.control)
    }

    /// Replaces the lines from `start` on by packets.
    fn translate(&self, out: &mut Vec<u8>, start: usize, format: binary::PacketFormat) {
        if matches!(self.control, Control::Statistics(_)) {
            binary::encode_statistics(out, start, format, None);
            return binary::end_statistics(out, format);
        }
        out.truncate(start);
        if !format.quiet {
            binary::status(out, format, binary::PacketStatus::Success);
        }
    }
}

impl Runs {
    pub(super) fn load_barrier(&mut self, barrier: &Barrier, time: &Time, solo: bool) {
        self.clear();
        if !solo {
            for (slot, broadcast) in barrier.broadcasts(time) {
                let start = self.orders.len();
                batch::encode_broadcast(&mut self.orders, broadcast);
                self.add_run(barrier.target(), start, 1);
                self.slots.push(slot);
            }
        }
        // A solo engine loses its connections with its store.
        if let Some(request) = barrier.host_request().filter(|request| !solo || *request != HostRequest::Losses) {
            let start = self.orders.len();
            request.encode(&mut self.orders);
            self.add_run(Target::HOST, start, 1);
            self.slots.push(ReplySlot::Host);
        }
    }
}
