//! The parts of the tests: a name, needs, and the work.

use super::{Context, needs::Needs, targets::Executables};
use crate::{
    build, cross, dependencies, documentation, fuzz, instructions, js, lint, machine, packages, races,
    runners::Report,
    shipped,
    step::{Outcome, run as run_command},
    tidy, trials,
};
use std::{env, path::Path, process::Command};

/// How long each target of the fuzzer runs.
const FUZZ_SECONDS: u32 = 20;
/// How long the soak runs; by hand it runs longer.
const SOAK_SECONDS: u32 = 20;
/// How long random conversations are compared.
const DIFFERENTIAL_SECONDS: u32 = 20;

/// Needs of the tests that compare with memcached.
const MEMCACHED: Needs = Needs { system: true, ..Needs::SERVER };

/// Parts that run only if they are named: they need more time or downloads than every run should. The part `js` has most
/// rows of the matrix, too.
const BY_NAME_ONLY: [&str; 1] = ["matrix"];

/// A part of the tests.
pub(super) struct Part {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// Its subject, in a line.
    pub(super) summary: &'static str,
    /// Needs that are set up before.
    pub(super) needs: Needs,
    /// Runs it and counts its tests in the report.
    pub(super) run: fn(&Context, &mut Report) -> Outcome,
}

impl Part {
    /// Whether a run without names leaves it out.
    pub(super) fn is_by_name_only(&self) -> bool {
        BY_NAME_ONLY.contains(&self.name)
    }
}

/// Every part, cheap ones first.
pub(super) const PARTS: [Part; 22] = [
    Part { name: "format", summary: "rustfmt", needs: Needs::NOTHING, run: |_, _| format() },
    Part {
        name: "tidy",
        summary: "imports, sizes, unsafe code, words, links of this repository",
        needs: Needs::NOTHING,
        run: |_, report| tidy::check(&machine::root(), report),
    },
    Part {
        name: "core",
        summary: "the engine: laws, models, transcripts natively, every order of threads",
        needs: Needs::NOTHING,
        run: |context, report| rust("core", context, report),
    },
    Part {
        name: "harness",
        summary: "the tests' own tools, and xtask",
        needs: Needs::NOTHING,
        run: |context, report| rust("harness", context, report),
    },
    Part {
        name: "dependencies",
        summary: "licences, sources and advisories of dependencies, where cargo-deny is installed",
        needs: Needs::NOTHING,
        run: |_, report| dependencies::check(report),
    },
    Part { name: "clippy", summary: "lints, everywhere", needs: Needs::GUESTS, run: |_, _| lint::all() },
    Part {
        name: "races",
        summary: "ThreadSanitizer on the threads of the core, where the compiler has it",
        needs: Needs::NOTHING,
        run: |_, report| races::check(report),
    },
    Part {
        name: "docs",
        summary: "rustdoc without warnings, examples in comments",
        needs: Needs::GUESTS,
        run: |_, report| documentation::check(report),
    },
    Part {
        name: "guest",
        summary: "the engine as WebAssembly, transcripts",
        needs: Needs::GUESTS,
        run: |context, report| rust("guest", context, report),
    },
    Part {
        name: "shipped",
        summary: "the shipped program: no build paths, no compiler",
        needs: Needs::SERVER,
        run: |_, report| shipped::check(report),
    },
    Part {
        name: "host",
        summary: "the server: flags, life, faults, TLS, load, large items, memory, transcripts",
        needs: Needs { faulty_server: true, ..Needs::SERVER },
        run: |context, report| rust("host", context, report),
    },
    Part {
        name: "memcached",
        summary: "transcripts and statistics beside memcached",
        needs: MEMCACHED,
        run: |context, report| rust("memcached", context, report),
    },
    Part {
        name: "clients",
        summary: "real clients in all languages",
        needs: Needs { python: true, node: true, ..MEMCACHED },
        run: |context, report| rust("clients", context, report),
    },
    Part {
        name: "bench",
        summary: "the benchmarks' own tests",
        needs: Needs::NOTHING,
        run: |context, report| rust("bench", context, report),
    },
    Part {
        name: "js",
        summary: "the npm package: its own tests, its adapters, runtimes, bundlers, browsers and test runners",
        needs: Needs { node: true, browsers: true, ..Needs::NOTHING },
        run: javascript,
    },
    Part {
        name: "matrix",
        summary: "the npm package everywhere, with Next.js and wrangler: a quarter of an hour and 3 GB of packages",
        needs: Needs { node: true, browsers: true, ..Needs::NOTHING },
        run: whole_matrix,
    },
    Part {
        name: "playground",
        summary: "the playground in Chromium and Firefox",
        needs: Needs { node: true, browsers: true, ..Needs::NOTHING },
        run: playground,
    },
    Part {
        name: "soak",
        summary: "every answer while the server evicts, for seconds",
        needs: Needs::SERVER,
        run: |_, report| trials::check(report, "soak", SOAK_SECONDS),
    },
    Part {
        name: "differential",
        summary: "random conversations beside memcached, for seconds",
        needs: MEMCACHED,
        run: |_, report| trials::check(report, "differential", DIFFERENTIAL_SECONDS),
    },
    Part {
        name: "instructions",
        summary: "counts of instructions beside the file",
        needs: Needs { system: true, ..Needs::GUESTS },
        run: |_, report| instructions::check(report),
    },
    Part {
        name: "fuzz",
        summary: "random input to the engine, for seconds",
        // libFuzzer is C++.
        needs: Needs { system: true, ..Needs::NOTHING },
        run: |_, report| fuzz::check(report, FUZZ_SECONDS),
    },
    Part {
        name: "cross",
        summary: "the server for Windows, ARM and macOS",
        needs: Needs { system: true, other_systems: true, ..Needs::GUESTS },
        run: |_, report| cross::check(report),
    },
];

