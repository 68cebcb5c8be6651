//! The other operating systems, from Linux: the Windows program is built and run under Wine, macOS is checked.
//!
//! Needs Debian's compiler with the standard library's source, because rustup's comes for one target only.

use crate::{
    guest_build::guest::{Guest, Toolchain},
    guests, machine, packages,
    runners::Report,
    step::{Outcome, run as run_command, step},
    wine,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const WINDOWS: &str = "x86_64-pc-windows-gnu";
const MACOS: &str = "aarch64-apple-darwin";
/// Debian's packages that build and run for Windows.
const WINDOWS_PACKAGES: [&str; 2] = ["gcc-mingw-w64-x86-64", "wine64"];

/// `cargo xtask cross`.
pub(crate) fn run(_: &[String]) -> Outcome {
    guests::build(&[Guest::Shipped])?;
    check(&mut Report::default())
}

/// Builds, checks and runs for other systems; tests are counted in `report`.
pub(crate) fn check(report: &mut Report) -> Outcome {
    if !machine::has_apt() {
        println!("other systems: not checked, because this machine has no Debian packages to do it with");
        return Ok(());
    }
    packages::install_debian(&WINDOWS_PACKAGES)?;
    let toolchain = guests::debian_toolchain()?;
    let program = step(&format!("build for {WINDOWS}"), || windows_program(&toolchain))?;
    step("run under Wine", || wine::check(&program, report))?;
    step(&format!("check for {MACOS}"), || check_macos(&toolchain))
}

fn windows_program(toolchain: &Toolchain) -> Outcome<PathBuf> {
    let mut build = cargo(toolchain, "build", WINDOWS)?;
    // Only the check for macOS needs that feature, but with it both have one build script.
    run_command(build.args(["--release", "--package", "wasmcached", "--features", "cross"]))?;
    let folder = target_directory().join(WINDOWS).join("release");
    let library = folder.join("bcryptprimitives.dll");
    let source = machine::root().join("tests/data/windows/bcryptprimitives.c");
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    run_command(compiler.args(["-shared", "-O1", "-o"]).arg(&library).arg(&source).arg("-ladvapi32"))?;
    Ok(folder.join("wasmcached.exe"))
}

fn check_macos(toolchain: &Toolchain) -> Outcome {
    let compiler = macos_compiler()?;
    let mut command = cargo(toolchain, "check", MACOS)?;
    command.args(["--release", "--package", "wasmcached", "--features", "cross"]);
    command.env("SDKROOT", "/").env("MACOSX_DEPLOYMENT_TARGET", "11.0");
    command.env("CC_aarch64_apple_darwin", &compiler).env("AR_aarch64_apple_darwin", "ar");
    run_command(&mut command)
}

/// A C compiler for a check that links nothing: this machine's, without what only Apple's understands.
fn macos_compiler() -> Outcome<PathBuf> {
    let script = "#!/bin/sh\n\
        # Compiles for this machine: a check for macOS does not look at the result.\n\
        for argument do\n    shift\n    case $previous$argument in\n        \
        -arch) previous=skip; continue ;;\n        \
        skip*) previous=; continue ;;\n        \
        -mmacosx-version-min=* | --target=*) continue ;;\n    esac\n    set -- \"$@\" \"$argument\"\ndone\nexec cc \"$@\"\n";
    let file = target_directory().join("macos-cc");
    let put = || {
        fs::create_dir_all(target_directory())?;
        fs::write(&file, script)?;
        make_executable(&file)
    };
    put().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Cargo of a toolchain that compiles the standard library for `target` too.
fn cargo(toolchain: &Toolchain, verb: &str, target: &str) -> Outcome<Command> {
    let Toolchain::BuildStd { cargo, rustc, .. } = toolchain else {
        return Err("a compiler with the standard library's source is needed".to_owned());
    };
    let mut command = machine::cargo_of(cargo);
    command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    command.arg(verb).args(["--target", target, "-Zbuild-std=std,panic_abort,panic_unwind"]);
    command.arg("--target-dir").arg(target_directory());
    Ok(command)
}

/// A directory of its own, because the compiler differs from the one of the product.
fn target_directory() -> PathBuf {
    machine::target_directory().join("cross")
}
