//! Why the program ends without serving: one line for the user and an exit code.

use std::io;

/// Exit codes (of `sysexits.h` where memcached uses those).
pub(crate) mod exit {
    /// A flag that does not exist or a value that is not one.
    pub(crate) const FLAG: u8 = 1;
    /// Flags that cannot be obeyed.
    pub(crate) const USAGE: u8 = 64;
    /// There is no such user.
    #[cfg(unix)]
    pub(crate) const NO_USER: u8 = 67;
    /// The system refused something.
    pub(crate) const SYSTEM: u8 = 71;
}

/// Why the server does not start: one line for the user, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Refusal {
    /// A refusal with one of the codes of [`exit`].
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), code }
    }
}

/// What the system said, without the number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
