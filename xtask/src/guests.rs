//! Builds the WebAssembly guests: finds a compiler, compiles, writes module and stamp to `target/guest`.

use crate::{
    guest_build::{
        guest::{self, Guest, Source, Toolchain},
        inputs,
    },
    machine, packages,
    step::{Outcome, output_of, run as run_command, step},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// Debian's compiler with the standard library's source.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// The folder of that compiler.
const DEBIAN_FOLDER: &str = "/usr/bin";

/// The guests that the server embeds.
pub(crate) const SERVER: [Guest; 2] = [Guest::Shipped, Guest::Shared];
/// The guests that the server with fault injection embeds.
pub(crate) const SERVER_FAULTS: [Guest; 2] = [Guest::FaultInjection, Guest::SharedFaultInjection];
/// Both.
pub(crate) const SERVER_AND_FAULTS: [Guest; 4] =
    [Guest::Shipped, Guest::Shared, Guest::FaultInjection, Guest::SharedFaultInjection];
/// The guest of a cache in JavaScript.
pub(crate) const CACHE: [Guest; 1] = [Guest::Cache];

/// `cargo xtask guest`.
pub(crate) fn run(_: &[String]) -> Outcome {
    build(&SERVER_AND_FAULTS)?;
    build(&CACHE)
}

/// Builds those of the guests that are older than their sources.
pub(crate) fn build(guests: &[Guest]) -> Outcome {
    let stale: Vec<Guest> = guests.iter().copied().filter(|guest| !is_fresh(*guest)).collect();
    if stale.is_empty() {
        return Ok(());
    }
    for guest in stale {
        let toolchain = step("compiler for WebAssembly", || toolchain(guest.target()))?;
        step(&format!("target/guest/{}", guest.file_name()), || build_one(&toolchain, guest))?;
    }
    Ok(())
}

/// The file of a built guest.
pub(crate) fn file(guest: Guest) -> PathBuf {
    machine::root().join("target/guest").join(guest.file_name())
}

/// The version line of the compiler that builds guests on this machine.
pub(crate) fn compiler() -> Option<String> {
    let (Toolchain::Rustup { rustc, .. } | Toolchain::BuildStd { rustc, .. }) = installed_toolchain(guest::TARGET)?;
    output_of(Command::new(rustc).arg("-V"))
}

fn is_fresh(guest: Guest) -> bool {
    let stamp = guest::stamp_of(&file(guest));
    fingerprint(guest).is_ok_and(|wanted| guest::source(stamp.as_deref(), &wanted, || false) == Source::Fresh)
}

fn fingerprint(guest: Guest) -> Outcome<String> {
    inputs::fingerprint(&machine::root(), &guest.flags()).map_err(|error| format!("the guest's sources: {error}"))
}

fn build_one(toolchain: &Toolchain, guest: Guest) -> Outcome {
    let root = machine::root();
    // Computed before the build: a source that changes meanwhile leaves a stale guest, not a wrong stamp.
    let stamp = fingerprint(guest)?;
    let (mut command, built) = guest::cargo_command(toolchain, guest, &root, &root.join("target/guest-build"));
    run_command(&mut command)?;
    let file = file(guest);
    let put = || {
        fs::create_dir_all(root.join("target/guest"))?;
        // Renamed, because another process may build or read it at the same time.
        let new = file.with_extension(format!("new{}", process::id()));
        fs::copy(&built, &new)?;
        fs::rename(&new, &file)?;
        fs::write(file.with_extension("stamp"), stamp)
    };
    put().map_err(|error| format!("{}: {error}", file.display()))
}

/// A compiler that can build guests for `target`: one with rustup's target, or one with the source of the standard
/// library. Installs either if both are missing.
fn toolchain(target: &str) -> Outcome<Toolchain> {
    if let Some(found) = installed_toolchain(target) {
        return Ok(found);
    }
    if let Some(rustup) = machine::find_program("rustup") {
        eprintln!("    installing: {target} by rustup");
        if run_command(Command::new(rustup).args(["target", "add", target])).is_ok()
            && let Some(found) = installed_toolchain(target)
        {
            return Ok(found);
        }
    }
    if machine::has_apt() {
        packages::install_debian(&DEBIAN_PACKAGES)?;
    }
    installed_toolchain(target).ok_or_else(|| {
        let (targets, packages) = (guest::TARGETS.join(" "), DEBIAN_PACKAGES.join(" "));
        format!("no compiler for {target}: run `rustup target add {targets}` (or install Debian's {packages})")
    })
}

fn installed_toolchain(target: &str) -> Option<Toolchain> {
    let (cargo, rustc) = (machine::cargo_program(), machine::rustc_program());
    if guest::has_target(&machine::sysroot(&rustc)?, target) {
        return Some(Toolchain::Rustup { cargo, rustc });
    }
    let debian = Path::new(DEBIAN_FOLDER);
    with_source(cargo, rustc).or_else(|| with_source(debian.join("cargo"), debian.join("rustc")))
}

/// A compiler with the source of its standard library, if both are installed.
pub(crate) fn with_source(cargo: PathBuf, rustc: PathBuf) -> Option<Toolchain> {
    let sysroot = machine::sysroot(&rustc)?;
    let has_source = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists();
    (has_source && cargo.exists()).then_some(())?;
    let linker = linker(&sysroot).or_else(|| linker(&machine::sysroot(&machine::rustc_program())?))?;
    Some(Toolchain::BuildStd { cargo, rustc, linker })
}

/// The linker for guests: Rust's own, which distributions may leave out, or LLVM's.
fn linker(sysroot: &Path) -> Option<PathBuf> {
    let triple = machine::host_triple(&machine::rustc_program())?;
    let name = |name: &str| format!("{name}{}", env::consts::EXE_SUFFIX);
    let own = sysroot.join("lib/rustlib").join(triple).join("bin").join(name("rust-lld"));
    if own.exists() { Some(own) } else { machine::find_program("wasm-ld") }
}

/// Debian's compiler with the source of the standard library, installed if it is missing. It builds for every target.
pub(crate) fn debian_toolchain() -> Outcome<Toolchain> {
    packages::install_debian(&DEBIAN_PACKAGES)?;
    let folder = Path::new(DEBIAN_FOLDER);
    let version = output_of(Command::new(folder.join("rustc")).arg("-V")).unwrap_or_default();
    with_source(folder.join("cargo"), folder.join("rustc"))
        .ok_or_else(|| format!("Debian's compiler ({version}) has no source of the standard library"))
}
