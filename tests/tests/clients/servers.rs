//! The servers of a suite, their listeners, and the environment that tells a script their addresses.

use crate::{
    credentials::{self, Credentials},
    site::{Channel, Protocol, Site, Transport},
};
use std::{
    fs::File,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use wasmcached_tests::server::free_port;

/// Longest time until a server accepts connections.
const READY_WAIT: Duration = Duration::from_secs(15);
/// Attempts to start a server on a free port, which another process may take meanwhile.
const ATTEMPTS: usize = 5;

/// Servers that end with the handle.
#[derive(Debug)]
pub(crate) struct Servers {
    channel: Channel,
    servers: Vec<Server>,
    credentials: Credentials,
    /// Removed last.
    folder: Folder,
}

impl Servers {
    /// Starts `count` of them.
    ///
    /// # Errors
    /// If one does not run.
    pub(crate) fn start(site: &Site, count: usize) -> Result<Self, String> {
        Self::start_with(site, count, &[])
    }

    /// Starts `count` of them with further flags.
    ///
    /// # Errors
    /// If one does not run.
    pub(crate) fn start_with(site: &Site, count: usize, flags: &[&str]) -> Result<Self, String> {
        let folder = Folder::new()?;
        let credentials = credentials::prepare(site, folder.path())?;
        let launch = Launch { site, flags, credentials: &credentials, folder: folder.path() };
        let servers = (0..count).map(|number| launch.server(number)).collect::<Result<_, _>>()?;
        Ok(Self { channel: site.channel, servers, credentials, folder })
    }

    /// Addresses for clients: host and port, or the path of a socket.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.address.clone()).collect()
    }

    /// A folder that is removed with the servers.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Passes addresses and credentials to a script by its environment.
    pub(crate) fn describe(&self, command: &mut Command) {
        let addresses = self.addresses();
        if let [first, further @ ..] = addresses.as_slice() {
            command.env("SERVER", first).env("FURTHER", further.join(","));
        }
        if self.channel.protocol == Protocol::Binary {
            command.env("BINARY", "1");
        }
        command.envs(self.credentials.of_clients.iter().cloned());
    }
}

/// How a server is started.
struct Launch<'a> {
    site: &'a Site,
    flags: &'a [&'a str],
    credentials: &'a Credentials,
    folder: &'a Path,
}

impl Launch<'_> {
    fn server(&self, number: usize) -> Result<Server, String> {
        let mut problem = String::new();
        for _ in 0..ATTEMPTS {
            match self.attempt(number) {
                Ok(server) => return Ok(server),
                Err(message) => problem = message,
            }
        }
        Err(problem)
    }

    fn attempt(&self, number: usize) -> Result<Server, String> {
        let mut command = Command::new(&self.site.program);
        if cfg!(unix) {
            command.args(["-u", "root"]);
        }
        let address = if self.site.channel.transport == Transport::Unix {
            let path = self.folder.join(format!("{number}.sock")).to_string_lossy().into_owned();
            command.args(["-s", &path]);
            path
        } else {
            let port = free_port()?;
            command.args(["-l", "127.0.0.1", "-p", &port.to_string()]);
            format!("127.0.0.1:{port}")
        };
        let log = self.folder.join(format!("{number}.log"));
        let errors = File::create(&log).map_err(|error| error.to_string())?;
        command.args(&self.credentials.flags).args(self.flags).envs(self.credentials.of_servers.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.site.program.display()))?;
        let mut server = Server { child, address };
        server.wait().map_err(|problem| {
            format!("{command:?} {problem}: {}", std::fs::read_to_string(&log).unwrap_or_default().trim())
        })?;
        Ok(server)
    }
}

/// A running server; dropping the handle ends exactly this process.
#[derive(Debug)]
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Waits until it accepts connections.
    fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + READY_WAIT;
        loop {
            let is_there = accepts(&self.address);
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended at once ({status})"));
            }
            if is_there {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("does not accept connections".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn accepts(address: &str) -> bool {
    #[cfg(unix)]
    if address.starts_with('/') {
        return std::os::unix::net::UnixStream::connect(address).is_ok();
    }
    TcpStream::connect(address).is_ok()
}

/// A folder that is removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    /// Creates a folder with a short path, because paths of sockets are limited.
    fn new() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wasmcached-clients-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
