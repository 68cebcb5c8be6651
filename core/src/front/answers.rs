//! The answers to pending commands from the replies of other guests.

use super::{Front, pending::Input, watch};
use crate::{reply::Reply, statistics::RefusalKind};

impl Front {
    /// Answers the pending commands from the replies to their runs.
    pub fn answer_runs(&mut self) {
        let (mut answered, mut executed, mut unread) = (0, 0, None);
        let watched_as = self.watched_as();
        let mut replies = self.runs.replies();
        let leaving = &mut self.leaving;
        let bytes = self.inbound.bytes(&self.connections);
        let input = Input { bytes, decoded: &self.decoded, time: &self.context.time };
        for (number, pending) in self.pending.iter().enumerate() {
            let reply = if pending.is_command() {
                if watched_as.is_none() && replies.answer_usual(number, pending, input, &mut self.output) {
                    (answered, unread) = (answered + 1, None);
                    continue;
                }
                match replies.next(number) {
                    Some(reply) => Some(reply),
                    None => {
                        executed = replies.executed_from(number, &self.pending, leaving);
                        break;
                    }
                }
            } else {
                None
            };
            pending.answer(&mut self.output, input, reply.as_ref(), &mut self.refusals);
            if let (Some(descriptor), Some(reply)) = (watched_as, &reply) {
                watch::record(&mut self.events, pending, input, reply, descriptor);
            }
            answered += 1;
            unread = reply.as_ref().and_then(Reply::unread);
            if unread.is_some() {
                executed = replies.executed_from(answered, &self.pending, leaving);
                break;
            }
        }
        let lost = replies.lost;
        if lost > 0 {
            self.refusals.add(RefusalKind::LostRequest, lost);
        }
        let is_whole = answered == self.pending.len();
        self.runs.finish(is_whole);
        if !is_whole || self.runs.repeated != 0 {
            let repeated = self.runs.repeated_after(answered, executed);
            if let Some(connection) = self.connections.get_mut(self.inbound.connection) {
                connection.keep_repeated_reads(repeated);
            }
        }
        if let Some(unread) = unread {
            self.begin_stream(answered - 1, unread);
        }
        self.retire(answered);
    }
}
