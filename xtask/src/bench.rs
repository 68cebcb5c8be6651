//! The benchmark against memcached.

use crate::{
    build, machine, packages,
    step::{Outcome, run as run_command, step},
};

/// `cargo xtask bench`: the rest of the line goes to the benchmark.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    step("packages of the system", packages::system_packages)?;
    let flags = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    // Miss ratios need the store and memcached, not the server.
    if flags.first().is_none_or(|first| first != "hit-ratio") {
        build::build(&[])?;
    }
    let mut command = machine::cargo();
    command.args(["run", "--release", "--package", "wasmcached-tests", "--bin", "bench", "--"]).args(flags);
    run_command(command.env("WASMCACHED_BIN", build::binary()))
}
