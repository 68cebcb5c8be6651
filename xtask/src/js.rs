//! The npm package: the engine from the guest, then the build of `js/`. The playground likewise, from a guest of its own.

use crate::{
    guest_build::guest::Guest,
    guests, machine, packages,
    step::{Outcome, run as run_command, step},
};
use std::{fs, path::Path, process::Command};

/// `cargo xtask js`.
pub(crate) fn run(_: &[String]) -> Outcome {
    let node = step("packages of Node", packages::node)?;
    build(&node)
}

/// `cargo xtask playground`.
pub(crate) fn run_playground(_: &[String]) -> Outcome {
    let node = step("packages of Node", packages::node)?;
    build_playground(&node)
}

/// Builds the package in `js/dist` with the Node in the folder `node`.
pub(crate) fn build(node: &Path) -> Outcome {
    guests::build(&[Guest::JavaScript, Guest::Cache])?;
    let generated = machine::root().join("target/js");
    generate(Guest::JavaScript, &generated)?;
    // The engine of the cache has no skin of a generator.
    let store = generated.join("store.wasm");
    let copied = fs::copy(guests::file(Guest::Cache), &store);
    copied.map_err(|error| format!("{}: {error}", store.display()))?;
    step("js/dist", || run_command(packages::in_js(node).args(["run", "build", "--"]).arg(&generated)))
}

/// Builds the engines of the package and of the playground, and the generator of their skins.
pub(crate) fn build_engines() -> Outcome {
    guests::build(&[Guest::JavaScript, Guest::Cache, Guest::Playground])?;
    run_command(&mut generator("build"))
}

/// Builds the page `target/playground/index.html` with the Node in the folder `node`.
pub(crate) fn build_playground(node: &Path) -> Outcome {
    guests::build(&[Guest::Playground])?;
    let generated = machine::root().join("target/js-playground");
    generate(Guest::Playground, &generated)?;
    step("target/playground", || run_command(packages::playground(node)?.args(["run", "build", "--"]).arg(&generated)))
}

/// Generates the skin of a guest in a folder.
fn generate(guest: Guest, folder: &Path) -> Outcome {
    step("engine for JavaScript", || run_command(generator("run").arg("--").arg(guests::file(guest)).arg(folder)))
}

/// Cargo on the generator of skins.
fn generator(subcommand: &str) -> Command {
    let mut command = machine::cargo();
    command.args([subcommand, "--quiet", "--manifest-path", "js/bindgen/Cargo.toml", "--target-dir"]);
    command.arg(machine::target_directory().join("bindgen"));
    command
}
