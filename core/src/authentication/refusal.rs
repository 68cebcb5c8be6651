//! What stands for the list of users in a build without cryptography: nobody is known.

use super::{Problem, Secrets};
use alloc::vec::Vec;

/// Nobody.
#[derive(Default)]
pub struct Users;

impl Users {
    /// Takes no list.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_list: &[u8], _secrets: &Secrets) -> Result<Self, Problem> {
        Err(Problem { line: 1, reason: "this build knows no logins" })
    }

    /// None.
    pub fn check_iterations(&self) -> u32 {
        0
    }

    /// None.
    pub fn proof_iterations(&self) -> u32 {
        0
    }

    /// Never.
    pub fn check(&self, _name: &[u8], _password: &[u8]) -> bool {
        false
    }
}

/// A conversation that never begins.
pub enum Exchange {}

/// What would follow from a client's message.
pub enum ScramStep {
    /// It is to go on from this.
    Continue(Vec<u8>),
    /// It is not who it says.
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
