//! Coverage-guided fuzzing of the engine, with libFuzzer and a stable compiler.

use crate::{
    machine,
    step::{Outcome, run as run_command, step},
};
use std::{fs, path::PathBuf, process::Command};

/// What libFuzzer needs from the compiler.
const COVERAGE_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=on -Coverflow-checks=on -Ccodegen-units=1";
/// How long a target runs if nothing is said.
const SECONDS_DEFAULT: u32 = 60;

/// `cargo xtask fuzz [TARGET] [SECONDS]`: every target in turn, or one.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let seconds = match arguments.iter().find_map(|argument| argument.parse::<u32>().ok()) {
        Some(seconds) => seconds,
        None => SECONDS_DEFAULT,
    };
    let wanted = arguments.iter().find(|argument| argument.parse::<u32>().is_err());
    let targets = targets()?;
    let chosen: Vec<&String> = targets.iter().filter(|target| wanted.is_none_or(|wanted| wanted == *target)).collect();
    if chosen.is_empty() {
        return Err(format!("no target has that name; there are: {}", targets.join(" ")));
    }
    for target in chosen {
        step(&format!("fuzz {target} for {seconds} s"), || fuzz(target, seconds))?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Outcome {
    let triple = machine::host_triple(&machine::rustc_program()).ok_or("rustc does not say what it builds for")?;
    let directory = machine::target_directory().join("fuzz");
    let mut build = machine::cargo();
    // With a target named, the flags do not reach build scripts.
    build.args(["build", "--release", "--bin", target, "--target", &triple]).current_dir(folder());
    run_command(build.arg("--target-dir").arg(&directory).env("RUSTFLAGS", COVERAGE_FLAGS))?;
    let corpus = directory.join("corpus").join(target);
    let findings = directory.join("findings").join(target);
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut command = Command::new(directory.join(triple).join("release").join(target));
    command.arg(&corpus).arg(format!("-artifact_prefix={}/", findings.display()));
    command.args([&format!("-max_total_time={seconds}"), "-max_len=4096", "-timeout=20", "-print_final_stats=1"]);
    command.arg(format!("-dict={}", folder().join("text.dict").display()));
    // What libFuzzer finds goes into the first folder; the seeds are only read.
    let seeds = folder().join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    run_command(&mut command)
}

fn folder() -> PathBuf {
    machine::root().join("fuzz")
}

/// The files in `fuzz/fuzz_targets`, which are its targets.
fn targets() -> Outcome<Vec<String>> {
    let folder = folder().join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
