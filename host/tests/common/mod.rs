//! A server under test: a child process on a port of its own.

#![allow(dead_code, reason = "each test uses its part")]

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Time limit of every wait, for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program: `WASMCACHED_BIN`, or the one that cargo built for this test.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("WASMCACHED_BIN").map_or_else(|| env!("CARGO_BIN_EXE_wasmcached").into(), PathBuf::from)
}

/// The program with fault injection.
pub(crate) fn faulty_program() -> PathBuf {
    match std::env::var_os("WASMCACHED_FAULT_INJECTION_BIN") {
        Some(path) => path.into(),
        None if cfg!(feature = "fault-injection") => env!("CARGO_BIN_EXE_wasmcached").into(),
        None => panic!("build with `--features fault-injection`, or run `cargo xtask test`"),
    }
}

/// A folder, removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wasmcached-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process, ended on drop.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server, ended on drop.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Collects the log; ends with the process.
    log_reader: Option<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
    /// TCP addresses, in the order of the flags.
    pub(crate) addresses: Vec<SocketAddr>,
    /// UDP addresses, in the same order.
    pub(crate) datagrams: Vec<SocketAddr>,
    /// Addresses of pages over HTTP, in the same order.
    pub(crate) pages: Vec<SocketAddr>,
    _folder: Folder,
}

impl Server {
    /// Starts the program with these flags on a free port of loopback.
    pub(crate) fn start(name: &str, flags: &str) -> Self {
        Self::start_program(program(), name, flags)
    }

    pub(crate) fn start_program(program: PathBuf, name: &str, flags: &str) -> Self {
        Self::start_command(Command::new(program), name, flags, Stdio::piped())
    }

    /// Starts the program with the list of users that `-S` needs.
    pub(crate) fn start_with_users(name: &str, flags: &str, users: &std::path::Path) -> Self {
        let mut command = Command::new(program());
        command.env("MEMCACHED_SASL_PWDB", users);
        Self::start_command(command, name, flags, Stdio::piped())
    }

    /// Starts a command that ends in the program's flags, with this as its standard error.
    pub(crate) fn start_command(mut command: Command, name: &str, flags: &str, errors: Stdio) -> Self {
        let folder = Folder::new(name);
        let ports = folder.0.join("ports");
        command.args(["-p", "-1"]).args(flags.split_whitespace()).env("MEMCACHED_PORT_FILENAME", &ports);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let log_reader = child.stderr.take().map(|errors| {
            let (lines, collected) = (BufReader::new(errors), Arc::clone(&log));
            std::thread::spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    let mut log = collected.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            })
        });
        let text = wait_for("the port file", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended at once ({status}): {}", log.lock().unwrap());
            }
            std::fs::read_to_string(&ports).ok()
        });
        let listed = |kind: &str| -> Vec<_> {
            let ports = text.lines().filter_map(|line| line.strip_prefix(kind)?.parse::<u16>().ok());
            ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
        };
        let (addresses, datagrams) = (listed("TCP INET: "), listed("UDP INET: "));
        let pages = listed("HTTP INET: ");
        Self { child, log, address: addresses[0], addresses, datagrams, pages, log_reader, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far, for the message of an assertion that failed. The server writes it beside its answers: what is not
    /// there yet may still come, so a test asks [`Server::wait_for_log`] or, for what must not come, [`Server::stop`].
    pub(crate) fn log_so_far(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log holds `text`, and returns how often.
    pub(crate) fn wait_for_log(&self, text: &str) -> usize {
        self.wait_for_logs(text, 1)
    }

    /// Waits until the log holds `text` at least `count` times, and returns how often.
    pub(crate) fn wait_for_logs(&self, text: &str, count: usize) -> usize {
        wait_for(text, || Some(self.log_so_far().matches(text).count()).filter(|&found| found >= count))
    }

    /// Waits for the end of the process, and returns its whole log.
    pub(crate) fn whole_log(mut self) -> (ExitStatus, String) {
        let status = wait_for("the server's end", || self.child.try_wait().unwrap());
        if let Some(log_reader) = self.log_reader.take() {
            log_reader.join().unwrap();
        }
        (status, self.log_so_far())
    }

    /// Stops the server and returns its whole log.
    #[cfg(unix)]
    pub(crate) fn stop(self) -> String {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let (status, log) = self.whole_log();
        assert!(status.success(), "{status}: {log}");
        log
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(mut self) -> ExitStatus {
        wait_for("the server's end", || self.child.try_wait().unwrap())
    }

    /// Waits for the end of the process; returns everything that it wrote to standard error.
    pub(crate) fn output(self) -> String {
        self.whole_log().1
    }

    /// Resident memory, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything up to the end of a stream, which must be in order.
pub(crate) fn to_end(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        panic!("after {} bytes: {error}", bytes.len());
    }
    bytes
}

/// A client that sends and receives lines.
pub(crate) struct Client<S: Read + Write = TcpStream>(pub(crate) BufReader<S>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// A client whose system holds about so many bytes that the client has not read.
    pub(crate) fn connect_with_buffer(address: SocketAddr, bytes: usize) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        // After the connection is made, the window would no longer fit the segments.
        socket.set_recv_buffer_size(bytes).unwrap();
        socket.connect(&address.into()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        Self(BufReader::new(socket.into()))
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next line without its end; empty at the end of the stream.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a line; returns the line of the reply.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\r\n"));
        self.line()
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> String {
        self.ask(&format!("set {key} 0 0 {}\r\n{value}", value.len()))
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<String> {
        let first = self.ask(&format!("get {key}"));
        if first == "END" {
            return None;
        }
        assert!(first.starts_with("VALUE "), "{first}");
        let value = self.line();
        assert_eq!(self.line(), "END");
        Some(value)
    }

    /// The value of one line of `stats`.
    pub(crate) fn statistic(&mut self, name: &str) -> String {
        self.table("stats").into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// All lines of a `stats` command.
    pub(crate) fn table(&mut self, command: &str) -> Vec<(String, String)> {
        self.send(format!("{command}\r\n"));
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line == "END" {
                return lines;
            }
            let (name, value) = line.strip_prefix("STAT ").unwrap().split_once(' ').unwrap();
            lines.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Everything up to the end of the stream, proper or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Whether the server closes the connection without further output.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(received) => received == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// An address of loopback where nothing listens: the socket keeps it from others.
pub(crate) fn vacant_address() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// The TCP port of 127.0.0.1 in the text of a port file.
pub(crate) fn port_in(text: &str) -> u16 {
    text.lines().find_map(|line| line.strip_prefix("TCP INET: ")).unwrap().parse().unwrap()
}

/// Runs the program to its end.
pub(crate) fn run(flags: &str) -> Output {
    Command::new(program()).args(flags.split_whitespace()).stdin(Stdio::null()).output().unwrap()
}

/// Polls until there is a result.
pub(crate) fn wait_for<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
