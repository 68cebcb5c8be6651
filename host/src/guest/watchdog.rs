//! The watchdog of calls: how long the guest itself may work in one call.
//!
//! Only time in user mode counts. A call that waits for the processor, for pages from the system, for a debugger or for the
//! end of a suspension has done nothing wrong, and an interrupt would lose the items of a sound guest. A call with many
//! bytes may work longer.

use crate::{
    limits::{CALL_BYTES_PER_MS, CALL_COPIED_BYTES_PER_MS, CALL_USER_TIME_MAX},
    system::memory,
};
use std::time::Duration;
use wasmtime::StoreLimits;

/// Number of bytes that a call processes: commands, received bytes, lists.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallBytes(pub(super) u64);

/// The host's state of a guest: its memory limit, and the time of the current call.
pub(super) struct CallWatchdog {
    pub(super) limits: StoreLimits,
    /// Any call may copy the largest item: into a larger buffer, or into replies.
    item_bytes_max: u64,
    bytes: CallBytes,
    /// The thread's time in user mode when the current call began to be watched.
    watched_since: Option<Duration>,
}

impl CallWatchdog {
    pub(super) fn new(limits: StoreLimits, item_bytes_max: u64) -> Self {
        Self { limits, item_bytes_max, bytes: CallBytes::default(), watched_since: None }
    }

    /// Begins a call, which is not watched yet.
    #[inline]
    pub(super) fn begin(&mut self, bytes: CallBytes) {
        self.bytes = bytes;
        self.watched_since = None;
    }

    /// Whether the current call may continue after another tick.
    pub(super) fn may_continue(&mut self) -> bool {
        let now = memory::thread_user_time();
        let since = *self.watched_since.get_or_insert(now);
        now.saturating_sub(since) < user_time_max(self.bytes, self.item_bytes_max)
    }
}

/// The most time in user mode of a watched call.
fn user_time_max(bytes: CallBytes, item_bytes_max: u64) -> Duration {
    let ms = bytes.0 / CALL_BYTES_PER_MS + item_bytes_max / CALL_COPIED_BYTES_PER_MS;
    CALL_USER_TIME_MAX.saturating_add(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, time::Instant};

    fn watchdog(bytes: u64) -> CallWatchdog {
        let mut watchdog = CallWatchdog::new(StoreLimits::default(), 1 << 20);
        watchdog.begin(CallBytes(bytes));
        assert!(watchdog.may_continue());
        watchdog
    }

    fn work(user_time: Duration) {
        let since = memory::thread_user_time();
        while memory::thread_user_time() < since + user_time {
            std::hint::black_box((0..100_000u64).fold(0, |sum, number| sum ^ std::hint::black_box(number)));
        }
    }

    #[test]
    fn work_in_user_mode_is_interrupted() {
        let mut watchdog = watchdog(0);
        work(CALL_USER_TIME_MAX + Duration::from_millis(50));
        assert!(!watchdog.may_continue());
        watchdog.begin(CallBytes(0));
        assert!(watchdog.may_continue());
    }

    /// Page faults, reclaim on a machine without memory, and waiting are the system's.
    #[cfg(target_os = "linux")]
    #[test]
    fn time_of_the_system_does_not_count() {
        use nix::time::{ClockId, clock_gettime};
        let processor_time = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let mut watchdog = watchdog(0);
        let (since, user_since) = (processor_time(), memory::thread_user_time());
        let (mut zeros, mut buffer) = (std::fs::File::open("/dev/zero").unwrap(), vec![0; 8 << 20]);
        while processor_time() < since + 2 * CALL_USER_TIME_MAX {
            zeros.read_exact(&mut buffer).unwrap();
        }
        let user = memory::thread_user_time() - user_since;
        assert!(user < CALL_USER_TIME_MAX, "{user:?} of a second in the kernel");
        assert!(watchdog.may_continue());
    }

    #[test]
    fn waiting_does_not_count() {
        let (mut watchdog, since) = (watchdog(0), Instant::now());
        std::thread::sleep(CALL_USER_TIME_MAX + Duration::from_millis(100));
        assert!(since.elapsed() > CALL_USER_TIME_MAX && watchdog.may_continue());
    }

    #[test]
    fn bytes_take_time() {
        // Half a second for nothing; half a minute more for a value of half a gigabyte.
        assert_eq!(user_time_max(CallBytes(0), 0), CALL_USER_TIME_MAX);
        let large = user_time_max(CallBytes(512 << 20), 512 << 20);
        assert!((30..60).contains(&large.as_secs()), "{large:?}");
        // A guest that spins over nothing is found in seconds, even where items may be large.
        assert!(user_time_max(CallBytes(100), 512 << 20) < Duration::from_secs(6));
        assert!(user_time_max(CallBytes(u64::MAX), u64::MAX) > large);
        let mut watchdog = watchdog(32 << 20);
        work(CALL_USER_TIME_MAX + Duration::from_millis(50));
        assert!(watchdog.may_continue());
    }
}