fn format() -> Outcome {
    run_command(machine::cargo().args(["fmt", "--all", "--check"]))
}

fn javascript(context: &Context, report: &mut Report) -> Outcome {
    let node = context.tools.node.as_deref().ok_or("Node was not set up")?;
    js::build(node)?;
    report.run(packages::in_js(node).arg("test"))?;
    report.run(packages::adapters(node)?.arg("test"))?;
    matrix(node, report, &["--quick"])
}

fn whole_matrix(context: &Context, report: &mut Report) -> Outcome {
    let node = context.tools.node.as_deref().ok_or("Node was not set up")?;
    js::build(node)?;
    report.run(packages::next(node)?.arg("test"))?;
    matrix(node, report, &[])
}

/// Runs programs with the packed npm package.
fn matrix(node: &Path, report: &mut Report, flags: &[&str]) -> Outcome {
    if cfg!(windows) {
        report.not_run("the matrix of the npm package needs Unix: not run");
        return Ok(());
    }
    report.run(packages::in_js(node).args(["run", "--silent", "matrix", "--"]).args(flags))
}

fn playground(context: &Context, report: &mut Report) -> Outcome {
    let node = context.tools.node.as_deref().ok_or("Node was not set up")?;
    js::build_playground(node)?;
    report.run(packages::playground(node)?.arg("test"))
}

/// Runs the test programs that belong to the part.
fn rust(part: &str, context: &Context, report: &mut Report) -> Outcome {
    let built;
    let executables = match &context.executables {
        Some(executables) => executables.as_ref().map_err(String::clone)?,
        None => {
            built = Executables::of_part(part)?;
            &built
        }
    };
    let before = report.passed + report.failed;
    let mut failures = Vec::new();
    for mut command in executables.commands(part)? {
        set_variables(&mut command, context);
        failures.extend(report.add(&mut command).err());
    }
    if report.passed + report.failed == before && failures.is_empty() {
        return Err(format!("the programs of `{part}` have no tests"));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn set_variables(command: &mut Command, context: &Context) {
    let tools = &context.tools;
    if tools.server {
        command.env("WASMCACHED_BIN", build::binary());
    }
    if tools.faulty_server {
        command.env("WASMCACHED_FAULT_INJECTION_BIN", build::fault_injection_binary());
    }
    if let Some(python) = &tools.python {
        command.env("PYTHON", python);
    }
    if let Some(node) = &tools.node {
        command.env("NODE", node.join(format!("node{}", env::consts::EXE_SUFFIX)));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::targets, PARTS};

    #[test]
    fn every_test_program_belongs_to_a_part_that_exists() {
        let exists = |name: &str| PARTS.iter().any(|part| part.name == name);
        assert!(targets::parts().all(exists));
    }
}
