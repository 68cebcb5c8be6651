//! Instructions for an operation of the native core and for a request to the shipped guest. Counts repeat on noisy machines,
//! so they guard speed where clocks cannot.
//!
//! Owns the comparison with `tests/data/instructions.toml`. Refuses to compare counts of different compilers.

use crate::{
    build, guests, machine, packages,
    runners::Report,
    step::{Outcome, output_of, run as run_command, step},
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Largest growth of a count that passes. A count that fell by more should be written to the file.
const TOLERANCE_PERCENT: f64 = 5.0;
const NATIVE_EXAMPLE: &str = "instructions";
const GUEST_EXAMPLE: &str = "guest_instructions";
/// Prefix of the names of the guest's cases.
const GUEST_PREFIX: &str = "guest: ";
const HEADER: &str = "\
# Instructions an operation, counted by callgrind. `cargo xtask instructions` compares with them,
# `cargo xtask instructions --update` writes them. Names are those of core/examples/instructions.rs, and behind `guest: `
# those of host/examples/guest_instructions/. However many keys are asked for or set at once, it is one that counts.
";

/// Counts, and the compilers behind them.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    /// Compiler and target, on which all counts depend.
    compiler: String,
    /// The guest's compiler and the compiler of its machine code, on which the guest's counts depend besides.
    guest: String,
    /// Instructions an operation, by case.
    cases: BTreeMap<String, f64>,
}

/// How a case compares.
#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    Better,
    Worse,
    /// The file has no count of the case.
    Unknown,
}

/// `cargo xtask instructions [--update]`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments {
        [] => check(&mut Report::default()),
        [flag] if flag == "--update" => {
            let counted = count()?;
            fs::write(file(), counted.encode()).map_err(|error| format!("{}: {error}", file().display()))?;
            println!("{}", file().display());
            counted.cases.iter().for_each(|(name, instructions)| println!("{instructions:9.1}  {name}"));
            Ok(())
        }
        _ => Err(format!("takes `--update` or nothing, but was given {arguments:?}")),
    }
}

/// Counts and compares. Each case is one test; cases that cannot be compared are reported as not run.
pub(crate) fn check(report: &mut Report) -> Outcome {
    let text = fs::read_to_string(file()).map_err(|error| format!("{}: {error}", file().display()))?;
    let mut known = Counts::decode(&text)?;
    if !cfg!(target_os = "linux") {
        report.not_run("instructions: not compared, because callgrind counts on Linux only");
        return Ok(());
    }
    let mut counted = count()?;
    println!("{:>9} {:>9} {:>8}  instructions an operation", "known", "now", "");
    show(&known, &counted);
    if counted.compiler != known.compiler {
        report.not_run(&format!(
            "instructions: not compared, because this is {} and the numbers kept are of {}; \
             `cargo xtask instructions --update` on the old commit and the new compiler gives the base again",
            counted.compiler, known.compiler
        ));
        return Ok(());
    }
    if counted.guest != known.guest {
        report.not_run(&format!(
            "instructions: the guest's are not compared, because this is {} and the numbers kept are of {}",
            counted.guest, known.guest
        ));
        known.forget_guest();
        counted.forget_guest();
    }
    compare(&known, &counted, report)
}

fn show(known: &Counts, counted: &Counts) {
    for (name, &now) in &counted.cases {
        match known.cases.get(name) {
            Some(&before) => println!("{before:9.1} {now:9.1} {:+7.1}%  {name}", change_percent(before, now)),
            None => println!("{:>9} {now:9.1} {:>8}  {name}", "-", ""),
        }
    }
}

