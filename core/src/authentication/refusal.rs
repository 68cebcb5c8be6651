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

    /// Refuses a list.
    ///
    /// # Errors
    /// Always.
    pub fn parse_form(list: &[u8], _form: ListForm, secrets: &Secrets) -> Result<Self, Problem> {
        Self::parse(list, secrets)
    }

    /// 0.
    pub fn check_iterations(&self) -> u32 {
        0
    }

    /// 0.
    pub fn proof_iterations(&self) -> u32 {
        0
    }

    /// A check that fails.
    pub fn begin_check(&self, _name: &[u8], _password: &[u8]) -> PasswordCheck {
        PasswordCheck
    }

    /// False.
    pub fn check(&self, _name: &[u8], _password: &[u8]) -> bool {
        false
    }
}

/// The forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// Plain lines.
    Plain,
    /// Lines for SASL.
    Sasl,
}

/// A check that fails.
pub struct PasswordCheck;

impl PasswordCheck {
    /// False.
    pub fn advance(&mut self, _iterations: u32) -> Option<bool> {
        Some(false)
    }
}

/// The check of a proof, which cannot begin.
pub enum Proof {}

impl Proof {
    /// Refused.
    pub fn advance(&mut self, _exchange: &Exchange, _iterations: u32) -> Option<ScramStep> {
        Some(ScramStep::Refused)
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
    pub fn begin_proof(&self, _users: &Users, _message: &[u8]) -> Option<Proof> {
        None
    }

    /// Refused.
    pub fn finish(&self, _users: &Users, _message: &[u8]) -> ScramStep {
        ScramStep::Refused
    }
}
