//! Clippy over everything: the workspace, the guest's skin for JavaScript, and the workspaces beside this one.

use crate::{
    machine,
    step::{Outcome, run as run_command},
};
use std::process::Command;

/// Arguments for each lint. Other workspaces have a target directory of their own below this one's.
const PARTS: [(&[&str], Option<&str>); 6] = [
    (&["--workspace", "--all-targets"], None),
    (&["--package", "wasmcached-wasm", "--all-targets", "--no-default-features", "--features", "playground"], None),
    (&["--package", "wasmcached-wasm", "--all-targets", "--no-default-features", "--features", "shared"], None),
    (&["--package", "wasmcached-wasm", "--lib", "--no-default-features", "--features", "cache"], None),
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
    // A lint links nothing. The variable names a libFuzzer, so that no C++ compiler has to build one.
    command.env("CUSTOM_LIBFUZZER_PATH", machine::target_directory().join("libfuzzer.a"));
    command.args(["--", "--deny", "warnings"]);
    command
}
