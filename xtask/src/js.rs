//! The npm package: the engine from the guest, then the build of `js/`. The playground likewise, from a guest of its own.

use crate::{
    guest_build::guest::Guest,
    guests, machine, packages,
    step::{Outcome, run as run_command, step},
};
use std::{fs, path::Path};

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

/// Builds the page `target/playground/index.html` with the Node in the folder `node`.
pub(crate) fn build_playground(node: &Path) -> Outcome {
    guests::build(&[Guest::Playground])?;
    let generated = machine::root().join("target/js-playground");
    generate(Guest::Playground, &generated)?;
    step("target/playground", || {
        run_command(packages::in_playground(node).args(["run", "build", "--"]).arg(&generated))
    })
}

/// Generates the skin of a guest in a folder.
fn generate(guest: Guest, folder: &Path) -> Outcome {
    step("engine for JavaScript", || {
        let mut generator = machine::cargo();
        generator.args(["run", "--quiet", "--manifest-path", "js/bindgen/Cargo.toml", "--target-dir"]);
        generator.arg(machine::target_directory().join("bindgen")).arg("--");
        run_command(generator.arg(guests::file(guest)).arg(folder))
    })
}
