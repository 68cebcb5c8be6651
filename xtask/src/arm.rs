//! The program for Linux on 64-bit ARM, from Linux on another processor: built, and run under QEMU by the tests of the
//! server. Its guest is the one with traps on demand, because a trap is a signal, and signals differ by processor.

use crate::{
    guest_build::guest::Toolchain,
    machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
    target,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The target triple.
pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";
/// The linker of Debian's package.
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// QEMU for a single program.
const EMULATOR: &str = "qemu-aarch64";
/// The system's libraries for the emulated processor.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Programs of tests and their arguments: each protocol once, faults, start and stop. Other splits of the input and
/// other numbers of workers do not depend on the processor, and an emulated start is slow.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("transcripts_server", &["one worker: ", "--test-threads=2", "--skip=byte by byte", "--skip=random pieces"]),
    // QEMU itself keeps memory for every guest that is gone: after a thousand it has taken that of the machine.
    ("faults", &["--test-threads=1", "trap", "hangs", "replaced_as_a_whole", "--skip=two_thousand"]),
    ("lifecycle", &["--test-threads=1", "it_serves_at_once", "every_number_of_threads", "signal"]),
];

/// Builds and runs. Counts the tests in `report`.
pub(crate) fn check(toolchain: &Toolchain, report: &mut Report) -> Outcome {
    let program = step(&format!("build for {TARGET}"), || program(toolchain))?;
    step("run under QEMU", || {
        let emulated = emulated(&program)?;
        let mut failures = Vec::new();
        for (name, arguments) in PROGRAMS {
            let mut command = machine::cargo();
            command.args(["test", "--workspace", "--test", name, "--"]).args(arguments);
            command.env("WASMCACHED_BIN", &emulated).env("WASMCACHED_FAULT_INJECTION_BIN", &emulated);
            failures.extend(report.run(&mut command).err());
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    })
}

/// Builds the server and returns the program.
pub(crate) fn program(toolchain: &Toolchain) -> Outcome<PathBuf> {
    let mut command = target::with_toolchain(target::programs(toolchain)?.0, toolchain, &[])?;
    target::product_arguments(command.arg("build"), TARGET);
    command.args(["--features", "fault-injection"]);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    // QEMU is slow enough without a slow program.
    command.env("CARGO_PROFILE_CROSS_OPT_LEVEL", "3");
    run_command(&mut command)?;
    Ok(target::program_folder(TARGET).join("wasmcached"))
}

/// A program that runs another one under QEMU: the tests start it like the server, and it becomes QEMU, so that signals
/// reach the server.
fn emulated(program: &Path) -> Outcome<PathBuf> {
    let script = program.with_file_name("wasmcached-emulated");
    let text = format!("#!/bin/sh\nexec {EMULATOR} -L {LIBRARIES} '{}' \"$@\"\n", program.display());
    fs::write(&script, text).map_err(|error| format!("{}: {error}", script.display()))?;
    run_command(Command::new("chmod").arg("755").arg(&script))?;
    Ok(script)
}
