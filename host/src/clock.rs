//! The time of the guests: Unix seconds that never go back, unless a test moves them.
//!
//! One thread advances the clock once a second; all others read one atomic, so the time costs no system call.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use wasmcached_core::boundary::host::ClockOrder;

/// The server's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Unix time of the start. A later step of the wall clock does not change the age of items.
    started_unix: Duration,
    now: AtomicU32,
    orders: Mutex<Orders>,
}

/// Changes that tests made to the clock.
#[derive(Debug, Default)]
struct Orders {
    paused: bool,
    moved_s: i64,
}

impl Clock {
    /// Reads the wall clock, once.
    pub(crate) fn start() -> Self {
        let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = AtomicU32::new(unix_seconds(started_unix, 0));
        Self { started: Instant::now(), started_unix, now, orders: Mutex::default() }
    }

    /// Unix time, in seconds.
    #[inline]
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Seconds since the start.
    pub(crate) fn uptime_s(&self) -> u64 {
        self.now().saturating_sub(unix_seconds(self.started_unix, 0)).into()
    }

    /// Sets the clock to the current second; returns the time until the next one.
    pub(crate) fn advance(&self) -> Duration {
        let orders = self.orders.lock();
        let unix = self.unix();
        if !orders.paused {
            self.now.store(unix_seconds(unix, orders.moved_s), Ordering::Relaxed);
        }
        Duration::from_secs(1) - Duration::from_nanos(u64::from(unix.subsec_nanos()))
    }

    /// Pauses, resumes or moves the clock, for tests.
    pub(crate) fn apply(&self, order: ClockOrder) {
        let mut orders = self.orders.lock();
        match order {
            ClockOrder::Pause => orders.paused = true,
            ClockOrder::Resume => {
                orders.paused = false;
                self.now.store(unix_seconds(self.unix(), orders.moved_s), Ordering::Relaxed);
            }
            ClockOrder::Move(seconds) => {
                orders.moved_s = orders.moved_s.saturating_add(seconds);
                let now = i64::from(self.now()).saturating_add(seconds).clamp(0, u32::MAX.into());
                self.now.store(now as u32, Ordering::Relaxed);
            }
        }
    }

    fn unix(&self) -> Duration {
        self.started_unix + self.started.elapsed()
    }
}

fn unix_seconds(unix: Duration, moved_s: i64) -> u32 {
    let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_add(moved_s).clamp(0, u32::MAX.into()) as u32
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

    #[test]
    fn a_test_may_stop_and_move_it() {
        let clock = Clock::start();
        clock.apply(ClockOrder::Pause);
        let before = clock.now();
        clock.apply(ClockOrder::Move(1000));
        clock.advance();
        assert_eq!(clock.now(), before + 1000);
        clock.apply(ClockOrder::Move(-10));
        clock.advance();
        assert_eq!((clock.now(), clock.uptime_s() >= 990), (before + 990, true));
        clock.apply(ClockOrder::Resume);
        assert!(clock.now() >= before + 990);
        clock.apply(ClockOrder::Move(i64::MAX));
        clock.apply(ClockOrder::Move(i64::MAX));
        assert_eq!(clock.now(), u32::MAX);
        clock.apply(ClockOrder::Move(i64::MIN));
        clock.apply(ClockOrder::Move(i64::MIN));
        clock.advance();
        assert_eq!(clock.now(), 0);
    }
}
