//! The model of a key, and the replies that it allows.

use super::{Flush, value::describe};
use std::time::{Duration, Instant};

/// How long the server may keep an item beyond its relative time on the client's clock: both clocks count whole seconds,
/// and the server's is late on a busy machine.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// When an item expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Never.
    Never,
    /// At this time of the server's clock.
    ServerTime(u32),
    /// This long after the reply to the store.
    Relative(Duration),
}

/// A value that the key holds unless the server evicted it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Value.
    pub value: Vec<u8>,
    /// Client flags.
    pub flags: u32,
    /// Expiry.
    pub deadline: Deadline,
    /// When the server confirmed this state; a later flush removes it.
    pub answered: Instant,
    /// The unique of the value, if it was read.
    pub unique: Option<u64>,
}

/// The knowledge of a client when it sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Time of sending.
    pub at: Instant,
    /// Lower bound of the server's clock.
    pub server_time_s: u32,
    /// The last completed flush.
    pub flush: Option<Flush>,
}

/// Why a value must not be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The value has expired.
    Expired,
    /// The value was stored before a flush.
    Flushed,
}

impl Known {
    /// Why a request must not find the value, if so.
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

/// Checks a found value.
///
/// # Errors
/// Describes the difference.
pub fn check_found(known: Option<&Known>, key: &str, flags: u32, value: &[u8], sent: &Sent) -> Result<(), String> {
    let Some(known) = known else {
        return Err(format!("{key} is empty in the model, but the server returned {}", describe(value)));
    };
    if known.value != value {
        return Err(format!("{key} holds {}, but the server returned {}", describe(&known.value), describe(value)));
    }
    if known.flags != flags {
        return Err(format!("{key} has the flags {}, but the server returned {flags}", known.flags));
    }
    match known.is_gone(sent) {
        None => Ok(()),
        Some(gone) => {
            Err(format!("{key} was {gone:?}, but the server returned {} ({:?})", describe(value), known.deadline))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_live_values_may_be_found() {
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
        assert!(check(&known(Deadline::Never), &flushed(0, 2)), "perhaps stored during the flush");
        assert!(check(&known(Deadline::Never), &flushed(1, 11)), "the flush may not be complete");
        let plain = known(Deadline::Never);
        assert!(check_found(None, "k", 3, b"v", &sent(1)).is_err());
        assert!(check_found(Some(&plain), "k", 4, b"v", &sent(1)).is_err());
        assert!(check_found(Some(&plain), "k", 3, b"w", &sent(1)).is_err());
    }
}
