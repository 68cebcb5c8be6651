//! Counts of what a front refuses. Each is a row of `stats`; the page of the boundary has their order.

use super::HostStatistics;

/// A kind of refusal, in the order of the record that the host reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A request that is malformed, unknown or not allowed.
    RequestError,
    /// A request that was answered with an error because its shard was lost.
    LostRequest,
    /// A request that was not whole or not answered when its connection ended.
    CutRequest,
    /// A connection that was ended with an unfinished request because others needed the memory.
    RequestWithoutMemory,
    /// A connection that was ended with unread replies because others needed the memory.
    ReplyWithoutMemory,
    /// A datagram that is no request, or whose answer is not allowed.
    Datagram,
}

/// Number of kinds.
const KINDS: usize = RefusalKind::Datagram as usize + 1;

/// How often each kind of refusal happened; a count wraps around. The memory is the record that the host reads: the
/// number of kinds, then the count of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals([u32; 1 + KINDS]);

impl Default for Refusals {
    fn default() -> Self {
        let mut record = [0; 1 + KINDS];
        record[0] = KINDS as u32;
        Self(record)
    }
}

impl Refusals {
    /// Number of counts.
    pub const COUNT: usize = KINDS;

    /// The record that the host reads.
    pub fn record(&self) -> &[u32; 1 + KINDS] {
        &self.0
    }

    /// The counts, in the order of [`RefusalKind`].
    pub fn counts(&self) -> &[u32; KINDS] {
        let [_, counts @ ..] = &self.0;
        counts
    }

    /// Counts one refusal.
    #[cold]
    pub(crate) fn count(&mut self, refusal: RefusalKind) {
        self.add(refusal, 1);
    }

    /// Counts several.
    pub(crate) fn add(&mut self, refusal: RefusalKind, more: u32) {
        let count = &mut self.0[1 + refusal as usize];
        *count = count.wrapping_add(more);
    }
}

/// Puts sums of the counts of [`Refusals`] into their statistics.
pub fn show_refusals(statistics: &mut HostStatistics, counts: &[u64; KINDS]) {
    let count = |refusal: RefusalKind| counts[refusal as usize];
    statistics.request_errors = count(RefusalKind::RequestError);
    statistics.requests_lost = count(RefusalKind::LostRequest);
    statistics.requests_cut = count(RefusalKind::CutRequest);
    statistics.read_buf_oom = count(RefusalKind::RequestWithoutMemory);
    statistics.response_obj_oom = count(RefusalKind::ReplyWithoutMemory);
    statistics.datagrams_refused = count(RefusalKind::Datagram);
}
