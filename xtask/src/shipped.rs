//! The shipped program tells no folder of the machine that built it, and contains no compiler.

use crate::{
    build, machine,
    runners::{Report, Suite},
    step::{Outcome, output_of},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Shorter folders belong to no person and no build: some containers have `/` as home.
const FOLDER_BYTES_MIN: usize = 4;
/// Part of the path of every downloaded package.
const REGISTRY: &str = "registry/src";

/// The crate that is the compiler. The server's module is compiled when the server is built.
const COMPILER: &str = "cranelift-codegen";

/// Looks for folders of this machine in the program, and for a compiler among its dependencies. Counts each as a test.
pub(crate) fn check(report: &mut Report) -> Outcome {
    let file = build::binary();
    let program = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut suite = Suite::new("the shipped program");
    for (name, folder) in folders() {
        suite.verdict(&format!("does not tell {name}"), refuse(&program, &folder));
    }
    suite.verdict("has no compiler in it", refuse_compiler());
    suite.close(report)
}

fn refuse_compiler() -> Outcome {
    let mut command = machine::cargo();
    command.args(["tree", "--package", "wasmcached", "--edges", "normal", "--prefix", "none"]);
    let tree = output_of(&mut command).ok_or("cargo tree fails")?;
    let is_there = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    match (is_there("wasmtime"), is_there(COMPILER)) {
        (true, false) => Ok(()),
        (true, true) => Err(format!("{COMPILER} is among its dependencies")),
        (false, _) => Err("cargo tree does not even name wasmtime".to_owned()),
    }
}

fn folders() -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.join("").to_string_lossy().into_owned();
    let of_machine: [(&str, Option<PathBuf>); 4] = [
        ("where the repository was", Some(machine::root())),
        ("whose home it was built in", machine::home()),
        ("where cargo's packages were", machine::cargo_home()),
        ("where it was compiled to", Some(machine::target_directory())),
    ];
    let mut folders = vec![("that packages came from a registry", REGISTRY.to_owned())];
    folders.extend(of_machine.iter().filter_map(|(name, folder)| Some((*name, text(folder.as_deref()?)))));
    folders.retain(|(_, folder)| folder.len() >= FOLDER_BYTES_MIN);
    folders
}

fn refuse(program: &[u8], folder: &str) -> Outcome {
    match program.windows(folder.len()).position(|window| window == folder.as_bytes()) {
        None => Ok(()),
        Some(start) => {
            let rest = program.get(start..).unwrap_or_default();
            let end = rest.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len());
            Err(format!("it holds {}", String::from_utf8_lossy(rest.get(..end.min(200)).unwrap_or_default())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::refuse;

    #[test]
    fn a_folder_is_found_wherever_it_is() {
        assert_eq!(refuse(b"\0src/main.rs\0", "/home/me"), Ok(()));
        assert_eq!(refuse(b"", "/home/me"), Ok(()));
        let found = refuse(b"\0\x01/home/me/x.rs\0more", "/home/me");
        assert_eq!(found, Err("it holds /home/me/x.rs".to_owned()));
    }
}
