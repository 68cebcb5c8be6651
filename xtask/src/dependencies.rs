//! Rules for dependencies: licences, sources, duplicates and advisories, by cargo-deny. `deny.toml` has the rules.
//!
//! Runs where cargo-deny is installed. Advisories need their database, and so the network.

use crate::{
    machine,
    runners::{Report, Suite},
    step::{Outcome, run as run_command},
};
use std::process::Command;

/// The manifests of all workspaces, from the root of the repository.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "js/bindgen/Cargo.toml", "fuzz/Cargo.toml"];

/// Checks the dependencies of all workspaces. Counts each check in `report`.
pub(crate) fn check(report: &mut Report) -> Outcome {
    let program = machine::find_program("cargo-deny").or_else(|| {
        let installed = machine::cargo_home()?.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
        installed.is_file().then_some(installed)
    });
    let Some(program) = program else {
        report.not_run("dependencies: not checked, because cargo-deny is missing (cargo install --locked cargo-deny)");
        return Ok(());
    };
    let deny = |manifest: &str, verb: &[&str]| -> Command {
        let mut command = machine::cargo_of(&program);
        command.args(["--manifest-path", manifest, "--config", "deny.toml"]).args(verb);
        command
    };
    let mut suite = Suite::new("dependencies");
    for manifest in MANIFESTS {
        let rules =
            run_command(&mut deny(manifest, &["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]));
        suite.verdict(&format!("licences, sources and duplicates of {manifest}"), rules);
    }
    if run_command(&mut deny(MANIFESTS[0], &["fetch", "db"])).is_ok() {
        for manifest in MANIFESTS {
            let advisories =
                run_command(&mut deny(manifest, &["check", "--disable-fetch", "--hide-inclusion-graph", "advisories"]));
            suite.verdict(&format!("advisories about {manifest}"), advisories);
        }
    } else {
        report.not_run("advisories: not checked, because their database cannot be reached");
    }
    suite.close(report)
}
