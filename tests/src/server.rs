//! Servers as child processes on loopback: real memcached and the product. A server ends with its handle.

use crate::{
    embedding::users_file,
    target::{Factory, Kind, Received, Target},
};
use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Longest time until a server accepts connections.
const READY_WAIT: Duration = Duration::from_secs(15);

/// Size of the kept beginning of a server's log.
const LOG_BYTES_KEPT: usize = 16 * 1024;

/// A running server; dropping the handle ends exactly this process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Address of the listener.
    pub address: SocketAddr,
    /// Beginning of its standard error.
    log: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Starts `program` with memcached's flags on a free port of loopback and waits until it accepts.
    ///
    /// # Errors
    /// Why it does not run, with its standard error.
    pub fn start(program: &Path, flags: &[String]) -> Result<Self, String> {
        Self::on_free_port(&|port| Self::start_on(program, flags, port))
    }

    /// Starts a server on a free port.
    pub(crate) fn on_free_port(start: &dyn Fn(u16) -> Result<Self, String>) -> Result<Self, String> {
        let mut problem = String::new();
        // Another process may take the free port meanwhile.
        for _ in 0..5 {
            match start(free_port()?) {
                Ok(server) => return Ok(server),
                Err(message) => problem = message,
            }
        }
        Err(problem)
    }

    fn start_on(program: &Path, flags: &[String], port: u16) -> Result<Self, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let own = ["-l", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        let probe = || TcpStream::connect(address).is_ok_and(|stream| is_served(stream, flags));
        Self::launch(program, &[&own, flags].concat(), address, &probe)
    }

    /// Starts `program` with exactly these flags, and waits until `probe` succeeds.
    pub(crate) fn launch(
        program: &Path,
        flags: &[String],
        address: SocketAddr,
        probe: &dyn Fn() -> bool,
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        if cfg!(unix) && !flags.iter().any(|flag| flag == "-u") {
            command.args(["-u", "root"]);
        }
        // The users of transcripts: `-S` finds them by the variable, `-Y` names the same file.
        command.env("MEMCACHED_SASL_PWDB", users_file()).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self { child, address, log: Arc::default() };
        let deadline = Instant::now() + READY_WAIT;
        loop {
            if let Ok(Some(status)) = server.child.try_wait() {
                let mut text = String::new();
                if let Some(mut errors) = server.child.stderr.take() {
                    let _ = errors.read_to_string(&mut text);
                }
                return Err(format!("{} {flags:?} ended at once ({status}): {}", program.display(), text.trim()));
            }
            if probe() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("{} {flags:?} does not accept connections", program.display()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // The whole log is read, because a full pipe would block the server; the beginning is kept.
        if let Some(errors) = server.child.stderr.take() {
            let log = Arc::clone(&server.log);
            std::thread::spawn(move || drain(errors, &log));
        }
        Ok(server)
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process ends; returns false after `wait`.
    pub fn ends_within(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Beginning of its standard error.
    pub fn log(&self) -> String {
        self.log.lock().map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Exit status, once the process has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Resident memory of the process in bytes (Linux).
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end and keeps the beginning.
fn drain(mut errors: impl Read, log: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = errors.read(&mut buffer) {
        let Ok(mut log) = log.lock() else { continue };
        let room = LOG_BYTES_KEPT.saturating_sub(log.len());
        log.extend_from_slice(&buffer[..length.min(room)]);
    }
}

/// Whether the peer is a memcached server: sends a version request, and waits for the connection to close.
pub(crate) fn is_served(mut stream: impl Wire, flags: &[String]) -> bool {
    const BINARY_VERSION_AND_QUIT: [u8; 48] = {
        let mut packets = [0; 48];
        [packets[0], packets[1], packets[24], packets[25]] = [0x80, 0x0b, 0x80, 0x07];
        packets
    };
    let binary = flags.windows(2).any(|pair| pair == ["-B", "binary"]) || flags.iter().any(|flag| flag == "-S");
    if binary {
        // Before the login only the magic of the reply is certain.
        let mut magic = [0];
        return stream.set_timeout(Duration::from_secs(5)).is_ok()
            && stream.write_all(&BINARY_VERSION_AND_QUIT).is_ok()
            && stream.read_exact(&mut magic).is_ok()
            && magic == [0x81]
            && io::copy(&mut stream, &mut io::sink()).is_ok();
    }
    if flags.iter().any(|flag| flag == "-Y") {
        // Every reply asks for a login.
        let mut answer = [0; 13];
        return stream.set_timeout(Duration::from_secs(5)).is_ok()
            && stream.write_all(b"version\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && &answer == b"CLIENT_ERROR ";
    }
    let mut answer = [0; 8];
    stream.set_timeout(Duration::from_secs(5)).is_ok()
        && stream.write_all(b"version\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"VERSION "
        && stream.write_all(b"quit\r\n").is_ok()
        && io::copy(&mut stream, &mut io::sink()).is_ok()
}

/// Flags of a transcript without `-B http`, and whether it was among them: then its connections are those of a listener
/// for pages, beside that of the cache.
pub(crate) fn split_http(flags: &[String]) -> (bool, Vec<String>) {
    match flags.windows(2).position(|pair| pair == ["-B", "http"]) {
        Some(at) => (true, [&flags[..at], &flags[at + 2..]].concat()),
        None => (false, flags.to_vec()),
    }
}

/// Starts a server with a second address, which `start` names.
///
/// # Errors
/// Why it does not start.
pub(crate) fn start_beside(
    start: &dyn Fn(SocketAddr) -> Result<Server, String>,
) -> Result<(Server, SocketAddr), String> {
    let mut problem = String::new();
    // Another process may take the free port meanwhile.
    for _ in 0..5 {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        match start(address) {
            Ok(server) => return Ok((server, address)),
            Err(message) => problem = message,
        }
    }
    Err(problem)
}

/// A port of loopback that is free now.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Debian's memcached, if it is installed; `MEMCACHED_BIN` names another one.
pub fn memcached_program() -> Option<PathBuf> {
    std::env::var_os("MEMCACHED_BIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(["/usr/bin/memcached", "/usr/local/bin/memcached", "/opt/homebrew/bin/memcached"].map(PathBuf::from))
        .find(|path| path.is_file())
}

/// The product: `WASMCACHED_BIN`, or the workspace's release build.
///
/// # Errors
/// Names the command that builds it.
pub fn wasmcached_program() -> Result<PathBuf, String> {
    let path = match std::env::var_os("WASMCACHED_BIN") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../target/release")
            .join(format!("wasmcached{}", std::env::consts::EXE_SUFFIX)),
    };
    if path.is_file() { Ok(path) } else { Err(format!("{} is missing: run `cargo xtask build`", path.display())) }
}

/// Starts servers of one program for the transcripts.
#[derive(Debug)]
pub struct ServerFactory {
    /// The program.
    pub program: PathBuf,
    /// [`Kind::Memcached`] or [`Kind::Server`].
    pub kind: Kind,
    /// Flags of every server, in addition to those of the transcript.
    pub flags: Vec<String>,
}

impl Factory for ServerFactory {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn refuses(&self, _flags: &[String]) -> Option<String> {
        None
    }

    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String> {
        let (is_http, flags) = split_http(flags);
        let flags: Vec<String> = self.flags.iter().chain(&flags).cloned().collect();
        let (server, address) = if is_http {
            start_beside(&|page| {
                Server::start(&self.program, &[&flags[..], &["-l".to_owned(), format!("proto[http]:{page}")]].concat())
            })?
        } else {
            let server = Server::start(&self.program, &flags)?;
            let address = server.address;
            (server, address)
        };
        let connect = move || {
            let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            Ok(Box::new(stream) as Box<dyn Wire>)
        };
        Ok(Box::new(StreamTarget::new(server, Box::new(connect))))
    }
}

/// A connection over any transport.
pub(crate) trait Wire: Read + Write {
    /// Makes reads and writes blocking or not.
    fn set_blocking(&self, blocking: bool) -> io::Result<()>;

    /// Sets the read timeout.
    fn set_timeout(&self, wait: Duration) -> io::Result<()>;

    /// Whether written bytes are still buffered.
    fn has_unsent(&self) -> bool {
        false
    }

    /// Closes both directions.
    fn end(&mut self);
}

impl Wire for TcpStream {
    fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.set_nonblocking(!blocking)
    }

    fn set_timeout(&self, wait: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(wait))
    }

    fn end(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

#[cfg(unix)]
impl Wire for std::os::unix::net::UnixStream {
    fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.set_nonblocking(!blocking)
    }

    fn set_timeout(&self, wait: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(wait))
    }

    fn end(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Opens a connection.
pub(crate) type Connect = Box<dyn Fn() -> Result<Box<dyn Wire>, String>>;

/// A server and its connections.
pub(crate) struct StreamTarget {
    /// Ended on drop.
    _server: Server,
    connect: Connect,
    streams: HashMap<usize, Box<dyn Wire>>,
    /// Bytes received during a send.
    early: HashMap<usize, Vec<u8>>,
    opened: usize,
}

impl StreamTarget {
    pub(crate) fn new(server: Server, connect: Connect) -> Self {
        Self { _server: server, connect, streams: HashMap::new(), early: HashMap::new(), opened: 0 }
    }
}

impl Target for StreamTarget {
    fn open(&mut self) -> Result<usize, String> {
        let stream = (self.connect)()?;
        self.opened += 1;
        self.streams.insert(self.opened, stream);
        Ok(self.opened)
    }

    fn send(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String> {
        let stream = self.streams.get_mut(&connection).ok_or("no such connection")?;
        stream.set_blocking(false).map_err(|error| error.to_string())?;
        let mut rest = bytes;
        let mut buffer = [0; 16 * 1024];
        let deadline = Instant::now() + Duration::from_secs(30);
        // A server that cannot send may stop reading, so the client reads while it writes.
        while !rest.is_empty() || stream.has_unsent() {
            let written = if rest.is_empty() { stream.flush().map(|()| 0) } else { stream.write(rest) };
            match written {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(length) => self.early.entry(connection).or_default().extend(&buffer[..length]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            std::thread::sleep(Duration::from_micros(200));
                        }
                        Err(_) => break,
                    }
                    if Instant::now() > deadline {
                        return Err("the server does not read".into());
                    }
                }
                // The server closed; earlier replies remain to be read.
                Err(_) => break,
            }
        }
        stream.set_blocking(true).map_err(|error| error.to_string())
    }

    fn receive(&mut self, connection: usize, inbox: &mut Vec<u8>, wait: Duration) -> Result<Received, String> {
        if let Some(early) = self.early.remove(&connection) {
            inbox.extend(early);
            return Ok(Received::Bytes);
        }
        let stream = self.streams.get_mut(&connection).ok_or("no such connection")?;
        stream.set_timeout(wait.max(Duration::from_millis(1))).map_err(|error| error.to_string())?;
        let mut buffer = [0; 64 * 1024];
        match stream.read(&mut buffer) {
            Ok(0) => Ok(Received::Closed),
            Ok(length) => {
                inbox.extend(&buffer[..length]);
                Ok(Received::Bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(Received::Nothing),
            // A reset: the server closed with unread input.
            Err(_) => Ok(Received::Closed),
        }
    }

    fn close(&mut self, connection: usize) {
        if let Some(mut stream) = self.streams.remove(&connection) {
            stream.end();
        }
    }

    fn pass(&mut self, seconds: u32) {
        // Servers update their clock once per second.
        std::thread::sleep(Duration::from_millis(u64::from(seconds) * 1000 + 1100));
    }

    fn is_asynchronous(&self) -> bool {
        true
    }
}
