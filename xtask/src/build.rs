//! Builds the product, and runs it.

use crate::{
    guest_build::guest::Guest,
    guests, machine,
    step::{Outcome, run as run_command, step},
};
use std::{env, fs, path::PathBuf, process::Command};

/// The product with stripped symbols must stay below.
const BINARY_BYTES_MAX: u64 = 6_000_000;

/// `cargo xtask build`.
pub(crate) fn build(arguments: &[String]) -> Outcome {
    refuse_arguments(arguments)?;
    guests::build(&[Guest::Shipped])?;
    step("wasmcached", || cargo_build(&[]))?;
    let binary = binary();
    let size_bytes = fs::metadata(&binary).map_err(|error| format!("{}: {error}", binary.display()))?.len();
    eprintln!("{}: {size_bytes} bytes", binary.display());
    if size_bytes < BINARY_BYTES_MAX {
        return Ok(());
    }
    Err(format!("{} has {size_bytes} bytes, {BINARY_BYTES_MAX} are the limit", binary.display()))
}

/// `cargo xtask run`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let flags = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    guests::build(&[Guest::Shipped])?;
    cargo_build(&[])?;
    become_program(Command::new(binary()).args(flags))
}

/// The product.
pub(crate) fn binary() -> PathBuf {
    machine::target_directory().join("release").join(format!("wasmcached{}", env::consts::EXE_SUFFIX))
}

/// The product with a guest that traps and hangs on demand; lies where nothing that is shipped lies.
pub(crate) fn fault_injection_binary() -> PathBuf {
    machine::target_directory().join("fault-injection").join(format!("wasmcached{}", env::consts::EXE_SUFFIX))
}

/// Builds [`fault_injection_binary`], then the product again.
pub(crate) fn build_fault_injection() -> Outcome {
    guests::build(&[Guest::FaultInjection])?;
    let copy = fault_injection_binary();
    step("wasmcached with fault injection", || {
        cargo_build(&["--features", "fault-injection"])?;
        let put = || {
            fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
            fs::copy(binary(), &copy)
        };
        put().map(drop).map_err(|error| format!("{}: {error}", copy.display()))
    })
}

fn cargo_build(arguments: &[&str]) -> Outcome {
    run_command(machine::cargo().args(["build", "--release", "--package", "wasmcached"]).args(arguments))
}

fn refuse_arguments(arguments: &[String]) -> Outcome {
    if arguments.is_empty() { Ok(()) } else { Err(format!("takes no arguments, but was given {arguments:?}")) }
}

/// Goes on as the other program, so that signals reach it and its exit code is ours.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().to_string_lossy()))
}

/// Runs the other program; its exit code is ours.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Outcome {
    run_command(command)
}
