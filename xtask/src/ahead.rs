//! Builds for later parts of the tests, in a process of low priority beside the earlier ones: servers under test and
//! clients wait most of their time, and the compiler takes what they leave.
//!
//! A part builds its programs itself, too, and finds them done. So a failure here is no failure: the part repeats and
//! reports it.

use crate::{
    cross, fuzz, instructions, js, machine,
    step::{Outcome, step},
};
use std::{
    env,
    fs::{self, File},
    process::{Child, Command, Stdio},
};

/// The name of the command that builds.
pub(crate) const NAME: &str = "ahead";

/// Added to the niceness of the process: a runnable test gets nearly all of a processor that it shares with a build.
const NICENESS: &str = "15";

/// Builds programs without running them.
type Build = fn() -> Outcome;

/// Each build, in the order of the parts that need it.
const BUILDS: [(&str, Build); 4] = [
    ("engines for JavaScript", js::build_engines),
    ("programs of the fuzzer", fuzz::build_all),
    ("programs to count instructions of", instructions::build_all),
    ("servers for other systems", cross::build_all),
];

/// `cargo xtask ahead`.
pub(crate) fn run(_: &[String]) -> Outcome {
    let failures: Vec<String> = BUILDS.iter().filter_map(|(name, build)| step(name, build).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// The running process; `None` where it could not start.
pub(crate) struct Ahead(Option<Child>);

/// Starts [`run`] in a process of its own. Its output goes to `target/ahead.log`.
pub(crate) fn start() -> Ahead {
    let spawn = || {
        let folder = machine::target_directory();
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join("ahead.log"))?;
        let mut command = Command::new("nice");
        command.args(["-n", NICENESS]).arg(env::current_exe()?).arg(NAME);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
    };
    // Windows has no `nice`.
    Ahead(if cfg!(unix) { spawn().ok() } else { None })
}

impl Drop for Ahead {
    /// Waits for the end: a part that failed early may not have waited for its builds.
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.wait();
        }
    }
}
