//! `shutdown`, `debugtime`, `refresh_certs`.

use super::{Administrative, After, ControlReplies, Position};
use crate::{
    boundary::host::{HostRequest, Refreshed},
    protocol::{
        control::ServerControl,
        text::{self, words},
    },
};
use alloc::vec::Vec;

impl Administrative for ServerControl {
    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        Some(match *self {
            Self::Shutdown { graceful } => HostRequest::Shutdown { graceful },
            Self::Clock(order) => HostRequest::Clock(order),
            Self::RefreshCertificates => HostRequest::RefreshCertificates,
        })
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, replies: &ControlReplies<'_>) -> After {
        match self {
            Self::Shutdown { .. } => return After::Closing,
            Self::Clock(_) => out.extend_from_slice(words::OK),
            Self::RefreshCertificates => match Refreshed::decode(replies.host) {
                Refreshed::Done => out.extend_from_slice(words::OK),
                // memcached reports a failure to clients that want no answer, too.
                Refreshed::Off => {
                    out.extend_from_slice(words::TLS_OFF);
                    return After::RequestsWithAnswer;
                }
                Refreshed::Refused(reason) => {
                    text::answer_refusal(out, &reason);
                    return After::RequestsWithAnswer;
                }
            },
        }
        After::Requests
    }
}
