//! `lru_crawler crawl`, `enable` and `disable`.

use super::{Administrative, After, ControlReplies, Position, tuned};
use crate::{
    clock::Time,
    command::{Broadcast, Tuning},
    protocol::{control::Crawler, text::words},
    settings::Setting,
    wire::Reader,
};
use alloc::vec::Vec;

impl Administrative for Crawler {
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        let broadcast = match *self {
            Self::Crawl => Broadcast::Crawl,
            Self::RefuseCrawl(_) => Broadcast::Tuned,
            Self::Enable(enable) => Broadcast::Tune(Tuning::one(Setting::LruCrawler, enable.into())),
        };
        [Some(broadcast), None]
    }

    fn answer(&self, out: &mut Vec<u8>, _position: Position, replies: &ControlReplies<'_>) -> After {
        out.extend_from_slice(match *self {
            Self::Crawl if replies.first.first() == Some(&0) => words::CRAWLER_DISABLED,
            Self::Crawl => words::OK,
            Self::RefuseCrawl(_) if tuned(replies.first, Setting::LruCrawler) == Some(0) => words::CRAWLER_DISABLED,
            Self::RefuseCrawl(text) => text,
            Self::Enable(enable) => {
                let before = Reader(replies.first).u64().unwrap_or(u64::MAX);
                if enable && before != 0 { words::CRAWLER_RUNS } else { words::OK }
            }
        });
        After::Requests
    }
}
