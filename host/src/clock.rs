//! Time as the guests get it: Unix seconds that never go back.
//!
//! One thread moves it once a second; everybody else reads one atomic. So asking for the time costs nothing, however
//! slow the machine's clock is.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The server's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Unix time when the server started. A later step of the wall clock does not touch the age of items.
    started_unix: Duration,
    now: AtomicU32,
}

impl Clock {
    /// Reads the wall clock, for the only time.
    pub(crate) fn start() -> Self {
        let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_unix, now: AtomicU32::new(unix_seconds(started_unix)) }
    }

    /// Unix time, in seconds.
    #[inline]
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Seconds since the start.
    pub(crate) fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Moves the clock, and says how long it is until the next second begins.
    pub(crate) fn advance(&self) -> Duration {
        let unix = self.started_unix + self.started.elapsed();
        self.now.store(unix_seconds(unix), Ordering::Relaxed);
        Duration::from_secs(1) - Duration::from_nanos(u64::from(unix.subsec_nanos()))
    }
}

fn unix_seconds(unix: Duration) -> u32 {
    u32::try_from(unix.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_second_is_never_more_than_a_second_away() {
        let clock = Clock::start();
        let before = clock.now();
        let rest = clock.advance();
        assert!(rest > Duration::ZERO && rest <= Duration::from_secs(1));
        assert!(clock.now() >= before);
    }
}
