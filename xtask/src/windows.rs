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

/// Lints and builds the server, and returns the program.
pub(crate) fn program(toolchain: &Toolchain) -> Outcome<PathBuf> {
    let mut command = target::with_toolchain(target::programs(toolchain)?.0, toolchain, &[])?;
    target::product_arguments(command.arg("build"), TARGET);
    target::lint_while_compiling(&mut command, toolchain)?;
    run_command(&mut command)?;
    let folder = target::program_folder(TARGET);
    let library = folder.join("bcryptprimitives.dll");
    let source = machine::root().join("tests/data/windows/bcryptprimitives.c");
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    run_command(compiler.args(["-shared", "-O1", "-o"]).arg(&library).arg(&source).arg("-ladvapi32"))?;
    Ok(folder.join("wasmcached.exe"))
}
