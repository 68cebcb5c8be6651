//! ThreadSanitizer on the threads of the core, where the compiler has it.

use crate::{
    machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Flags of the compiler. The standard library is not compiled anew: it has few accesses of its own in the tests.
const FLAGS: [&str; 2] = ["-Zsanitizer=thread", "-Cunsafe-allow-abi-mismatch=sanitizer"];

/// The one place where that shows: the harness sends the end of a test through a channel of the standard library.
const SUPPRESSIONS: &str = "race:std::sync::mpmc::list::Channel<test::event::\n";

/// The test program with threads, and a part of the names of its tests with threads.
const TESTS: [&str; 2] = ["stripes", "several_threads"];

/// A program with a race.
const RACE: &str = "static mut WORD: u64 = 0;
fn main() {
    let add = || (0..1000).for_each(|_| unsafe { WORD += 1 });
    let other = std::thread::spawn(add);
    add();
    other.join().unwrap();
}
";

/// The exit status of a program in which ThreadSanitizer has found a race.
const FOUND: i32 = 66;

/// Runs the core's tests with threads, and a program with a race, which must be found.
pub(crate) fn check(report: &mut Report) -> Outcome {
    let rustc = machine::rustc_program();
    let Some(triple) = machine::host_triple(&rustc).filter(|triple| has_sanitizer(&rustc, triple)) else {
        report
            .not_run("races: not looked for, because the compiler has no ThreadSanitizer (rustup's has it, on Linux)");
        return Ok(());
    };
    let folder = machine::target_directory().join("races");
    let suppressions = folder.join("suppressions");
    let write = || fs::create_dir_all(&folder).and_then(|()| fs::write(&suppressions, SUPPRESSIONS));
    write().map_err(|error| format!("{}: {error}", suppressions.display()))?;
    let found = step("a race that is there", || find_race(&rustc, &folder));
    report.count("ThreadSanitizer finds a race", found.is_ok());
    found?;
    let mut command = machine::cargo();
    command.args(["test", "--package", "wasmcached-core", "--test", TESTS[0], "--target", &triple]);
    command.arg("--target-dir").arg(&folder).args(["--", TESTS[1]]);
    command.env("RUSTFLAGS", FLAGS.join(" ")).env("RUSTC_BOOTSTRAP", "1");
    command.env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()));
    report.run(&mut command)
}

/// Whether the compiler comes with the runtime of ThreadSanitizer.
fn has_sanitizer(rustc: &Path, triple: &str) -> bool {
    let libraries = machine::sysroot(rustc).map(|sysroot| sysroot.join("lib/rustlib").join(triple).join("lib"));
    let mut files = libraries.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().ends_with("_rt.tsan.a"))
}

/// Compiles and runs the program with a race.
fn find_race(rustc: &Path, folder: &Path) -> Outcome {
    let source = folder.join("race.rs");
    let program: PathBuf = folder.join(format!("race{}", env::consts::EXE_SUFFIX));
    fs::write(&source, RACE).map_err(|error| format!("{}: {error}", source.display()))?;
    let mut compiler = Command::new(rustc);
    compiler.args(["--edition", "2021"]).args(FLAGS).arg("-o").arg(&program).arg(&source);
    run_command(compiler.env("RUSTC_BOOTSTRAP", "1"))?;
    let status = Command::new(&program).stderr(Stdio::null()).status().map_err(|error| format!("the race: {error}"))?;
    if status.code() == Some(FOUND) { Ok(()) } else { Err(format!("ThreadSanitizer found no race: {status}")) }
}
