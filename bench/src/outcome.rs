//! The result type of the benchmarks, and the context of errors.

/// A result whose error is a message for the user.
pub type Outcome<T> = Result<T, String>;

/// Adds to an error what was attempted.
pub(crate) trait ResultExt<T> {
    /// Turns the error into `"{what}: {error}"`.
    fn context(self, what: &str) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> ResultExt<T> for Result<T, E> {
    fn context(self, what: &str) -> Outcome<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
