//! Coverage-guided fuzzing of the engine, with libFuzzer and a stable compiler.

use crate::{
    machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
};
use std::{
    fs, io,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::SystemTime,
};

/// Flags of the compiler that libFuzzer needs.
const COVERAGE_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=on -Coverflow-checks=on -Ccodegen-units=1";
/// Seconds that a target runs by default.
const SECONDS_DEFAULT: u32 = 60;

/// Longest input in the kept corpus: short inputs are mutated faster, and the corpus stays small.
const KEPT_BYTES_MAX: u32 = 600;

/// `cargo xtask fuzz [keep] [TARGET] [SECONDS]`: every target in turn, or one.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let keep = arguments.first().is_some_and(|argument| argument == "keep");
    let arguments = if keep { &arguments[1..] } else { arguments };
    let seconds = arguments.iter().find_map(|argument| argument.parse::<u32>().ok()).unwrap_or(SECONDS_DEFAULT);
    let wanted = arguments.iter().find(|argument| argument.parse::<u32>().is_err());
    let targets = targets()?;
    let chosen: Vec<&String> = targets.iter().filter(|target| wanted.is_none_or(|wanted| wanted == *target)).collect();
    if chosen.is_empty() {
        return Err(format!("no fuzz target has that name; there are: {}", targets.join(" ")));
    }
    for target in chosen {
        step(&format!("fuzz {target} for {seconds} s"), || fuzz(target, seconds))?;
        if keep {
            step(&format!("fuzz/corpus/{target}"), || keep_corpus(target))?;
        }
    }
    Ok(())
}

/// Runs every target for `seconds` from the kept corpus. Each counts as one test.
pub(crate) fn check(report: &mut Report, seconds: u32) -> Outcome {
    let targets = targets()?;
    step("programs of the fuzzer", build_all)?;
    let mut failures = Vec::new();
    // A fuzzer has one thread, and the smallest machines two processors.
    for pair in targets.chunks(2) {
        let outcomes: Vec<Outcome> = thread::scope(|scope| {
            let mut running = Vec::new();
            for target in pair {
                let title = format!("fuzz {target} for {seconds} s");
                running.push(scope.spawn(move || step(&title, || fuzz(target, seconds))));
            }
            running.into_iter().map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        for (target, outcome) in pair.iter().zip(outcomes) {
            report.count(&format!("fuzz {target}"), outcome.is_ok());
            failures.extend(outcome.err());
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// Compiles every target.
pub(crate) fn build_all() -> Outcome {
    targets()?.iter().try_for_each(|target| build(target).map(drop))
}

fn fuzz(target: &str, seconds: u32) -> Outcome {
    let program = build(target)?;
    let findings = output(target, "findings")?;
    let mut command = Command::new(program);
    command.arg(output(target, "corpus")?).arg(format!("-artifact_prefix={}/", findings.display()));
    command.args([&format!("-max_total_time={seconds}"), "-max_len=4096", "-timeout=20", "-print_final_stats=1"]);
    command.arg(format!("-dict={}", folder().join("text.dict").display()));
    // libFuzzer writes new inputs to the first folder and only reads the kept corpus.
    command.arg(kept(target));
    let before = SystemTime::now();
    run_command(&mut command).map_err(|message| match newest(&findings, before) {
        Some(input) => format!("{target} fails on {} (run {} with it)", input.display(), program_name(&command)),
        None => message,
    })
}

/// Replaces the kept corpus by the fewest short inputs that reach the same code.
fn keep_corpus(target: &str) -> Outcome {
    let program = build(target)?;
    let merged = output(target, "merged")?;
    let renew = |path: &Path| fs::remove_dir_all(path).and_then(|()| fs::create_dir(path));
    renew(&merged).map_err(|error| format!("{}: {error}", merged.display()))?;
    let mut command = Command::new(program);
    // Without counters an input is kept for the code that it reaches, not for how often: a tenth of the files.
    command.args(["-merge=1", "-use_counters=0", &format!("-max_len={KEPT_BYTES_MAX}")]).arg(&merged);
    run_command(command.arg(kept(target)).arg(output(target, "corpus")?))?;
    let kept = kept(target);
    let replace = || -> io::Result<()> {
        fs::create_dir_all(&kept)?;
        renew(&kept)?;
        for entry in fs::read_dir(&merged)? {
            let entry = entry?;
            fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(())
    };
    replace().map_err(|error| format!("{}: {error}", kept.display()))
}

/// Compiles a target and returns its program.
fn build(target: &str) -> Outcome<PathBuf> {
    let triple = machine::host_triple(&machine::rustc_program()).ok_or("rustc does not say what it builds for")?;
    let directory = directory();
    let mut build = machine::cargo();
    // The named target keeps the flags from build scripts.
    build.args(["build", "--release", "--bin", target, "--target", &triple]).current_dir(folder());
    run_command(build.arg("--target-dir").arg(&directory).env("RUSTFLAGS", COVERAGE_FLAGS))?;
    Ok(directory.join(triple).join("release").join(target))
}

/// The newest file in a folder, if it is newer than `since`.
fn newest(folder: &Path, since: SystemTime) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let files =
        entries.filter_map(|entry| entry.ok().and_then(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))));
    files.filter(|(modified, _)| *modified >= since).max().map(|(_, path)| path)
}

fn program_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The folder of builds and findings.
fn directory() -> PathBuf {
    machine::target_directory().join("fuzz")
}

/// A folder for the output of a target.
fn output(target: &str, kind: &str) -> Outcome<PathBuf> {
    let path = directory().join(kind).join(target);
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// The inputs that are part of the repository.
fn kept(target: &str) -> PathBuf {
    folder().join("corpus").join(target)
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
