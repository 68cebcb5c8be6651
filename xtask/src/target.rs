//! Builds of the server for another system: cargo with Debian's compiler, which brings the standard library's source, in a
//! target directory of their own.

use crate::{guest_build::guest::Toolchain, machine, step::Outcome};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The profile, and the name of its folder.
const PROFILE: &str = "cross";
/// The build for macOS needs the feature; with it, and with one profile, all builds share one build script and its compiler of
/// guests.
const ARGUMENTS: [&str; 4] = ["--package", "wasmcached", "--features", "cross"];

/// Arguments of a cargo of that toolchain that builds the server and its standard library for `target`.
pub(crate) fn product_arguments(command: &mut Command, target: &str) {
    command.args(["--target", target, "--profile", PROFILE, "-Zbuild-std=std,panic_abort,panic_unwind"]);
    command.arg("--target-dir").arg(target_directory()).args(ARGUMENTS);
}

/// Lets the workspace's crates be linted as they are compiled; a warning is an error. A lint of its own would check every
/// dependency, which takes as long as compiling them.
pub(crate) fn lint_while_compiling(command: &mut Command, toolchain: &Toolchain) -> Outcome {
    let driver = programs(toolchain)?.0.with_file_name("clippy-driver");
    // Arguments for clippy are separated by this word, as `cargo clippy` does it.
    command.env("RUSTC_WORKSPACE_WRAPPER", driver).env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings");
    Ok(())
}

/// The folder of the program for `target`.
pub(crate) fn program_folder(target: &str) -> PathBuf {
    target_directory().join(target).join(PROFILE)
}

/// Cargo, or a program that calls it, with the toolchain's compiler and these folders in the search path.
pub(crate) fn with_toolchain(program: &Path, toolchain: &Toolchain, folders: &[PathBuf]) -> Outcome<Command> {
    let (cargo, rustc) = programs(toolchain)?;
    let mut command = machine::cargo_of(program);
    command.env("CARGO", cargo).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    let own = [program.parent(), cargo.parent()].into_iter().flatten().map(Path::to_owned);
    command.env("PATH", machine::search_path_after(folders.iter().cloned().chain(own)));
    Ok(command)
}

/// The target directory, apart from the product's because the compiler differs.
pub(crate) fn target_directory() -> PathBuf {
    machine::target_directory().join("cross")
}

/// Cargo and compiler of a toolchain that can build other systems' standard library.
pub(crate) fn programs(toolchain: &Toolchain) -> Outcome<(&Path, &Path)> {
    match toolchain {
        Toolchain::BuildStd { cargo, rustc, .. } => Ok((cargo, rustc)),
        Toolchain::Rustup { .. } => Err("a compiler with the standard library's source is needed".to_owned()),
    }
}
