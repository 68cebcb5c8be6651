//! Servers as child processes: started with equal flags on chosen cores, measured through `/proc`, ended with the benchmark.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid, set_parent_process_death_signal};

use crate::environment;
use crate::outcome::{Outcome, ResultExt as _};
use crate::tls::Certificate;

/// Subcommand of the benchmark that replaces itself by a server.
pub const LAUNCH: &str = "launch";

/// Ports of servers.
const PORTS: Range<u16> = 21_000..32_000;
/// Counts ports, so that two servers do not get the same one while neither listens.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name in reports.
    pub label: String,
    /// The executable.
    pub path: PathBuf,
    /// Flags in addition to those of all servers.
    pub extra: Vec<String>,
}

/// Flags of all servers.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'c> {
    /// `-t`
    pub threads: u32,
    /// `-m`
    pub memory_mib: u64,
    /// `-c`
    pub connections: u32,
    /// `-Z` with this certificate, in addition to a plain listener.
    pub certificate: Option<&'c Certificate>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Plain address.
    pub address: SocketAddr,
    /// TLS address.
    pub tls_address: Option<SocketAddr>,
    child: Child,
}

/// Resources used since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all threads, user and system.
    pub cpu_ns: u64,
    /// Resident memory.
    pub resident_kib: u64,
}

impl Program {
    /// Starts it with memcached's flags on `cores`, and waits until it answers.
    pub fn start(&self, settings: Settings<'_>, cores: &[usize]) -> Outcome<Server> {
        let Settings { threads, memory_mib, connections, certificate } = settings;
        let numbers = [("-t", u64::from(threads)), ("-m", memory_mib), ("-c", u64::from(connections))];
        let mut arguments: Vec<String> =
            numbers.iter().flat_map(|(flag, n)| [flag.to_string(), n.to_string()]).collect();
        if geteuid().is_root() {
            arguments.extend(["-u".into(), "root".into()]);
        }
        arguments.extend(certificate.into_iter().flat_map(Certificate::flags));
        arguments.extend(self.extra.iter().cloned());
        let host = Ipv4Addr::LOCALHOST;
        let tls_port = certificate.map(|_| free_port()).transpose()?;
        let server = launch(&self.path, cores, |port| {
            let listen = match tls_port {
                Some(tls_port) => format!("notls:{host}:{port},{host}:{tls_port}"),
                None => host.to_string(),
            };
            ["-l".into(), listen, "-p".into(), port.to_string()].into_iter().chain(arguments).collect()
        });
        let mut server = server.map_err(|error| format!("{} ({}): {error}", self.label, self.path.display()))?;
        server.tls_address = tls_port.map(|port| SocketAddr::from((host, port)));
        Ok(server)
    }

    /// Whether it was built with TLS, judged by its `-h`.
    pub fn has_tls(&self) -> Outcome<bool> {
        let output = Command::new(&self.path).arg("-h").output().context("-h")?;
        Ok(String::from_utf8_lossy(&output.stdout).contains("--enable-ssl"))
    }
}

impl Server {
    /// Reads the resources used since the start.
    pub fn usage(&self) -> Outcome<Usage> {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status")).context("server status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident_kib = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Ok(Usage {
            cpu_ns: cpu_ns(&process)?,
            resident_kib: resident_kib.ok_or("the server has ended: /proc names no VmRSS for it")?,
        })
    }

    /// Its version, as it answers `version`.
    pub fn version(&self) -> Outcome<String> {
        let mut line = String::new();
        BufReader::new(ask(self.address, b"version\r\n")?).read_line(&mut line).context("version")?;
        Ok(line.trim_end().trim_start_matches("VERSION ").to_owned())
    }

    /// A number of `stats`.
    pub fn statistic(&self, name: &str) -> Outcome<u64> {
        self.statistic_of("stats", name)
    }

