//! Errors that end the program: one line for the user and an exit code.

use std::io;

// Exit codes, those of `sysexits.h` where memcached uses them.

/// An unknown flag or an invalid value.
pub(crate) const FLAG: u8 = 1;
/// Flags that contradict each other or this system.
pub(crate) const USAGE: u8 = 64;
/// The user of `-u` does not exist.
#[cfg(unix)]
pub(crate) const NO_USER: u8 = 67;
/// A failed system call.
pub(crate) const SYSTEM: u8 = 71;

/// Why the program ends: one line for the user, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExitError {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl ExitError {
    /// An error with one of the codes of this module.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), code }
    }
}

/// The text of a system error, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