fn compare(known: &Counts, counted: &Counts, report: &mut Report) -> Outcome {
    let (mut worse, mut better) = (Vec::new(), Vec::new());
    for (name, &now) in &counted.cases {
        let outcome = match verdict(known.cases.get(name).copied(), now) {
            Verdict::Same => Ok(()),
            Verdict::Better => {
                better.push(name.as_str());
                Ok(())
            }
            Verdict::Worse => Err(name.as_str()),
            Verdict::Unknown => Err(name.as_str()),
        };
        report.count(&format!("instructions: {name}"), outcome.is_ok());
        worse.extend(outcome.err());
    }
    let gone: Vec<&str> =
        known.cases.keys().map(String::as_str).filter(|&name| !counted.cases.contains_key(name)).collect();
    if !better.is_empty() {
        println!("{} better: keep it with `cargo xtask instructions --update`", better.join("; "));
    }
    if worse.is_empty() && gone.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {TOLERANCE_PERCENT} % worse, or new: {}; gone: {} (if that is meant: `cargo xtask instructions --update`)",
        list(&worse),
        list(&gone)
    ))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join("; ") }
}

fn verdict(known: Option<f64>, now: f64) -> Verdict {
    match known.map(|before| change_percent(before, now)) {
        None => Verdict::Unknown,
        Some(change) if change > TOLERANCE_PERCENT => Verdict::Worse,
        Some(change) if change < -TOLERANCE_PERCENT => Verdict::Better,
        Some(_) => Verdict::Same,
    }
}

fn change_percent(before: f64, now: f64) -> f64 {
    (now / before - 1.0) * 100.0
}

/// Builds both programs and counts each of their cases.
fn count() -> Outcome<Counts> {
    step("packages of the system", packages::system_packages)?;
    let native = step("the native core to count", build_native)?;
    let guest = step("the guest to count", || build::example(GUEST_EXAMPLE))?;
    let mut counted = Counts { compiler: compiler()?, guest: guest_makers()?, cases: BTreeMap::new() };
    step("instructions", || {
        for (prefix, program) in [("", native), (GUEST_PREFIX, guest)] {
            counted.cases.extend(count_cases(prefix, &program)?);
        }
        Ok(())
    })?;
    Ok(counted)
}

/// Builds both programs.
pub(crate) fn build_all() -> Outcome {
    build_native()?;
    build::example(GUEST_EXAMPLE).map(drop)
}

fn build_native() -> Outcome<PathBuf> {
    let mut command = machine::cargo();
    command.args(["build", "--profile", "instructions", "--package", "wasmcached-core", "--example", NATIVE_EXAMPLE]);
    run_command(&mut command)?;
    Ok(machine::target_directory().join("instructions/examples").join(NATIVE_EXAMPLE))
}

fn count_cases(prefix: &str, program: &Path) -> Outcome<Vec<(String, f64)>> {
    let cases = output_of(&mut Command::new(program)).ok_or("the program does not list its cases")?;
    let counted = cases.lines().enumerate().map(|(place, line)| {
        let (name, operations) = line.split_once('\t').ok_or_else(|| format!("{line:?} is no case"))?;
        let operations: f64 = operations.parse().map_err(|error| format!("{line:?}: {error}"))?;
        Ok((format!("{prefix}{name}"), count_case(program, place)? as f64 / operations))
    });
    counted.collect()
}

fn count_case(program: &Path, place: usize) -> Outcome<u64> {
    let out = program.with_extension("callgrind");
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted*"]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(program).arg(place.to_string());
    run_command(&mut command)?;
    let text = fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    match summary(&text) {
        // No count means that callgrind did not find the function.
        None | Some(0) => Err(format!("{} counts nothing", out.display())),
        Some(instructions) => Ok(instructions),
    }
}

/// The total in callgrind's output.
fn summary(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("summary: "))?.trim().parse().ok()
}

/// Version and target of the compiler.
fn compiler() -> Outcome<String> {
    let rustc = machine::rustc_program();
    let version = output_of(Command::new(&rustc).arg("-V")).ok_or("rustc does not say its version")?;
    let triple = machine::host_triple(&rustc).ok_or("rustc does not say what it builds for")?;
    Ok(format!("{version} for {triple}"))
}

/// The guest's compiler, and the version of wasmtime, which compiles the guest to machine code and runs it.
fn guest_makers() -> Outcome<String> {
    let file = machine::root().join("Cargo.lock");
    let lock = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let wasmtime = locked_version(&lock, "wasmtime").ok_or("Cargo.lock does not name wasmtime")?;
    let compiler = guests::compiler().ok_or("the guest's compiler does not say its version")?;
    Ok(format!("{compiler} and wasmtime {wasmtime}"))
}

