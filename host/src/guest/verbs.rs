//! Arguments and results of verbs; see `docs/internals/boundary.md`.

use std::time::Duration;
use wasmcached_core::boundary::{config::Binding, host::Target, status::ConnectionStatus};

/// The status word of a front: what the host must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrontStatus(pub(super) u32);

impl FrontStatus {
    /// Output, and nothing else.
    pub(crate) const OUTPUT: Self = Self(ConnectionStatus::OUTPUT.0);

    fn has(self, bits: ConnectionStatus) -> bool {
        ConnectionStatus(self.0).has(bits)
    }

    /// There is output to send.
    pub(crate) fn output(self) -> bool {
        self.has(ConnectionStatus::OUTPUT)
    }

    /// There is more work without input.
    pub(crate) fn more(self) -> bool {
        self.has(ConnectionStatus::MORE)
    }

    /// Close the connection once the output is sent.
    pub(crate) fn close(self) -> bool {
        self.has(ConnectionStatus::CLOSE)
    }

    /// There are runs to execute.
    pub(crate) fn runs(self) -> bool {
        self.has(ConnectionStatus::RUNS)
    }

    /// The work waits for a later second.
    pub(crate) fn later(self) -> bool {
        self.has(ConnectionStatus::LATER)
    }

    /// The next window depends on the connection.
    pub(crate) fn partial(self) -> bool {
        self.has(ConnectionStatus::PARTIAL)
    }

    /// A request has no room: the connection is left alone until it is admitted.
    pub(crate) fn waiting(self) -> bool {
        self.has(ConnectionStatus::WAITING)
    }
}

/// The kinds of connections of a front.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionKind {
    /// An ordinary client.
    Client,
    /// A client beyond the connection limit.
    Rejected,
    /// UDP peers with a verified address.
    Datagrams,
    /// Other UDP peers.
    UnverifiedDatagrams,
    /// A client of a listener with protocols of its own.
    Bound(Binding),
}

/// Commands for one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) commands_at: u32,
    pub(crate) commands_bytes: u32,
    pub(crate) count: u32,
    /// The place of the bytes that follow the commands.
    pub(crate) tail_at: u32,
    pub(crate) tail_bytes: u32,
}

/// The end of a run, for [`super::Front::reply`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunOutcome {
    /// Number of executed commands.
    Executed(u32),
    /// The shard has trapped.
    Lost,
}

/// Events of one guest, on their way to the fronts that show them.
#[derive(Debug)]
pub(crate) struct EventBatch {
    /// Unix time at which they were collected.
    pub(crate) at: Duration,
    /// Number of the first event.
    pub(crate) number: u64,
    pub(crate) records: Box<[u8]>,
}

/// Events that a guest has recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordedEvents<'g> {
    pub(crate) records: &'g [u8],
    /// Number of events.
    pub(crate) count: u32,
    /// Events that the guest had no room for.
    pub(crate) dropped: u32,
}
