//! Standard output and standard error. Only this file writes to them, apart from the log, which uses the same writer.
//!
//! A line that cannot be written is lost: the reader may be gone, the disk full, the descriptor closed. Nothing that is
//! printed is worth the end of a server, so no macro that panics (`eprintln!`, `println!`) is allowed in this crate.

pub(crate) mod log;

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// Writes a line to standard error.
pub(crate) fn report(line: impl Display) {
    // One write: lines of several threads do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes `text` to standard output. A closed pipe is no error: its reader has read enough.
///
/// # Errors
/// The text cannot be written for another reason.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
