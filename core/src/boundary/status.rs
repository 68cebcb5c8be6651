//! The status of a connection, from a front to its host; `docs/internals/boundary.md` has the bits.

/// The number of no connection: a turn of it does what a front has to do for clients that are gone.
pub const NO_CONNECTION: u32 = u32::MAX;

/// The next actions of the host for a connection: a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStatus(pub u32);

impl ConnectionStatus {
    /// There is something to send.
    pub const OUTPUT: Self = Self(1);
    /// There is more to do without reading.
    pub const MORE: Self = Self(2);
    /// Close when the output is sent.
    pub const CLOSE: Self = Self(4);
    /// Runs are to be carried first.
    pub const RUNS: Self = Self(8);
    /// A part of a request is held.
    pub const PARTIAL: Self = Self(16);
    /// The work waits for a later second: only with [`ConnectionStatus::MORE`].
    pub const LATER: Self = Self(32);
    /// A request has no room in the budget: the connection is left alone until the host admits it.
    pub const WAITING: Self = Self(64);
    /// The output lies in several places.
    pub const SLICES: Self = Self(128);
    /// The next window may be one of the connection alone.
    pub const WINDOW: Self = Self(256);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` if `condition` holds.
    #[must_use]
    pub fn with(self, other: Self, condition: bool) -> Self {
        Self(self.0 | if condition { other.0 } else { 0 })
    }

    /// Without the bits of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
