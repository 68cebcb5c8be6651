//! Progress and failure: a line for each step with its duration, and commands whose output streams through.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// Result of a step. An error is a message for the caller.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Announces a step, runs it, and prints its duration.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let start = Instant::now();
    eprintln!("==> {title}");
    let outcome = work();
    let verdict = if outcome.is_ok() { "done" } else { "failed" };
    eprintln!("<== {title}: {verdict} after {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

/// Runs a command whose output streams through.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| format!("{}: {error}", program(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", described(command))) }
}

/// Runs a command and returns its output; `None` if it does not start or fails.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The program and its arguments, for messages.
pub(crate) fn described(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program(command)).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}
