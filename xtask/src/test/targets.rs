//! The Rust test programs: which part runs which, and how they are built.
//!
//! All parts together build the workspace once and run each program once. A single part builds little besides its own.

use crate::{machine, step::Outcome};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A folder's test programs and the part that runs them. The first row that matches counts.
struct Row {
    /// The folder of the package.
    folder: &'static str,
    /// The name of cargo's target; everything else of the folder if empty.
    target: &'static str,
    /// The part.
    part: &'static str,
}

const fn row(folder: &'static str, target: &'static str, part: &'static str) -> Row {
    Row { folder, target, part }
}

const ROWS: [Row; 21] = [
    row("core", "", "core"),
    row("interleavings", "", "core"),
    row("wasm", "", "guest"),
    row("host", "", "host"),
    row("bench", "", "bench"),
    row("xtask", "", "harness"),
    row("tests", "load", "host"),
    row("tests", "wasmcached_tests", "harness"),
    row("tests", "soak", "harness"),
    row("tests", "differential", "harness"),
    row("tests", "transcripts_native", "core"),
    row("tests", "transcripts_guest", "guest"),
    row("tests", "transcripts_server", "host"),
    row("tests", "large_items", "host"),
    row("tests", "budgets", "host"),
    row("tests", "memory", "host"),
    row("tests", "lines", "guest"),
    row("tests", "store_module", "guest"),
    row("tests", "transcripts_memcached", "memcached"),
    row("tests", "statistics", "memcached"),
    row("tests", "clients", "clients"),
];

/// The names of parts that run test programs.
#[cfg(test)]
pub(super) fn parts() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.part)
}

/// A target of cargo that has tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    /// The folder of its package, from the root.
    folder: String,
    /// The name.
    name: String,
    /// `lib`, `bin` or `test`.
    kind: String,
}

impl Target {
    fn row(&self) -> Outcome<&'static Row> {
        let found =
            ROWS.iter().find(|row| row.folder == self.folder && (row.target.is_empty() || row.target == self.name));
        found.ok_or_else(|| {
            format!(
                "{}: the test program `{}` belongs to no part; add it to ROWS in {}",
                self.folder,
                self.name,
                file!()
            )
        })
    }

    fn flags(&self) -> Vec<&str> {
        if self.kind == "lib" {
            vec!["--lib"]
        } else {
            vec![if self.kind == "bin" { "--bin" } else { "--test" }, &self.name]
        }
    }
}

/// Test programs that are built.
pub(super) struct Executables {
    built: Vec<Executable>,
}

struct Executable {
    target: Target,
    file: PathBuf,
}

impl Executables {
    /// Builds all test programs of the workspace.
    pub(super) fn of_workspace() -> Outcome<Self> {
        let built = build(&["--workspace"], &[])?;
        let targets = targets()?;
        match targets.iter().find(|target| built.iter().all(|executable| executable.target != **target)) {
            None => Ok(Self { built }),
            Some(target) => Err(format!("cargo did not build the test program `{}` of {}", target.name, target.folder)),
        }
    }

    /// Builds the test programs of one part.
    pub(super) fn of_part(part: &str) -> Outcome<Self> {
        let mut own = Vec::new();
        for target in targets()? {
            if target.row()?.part == part {
                own.push(target);
            }
        }
        let flags = flags_of(&own);
        let Some(packages) = packages_alone(part) else {
            // With the features of the whole workspace, what all parts have built together is not built again.
            return Ok(Self { built: build(&["--workspace"], &flags)? });
        };
        let packages: Vec<&str> = packages.iter().flat_map(|package| ["--package", package]).collect();
        Ok(Self { built: build(&packages, &flags)? })
    }

    /// A command for each test program of a part.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn commands(&self, part: &str) -> Outcome<Vec<Command>> {
        let mut commands = Vec::new();
        for Executable { target, file } in &self.built {
            if target.row()?.part == part {
                let mut command = machine::without_cargo_variables(file);
                command.current_dir(machine::root().join(&target.folder));
                commands.push(command);
            }
        }
        if commands.is_empty() { Err(format!("no test program belongs to `{part}`")) } else { Ok(commands) }
    }
}

/// Cargo's flags for these targets. The one for a library stands for those of all packages, and may be given once.
fn flags_of(targets: &[Target]) -> Vec<&str> {
    let (libraries, others): (Vec<&Target>, _) = targets.iter().partition(|target| target.kind == "lib");
    libraries.into_iter().take(1).chain(others).flat_map(Target::flags).collect()
}

/// The packages that a part builds when it runs alone, where those of the workspace would need a compiler for the guest.
fn packages_alone(part: &str) -> Option<&'static [&'static str]> {
    (part == "core").then_some(&["wasmcached-core", "wasmcached-interleavings", "wasmcached-tests"])
}

