//! `stats` and its groups.

use super::{Administrative, After, ControlReplies, Position, dumping::Dumping, settings::settings};
use crate::{
    boundary::host::HostRequest,
    clock::Time,
    command::Broadcast,
    protocol::{
        control::{Detail, StatisticsGroup},
        text::{self, words},
    },
    statistics::{Classes, Counters, HostStatistics},
};
use alloc::vec::Vec;

impl Administrative for StatisticsGroup {
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        match *self {
            Self::General => [Some(Broadcast::Counters), None],
            Self::Settings => [Some(Broadcast::Tuned), None],
            Self::Items => [Some(Broadcast::Classes), None],
            Self::Slabs => [Some(Broadcast::Classes), Some(Broadcast::Counters)],
            Self::Sizes | Self::Connections | Self::Detail(Detail::Dump) => [None, None],
            Self::Reset => [Some(Broadcast::ResetCounters), None],
            Self::Detail(detail) => [Some(Broadcast::CountPrefixes(detail == Detail::On)), None],
        }
    }

    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        match self {
            Self::General | Self::Settings => Some(HostRequest::Statistics),
            Self::Reset => Some(HostRequest::ResetStatistics),
            Self::Sizes | Self::Detail(Detail::Dump) => Some(HostRequest::Losses),
            Self::Connections | Self::Items | Self::Slabs | Self::Detail(_) => None,
        }
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, replies: &ControlReplies<'_>) -> After {
        let &ControlReplies { config, time, first, second, host, .. } = replies;
        match self {
            Self::General => {
                text::answer_general(out, config, &Counters::decode_merged(first), &HostStatistics::decode(host), time);
            }
            Self::Settings => text::answer_settings(out, &settings(config, first, host)),
            Self::Items => text::answer_classes(out, &Classes::decode_merged(first)),
            Self::Slabs => text::answer_slabs(out, &Classes::decode_merged(first), &Counters::decode_merged(second)),
            Self::Sizes => return After::Dumping(Dumping::sizes()),
            Self::Connections => return After::Dumping(Dumping::connections()),
            Self::Reset => out.extend_from_slice(words::RESET),
            Self::Detail(Detail::Dump) => return After::Dumping(Dumping::prefixes()),
            Self::Detail(Detail::On | Detail::Off) => out.extend_from_slice(words::OK),
        }
        After::Requests
    }
}
