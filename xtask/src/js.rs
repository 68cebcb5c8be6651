//! The npm package: the engine from the guest, then the build of `js/`.

use crate::{
    guest_build::guest::Guest,
    guests, machine, packages,
    step::{Outcome, run as run_command, step},
};
use std::path::Path;

/// `cargo xtask js`.
pub(crate) fn run(_: &[String]) -> Outcome {
    let node = step("packages of Node", packages::node)?;
    build(&node)
}

/// Builds the package in `js/dist` with the Node in the folder `node`.
pub(crate) fn build(node: &Path) -> Outcome {
    guests::build(&[Guest::JavaScript, Guest::Cache])?;
    let generated = machine::root().join("target/js");
    step("engine for JavaScript", || {
        let mut generator = machine::cargo();
        generator.args(["run", "--quiet", "--manifest-path", "js/bindgen/Cargo.toml", "--target-dir"]);
        generator.arg(machine::target_directory().join("bindgen")).arg("--");
        run_command(generator.arg(guests::file(Guest::JavaScript)).arg(&generated))
    })?;
    let store = generated.join("store.wasm");
    let copied = std::fs::copy(guests::file(Guest::Cache), &store);
    copied.map_err(|error| format!("{}: {error}", store.display()))?;
    step("js/dist", || run_command(packages::in_js(node).args(["run", "build", "--"]).arg(&generated)))
}
