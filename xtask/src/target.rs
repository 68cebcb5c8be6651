//! Builds of the server for another operating system: cargo with Debian's compiler, which brings the standard library's
//! source, in a target directory of their own.

use crate::{guest_build::guest::Toolchain, machine, step::Outcome};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The build for macOS needs the feature; with it, all builds share one build script.
const PRODUCT: [&str; 5] = ["--release", "--package", "wasmcached", "--features", "cross"];

/// Arguments of a cargo of that toolchain that builds the server and its standard library for `target`.
pub(crate) fn product_arguments(command: &mut Command, target: &str) {
    command.args(["--target", target, "-Zbuild-std=std,panic_abort,panic_unwind"]);
    command.arg("--target-dir").arg(target_directory()).args(PRODUCT);
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
