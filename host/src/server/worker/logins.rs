//! The logins that this worker's front has checked.

use super::Worker;
use crate::guest::Fault;

impl Worker {
    /// Adds the front's new logins to the statistics.
    pub(super) fn publish_logins(&mut self) -> Result<(), Fault> {
        if self.shared.users.is_none() {
            return Ok(());
        }
        let (tries, failures) = self.front.logins()?;
        let (tries_seen, failures_seen) = std::mem::replace(&mut self.logins_seen, (tries, failures));
        let counters = self.counters();
        counters.logins.add(u64::from(tries.wrapping_sub(tries_seen)));
        counters.logins_refused.add(u64::from(failures.wrapping_sub(failures_seen)));
        Ok(())
    }
}
