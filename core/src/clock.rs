//! Time as a value: seconds since the Unix epoch, and the rule that turns a client's `exptime` into one.
//!
//! Nothing here reads a clock. `now` enters with each batch (see the `front` and `store` modules).

/// Seconds since the Unix epoch. Good until 2106.
pub type Seconds = u32;

/// An `exptime` above this many seconds is an absolute Unix time (memcached's `REALTIME_MAXDELTA`).
pub const RELATIVE_SECONDS_MAX: i64 = 60 * 60 * 24 * 30;

/// The moment from which an item is gone, in Unix seconds; zero means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry(pub Seconds);

impl Expiry {
    /// Never expires.
    pub const NEVER: Self = Self(0);
    /// A moment before every `now`.
    pub const PAST: Self = Self(1);

    /// The 30-day rule: zero is never, negative is at once, up to 30 days is relative to `now`, more is absolute.
    pub fn from_exptime(exptime: i64, now: Seconds) -> Self {
        match exptime {
            0 => Self::NEVER,
            i64::MIN..0 => Self::PAST,
            1..=RELATIVE_SECONDS_MAX => Self(now.saturating_add(exptime as Seconds)),
            // All moments in the past mean the same.
            _ if exptime <= i64::from(now) => Self::PAST,
            _ => Self(Seconds::try_from(exptime).unwrap_or(Seconds::MAX)),
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
        assert_eq!(Expiry::from_exptime(0, now), Expiry::NEVER);
        assert_eq!(Expiry::from_exptime(-1, now), Expiry::PAST);
        assert_eq!(Expiry::from_exptime(1, now), Expiry(now + 1));
        assert_eq!(Expiry::from_exptime(2_592_000, now), Expiry(now + 2_592_000));
        assert_eq!(Expiry::from_exptime(2_592_001, now), Expiry::PAST);
        assert_eq!(Expiry::from_exptime(1_800_000_000, now), Expiry::PAST);
        assert_eq!(Expiry::from_exptime(1_800_000_001, now), Expiry(1_800_000_001));
        assert!(Expiry::from_exptime(2_592_001, now).has_passed(now));
        assert!(!Expiry::NEVER.has_passed(Seconds::MAX));
    }
}
