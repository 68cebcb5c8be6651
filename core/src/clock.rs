//! Time as a value: seconds on the clock of the host, and the rule that turns a client's `exptime` into such a moment.
//!
//! Nothing here reads a clock. `now` enters with each batch (see the `front` and `store` modules).

/// Seconds on the clock of the host. It begins as Unix time; later steps of the wall clock do not change it. Good until
/// 2106.
pub type Seconds = u32;

/// An `exptime` above this many seconds is an absolute Unix time (memcached's `REALTIME_MAXDELTA`).
pub const RELATIVE_SECONDS_MAX: i64 = 60 * 60 * 24 * 30;

/// The time of a batch of requests, and what the front must know to understand the times of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// The time.
    pub now: Seconds,
    /// `now` is the whole part of a time with a fraction: relative times are rounded up, so that none is too short.
    pub has_fraction: bool,
    /// Seconds that the wall clock is ahead of `now`; negative if it is behind. Absolute times are the wall clock's.
    pub wall_ahead_s: i64,
}

impl From<Seconds> for Time {
    /// A time without a fraction that is the wall clock's.
    fn from(now: Seconds) -> Self {
        Self::exact(now)
    }
}

impl Time {
    /// A time without a fraction that is the wall clock's.
    pub const fn exact(now: Seconds) -> Self {
        Self { now, has_fraction: false, wall_ahead_s: 0 }
    }

    /// The Unix time of `moment`.
    pub fn unix(&self, moment: Seconds) -> i64 {
        i64::from(moment).saturating_add(self.wall_ahead_s)
    }

    /// Whole seconds until `expiry`, at least 1 before that moment and 0 after it; `None` is never.
    pub fn left_s(&self, expiry: Expiry) -> Option<Seconds> {
        let left = expiry.0.saturating_sub(self.now);
        let whole = left.saturating_sub(Seconds::from(self.has_fraction));
        (expiry != Expiry::NEVER).then_some(whole.max(left.min(1)))
    }
}

/// The moment from which an item is gone, on the clock of the host; zero means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry(pub Seconds);

impl Expiry {
    /// Never expires.
    pub const NEVER: Self = Self(0);
    /// A moment before every `now`.
    pub const PAST: Self = Self(1);

    /// The 30-day rule: zero is never, negative is at once, up to 30 days is relative to now, more is absolute.
    pub fn from_exptime(exptime: i64, time: &Time) -> Self {
        match exptime {
            0 => Self::NEVER,
            i64::MIN..0 => Self::PAST,
            1..=RELATIVE_SECONDS_MAX => {
                let rounded = exptime as Seconds + Seconds::from(time.has_fraction);
                Self(time.now.saturating_add(rounded))
            }
            _ => match exptime.saturating_sub(time.wall_ahead_s) {
                // All moments in the past mean the same.
                at if at <= i64::from(time.now) => Self::PAST,
                at => Self(Seconds::try_from(at).unwrap_or(Seconds::MAX)),
            },
        }
    }

    /// Whether the item is gone at `now`.
    pub fn has_passed(self, now: Seconds) -> bool {
        self.0 != 0 && self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_is_the_border_between_relative_and_absolute() {
        let now = 1_800_000_000;
        let expiry = |exptime| Expiry::from_exptime(exptime, &now.into());
        assert_eq!(expiry(0), Expiry::NEVER);
        assert_eq!(expiry(-1), Expiry::PAST);
        assert_eq!(expiry(1), Expiry(now + 1));
        assert_eq!(expiry(2_592_000), Expiry(now + 2_592_000));
        assert_eq!(expiry(2_592_001), Expiry::PAST);
        assert_eq!(expiry(1_800_000_000), Expiry::PAST);
        assert_eq!(expiry(1_800_000_001), Expiry(1_800_000_001));
        assert_eq!(expiry(i64::MAX), Expiry(Seconds::MAX));
        assert!(expiry(2_592_001).has_passed(now));
        assert!(!Expiry::NEVER.has_passed(Seconds::MAX));
    }

    #[test]
    fn a_relative_time_is_never_too_short() {
        let time = Time { now: 100, has_fraction: true, wall_ahead_s: 0 };
        // At 100.9, one second ends at 101.9.
        let expiry = Expiry::from_exptime(1, &time);
        assert_eq!((expiry.has_passed(101), expiry.has_passed(102)), (false, true));
        assert_eq!(
            Expiry::from_exptime(RELATIVE_SECONDS_MAX, &Time { now: Seconds::MAX, ..time }),
            Expiry(Seconds::MAX)
        );
        // The rest is shown as it was asked for, and never as nothing while there is something.
        let left = |now| Time { now, ..time }.left_s(expiry);
        assert_eq!([100, 101, 102, 103].map(left), [Some(1), Some(1), Some(0), Some(0)]);
        assert_eq!(time.left_s(Expiry::from_exptime(30, &time)), Some(30));
        assert_eq!(time.left_s(Expiry::NEVER), None);
        assert_eq!(Time::exact(100).left_s(Expiry(101)), Some(1));
    }

    #[test]
    fn absolute_times_are_those_of_the_wall_clock() {
        // The server started in 1970; then the wall clock was set.
        let time = Time { now: 500, has_fraction: true, wall_ahead_s: 1_800_000_000 };
        assert_eq!(Expiry::from_exptime(1_800_000_400, &time), Expiry::PAST);
        assert_eq!(Expiry::from_exptime(1_800_000_500, &time), Expiry::PAST);
        assert_eq!(Expiry::from_exptime(1_800_000_510, &time), Expiry(510));
        assert_eq!(Expiry::from_exptime(60, &time), Expiry(561));
        assert_eq!(time.unix(510), 1_800_000_510);
        // It was set back.
        let time = Time { now: 1_800_000_000, has_fraction: true, wall_ahead_s: -3600 };
        assert_eq!(Expiry::from_exptime(1_799_996_401, &time), Expiry(1_800_000_001));
        assert_eq!(Expiry::from_exptime(1_799_996_400, &time), Expiry::PAST);
        let time = Time { wall_ahead_s: i64::MIN, ..time };
        assert_eq!(Expiry::from_exptime(i64::from(u32::MAX), &time), Expiry(Seconds::MAX));
    }
}
