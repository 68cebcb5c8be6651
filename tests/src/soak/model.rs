//! What the owner of a key knows of it, and which answers that allows.

use super::{Flush, value::described};
use std::time::{Duration, Instant};

/// How much later than by the client's clock the server's may find that a relative time is over: both count whole
/// seconds, and a busy machine moves the server's clock late.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// When an item must be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Never by itself.
    Never,
    /// When the server's clock shows this.
    ServerTime(u32),
    /// So long after the store was answered.
    Relative(Duration),
}

/// A value that the key holds, unless the server has given it up.
#[derive(Clone, Debug)]
pub struct Known {
    /// The bytes.
    pub value: Vec<u8>,
    /// The client's flags.
    pub flags: u32,
    /// When it has to be gone.
    pub deadline: Deadline,
    /// When the server had confirmed all of this: a flush from then on removes it.
    pub answered: Instant,
    /// The unique of the value, if it was asked for.
    pub unique: Option<u64>,
}

/// What a client knew when it sent a request.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The server's clock showed at least this.
    pub server_time_s: u32,
    /// The last flush that was over by then.
    pub flush: Option<Flush>,
}

/// Why a value must not be found any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its time is over.
    Expired,
    /// It was stored before a flush.
    Flushed,
}

impl Known {
    /// Whether a request may not find it any more.
    pub fn is_gone(&self, sent: &Sent) -> Option<Gone> {
        let expired = match self.deadline {
            Deadline::Never => false,
            Deadline::ServerTime(time_s) => sent.server_time_s >= time_s,
            Deadline::Relative(time) => sent.at.saturating_duration_since(self.answered) > time + CLOCK_SLACK,
        };
        let flushed = sent.flush.is_some_and(|flush| self.answered < flush.asked && flush.answered <= sent.at);
        if expired {
            Some(Gone::Expired)
        } else if flushed {
            Some(Gone::Flushed)
        } else {
            None
        }
    }
}

/// Checks a value that was found.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_found(known: Option<&Known>, key: &str, flags: u32, value: &[u8], sent: &Sent) -> Result<(), String> {
    let Some(known) = known else {
        return Err(format!("{key} holds nothing, but there is {}", described(value)));
    };
    if known.value != value {
        return Err(format!("{key} holds {}, but there is {}", described(&known.value), described(value)));
    }
    if known.flags != flags {
        return Err(format!("{key} has the flags {}, but there are {flags}", known.flags));
    }
    match known.is_gone(sent) {
        None => Ok(()),
        Some(gone) => Err(format!("{key} was {gone:?}, but there is {} ({:?})", described(value), known.deadline)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_there_may_be_found() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let known = |deadline| Known { value: b"v".to_vec(), flags: 3, deadline, answered: start, unique: None };
        let sent = |seconds| Sent { at: later(seconds), server_time_s: 100, flush: None };
        let check = |known: &Known, sent: &Sent| check_found(Some(known), "k", 3, b"v", sent).is_ok();
        assert!(check(&known(Deadline::Never), &sent(1000)));
        assert!(
            check(&known(Deadline::ServerTime(101)), &sent(1)) && !check(&known(Deadline::ServerTime(100)), &sent(1))
        );
        let relative = known(Deadline::Relative(Duration::from_secs(2)));
        assert!(check(&relative, &sent(6)) && !check(&relative, &sent(8)));
        let flushed = |asked, answered| Sent {
            flush: Some(Flush { asked: later(asked), answered: later(answered) }),
            ..sent(10)
        };
        assert!(!check(&known(Deadline::Never), &flushed(1, 2)));
        assert!(check(&known(Deadline::Never), &flushed(0, 2)), "stored meanwhile, perhaps");
        assert!(check(&known(Deadline::Never), &flushed(1, 11)), "perhaps not over yet");
        let plain = known(Deadline::Never);
        assert!(check_found(None, "k", 3, b"v", &sent(1)).is_err());
        assert!(check_found(Some(&plain), "k", 4, b"v", &sent(1)).is_err());
        assert!(check_found(Some(&plain), "k", 3, b"w", &sent(1)).is_err());
    }
}
