//! The counts of this worker's front, added to the statistics.

use super::Worker;
use crate::guest::Fault;

impl Worker {
    /// Adds what the front has counted since the last call: before a reply is sent, since its client may ask another
    /// worker for the count next, and before a run, which may ask for it.
    #[inline]
    pub(super) fn publish_counts(&mut self) -> Result<(), Fault> {
        let refusals = self.front.refusals()?;
        if refusals != self.refusals_seen {
            for (kind, (now, seen)) in refusals.into_iter().zip(self.refusals_seen).enumerate() {
                self.counters().refusals[kind].add(u64::from(now.wrapping_sub(seen)));
            }
            self.refusals_seen = refusals;
        }
        if self.shared.users.is_some() { self.publish_logins() } else { Ok(()) }
    }

    fn publish_logins(&mut self) -> Result<(), Fault> {
        let (tries, failures) = self.front.logins()?;
        let (tries_seen, failures_seen) = std::mem::replace(&mut self.logins_seen, (tries, failures));
        let counters = self.counters();
        counters.logins.add(u64::from(tries.wrapping_sub(tries_seen)));
        counters.logins_refused.add(u64::from(failures.wrapping_sub(failures_seen)));
        Ok(())
    }
}
