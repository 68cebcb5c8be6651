//! Clippy over everything: the workspace, the guest's skin for JavaScript, and the workspaces beside this one.

use crate::{
    machine,
    step::{Outcome, run as run_command},
};
use std::process::Command;

/// What is linted, each with a target directory below cargo's own where it is another workspace.
const PARTS: [(&[&str], Option<&str>); 4] = [
    (&["--workspace", "--all-targets"], None),
    (&["--package", "wasmcached-wasm", "--all-targets", "--no-default-features", "--features", "bindgen"], None),
    (&["--manifest-path", "js/bindgen/Cargo.toml", "--all-targets"], Some("bindgen")),
    (&["--manifest-path", "fuzz/Cargo.toml", "--bins"], Some("fuzz")),
];

/// Lints all parts; a warning is an error.
pub(crate) fn all() -> Outcome {
    PARTS.iter().try_for_each(|(arguments, folder)| run_command(&mut clippy(arguments, *folder)))
}

fn clippy(arguments: &[&str], folder: Option<&str>) -> Command {
    let mut command = machine::cargo();
    command.args(["clippy", "--quiet"]).args(arguments);
    if let Some(folder) = folder {
        command.arg("--target-dir").arg(machine::target_directory().join(folder));
    }
    // A lint links nothing: no C++ compiler is needed for libFuzzer, which this variable says to be there.
    command.env("CUSTOM_LIBFUZZER_PATH", machine::target_directory().join("libfuzzer.a"));
    command.args(["--", "--deny", "warnings"]);
    command
}
