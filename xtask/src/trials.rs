//! Test programs that run for any time: minutes by hand, seconds among the tests.

use crate::{
    build, machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
};
use std::process::Command;

/// `cargo xtask soak [SECONDS] [-- FLAGS]`: many connections against a model, while the server evicts, expires and
/// flushes. The flags go to the program.
pub(crate) fn soak(arguments: &[String]) -> Outcome {
    by_hand("soak", arguments)
}

/// `cargo xtask differential [SECONDS] [-- FLAGS]`: random conversations with this server and with memcached.
pub(crate) fn differential(arguments: &[String]) -> Outcome {
    by_hand("differential", arguments)
}

fn by_hand(name: &str, arguments: &[String]) -> Outcome {
    build::build(&[])?;
    let mut command = program(name, &["--release"]);
    run_command(command.args(arguments))
}

/// A short run that counts as one test. Uses the release build of the server and the debug build of the test program.
pub(crate) fn check(report: &mut Report, name: &str, seconds: u32) -> Outcome {
    let test = format!("{name} for {seconds} s");
    step(&test, || report.run_one(&test, program(name, &[]).arg(seconds.to_string())))
}

fn program(name: &str, profile: &[&str]) -> Command {
    let mut command = machine::cargo();
    command.args(["run", "--quiet", "--package", "wasmcached-tests", "--bin", name]).args(profile).arg("--");
    command.env("WASMCACHED_BIN", build::binary());
    command
}
