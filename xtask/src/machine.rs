//! This machine: folders of the repository and of cargo, programs, rights.

use crate::step::output_of;
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(Path::to_owned).unwrap_or(manifest)
}

/// Where cargo builds the native crates.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// The cargo that started this tool, in the repository.
pub(crate) fn cargo() -> Command {
    cargo_of(&cargo_program())
}

/// Another cargo, in the repository.
pub(crate) fn cargo_of(program: &Path) -> Command {
    let mut command = without_cargo_variables(program);
    command.current_dir(root());
    command
}

/// A program that does not see the variables that cargo sets for the package of this tool.
pub(crate) fn without_cargo_variables(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The program behind [`cargo`].
pub(crate) fn cargo_program() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// The compiler that [`cargo`] uses.
pub(crate) fn rustc_program() -> PathBuf {
    if let Some(path) = env::var_os("RUSTC") {
        return path.into();
    }
    let beside = cargo_program().with_file_name(format!("rustc{}", env::consts::EXE_SUFFIX));
    if beside.is_file() { beside } else { "rustc".into() }
}

/// The folder of a compiler's own libraries.
pub(crate) fn sysroot(rustc: &Path) -> Option<PathBuf> {
    output_of(Command::new(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

/// The default target triple of a compiler.
pub(crate) fn host_triple(rustc: &Path) -> Option<String> {
    let text = output_of(Command::new(rustc).arg("-vV"))?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// The file of a program in the search path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// These folders, then the search path, then cargo's own folder: cargo puts its folder first unless the path has it.
pub(crate) fn search_path_after(folders: impl Iterator<Item = PathBuf>) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = cargo_home().map(|home| home.join("bin"));
    env::join_paths(folders.chain(env::split_paths(&path)).chain(home)).unwrap_or(path)
}

/// The folder of cargo's downloads and installed programs.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| home().map(|home| home.join(".cargo")))
}

/// The user's home folder.
pub(crate) fn home() -> Option<PathBuf> {
    env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(PathBuf::from)
}

/// Whether this machine has Debian's package manager.
pub(crate) fn has_apt() -> bool {
    cfg!(target_os = "linux") && find_program("apt-get").is_some() && find_program("dpkg-query").is_some()
}

/// Whether this user may install packages.
pub(crate) fn is_root() -> bool {
    output_of(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}
