//! Scripts in other languages. A script prints its report: `version …` once, and `passed …` for each test; its exit status
//! tells failure.

use crate::{
    process,
    servers::Servers,
    site::{Report, Site},
    statistics::package_version,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Servers of a script, over which clients distribute their keys.
const SERVERS: usize = 3;

/// Language of a script, and the name of its folder below `clients/`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Language {
    Go,
    Java,
    Node,
    Perl,
    Php,
    Python,
    Ruby,
}

/// Runs a script against its own servers.
///
/// # Errors
/// If it fails, with its output.
pub(crate) fn run_script(site: &Site, language: Language, file: &str) -> Result<Report, String> {
    let mut command = command(language, file)?;
    let servers = Servers::start(site, SERVERS)?;
    servers.describe(&mut command);
    let done = process::run(&mut command)?;
    if !done.status.success() {
        return Err(format!("{}:\n{}", done.status, done.text()));
    }
    let mut report = Report::default();
    for line in done.stdout.lines() {
        if let Some(name) = line.strip_prefix("passed ") {
            report.passed.push(name.to_owned());
        } else if let Some(version) = line.strip_prefix("version ") {
            version.clone_into(&mut report.version);
        }
    }
    if report.version.is_empty() { Err(format!("no version:\n{}", done.text())) } else { Ok(report) }
}

/// The folder of this crate.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn command(language: Language, file: &str) -> Result<Command, String> {
    let script = |name: &str| folder().join("clients").join(name).join(file);
    let simple = |program: &str, name: &str| {
        let mut command = Command::new(program);
        command.arg(script(name));
        command
    };
    Ok(match language {
        Language::Go => {
            let mut command = Command::new(go_program(&script("go"))?);
            command.env("PACKAGE_VERSION", package_version("golang-github-bradfitz-gomemcache-dev")?);
            command
        }
        Language::Java => {
            let mut command = Command::new("java");
            command.env("PACKAGE_VERSION", package_version("libspymemcached-java")?);
            // Java compiles a single file in memory.
            command.args(["-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/spymemcached.jar"]).arg(script("java"));
            command
        }
        Language::Node => {
            let mut command = Command::new(node()?);
            command.arg(script("node"));
            command
        }
        Language::Perl => simple("perl", "perl"),
        Language::Php => simple("php", "php"),
        Language::Python => {
            let mut command = Command::new(python()?);
            command.arg(script("python"));
            command
        }
        Language::Ruby => simple("ruby", "ruby"),
    })
}

/// Builds the Go program once, from Debian's packages in a GOPATH.
fn go_program(script: &Path) -> Result<&'static Path, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let target = folder().join("../target/clients");
        std::fs::create_dir_all(&target).map_err(|error| error.to_string())?;
        let program = target.join("gomemcache");
        let mut command = Command::new("go");
        command.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env("CGO_ENABLED", "0");
        command.env("GOFLAGS", "").env("GOCACHE", target.join("go-cache"));
        command.args(["build", "-o"]).arg(&program).arg(script);
        process::succeed(&mut command)?;
        Ok(program)
    };
    PROGRAM.get_or_init(build).as_deref().map_err(Clone::clone)
}

/// A Python interpreter with the client packages.
pub(crate) fn python() -> Result<&'static Path, String> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(prepare_python).as_deref().map_err(Clone::clone)
}

fn prepare_python() -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os("PYTHON") {
        return Ok(PathBuf::from(python));
    }
    let environment = folder().join("../target/venv");
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = folder().join("clients/python/requirements.txt");
    install(&requirements, &environment.join("requirements.installed"), || {
        let mut command = Command::new("python3");
        process::succeed(command.args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut command = Command::new(&python);
        process::succeed(command.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))
    })?;
    Ok(python)
}

/// Node, whose packages are installed beside the scripts.
fn node() -> Result<&'static Path, String> {
    static NODE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let prepare = || {
        let node = PathBuf::from(std::env::var_os("NODE").unwrap_or_else(|| "node".into()));
        let here = folder().join("clients/node");
        install(&here.join("package-lock.json"), &here.join("node_modules/.package-lock.installed"), || {
            let mut command = Command::new(node.with_file_name("npm"));
            process::succeed(command.current_dir(&here).args(["ci", "--no-audit", "--no-fund"]))
        })?;
        Ok(node)
    };
    NODE.get_or_init(prepare).as_deref().map_err(Clone::clone)
}

/// Runs `work` unless the stamp equals the list of wanted packages.
fn install(wanted: &Path, stamp: &Path, work: impl FnOnce() -> Result<String, String>) -> Result<(), String> {
    let wanted = std::fs::read(wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    if std::fs::read(stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    work()?;
    std::fs::write(stamp, wanted).map_err(|error| error.to_string())
}
