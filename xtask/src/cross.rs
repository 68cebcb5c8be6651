//! The other operating systems, from Linux: the Windows program is linted, built and run under Wine; the macOS program is
//! linted, built and its file looked at.
//!
//! Needs Debian's compiler with the standard library's source, because rustup's comes for one target only.

use crate::{
    guest_build::guest::{Guest, Toolchain},
    guests, machine, macos, packages,
    runners::Report,
    step::{Outcome, run as run_command, step},
    wine,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const WINDOWS: &str = "x86_64-pc-windows-gnu";
/// Debian's packages that lint, build and run for other systems.
const SYSTEM_PACKAGES: [&str; 4] = ["rust-web-clippy", "gcc-mingw-w64-x86-64", "wine64", "llvm"];
/// Only the build for macOS needs the feature, but with it all of them share one build script.
const PRODUCT: [&str; 5] = ["--release", "--package", "wasmcached", "--features", "cross"];

/// `cargo xtask cross`.
pub(crate) fn run(_: &[String]) -> Outcome {
    guests::build(&[Guest::Shipped])?;
    check(&mut Report::default())
}

/// Lints, builds and runs for other systems; tests are counted in `report`.
pub(crate) fn check(report: &mut Report) -> Outcome {
    if !machine::has_apt() {
        println!("other systems: not checked, because this machine has no Debian packages to do it with");
        return Ok(());
    }
    packages::install_debian(&SYSTEM_PACKAGES)?;
    let toolchain = guests::debian_toolchain()?;
    step(&format!("lint for {WINDOWS}"), || lint_windows(&toolchain))?;
    let program = step(&format!("build for {WINDOWS}"), || windows_program(&toolchain))?;
    step("run under Wine", || wine::check(&program, report))?;
    macos::check(&toolchain, report)
}

/// Arguments of a cargo of that toolchain that builds the server and its standard library for `target`.
pub(crate) fn product_arguments(command: &mut Command, target: &str) {
    command.args(["--target", target, "-Zbuild-std=std,panic_abort,panic_unwind"]);
    command.arg("--target-dir").arg(target_directory()).args(PRODUCT);
}

/// Cargo itself, or a program that calls it, with the toolchain's compiler and programs of these folders.
pub(crate) fn with_toolchain(program: &Path, toolchain: &Toolchain, folders: &[PathBuf]) -> Outcome<Command> {
    let (cargo, rustc) = programs(toolchain)?;
    let mut command = machine::cargo_of(program);
    command.env("CARGO", cargo).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    let own = [program.parent(), cargo.parent()].into_iter().flatten().map(Path::to_owned);
    command.env("PATH", machine::search_path_after(folders.iter().cloned().chain(own)));
    Ok(command)
}

/// A directory of its own, because the compiler differs from the one of the product.
pub(crate) fn target_directory() -> PathBuf {
    machine::target_directory().join("cross")
}

fn programs(toolchain: &Toolchain) -> Outcome<(&Path, &Path)> {
    match toolchain {
        Toolchain::BuildStd { cargo, rustc, .. } => Ok((cargo, rustc)),
        Toolchain::Rustup { .. } => Err("a compiler with the standard library's source is needed".to_owned()),
    }
}

fn cargo(toolchain: &Toolchain, verb: &str) -> Outcome<Command> {
    let mut command = with_toolchain(programs(toolchain)?.0, toolchain, &[])?;
    product_arguments(command.arg(verb), WINDOWS);
    Ok(command)
}

fn lint_windows(toolchain: &Toolchain) -> Outcome {
    run_command(cargo(toolchain, "clippy")?.args(["--", "--deny", "warnings"]))
}

fn windows_program(toolchain: &Toolchain) -> Outcome<PathBuf> {
    run_command(&mut cargo(toolchain, "build")?)?;
    let folder = target_directory().join(WINDOWS).join("release");
    let library = folder.join("bcryptprimitives.dll");
    let source = machine::root().join("tests/data/windows/bcryptprimitives.c");
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    run_command(compiler.args(["-shared", "-O1", "-o"]).arg(&library).arg(&source).arg("-ladvapi32"))?;
    Ok(folder.join("wasmcached.exe"))
}
