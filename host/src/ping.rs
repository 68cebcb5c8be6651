//! `--ping`: asks a server whether it answers, as a health check without a shell. What is asked and what the reply means
//! the engine's crate knows.

use crate::{
    listener::reason,
    options::{ListenAddress, Options, Refusal, TcpPort, exit},
};
use std::{
    fmt, io,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::PathBuf,
    time::{Duration, Instant},
};
use wasmcached_core::health::{Answer, Question};

/// A server that needs longer is not well.
const PING_DURATION_MAX: Duration = Duration::from_secs(3);

/// Asks the server at `address`; empty: where `options` have it listen. Returns the line to print.
///
/// # Errors
/// It does not answer, or not as it should: the line to print.
pub(crate) fn ping(address: &str, options: &Options) -> Result<String, Refusal> {
    let peer = Peer::find(address, options).map_err(|message| Refusal::new(exit::USAGE, message))?;
    let failed = |message: String| Refusal::new(exit::FLAG, format!("{peer} does not answer: {message}"));
    let started = Instant::now();
    let deadline = started + PING_DURATION_MAX;
    let heard = match ask(&peer, Question::Text, deadline) {
        // One that speaks only the other protocol hangs up.
        Ok(Heard::HungUp) => ask(&peer, Question::Binary, deadline),
        other => other,
    };
    match heard.map_err(|error| failed(explain(&error)))? {
        Heard::Version(version) => {
            Ok(format!("{peer} answers: version {version}, after {:.1} ms\n", started.elapsed().as_secs_f64() * 1e3))
        }
        Heard::Guarded => Ok(format!("{peer} answers: it wants authentication\n")),
        Heard::Refusal(words) => Err(failed(format!("it says \"{words}\""))),
        Heard::HungUp => Err(failed("it hangs up".to_owned())),
        Heard::Foreign => Err(failed("what listens there is no such server".to_owned())),
    }
}

/// Who is asked.
#[derive(Debug)]
enum Peer {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Peer {
    fn find(address: &str, options: &Options) -> Result<Self, String> {
        if address.contains('/') {
            return Ok(Self::Unix(address.into()));
        }
        let (host, port) = if let Ok(port) = address.parse::<u16>() {
            ("127.0.0.1".to_owned(), Some(port))
        } else if !address.is_empty() {
            let address = ListenAddress::parse(address).map_err(|refusal| refusal.message)?;
            (address.host, address.port)
        } else if let Some(path) = &options.unix_socket {
            return Ok(Self::Unix(path.clone()));
        } else {
            let first = options.listen.first();
            first.map_or(("127.0.0.1".to_owned(), None), |address| (address.host.clone(), address.port))
        };
        let port = match (port, options.tcp_port) {
            (Some(port), _) | (None, TcpPort::Number(port)) => port,
            (None, TcpPort::Off | TcpPort::Ephemeral) => {
                return Err("--ping: the other flags do not say at which port: give an address".to_owned());
            }
        };
        Ok(Self::Tcp(reachable(host), port))
    }
}

/// Nobody can be reached at the addresses that stand for all.
fn reachable(host: String) -> String {
    match host.as_str() {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "::1".to_owned(),
        _ => host,
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An [`Answer`] that owns its words, or the lack of one.
enum Heard {
    Version(String),
    Guarded,
    Refusal(String),
    Foreign,
    HungUp,
}

fn ask(peer: &Peer, question: Question, deadline: Instant) -> io::Result<Heard> {
    match peer {
        Peer::Tcp(host, port) => {
            let stream = connect((host.as_str(), *port).to_socket_addrs()?, deadline)?;
            stream.set_write_timeout(Some(left(deadline)?))?;
            converse(&stream, question, || stream.set_read_timeout(Some(left(deadline)?)))
        }
        #[cfg(unix)]
        Peer::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_write_timeout(Some(left(deadline)?))?;
            converse(&stream, question, || stream.set_read_timeout(Some(left(deadline)?)))
        }
        #[cfg(not(unix))]
        Peer::Unix(_) => Err(io::Error::other("this system has no sockets in the file system")),
    }
}

fn connect(addresses: impl Iterator<Item = SocketAddr>, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse<S>(stream: &S, question: Question, patience: impl Fn() -> io::Result<()>) -> io::Result<Heard>
where
    for<'a> &'a S: Read + Write,
{
    let mut stream: &S = stream;
    stream.write_all(question.bytes())?;
    let mut reply = Vec::new();
    let mut piece = [0; 256];
    loop {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
        match question.judge(&reply) {
            Some(Answer::Version(version)) => return Ok(Heard::Version(text(version))),
            Some(Answer::Guarded) => return Ok(Heard::Guarded),
            Some(Answer::Refusal(words)) => return Ok(Heard::Refusal(text(words))),
            Some(Answer::Foreign) => return Ok(Heard::Foreign),
            None => {}
        }
        patience()?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(Heard::HungUp),
            Ok(bytes) => reply.extend_from_slice(&piece[..bytes]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Heard::HungUp),
            Err(error) => return Err(error),
        }
    }
}

/// The time that is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("nothing came within {} seconds", PING_DURATION_MAX.as_secs())
        }
        _ => reason(error),
    }
}
