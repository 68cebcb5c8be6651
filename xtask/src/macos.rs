//! The program for macOS, from Linux: linted, compiled, linked by Zig, the headers of its file checked. It is not run.

use crate::{
    guest_build::guest::Toolchain,
    machine, packages,
    runners::{Report, Suite},
    step::{Outcome, output_of, run as run_command, step},
    target,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "aarch64-apple-darwin";
/// The first macOS that runs on these processors.
const VERSION_MIN: &str = "11.0";

/// A test, the header or load command that it looks for in LLVM's dump, and the words that must stand there.
const HEADERS: [(&str, &str, &[&str]); 5] = [
    ("the file is a program for 64-bit ARM", "Mach header", &["MH_MAGIC_64", "ARM64", "EXECUTE", "PIE"]),
    ("it has an entry point", "LC_MAIN", &["entryoff"]),
    ("it runs on every macOS there is for ARM", "LC_BUILD_VERSION", &["platform macos", "minos 11.0"]),
    ("it wants the system's library", "LC_LOAD_DYLIB", &["/usr/lib/libSystem.B.dylib"]),
    ("it is signed, or the system would end it", "LC_CODE_SIGNATURE", &["dataoff", "datasize"]),
];

/// Lints and builds. Counts tests of the file in `report`.
pub(crate) fn check(toolchain: &Toolchain, report: &mut Report) -> Outcome {
    step(&format!("lint and build for {TARGET}"), || build(toolchain))?;
    step("the program for macOS", || check_file(&program(), report))
}

/// Lints and builds the server.
pub(crate) fn build(toolchain: &Toolchain) -> Outcome {
    let zigbuild = step("packages of Python", packages::zigbuild)?;
    run_command(&mut cargo(&zigbuild, toolchain)?)
}

fn program() -> PathBuf {
    target::program_folder(TARGET).join("wasmcached")
}

/// Cargo with Zig as C compiler and linker.
fn cargo(zigbuild: &Path, toolchain: &Toolchain) -> Outcome<Command> {
    let cache = target::target_directory().join("zig");
    let mut command = target::with_toolchain(zigbuild, toolchain, &[strip_tool()?])?;
    // The compiler asks for Apple's headers and libraries. Zig brings its own, so an empty folder is enough.
    command.env("SDKROOT", folder("sdk")?).env("MACOSX_DEPLOYMENT_TARGET", VERSION_MIN);
    command.env("CARGO_ZIGBUILD_CACHE_DIR", &cache).env("ZIG_GLOBAL_CACHE_DIR", cache.join("cache"));
    target::product_arguments(command.arg("zigbuild"), TARGET);
    target::lint_while_compiling(&mut command, toolchain)?;
    Ok(command)
}

/// A folder with LLVM's tool under the name of the tool with which the compiler strips programs for macOS.
fn strip_tool() -> Outcome<PathBuf> {
    let tool = machine::find_program("llvm-objcopy").ok_or("llvm-objcopy is missing")?;
    let folder = folder("tools")?;
    let link = folder.join("rust-objcopy");
    if !link.exists() {
        symbolic_link(&tool, &link).map_err(|error| format!("{}: {error}", link.display()))?;
    }
    Ok(folder)
}

fn folder(name: &str) -> Outcome<PathBuf> {
    let folder = target::target_directory().join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

#[cfg(unix)]
fn symbolic_link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn symbolic_link(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to).map(drop)
}

fn check_file(file: &Path, report: &mut Report) -> Outcome {
    let dump = output_of(Command::new("llvm-objdump").args(["--macho", "--private-headers"]).arg(file));
    let dump = dump.ok_or_else(|| format!("{}: llvm-objdump cannot read it", file.display()))?;
    let mut suite = Suite::new("the program for macOS");
    for (test, header, wanted) in HEADERS {
        suite.verdict(test, find_header(&dump, header, wanted));
    }
    suite.close(report)
}

/// Succeeds if a header of that name has all of these words.
fn find_header(dump: &str, header: &str, wanted: &[&str]) -> Outcome {
    let mut sections = dump.split("Load command ").filter(|section| section.contains(header));
    if sections.any(|section| wanted.iter().all(|word| section.contains(word))) {
        return Ok(());
    }
    Err(format!("no {header} with {}", wanted.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::find_header;

    #[test]
    fn headers_are_searched_one_by_one() {
        let dump = "Mach header\nMH_MAGIC_64 ARM64\nLoad command 0\n cmd A\n x 1\nLoad command 1\n cmd A\n y 2\n";
        assert_eq!(find_header(dump, "Mach header", &["ARM64"]), Ok(()));
        assert_eq!(find_header(dump, "cmd A", &["y 2"]), Ok(()));
        assert!(find_header(dump, "cmd A", &["x 1", "y 2"]).is_err(), "words of two headers");
        assert!(find_header(dump, "cmd B", &[]).is_err());
    }
}