/// The version of a package in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split('"').next()
}

fn file() -> PathBuf {
    machine::root().join("tests/data/instructions.toml")
}

impl Counts {
    fn encode(&self) -> String {
        let mut text =
            format!("{HEADER}compiler = \"{}\"\nguest = \"{}\"\n\n[instructions]\n", self.compiler, self.guest);
        for (name, instructions) in &self.cases {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\"{name}\" = {instructions:.1}");
        }
        text
    }

    fn decode(text: &str) -> Outcome<Self> {
        let mut counts = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
            let (name, value) = line.split_once(" = ").ok_or_else(|| format!("{line:?} says nothing"))?;
            match name {
                "compiler" => counts.compiler = value.trim_matches('"').to_owned(),
                "guest" => counts.guest = value.trim_matches('"').to_owned(),
                _ => {
                    let value = value.parse().map_err(|error| format!("{line:?}: {error}"))?;
                    counts.cases.insert(name.trim_matches('"').to_owned(), value);
                }
            }
        }
        Ok(counts)
    }

    fn forget_guest(&mut self) {
        self.cases.retain(|name, _| !name.starts_with(GUEST_PREFIX));
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Verdict, compare, locked_version, summary, verdict};
    use crate::runners::Report;

    fn counts(cases: &[(&str, f64)]) -> Counts {
        Counts {
            compiler: "rustc 1 for x".to_owned(),
            guest: "rustc 2 and wasmtime 3".to_owned(),
            cases: cases.iter().map(|(name, instructions)| ((*name).to_owned(), *instructions)).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counts = counts(&[("get hit, 10 items", 12.5), ("guest: set", 1000.0)]);
        assert_eq!(Counts::decode(&counts.encode()), Ok(counts));
        assert!(Counts::decode("compiler = \"x\"\n\"a\" = much\n").is_err());
    }

    #[test]
    fn five_percent_are_tolerated() {
        assert_eq!(verdict(Some(100.0), 104.9), Verdict::Same);
        assert_eq!(verdict(Some(100.0), 105.1), Verdict::Worse);
        assert_eq!(verdict(Some(100.0), 95.1), Verdict::Same);
        assert_eq!(verdict(Some(100.0), 94.9), Verdict::Better);
        assert_eq!(verdict(None, 1.0), Verdict::Unknown);
    }

    #[test]
    fn a_worse_case_a_new_one_and_a_lost_one_fail() {
        let known = counts(&[("a", 100.0), ("b", 100.0)]);
        let compared = |cases: &[(&str, f64)]| {
            let mut report = Report::default();
            let outcome = compare(&known, &counts(cases), &mut report);
            (outcome.is_ok(), report.passed, report.failed)
        };
        assert_eq!(compared(&[("a", 100.0), ("b", 1.0)]), (true, 2, 0));
        assert_eq!(compared(&[("a", 100.0), ("b", 106.0)]), (false, 1, 1));
        assert_eq!(compared(&[("a", 100.0), ("b", 100.0), ("c", 1.0)]), (false, 2, 1));
        assert_eq!(compared(&[("a", 100.0)]), (false, 1, 0));
    }

    #[test]
    fn what_cannot_be_compared_is_forgotten() {
        let mut counted = counts(&[("get hit", 1.0), ("guest: get", 2.0)]);
        counted.forget_guest();
        assert_eq!(counted, counts(&[("get hit", 1.0)]));
    }

    #[test]
    fn the_lock_file_knows_versions() {
        let lock = "[[package]]\nname = \"wasm\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\n";
        assert_eq!(locked_version(lock, "wasmtime"), Some("48.0.8"));
        assert_eq!(locked_version(lock, "wasmer"), None);
    }

    #[test]
    fn the_sum_is_in_the_header() {
        assert_eq!(summary("version: 1\nevents: Ir\nsummary: 6612\n\nfn=(1) x\n"), Some(6612));
        assert_eq!(summary("version: 1\n"), None);
    }
}
