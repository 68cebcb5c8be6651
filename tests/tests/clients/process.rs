//! Client programs as child processes with a time limit.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Time limit of a client, much longer than any client needs on a busy machine.
const WAIT: Duration = Duration::from_secs(180);

/// A child process that is killed on drop.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Result of a program.
#[derive(Debug)]
pub(crate) struct Done {
    /// Exit status.
    pub(crate) status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Done {
    /// Standard error, then standard output.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stderr, self.stdout)
    }
}

/// Runs a program to its end.
///
/// # Errors
/// If it does not start, or does not end in time.
pub(crate) fn run(command: &mut Command) -> Result<Done, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let deadline = Instant::now() + WAIT;
    let status = loop {
        match child.try_wait().map_err(|error| format!("{name}: {error}"))? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} does not end:\n{}{}", text(stderr), text(stdout)));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Ok(Done { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Runs a program to its end and returns its output.
///
/// # Errors
/// Like [`run`], and if the program fails, with its output.
pub(crate) fn succeed(command: &mut Command) -> Result<String, String> {
    let done = run(command)?;
    if done.status.success() { Ok(done.text()) } else { Err(format!("{}:\n{}", done.status, done.text())) }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn text(collector: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = collector.and_then(|collector| collector.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
