//! `cargo xtask test`: sets everything up, runs every test of the repository, and closes with a true total.

use crate::{
    build, cross, fuzz,
    guest_build::guest::Guest,
    guests, instructions, js, lint, machine, packages,
    runners::Report,
    shipped,
    step::{Outcome, run as run_command, step},
    trials,
};
use std::{path::PathBuf, process::Command};

/// How long each target of the fuzzer runs.
const FUZZ_SECONDS: u32 = 30;
/// How long the soak runs here; by hand it runs longer.
const SOAK_SECONDS: u32 = 20;
/// How long random conversations are compared.
const DIFFERENTIAL_SECONDS: u32 = 20;

/// What the set-up found, for the tests.
struct Tools {
    python: PathBuf,
    node: PathBuf,
}

/// `cargo xtask test`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err(format!("runs every test and takes no arguments, but was given {arguments:?}"));
    }
    let tools = set_up()?;
    build::build_fault_injection()?;
    build::build(&[])?;
    let mut report = Report::default();
    let mut failures = Vec::new();
    let mut part = |name: &str, report: &mut Report, work: &dyn Fn(&mut Report) -> Outcome| {
        let failed_before = report.failed;
        if let Err(message) = step(name, || work(report)) {
            // Something that failed before it could count is a failure as well.
            report.failed += u64::from(report.failed == failed_before);
            failures.push(format!("{name}: {message}"));
        }
    };
    part("format", &mut report, &|_| run_command(machine::cargo().args(["fmt", "--all", "--check"])));
    part("clippy", &mut report, &|_| lint::all());
    part("the shipped program", &mut report, &|report| shipped::check(report));
    part("rust", &mut report, &|report| report.run(&mut cargo_test(&tools)));
    part("javascript", &mut report, &|report| {
        js::build(&tools.node)?;
        report.run(packages::in_js(&tools.node).arg("test"))
    });
    part("soak", &mut report, &|report| trials::check(report, "soak", SOAK_SECONDS));
    part("differential", &mut report, &|report| trials::check(report, "differential", DIFFERENTIAL_SECONDS));
    part("instructions", &mut report, &instructions::check);
    part("fuzzing", &mut report, &|report| fuzz::check(report, FUZZ_SECONDS));
    part("other systems", &mut report, &|report| cross::check(report));
    println!();
    for summary in &report.summaries {
        println!("{summary}");
    }
    for detail in &report.details {
        println!("    {detail}");
    }
    for failure in &failures {
        println!("failed: {failure}");
    }
    println!("{} passed, {} failed", report.passed, report.failed);
    if failures.is_empty() && report.failed == 0 { Ok(()) } else { Err("not everything passed".to_owned()) }
}

fn set_up() -> Outcome<Tools> {
    step("packages of the system", packages::system_packages)?;
    let python = step("packages of Python", packages::python)?;
    let node = step("packages of Node", packages::node)?;
    guests::build(&[Guest::Shipped, Guest::FaultInjection])?;
    Ok(Tools { python, node })
}

fn cargo_test(tools: &Tools) -> Command {
    let mut command = machine::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command.env("WASMCACHED_BIN", build::binary());
    command.env("WASMCACHED_FAULT_INJECTION_BIN", build::fault_injection_binary());
    command.env("PYTHON", &tools.python);
    command.env("NODE", tools.node.join(format!("node{}", std::env::consts::EXE_SUFFIX)));
    command
}