/// Builds test programs.
fn build(packages: &[&str], flags: &[&str]) -> Outcome<Vec<Executable>> {
    let mut command = machine::cargo();
    command.args(["test", "--no-run", "--message-format=json-render-diagnostics"]).args(packages).args(flags);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the build of the tests ended with {}", output.status));
    }
    let mut built = executables(&String::from_utf8_lossy(&output.stdout), &machine::root())?;
    // Cargo reports programs in the order in which they were done.
    built.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(built)
}

/// The test programs that cargo's messages name.
fn executables(messages: &str, root: &Path) -> Outcome<Vec<Executable>> {
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).map_err(|error| format!("cargo's message: {error}"))?;
        let Some(file) = message["executable"].as_str().filter(|_| message["profile"]["test"] == true) else {
            continue;
        };
        if let Some(target) = target(&message["target"], message["manifest_path"].as_str(), root) {
            found.push(Executable { target, file: file.into() });
        }
    }
    Ok(found)
}

/// Every target of the workspace that has tests.
fn targets() -> Outcome<Vec<Target>> {
    let mut command = machine::cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(targets_of(&metadata, &machine::root()))
}

fn targets_of(metadata: &Value, root: &Path) -> Vec<Target> {
    let mut all = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for entry in package["targets"].as_array().into_iter().flatten().filter(|entry| entry["test"] == true) {
            all.extend(target(entry, package["manifest_path"].as_str(), root));
        }
    }
    all
}

fn target(entry: &Value, manifest: Option<&str>, root: &Path) -> Option<Target> {
    let folder = Path::new(manifest?).parent()?.strip_prefix(root).ok()?;
    let kinds: Vec<&str> = entry["kind"].as_array()?.iter().filter_map(Value::as_str).collect();
    let kind = ["test", "bin"].into_iter().find(|kind| kinds.contains(kind)).unwrap_or("lib");
    Some(Target {
        folder: folder.to_string_lossy().into_owned(),
        name: entry["name"].as_str()?.to_owned(),
        kind: kind.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Target, executables, flags_of, targets, targets_of};
    use std::path::Path;

    fn target(folder: &str, name: &str, kind: &str) -> Target {
        let [folder, name, kind] = [folder, name, kind].map(str::to_owned);
        Target { folder, name, kind }
    }

    #[test]
    fn every_test_program_of_the_workspace_belongs_to_one_part() {
        let targets = targets().expect("cargo metadata");
        assert!(!targets.is_empty());
        for target in targets {
            target.row().expect("a part");
        }
    }

    #[test]
    fn a_test_program_without_a_part_is_named() {
        let message = target("tests", "new", "test").row().err().expect("no part");
        assert!(message.contains("`new`") && message.contains("targets.rs"), "{message}");
        assert_eq!(target("tests", "clients", "test").row().map(|row| row.part), Ok("clients"));
        assert_eq!(target("core", "anything", "test").row().map(|row| row.part), Ok("core"));
    }

    #[test]
    fn messages_of_cargo_are_read() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///r/core#p@0.1.0","manifest_path":"/r/core/Cargo.toml","target":{"kind":["lib"],"name":"p"},"profile":{"test":true},"executable":"/r/t/p-1"}
{"reason":"compiler-artifact","package_id":"path+file:///r/host#p@0.1.0","manifest_path":"/r/host/Cargo.toml","target":{"kind":["bin"],"name":"p"},"profile":{"test":false},"executable":"/r/t/p"}
{"reason":"build-finished","success":true}"#;
        let found = executables(messages, Path::new("/r")).expect("messages");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].target, target("core", "p", "lib"));
        assert_eq!(found[0].file, Path::new("/r/t/p-1"));
    }

    #[test]
    fn targets_without_tests_are_left_out() {
        let metadata = serde_json::json!({"packages": [{"name": "p", "manifest_path": "/r/a/Cargo.toml", "targets": [
            {"name": "p", "kind": ["cdylib", "rlib"], "test": true},
            {"name": "example", "kind": ["example"], "test": false},
            {"name": "laws", "kind": ["test"], "test": true},
        ]}]});
        assert_eq!(targets_of(&metadata, Path::new("/r")), [target("a", "p", "lib"), target("a", "laws", "test")]);
    }

    #[test]
    fn cargo_is_asked_for_exactly_one_target() {
        assert_eq!(target("a", "p", "lib").flags(), ["--lib"]);
        assert_eq!(target("a", "p", "bin").flags(), ["--bin", "p"]);
        assert_eq!(target("a", "laws", "test").flags(), ["--test", "laws"]);
    }

    #[test]
    fn cargo_is_asked_once_for_libraries() {
        let targets = [target("a", "p", "lib"), target("a", "laws", "test"), target("b", "q", "lib")];
        assert_eq!(flags_of(&targets), ["--lib", "--test", "laws"]);
    }
}
