//! Who may log in, for this worker's front, and how often that was tried there.

use super::Worker;
use crate::guest::Fault;

impl Worker {
    /// Hands the list of users to the front, if there is another.
    pub(super) fn take_users(&mut self) -> Result<(), Fault> {
        let Some(users) = &self.shared.users else { return Ok(()) };
        let version = users.version();
        if version == self.users_seen {
            return Ok(());
        }
        self.users_seen = version;
        // It was tried on another guest, so this one takes it too.
        if let Err(problem) = users.hand_to(&mut self.front)? {
            tracing::error!("worker {}: {problem}; what was read before stays in force", self.index);
        }
        Ok(())
    }

    /// Adds what the front has counted of logins to the statistics.
    pub(super) fn publish_logins(&mut self) -> Result<(), Fault> {
        if self.shared.users.is_none() {
            return Ok(());
        }
        let (tries, refused) = self.front.logins()?;
        let (tries_seen, refused_seen) = std::mem::replace(&mut self.logins_seen, (tries, refused));
        let counters = self.counters();
        counters.logins.add(u64::from(tries.wrapping_sub(tries_seen)));
        counters.logins_refused.add(u64::from(refused.wrapping_sub(refused_seen)));
        Ok(())
    }
}
