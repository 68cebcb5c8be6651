//! Scripts of other languages. What a script prints is its report: `version …` once, `passed …` for each test; any other
//! end than success is a failure.

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

/// How many servers a script gets: clients spread their keys.
const SERVERS: usize = 3;

/// What a script is written in; its folder below `clients/` has that name.
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

/// Runs a script against servers of its own.
///
/// # Errors
/// If it fails, with what it said.
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
            // A single file is compiled in memory.
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

/// Go's are built once, from the packages that Debian keeps in a GOPATH.
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

/// An interpreter that has the clients.
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

/// A Node; its packages lie beside the scripts.
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

/// Installs unless what is wanted is what the stamp says is there.
fn install(wanted: &Path, stamp: &Path, work: impl FnOnce() -> Result<String, String>) -> Result<(), String> {
    let wanted = std::fs::read(wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    if std::fs::read(stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    work()?;
    std::fs::write(stamp, wanted).map_err(|error| error.to_string())
}
