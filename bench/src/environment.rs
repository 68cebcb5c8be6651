//! The machine: cores, limits, and its description for reports.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::outcome::{Outcome, ResultExt as _};

/// Cores that this process may use.
pub fn cores() -> Outcome<Vec<usize>> {
    let set = sched_getaffinity(None).context("sched_getaffinity")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Pins the calling thread, and every thread or process that it starts later, to these cores.
pub fn pin_this_thread(cores: &[usize]) -> Outcome<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    sched_setaffinity(None, &set).context("sched_setaffinity")
}

/// Raises the priority of this session until dropped.
///
/// Where the kernel groups processes by session, the niceness of a process counts only within its session.
#[derive(Debug)]
pub struct Preference(());

const SESSION_NICENESS: &str = "/proc/self/autogroup";

impl Preference {
    /// Raises the priority, which needs root.
    pub fn take() -> Outcome<Self> {
        setpriority_process(None, -20).context("priority (root may)")?;
        if Path::new(SESSION_NICENESS).exists() {
            fs::write(SESSION_NICENESS, "-20").context(SESSION_NICENESS)?;
        }
        Ok(Self(()))
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // The session may outlive this process. After a failure it keeps its priority, which changes no result.
        let _ = fs::write(SESSION_NICENESS, "0");
    }
}

/// Which cores the server gets and which the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The server's cores.
    pub server: Vec<usize>,
    /// The client's cores.
    pub client: Vec<usize>,
}

impl Placement {
    /// Gives each server thread a core and the client the others; with too few cores both share all.
    pub fn new(cores: &[usize], server_threads: u32) -> Self {
        let server_threads = server_threads as usize;
        if server_threads < cores.len() {
            let (server, client) = cores.split_at(server_threads);
            return Self { server: server.into(), client: client.into() };
        }
        Self { server: cores.into(), client: cores.into() }
    }

    /// Whether client and server compete for a core.
    pub fn is_shared(&self) -> bool {
        self.server.iter().any(|core| self.client.contains(core))
    }

    /// One line for the report.
    pub fn describe(&self) -> String {
        if self.is_shared() {
            format!("server and client share cores {:?}", self.server)
        } else {
            format!("server on cores {:?}, client on {:?}", self.server, self.client)
        }
    }
}

/// Groups of these processors that are hardware threads of one core, as the kernel writes them; none of a processor that has
/// its core for itself.
pub fn siblings(cores: &[usize]) -> Vec<String> {
    let path = |core| format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let mut groups: Vec<String> = Vec::new();
    for group in cores.iter().filter_map(|core| fs::read_to_string(path(core)).ok()) {
        let group = group.trim();
        if group.contains([',', '-']) && !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    groups
}

/// Raises the limit of open files to the hard limit.
pub fn raise_file_limit() -> Outcome<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("setrlimit")?;
    Ok(limit.current.unwrap_or(u64::MAX))
}

/// The machine in one line: processor, cores, kernel.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or("unknown processor", |(_, name)| name.trim());
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let memory_gib = meminfo_kib("MemTotal").unwrap_or(0) as f64 / f64::from(1 << 20);
    format!("{name}, {cores} cores, {memory_gib:.0} GiB, Linux {release}{}", virtualized(&cpuinfo))
}

/// The load of the machine over the last minute, as the kernel counts it.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// The first line of `program -V`.
pub fn version(program: &str) -> Outcome<String> {
    let output = Command::new(program).arg("-V").output().context(program)?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text.lines().next().map(str::to_owned).ok_or_else(|| format!("{program} -V prints nothing"))
}

fn meminfo_kib(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn virtualized(cpuinfo: &str) -> &'static str {
    if cpuinfo.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor")) {
        " (virtual machine)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_client_are_kept_apart_where_cores_suffice() {
        let apart = Placement::new(&[0, 1], 1);
        assert_eq!((apart.server.as_slice(), apart.client.as_slice()), ([0].as_slice(), [1].as_slice()));
        assert!(!apart.is_shared());
        assert!(Placement::new(&[0, 1], 2).is_shared());
        assert_eq!(Placement::new(&[0, 1, 2, 3], 2).client, [2, 3]);
    }
}
