//! The time of the guests: seconds that begin as Unix time, never go back and count the time of a suspended machine,
//! unless a test moves them. Absolute times of clients are those of the wall clock, whose distance is part of a reading.
//!
//! A worker reads the clock after a request has arrived: a thread that would advance it may have been stopped together with
//! the whole process.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wasmcached_core::boundary::host::ClockOrder;

/// The least time of the start: a machine without a battery begins in 1970, and a moment before every `now` must exist.
const STARTED_UNIX_MIN: Duration = Duration::from_secs(2);
/// The wall clock is read with the precision of a timer tick. A distance that is shorter than a whole second by this much
/// counts as the whole second.
const WALL_CLOCK_PRECISION: Duration = Duration::from_millis(100);

/// The server's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Time since the boot of the machine, at the start.
    started: Duration,
    /// Unix time of the start. A later step of the wall clock does not change the age of items.
    started_unix: Duration,
    /// A test has changed the clock: `orders` apply.
    is_altered: AtomicBool,
    orders: Mutex<Orders>,
}

/// Changes that tests made to the clock.
#[derive(Debug, Default)]
struct Orders {
    /// The time at which the clock stands.
    paused_at: Option<u32>,
    moved_s: i64,
}

/// A reading of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Seconds on the clock of the server.
    pub(crate) now: u32,
    pub(crate) relation: ClockRelation,
}

/// The part of a reading that a guest must know besides the seconds; see the verb `clock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockRelation {
    /// Seconds that the wall clock is ahead.
    pub(crate) wall_ahead_s: i64,
    /// The time has a fraction besides its seconds.
    pub(crate) has_fraction: bool,
}

impl Clock {
    /// Begins with the time of the wall clock.
    pub(crate) fn start() -> Self {
        Self::start_at(since_boot(), wall_clock())
    }

    fn start_at(boot: Duration, wall: Duration) -> Self {
        let started_unix = wall.max(STARTED_UNIX_MIN);
        Self { started: boot, started_unix, is_altered: AtomicBool::new(false), orders: Mutex::default() }
    }

    /// The time, in seconds.
    #[inline]
    pub(crate) fn now(&self) -> u32 {
        self.seconds(self.elapsed(since_boot()))
    }

    /// The time, and what a guest must know besides.
    #[inline]
    pub(crate) fn read(&self) -> Reading {
        self.reading(since_boot(), wall_clock())
    }

    /// Whether a test has changed the clock.
    #[inline]
    pub(crate) fn is_altered(&self) -> bool {
        self.is_altered.load(Ordering::Acquire)
    }

    /// Seconds since the start.
    pub(crate) fn uptime_s(&self) -> u64 {
        u64::from(self.now()).saturating_sub(self.started_unix.as_secs())
    }

    /// Pauses, resumes or moves the clock, for tests.
    pub(crate) fn apply(&self, order: ClockOrder) {
        let unix = self.elapsed(since_boot());
        let mut orders = self.orders.lock();
        match order {
            ClockOrder::Pause => {
                let now = orders.now(unix);
                orders.paused_at = Some(now);
            }
            ClockOrder::Resume => orders.paused_at = None,
            ClockOrder::Move(seconds) => {
                orders.moved_s = orders.moved_s.saturating_add(seconds);
                if let Some(now) = &mut orders.paused_at {
                    *now = i64::from(*now).saturating_add(seconds).clamp(0, u32::MAX.into()) as u32;
                }
            }
        }
        self.is_altered.store(true, Ordering::Release);
    }

    /// Unix time by the clock of the start.
    fn elapsed(&self, boot: Duration) -> Duration {
        self.started_unix + boot.saturating_sub(self.started)
    }

    fn seconds(&self, unix: Duration) -> u32 {
        if self.is_altered() { self.orders.lock().now(unix) } else { unix_seconds(unix, 0) }
    }

    fn reading(&self, boot: Duration, wall: Duration) -> Reading {
        let unix = self.elapsed(boot);
        let wall = wall + WALL_CLOCK_PRECISION;
        // Rounded down: an item whose absolute time has come is gone at the next whole second of this clock.
        let wall_ahead_s = match wall.checked_sub(unix) {
            Some(ahead) => ahead.as_secs().cast_signed(),
            None => -(unix - wall).as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(i64::MAX),
        };
        let is_paused = self.is_altered() && self.orders.lock().paused_at.is_some();
        Reading { now: self.seconds(unix), relation: ClockRelation { wall_ahead_s, has_fraction: !is_paused } }
    }
}

impl Orders {
    fn now(&self, unix: Duration) -> u32 {
        self.paused_at.unwrap_or_else(|| unix_seconds(unix, self.moved_s))
    }
}

