//! The other operating systems and processors, from Linux: the Windows program is linted, built and run under Wine; the
//! program for 64-bit ARM is built and run under QEMU; the macOS program is linted and built, and the headers of its file
//! are checked.
//!
//! Needs Debian's compiler with the standard library's source, because rustup's comes for one target only.

use crate::{
    arm, guests, machine, macos, packages,
    runners::Report,
    step::{Outcome, step},
    windows, wine,
};

/// Debian's packages that lint, build and run for other systems.
const SYSTEM_PACKAGES: [&str; 7] = [
    "rust-web-clippy",
    "gcc-mingw-w64-x86-64",
    "wine64",
    "gcc-aarch64-linux-gnu",
    "libc6-dev-arm64-cross",
    "qemu-user",
    "llvm",
];

/// `cargo xtask cross`.
pub(crate) fn run(_: &[String]) -> Outcome {
    guests::build(&guests::SERVER_AND_FAULTS)?;
    check(&mut Report::default())
}

/// Installs compilers and emulators.
pub(crate) fn packages() -> Outcome {
    if !machine::has_apt() {
        return Ok(());
    }
    packages::install_debian(&SYSTEM_PACKAGES)?;
    guests::debian_toolchain().map(drop)
}

/// Lints and builds for every other system, if this machine can.
pub(crate) fn build_all() -> Outcome {
    if !machine::has_apt() {
        return Ok(());
    }
    let toolchain = guests::debian_toolchain()?;
    windows::program(&toolchain)?;
    arm::program(&toolchain)?;
    macos::build(&toolchain)
}

/// Lints, builds and runs for other systems. Counts its tests in `report`.
pub(crate) fn check(report: &mut Report) -> Outcome {
    if !machine::has_apt() {
        println!("other systems: not checked, because this machine has no Debian packages to do it with");
        return Ok(());
    }
    packages()?;
    let toolchain = guests::debian_toolchain()?;
    let program = step(&format!("lint and build for {}", windows::TARGET), || windows::program(&toolchain))?;
    step("run under Wine", || wine::check(&program, report))?;
    arm::check(&toolchain, report)?;
    macos::check(&toolchain, report)
}