    /// A number in the reply to `command`, such as `stats slabs`.
    pub fn statistic_of(&self, command: &str, name: &str) -> Outcome<u64> {
        let mut lines = BufReader::new(ask(self.address, format!("{command}\r\n").as_bytes())?);
        let mut line = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line).context(command)? == 0 || line.starts_with("END") {
                return Err(format!("{command} has no {name}"));
            }
            if let Some(("STAT", rest)) = line.trim_end().split_once(' ')
                && let Some((found, value)) = rest.split_once(' ')
                && found == name
            {
                return value.parse().context(name);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both calls fail if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `program` through this executable's own [`LAUNCH`] on a free port, and waits until it answers.
pub fn launch(
    program: &std::path::Path,
    cores: &[usize],
    arguments: impl FnOnce(u16) -> Vec<String>,
) -> Outcome<Server> {
    let port = free_port()?;
    let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
    let mut command = Command::new(std::env::current_exe().context("this program's path")?);
    command.args([LAUNCH, "--cores", &cores.join(","), "--"]).arg(program).args(arguments(port));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("start")?;
    let mut server = Server { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), tls_address: None, child };
    let started = Instant::now();
    while !answers(server.address) {
        if let Some(status) = server.child.try_wait().context("wait")? {
            return Err(format!("ended at once: {status}"));
        }
        if started.elapsed() > START_TIMEOUT {
            return Err(format!("no answer within {} s", START_TIMEOUT.as_secs()));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(server)
}

/// Replaces this process by `program` on `cores`; it is killed when the benchmark ends.
pub fn become_program(cores: &[usize], program: &[String]) -> Outcome<()> {
    let (path, arguments) = program.split_first().ok_or("launch needs a program")?;
    set_parent_process_death_signal(Some(Signal::TERM)).context("death signal")?;
    environment::pin_this_thread(cores)?;
    Err(format!("{path}: {}", Command::new(path).args(arguments).exec()))
}

/// A port that is free at the moment. The system gives clients ports from 32768 on, so no client takes it before the server
/// listens.
fn free_port() -> Outcome<u16> {
    let range = PORTS.end - PORTS.start;
    // Benchmarks that start at the same time begin at different ports.
    let first = (std::process::id() % u32::from(range) * 97 % u32::from(range)) as u16;
    let next = |_| PORTS.start + (first + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % range) % range;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..range).map(next).find(is_free).ok_or_else(|| format!("no port of {PORTS:?} is free"))
}

fn answers(address: SocketAddr) -> bool {
    let Ok(stream) = ask(address, b"version\r\n") else { return false };
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok_and(|bytes| bytes > 0)
}

fn ask(address: SocketAddr, request: &[u8]) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(address).context("connect")?;
    stream.set_read_timeout(Some(START_TIMEOUT)).context("timeout")?;
    stream.write_all(request).context("send")?;
    Ok(stream)
}

/// CPU time of all threads from the scheduler's statistics; from clock ticks where the kernel keeps none.
fn cpu_ns(process: &str) -> Outcome<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("{process}/task")).context("server threads")? {
        let path = task.context("server threads")?.path().join("schedstat");
        let Ok(text) = fs::read_to_string(path) else { return cpu_ticks_ns(process) };
        sum += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
    }
    if sum == 0 { cpu_ticks_ns(process) } else { Ok(sum) }
}

/// User and system time from `stat`, which counts hundredths of a second.
fn cpu_ticks_ns(process: &str) -> Outcome<u64> {
    let stat = fs::read_to_string(format!("{process}/stat")).context("server stat")?;
    // The name in parentheses may contain spaces; utime and stime are fields 14 and 15 of the line.
    let (_, after_name) = stat.rsplit_once(')').ok_or("server stat has no name")?;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks * 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_accounts_of_cpu_time_agree() {
        let busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let server = Server { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), tls_address: None, child: busy };
        let process = format!("/proc/{}", server.child.id());
        while cpu_ticks_ns(&process).unwrap() < 200_000_000 {
            thread::sleep(Duration::from_millis(10));
        }
        let (precise, ticks) = (cpu_ns(&process).unwrap(), cpu_ticks_ns(&process).unwrap());
        // Units, not timing: a factor of a thousand between the two would show.
        assert!(precise > ticks / 2 && precise < ticks * 4, "{precise} and {ticks}");
    }
}
