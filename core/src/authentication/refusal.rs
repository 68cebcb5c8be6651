//! The list of users in a build without cryptography: it has no users.

use super::{Problem, Secrets};
use alloc::vec::Vec;

/// An empty list.
#[derive(Default)]
pub struct Users;

impl Users {
    /// Refuses a list.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_list: &[u8], _secrets: &Secrets) -> Result<Self, Problem> {
        Err(Problem { line: 1, reason: "this build knows no logins" })
    }

    /// 0.
    pub fn check_iterations(&self) -> u32 {
        0
    }

    /// 0.
    pub fn proof_iterations(&self) -> u32 {
        0
    }

    /// False.
    pub fn check(&self, _name: &[u8], _password: &[u8]) -> bool {
        false
    }
}

/// An exchange that cannot begin.
pub enum Exchange {}

/// The reply to a client's message.
pub enum ScramStep {
    /// The next message of the server.
    Continue(Vec<u8>),
    /// The login is refused.
    Refused,
}

impl Exchange {
    /// Refused.
    pub fn begin(_users: &Users, _message: &[u8], _count: u64) -> Option<(Self, Vec<u8>)> {
        None
    }

    /// Refused.
    pub fn finish(&self, _users: &Users, _message: &[u8]) -> ScramStep {
        ScramStep::Refused
    }
}
