//! Administrative commands except `flush_all` and the groups of `stats`: memory limit, upkeep, listings, clock, shutdown, events.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{TextRequest, parse::TextLine, watch, words};
use crate::{
    boundary::{event::Kinds, host::ClockOrder},
    command::Eviction,
    decimal,
    protocol::{
        Verdict,
        control::{Control, Crawler, Dump, ListingFormat, ServerControl, Tune},
        token::{self, Tokens},
    },
    settings::Setting,
    statistics::CLASSES,
};

/// Every class. Classes begin at 1, so bit 0 stands for none.
const ALL_CLASSES: u64 = !1;
/// Longest sleep of the crawler, microseconds.
const SLEEP_US_MAX: u32 = 1_000_000;
/// Seconds of `slabs automove window`.
const WINDOW_S: core::ops::RangeInclusive<u32> = 3..=1800;

impl TextLine<'_> {
    pub(super) fn memory_limit(&self) -> Verdict<TextRequest> {
        match token::digits_u32(self.argument(0)) {
            None => self.answer_unless_noreply(words::ERROR),
            Some(0..8) => self.answer_unless_noreply(words::MEMLIMIT_TOO_SMALL),
            Some(1_000_000_001..) => self.answer_unless_noreply(words::MEMLIMIT_NOT_BYTES),
            Some(mebibytes) => self.control(Control::Tune(Tune::MemoryLimit { mebibytes })),
        }
    }

    /// `flat` is the exact order of use, `segmented` the default policy. The store has no parts with sizes and no list
    /// of short-lived items, so it accepts every well-formed value for them and ignores it.
    pub(super) fn lru(&self) -> Verdict<TextRequest> {
        let tuned = match self.argument(0) {
            b"mode" => match self.argument(1) {
                b"flat" => return self.control(Control::Tune(Tune::Eviction(Eviction::Lru))),
                b"segmented" => return self.control(Control::Tune(Tune::Eviction(Eviction::S3Fifo))),
                _ => None,
            },
            b"tune" => self.lru_tune(),
            b"temp_ttl" => {
                token::loose_i32(self.argument(1)).map(|ttl| self.control(Control::Tune(Tune::TemporaryTtl(ttl))))
            }
            _ => None,
        };
        tuned.unwrap_or_else(|| self.answer_unless_noreply(words::ERROR))
    }

    fn lru_tune(&self) -> Option<Verdict<TextRequest>> {
        let percent = |number| token::digits_u32(self.argument(number));
        let factor = |number| decimal::parse(self.argument(number));
        let (hot_percent, warm_percent, hot_age, warm_age) = (percent(1)?, percent(2)?, factor(3)?, factor(4)?);
        Some(if hot_percent.saturating_add(warm_percent) > 80 {
            self.answer_unless_noreply(words::LRU_TOO_MUCH)
        } else if hot_age <= 0.0 || warm_age <= 0.0 {
            self.answer_unless_noreply(words::LRU_NO_AGE)
        } else {
            let (hot_factor, warm_factor) = ((hot_age as f32).to_bits(), (warm_age as f32).to_bits());
            self.control(Control::Tune(Tune::Lru { hot_percent, warm_percent, hot_factor, warm_factor }))
        })
    }

    pub(super) fn verbosity(&self) -> Verdict<TextRequest> {
        match token::digits_u32(self.argument(0)) {
            Some(level) => self.control(Control::Tune(Tune::Verbosity { level: level.min(2) })),
            None => self.answer_unless_noreply(words::BAD_FORMAT),
        }
    }

    pub(super) fn shutdown(&self) -> Verdict<TextRequest> {
        if !self.context.permissions.shutdown {
            return self.answer_unless_noreply(words::SHUTDOWN_DISABLED);
        }
        let mut tokens = Tokens::new(self.arguments);
        match (tokens.next_bytes(), tokens.next_bytes()) {
            (b"", _) => self.control(Control::Server(ServerControl::Shutdown { graceful: false })),
            (b"graceful", b"") => self.control(Control::Server(ServerControl::Shutdown { graceful: true })),
            _ => self.answer_unless_noreply(words::INVALID_SHUTDOWN),
        }
    }

    pub(super) fn debug_time(&self) -> Verdict<TextRequest> {
        let order = match Tokens::new(self.arguments).next_bytes() {
            b"p" => ClockOrder::Pause,
            b"r" => ClockOrder::Resume,
            seconds => match core::str::from_utf8(seconds).map(str::parse) {
                Ok(Ok(seconds)) => ClockOrder::Move(seconds),
                _ => return self.answer(words::ERROR),
            },
        };
        self.control(Control::Server(ServerControl::Clock(order)))
    }

    /// Tokens after the first word, a trailing `noreply` aside.
    fn arguments_count(&self) -> usize {
        Tokens::new(self.arguments).count().saturating_sub(usize::from(self.noreply()))
    }

    /// `lru_crawler`
    pub(super) fn crawler(&self) -> Verdict<TextRequest> {
        let control = match (self.argument(0), self.arguments_count()) {
            (b"enable", 1) => Control::Crawler(Crawler::Enable(true)),
            (b"disable", 1) => Control::Crawler(Crawler::Enable(false)),
            (b"crawl", 2) => Control::Crawler(match self.argument(1) {
                b"hash" => Crawler::RefuseCrawl(words::CRAWLER_UNKNOWN),
                ids if classes(ids) == 0 => Crawler::RefuseCrawl(words::BAD_CLASS),
                _ => Crawler::Crawl,
            }),
            (b"metadump", 2) => return self.dump(ListingFormat::Metadata),
            (b"mgdump", 2) => return self.dump(ListingFormat::Keys),
            (b"sleep", 2) => match token::digits_u32(self.argument(1)) {
                None => return self.answer_unless_noreply(words::BAD_FORMAT),
                Some(value) if value > SLEEP_US_MAX => return self.answer_unless_noreply(words::SLEEP_TOO_LONG),
                Some(value) => Control::Tune(Tune::Setting { setting: Setting::LruCrawlerSleep, value: value.into() }),
            },
            (b"tocrawl", 2) => match token::digits_u32(self.argument(1)) {
                None => return self.answer_unless_noreply(words::BAD_FORMAT),
                Some(value) => {
                    Control::Tune(Tune::Setting { setting: Setting::LruCrawlerTocrawl, value: value.into() })
                }
            },
            _ => return self.answer_unless_noreply(words::ERROR),
        };
        self.control(control)
    }

    fn dump(&self, format: ListingFormat) -> Verdict<TextRequest> {
        // memcached counts `noreply` among the arguments here, and refuses it, in silence.
        if self.noreply() {
            return self.answer(b"");
        }
        let classes = if self.argument(1) == b"hash" { ALL_CLASSES } else { classes(self.argument(1)) };
        self.control(Control::List(Dump { format, classes, limit: 0 }))
    }

    /// All classes use the same memory, so nothing is ever reassigned.
    pub(super) fn slabs(&self) -> Verdict<TextRequest> {
        match (self.argument(0), self.arguments_count()) {
            (b"reassign", 3) => {
                let class = |number| token::loose_i32(self.argument(number));
                let (Some(from), Some(to)) = (class(1), class(2)) else {
                    return self.answer_unless_noreply(words::BAD_FORMAT);
                };
                let is_class = |class: i32| usize::try_from(class).is_ok_and(|class| class < CLASSES);
                self.answer_unless_noreply(if !self.context.slab_reassign {
                    words::REASSIGN_DISABLED
                } else if from == to {
                    words::SAME_CLASS
                } else if is_class(from) && is_class(to) {
                    words::NO_SPARE_PAGES
                } else {
                    words::BAD_CLASSES
                })
            }
            (b"automove", 2..) => self.automove(),
            _ => self.answer_unless_noreply(words::ERROR),
        }
    }

    fn automove(&self) -> Verdict<TextRequest> {
        let ratio = || decimal::parse(self.argument(2)).filter(|ratio| !ratio.is_nan());
        let refusal = match (self.argument(1), self.arguments_count()) {
            (b"ratio", 3..) => match ratio() {
                Some(ratio) => {
                    return self.control(Control::Tune(Tune::Setting {
                        setting: Setting::SlabAutomoveRatio,
                        value: ratio.to_bits(),
                    }));
                }
                None => words::ERROR,
            },
            (b"freeratio", 3..) => ratio().map_or(words::ERROR, |_| words::OK),
            (b"ratio" | b"freeratio", _) => words::ERROR,
            (b"window", 3..) => match token::digits_u32(self.argument(2)) {
                Some(value) if WINDOW_S.contains(&value) => {
                    return self.control(Control::Tune(Tune::Setting {
                        setting: Setting::SlabAutomoveWindow,
                        value: value.into(),
                    }));
                }
                Some(_) => words::BAD_WINDOW,
                None => words::BAD_FORMAT,
            },
            (mode, _) => match token::digits_u32(mode) {
                Some(value @ 0..=2) => {
                    return self
                        .control(Control::Tune(Tune::Setting { setting: Setting::SlabAutomove, value: value.into() }));
                }
                Some(_) => words::ERROR,
                None => words::BAD_FORMAT,
            },
        };
        self.answer_unless_noreply(refusal)
    }

    /// `watch`, which no `noreply` silences.
    pub(super) fn watch(&self) -> Verdict<TextRequest> {
        if !self.context.permissions.watch {
            return self.answer(words::WATCH_NOT_ALLOWED);
        }
        let words = || Tokens::new(self.arguments).map(|word| watch::kind(word.of(self.arguments)));
        let kinds = match words().next() {
            None => Some(Kinds::FETCHES),
            Some(_) => words().try_fold(Kinds::NONE, |kinds, kind| Some(kinds.with(kind?))),
        };
        self.control_with_answer(Control::Watch(kinds.unwrap_or(Kinds::NONE)))
    }

    /// `stats cachedump <class> <limit>`.
    pub(super) fn cachedump(&self) -> Verdict<TextRequest> {
        if !self.context.permissions.dump {
            return self.answer(words::CACHEDUMP_NOT_ALLOWED);
        }
        if self.argument(2).is_empty() {
            return self.answer(words::BAD_COMMAND_LINE);
        }
        let (Some(class), Some(limit)) = (token::digits_u32(self.argument(1)), token::digits_u32(self.argument(2)))
        else {
            return self.answer(words::BAD_FORMAT);
        };
        match 1u64.checked_shl(class) {
            Some(classes) => {
                self.control_with_answer(Control::List(Dump { format: ListingFormat::Items, classes, limit }))
            }
            None => self.answer(words::ILLEGAL_CLASS),
        }
    }
}

/// The classes of `all` or of numbers with commas between; 0 if one of them is no class.
fn classes(ids: &[u8]) -> u64 {
    if ids == b"all" {
        return ALL_CLASSES;
    }
    let bits = ids.split(|&byte| byte == b',').map(|id| {
        let class = token::digits_u32(id).filter(|&class| class != 0)?;
        1u64.checked_shl(class)
    });
    bits.collect::<Option<alloc::vec::Vec<_>>>().map_or(0, |bits| bits.iter().fold(0, |all, bit| all | bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbers_or_all() {
        assert_eq!(classes(b"all"), ALL_CLASSES);
        assert_eq!(classes(b"1,3,63"), 1 << 1 | 1 << 3 | 1 << 63);
        for bad in [&b""[..], b"0", b"64", b"1,", b"1,x", b"-1", b"hash", b"4294967297"] {
            assert_eq!(classes(bad), 0, "{bad:?}");
        }
    }
}
