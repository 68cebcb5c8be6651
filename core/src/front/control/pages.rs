//! Requests of HTTP: short answers, and the heads of pages.

use super::{Administrative, After, ControlReplies, Position, dumping::Dumping, page_dump::PageDump};
use crate::{
    boundary::host::HostRequest,
    clock::Time,
    command::Broadcast,
    protocol::http::{self, Asked, HttpRequest, PagePlace},
    statistics::HostStatistics,
};
use alloc::vec::Vec;

impl Administrative for HttpRequest {
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        [(self.asked == Asked::Ready).then_some(Broadcast::Tuned), None]
    }

    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        (self.asked == Asked::Ready).then_some(HostRequest::Statistics)
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, replies: &ControlReplies<'_>) -> After {
        let (form, time) = (self.form, replies.time);
        match self.asked {
            Asked::Page(kind) => {
                http::begin_page(out, kind, form, time);
                if !form.head_only {
                    return After::Dumping(Dumping::page(PageDump { place: PagePlace::first(kind), form }));
                }
            }
            Asked::Live => http::answer_health(out, true, form, time),
            Asked::Ready => http::answer_health(out, is_ready(replies), form, time),
            Asked::Refused(status) => http::answer_refusal(out, status, form, time),
        }
        if form.closes { After::Closing } else { After::Requests }
    }
}

/// Whether every store answers and the host accepts connections. A host that does not say accepts them.
fn is_ready(replies: &ControlReplies<'_>) -> bool {
    let accepts = replies.host.is_empty() || HostStatistics::decode(replies.host).accepting_conns != 0;
    accepts && !replies.is_lost
}
