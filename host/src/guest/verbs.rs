//! What a host and its guests say to each other besides bytes; see `docs/internals/boundary.md`.

use std::time::Duration;
use wasmcached_core::boundary::{config::Binding, host::Target};

/// What a front wants done next; see `docs/internals/boundary.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrontStatus(pub(super) u32);

impl FrontStatus {
    /// There is something to send, and nothing else is known.
    pub(crate) const OUTPUT: Self = Self(1);

    /// There is something to send.
    pub(crate) fn output(self) -> bool {
        self.0 & 1 != 0
    }

    /// There is more to do without reading.
    pub(crate) fn more(self) -> bool {
        self.0 & 2 != 0
    }

    /// To be closed when the output is sent.
    pub(crate) fn close(self) -> bool {
        self.0 & 4 != 0
    }

    /// Runs are to be carried.
    pub(crate) fn runs(self) -> bool {
        self.0 & 8 != 0
    }

    /// The next window depends on the connection.
    pub(crate) fn partial(self) -> bool {
        self.0 & 16 != 0
    }
}

/// What a connection is to a front.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionKind {
    /// A client that is served.
    Client,
    /// A client beyond the connection limit.
    Rejected,
    /// Datagrams of peers that are who they say.
    Datagrams,
    /// Datagrams of others.
    UnverifiedDatagrams,
    /// A client whose listener was given protocols of its own.
    Bound(Binding),
}

/// Commands on their way to one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) commands_at: u32,
    pub(crate) commands_bytes: u32,
    pub(crate) count: u32,
}

/// How a run ended, for [`Front::reply`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunOutcome {
    /// So many commands were executed.
    Executed(u32),
    /// The target is gone.
    Lost,
}

/// Records on their way, from one guest.
#[derive(Debug)]
pub(crate) struct EventBatch {
    /// When they were collected, as Unix time.
    pub(crate) at: Duration,
    /// The number of the first event.
    pub(crate) number: u64,
    pub(crate) records: Box<[u8]>,
}

/// What a guest has recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordedEvents<'g> {
    pub(crate) records: &'g [u8],
    /// How many events that is.
    pub(crate) count: u32,
    /// Events that the guest had no room for.
    pub(crate) dropped: u32,
}
