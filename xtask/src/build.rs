//! Builds the product, and runs it.

use crate::{
    guest_build::guest,
    guests, machine,
    step::{Outcome, run as run_command, step},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Bytes that the stripped program must stay below.
const BINARY_BYTES_MAX: u64 = 8_400_000;

/// `cargo xtask build`.
pub(crate) fn build(arguments: &[String]) -> Outcome {
    refuse_arguments(arguments)?;
    guests::build(&guests::SERVER)?;
    let binary = binary();
    step("wasmcached", || place(&cargo_build(&[])?, &binary))?;
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
    guests::build(&guests::SERVER)?;
    place(&cargo_build(&[])?, &binary())?;
    become_program(Command::new(binary()).args(flags))
}

/// The program as it is shipped.
pub(crate) fn binary() -> PathBuf {
    machine::target_directory().join("release").join(format!("wasmcached{}", env::consts::EXE_SUFFIX))
}

/// The program with a guest that traps and hangs on demand, apart from everything that is shipped.
pub(crate) fn fault_injection_binary() -> PathBuf {
    machine::target_directory().join("fault-injection").join(format!("wasmcached{}", env::consts::EXE_SUFFIX))
}

/// Builds [`fault_injection_binary`].
pub(crate) fn build_fault_injection() -> Outcome {
    guests::build(&guests::SERVER_FAULTS)?;
    step("wasmcached with fault injection", || {
        place(&cargo_build(&["--features", "fault-injection"])?, &fault_injection_binary())
    })
}

/// Builds an example of the server's crate like the server, symbols kept, and returns the program.
pub(crate) fn example(name: &str) -> Outcome<PathBuf> {
    guests::build(&guests::SERVER)?;
    // The profile strips; of two flags the last one wins.
    let folder = cargo_release("rustc", &["--example", name], &["--", "-Cstrip=none"])?;
    Ok(folder.join("examples").join(name))
}

/// Builds the server and returns where cargo left it.
fn cargo_build(arguments: &[&str]) -> Outcome<PathBuf> {
    Ok(cargo_release("build", arguments, &[])?.join(format!("wasmcached{}", env::consts::EXE_SUFFIX)))
}

/// Runs a cargo build of the server's crate with these arguments, `last` at the end, and returns the folder of its output.
///
/// The target is named, though it is this machine's: the flags that keep this machine's paths out of the program then do
/// not reach build scripts, whose dependencies take longest and are shared with plain `cargo build --release`.
fn cargo_release(subcommand: &str, arguments: &[&str], last: &[&str]) -> Outcome<PathBuf> {
    let triple = machine::host_triple(&machine::rustc_program()).ok_or("rustc does not say what it builds for")?;
    let mut command = machine::cargo();
    command.args([subcommand, "--release", "--package", "wasmcached", "--target", &triple]).args(arguments);
    let own = guest::remap_flags(&machine::root());
    match flags_of_environment() {
        // Cargo takes flags from one place only, and prefers the environment.
        Some(mut flags) => {
            flags.extend(own);
            command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        }
        None => {
            command.arg("--config").arg(format!("target.{triple}.rustflags={own:?}"));
        }
    }
    run_command(command.args(last))?;
    Ok(machine::target_directory().join(triple).join("release"))
}

/// Compiler flags of the environment.
fn flags_of_environment() -> Option<Vec<String>> {
    let split = |separator: char| {
        move |flags: String| flags.split(separator).filter(|flag| !flag.is_empty()).map(str::to_owned).collect()
    };
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok().map(split('\u{1f}'));
    encoded.or_else(|| env::var("RUSTFLAGS").ok().map(split(' ')))
}

/// Copies a program to its place unless it is there already. A running program is never written to.
fn place(built: &Path, wanted: &Path) -> Outcome {
    let put = || {
        let bytes = fs::read(built)?;
        if fs::read(wanted).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        fs::create_dir_all(wanted.parent().unwrap_or(wanted))?;
        let new = wanted.with_extension("new");
        fs::copy(built, &new)?;
        fs::rename(&new, wanted)
    };
    put().map_err(|error| format!("{}: {error}", wanted.display()))
}

fn refuse_arguments(arguments: &[String]) -> Outcome {
    if arguments.is_empty() { Ok(()) } else { Err(format!("takes no arguments, but was given {arguments:?}")) }
}

/// Replaces this process by the program: signals reach it, and its exit code is the one of this command.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().to_string_lossy()))
}

/// Runs the program; its failure is the one of this command.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Outcome {
    run_command(command)
}
