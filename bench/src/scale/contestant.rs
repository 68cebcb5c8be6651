//! The servers of the comparison: those that take memcached's flags, and one with arguments of its own.

use std::path::PathBuf;

use crate::environment;
use crate::outcome::Outcome;
use crate::server::{Program, Server, Settings, launch};

/// Stand for the port and the number of threads in the arguments of another server.
pub const PORT: &str = "PORT";
/// See [`PORT`].
pub const THREADS: &str = "THREADS";

/// `-m` of the servers. The data takes a fifth of it.
const MEMORY_MIB: u64 = 1024;

/// Connections besides those of the load: a starved server has those of earlier runs for a while.
const SPARE_CONNECTIONS: u32 = 4000;

/// A server that can be started.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// A server with memcached's flags.
    Memcached(Program),
    /// Any other server that speaks the text protocol.
    Other {
        /// Name in reports.
        label: String,
        /// The executable.
        path: PathBuf,
        /// Its arguments, with [`PORT`] and [`THREADS`] in them.
        arguments: Vec<String>,
    },
}

impl Contestant {
    /// Name in reports.
    pub fn label(&self) -> &str {
        match self {
            Self::Memcached(program) => &program.label,
            Self::Other { label, .. } => label,
        }
    }

    /// Starts it with so many threads on `cores`.
    pub fn start(&self, threads: u32, connections: u32, cores: &[usize]) -> Outcome<Server> {
        match self {
            Self::Memcached(program) => {
                let connections = connections + SPARE_CONNECTIONS;
                program.start(Settings { threads, memory_mib: MEMORY_MIB, connections, certificate: None }, cores)
            }
            Self::Other { label, path, arguments } => {
                let server = launch(path, cores, |port| filled_in(arguments, port, threads));
                server.map_err(|error| format!("{label} ({}): {error}", path.display()))
            }
        }
    }

    /// Name and version. A server with arguments of its own is started, and asked for its version.
    pub fn version(&self, cores: &[usize]) -> Outcome<String> {
        match self {
            Self::Memcached(program) => environment::version(&program.path.to_string_lossy()),
            Self::Other { label, .. } => Ok(format!("{label} ({})", self.start(1, 1, cores)?.version()?)),
        }
    }
}

fn filled_in(arguments: &[String], port: u16, threads: u32) -> Vec<String> {
    let fill = |argument: &String| argument.replace(PORT, &port.to_string()).replace(THREADS, &threads.to_string());
    arguments.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_threads_are_filled_in_wherever_they_stand() {
        let arguments = ["--listen=127.0.0.1:PORT", "-t", "THREADS", "-q"].map(str::to_owned);
        assert_eq!(filled_in(&arguments, 2211, 4), ["--listen=127.0.0.1:2211", "-t", "4", "-q"]);
    }
}
