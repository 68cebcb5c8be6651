//! Where the benchmarks find programs, this repository and its commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::Outcome;

/// The program at `path`, or in `PATH` where it is a bare name.
pub(crate) fn find_program(path: &Path, remedy: &str) -> Outcome<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let bare = path.components().count() == 1;
    let candidates = std::env::split_paths(&folders).filter(|_| bare).map(|folder| folder.join(path));
    let mut candidates = candidates.chain((!bare).then(|| path.to_owned()));
    candidates.find(|path| path.is_file()).ok_or_else(|| format!("no {}; try: {remedy}", path.display()))
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The abbreviated commit that is checked out; `None` outside git.
pub(crate) fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
