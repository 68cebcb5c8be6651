//! The program for Windows, from Linux: linted and built, with the one library that Wine lacks.

use crate::{
    guest_build::guest::Toolchain,
    machine,
    step::{Outcome, run as run_command},
    target,
};
use std::{path::PathBuf, process::Command};

/// The target triple.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// Lints the server; a warning is an error.
pub(crate) fn lint(toolchain: &Toolchain) -> Outcome {
    run_command(cargo(toolchain, "clippy")?.args(["--", "--deny", "warnings"]))
}

/// Builds the server and returns the program.
pub(crate) fn program(toolchain: &Toolchain) -> Outcome<PathBuf> {
    run_command(&mut cargo(toolchain, "build")?)?;
    let folder = target::target_directory().join(TARGET).join("release");
    let library = folder.join("bcryptprimitives.dll");
    let source = machine::root().join("tests/data/windows/bcryptprimitives.c");
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    run_command(compiler.args(["-shared", "-O1", "-o"]).arg(&library).arg(&source).arg("-ladvapi32"))?;
    Ok(folder.join("wasmcached.exe"))
}

fn cargo(toolchain: &Toolchain, verb: &str) -> Outcome<Command> {
    let mut command = target::with_toolchain(target::programs(toolchain)?.0, toolchain, &[])?;
    target::product_arguments(command.arg(verb), TARGET);
    Ok(command)
}
