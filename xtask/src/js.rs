//! The npm package: the engine from the guest, then the build of `js/`. The playground likewise, from a guest of its own.

use crate::{
    guest_build::guest::Guest,
    guests, machine, packages,
    step::{Outcome, run as run_command, step},
};
use std::path::{Path, PathBuf};

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
    let generated = generate(Guest::JavaScript, "target/js")?;
    step("js/dist", || run_command(packages::in_js(node).args(["run", "build", "--"]).arg(&generated)))
}

/// Builds the page `target/playground/index.html` with the Node in the folder `node`.
pub(crate) fn build_playground(node: &Path) -> Outcome {
    let generated = generate(Guest::Playground, "target/js-playground")?;
    step("target/playground", || {
        run_command(packages::in_playground(node).args(["run", "build", "--"]).arg(&generated))
    })
}

/// Builds the guest, and its glue in a folder.
fn generate(guest: Guest, folder: &str) -> Outcome<PathBuf> {
    guests::build(&[guest])?;
    let generated = machine::root().join(folder);
    step("engine for JavaScript", || {
        let mut generator = machine::cargo();
        generator.args(["run", "--quiet", "--manifest-path", "js/bindgen/Cargo.toml", "--target-dir"]);
        generator.arg(machine::target_directory().join("bindgen")).arg("--");
        run_command(generator.arg(guests::file(guest)).arg(&generated))
    })?;
    Ok(generated)
}
