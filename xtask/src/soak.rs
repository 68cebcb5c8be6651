//! The soak: many connections against a model, while the server evicts, expires and flushes.

use crate::{
    build, machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
};

/// `cargo xtask soak [SECONDS] [-- FLAGS]`: the rest of the line goes to the soak.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    build::build(&[])?;
    let mut command = machine::cargo();
    command.args(["run", "--quiet", "--release", "--package", "wasmcached-tests", "--bin", "soak", "--"]);
    run_command(command.args(arguments).env("WASMCACHED_BIN", build::binary()))
}

/// A short one, as one test, with the program that was built before and a client that the tests have built anyway.
pub(crate) fn check(report: &mut Report, seconds: u32) -> Outcome {
    let name = format!("soak for {seconds} s");
    let outcome = step(&name, || {
        let mut command = machine::cargo();
        command.args(["run", "--quiet", "--package", "wasmcached-tests", "--bin", "soak", "--", &seconds.to_string()]);
        run_command(command.env("WASMCACHED_BIN", build::binary()))
    });
    report.count(&name, outcome.is_ok());
    outcome
}