fn unix_seconds(unix: Duration, moved_s: i64) -> u32 {
    let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_add(moved_s).clamp(0, u32::MAX.into()) as u32
}

/// Time since the boot of the machine, with that of its suspension. A read costs no system call.
#[cfg(unix)]
#[inline]
fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::CLOCK_BOOTTIME;
    // Of macOS it counts the time of a suspension; of the BSDs not everywhere.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::CLOCK_MONOTONIC;
    clock_gettime(clock).or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC)).map_or(Duration::ZERO, Duration::from)
}

/// The counter of Windows counts the time of a suspension.
#[cfg(not(unix))]
fn since_boot() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// Unix time of the wall clock, to the last tick of the kernel: a quarter of the price of the exact time.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn wall_clock() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).ok().filter(|time| time.tv_sec() >= 0);
    time.map_or_else(wall_time, Duration::from)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wall_clock() -> Duration {
    wall_time()
}

/// Unix time of the wall clock.
pub(crate) fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Duration = Duration::from_secs(1000);
    const WALL: Duration = Duration::from_millis(1_800_000_000_250);

    fn after(seconds: f64, wall: Duration) -> (Duration, Duration) {
        (BOOT + Duration::from_secs_f64(seconds), wall)
    }

    #[test]
    fn the_time_follows_the_boot_clock_and_tells_the_distance_of_the_wall_clock() {
        let clock = Clock::start_at(BOOT, WALL);
        let read = |seconds: f64, wall_step_s: f64| {
            let wall = Duration::from_secs_f64(WALL.as_secs_f64() + seconds + wall_step_s);
            let (boot, wall) = after(seconds, wall);
            let Reading { now, relation } = clock.reading(boot, wall);
            assert!(relation.has_fraction);
            (now - 1_800_000_000, relation.wall_ahead_s)
        };
        assert_eq!(read(0.0, 0.0), (0, 0));
        // A wall clock that is a tick behind is not a second behind.
        assert_eq!(read(10.0, -0.01), (10, 0));
        assert_eq!(read(10.7, 0.01), (10, 0));
        // Steps of the wall clock change the distance alone.
        assert_eq!(read(20.0, 3600.0), (20, 3600));
        assert_eq!(read(20.0, -3600.0), (20, -3600));
        assert_eq!(read(20.0, 0.5), (20, 0));
        assert_eq!(read(20.0, -0.5), (20, -1));
        // After a suspension of three days.
        assert_eq!(read(259_200.8, 0.0), (259_201, 0));
    }

    #[test]
    fn a_machine_that_begins_in_1970_has_a_past() {
        let clock = Clock::start_at(BOOT, Duration::ZERO);
        assert_eq!(clock.reading(BOOT, Duration::ZERO).now, 2);
        let (boot, wall) = after(10.0, WALL);
        let reading = clock.reading(boot, wall);
        assert_eq!((reading.now, reading.relation.wall_ahead_s), (12, 1_799_999_988));
        let reading = clock.reading(BOOT, Duration::ZERO);
        assert_eq!(reading.relation.wall_ahead_s, -2);
    }

    #[test]
    fn the_clocks_of_this_system_advance() {
        let clock = Clock::start();
        let (boot, wall) = (since_boot(), wall_time());
        assert!(clock.read().now > 1_700_000_000);
        assert_eq!(clock.read().relation.wall_ahead_s, 0);
        assert!(wall_clock().abs_diff(wall) < Duration::from_secs(1));
        std::thread::sleep(Duration::from_millis(20));
        assert!(since_boot() >= boot + Duration::from_millis(20));
    }

    #[test]
    fn a_test_may_stop_and_move_it() {
        let clock = Clock::start();
        clock.apply(ClockOrder::Pause);
        let before = clock.now();
        assert!(!clock.read().relation.has_fraction);
        clock.apply(ClockOrder::Move(1000));
        assert_eq!(clock.now(), before + 1000);
        clock.apply(ClockOrder::Move(-10));
        assert_eq!((clock.now(), clock.uptime_s() >= 990), (before + 990, true));
        clock.apply(ClockOrder::Resume);
        assert!(clock.now() >= before + 990 && clock.read().relation.has_fraction);
        clock.apply(ClockOrder::Move(i64::MAX));
        clock.apply(ClockOrder::Move(i64::MAX));
        assert_eq!(clock.now(), u32::MAX);
        clock.apply(ClockOrder::Move(i64::MIN));
        clock.apply(ClockOrder::Move(i64::MIN));
        assert_eq!(clock.now(), 0);
    }
}
