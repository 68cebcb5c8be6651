//! `--ping`: a health check that needs no shell. The question and the meaning of replies are in the engine's crate.

use crate::{
    exit::{self, ExitError, reason},
    limits::PING_DURATION_MAX,
    network::tls,
    options::{ListenAddress, Options, Security, TcpPort},
};
use std::{
    fmt, io,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::PathBuf,
    time::{Duration, Instant},
};
use wasmcached_core::protocol::health::{Answer, Question};

/// Asks the server at `address`; empty: at the address of `options`. Returns the line to print.
///
/// # Errors
/// The server does not answer, or not as expected: the line to print.
pub(crate) fn ping(address: &str, options: &Options) -> Result<String, ExitError> {
    let peer = Peer::find(address, options).map_err(|message| ExitError::new(exit::USAGE, message))?;
    let failed = |message: String| ExitError::new(exit::FLAG, format!("{peer} does not answer: {message}"));
    let started = Instant::now();
    let deadline = started + PING_DURATION_MAX;
    let reply = match ask(&peer, Question::Text, deadline) {
        // A server of the binary protocol alone closes the connection.
        Ok(PingReply::HungUp) => ask(&peer, Question::Binary, deadline),
        // Only a server of this kind is known to answer the other question.
        Ok(PingReply::Http) => match ask(&peer, Question::Http, deadline) {
            Ok(PingReply::HungUp) | Err(_) => Ok(PingReply::Foreign),
            other => other,
        },
        other => other,
    };
    match reply.map_err(|error| failed(explain(&error)))? {
        PingReply::Version(version) => {
            Ok(format!("{peer} answers: version {version}, after {:.1} ms\n", started.elapsed().as_secs_f64() * 1e3))
        }
        PingReply::Guarded => Ok(format!("{peer} answers: it requires authentication\n")),
        PingReply::Ready => {
            Ok(format!("{peer} answers: ready, over HTTP, after {:.1} ms\n", started.elapsed().as_secs_f64() * 1e3))
        }
        PingReply::Error(words) => Err(failed(format!("the reply is \"{words}\""))),
        PingReply::HungUp => Err(failed("it closes the connection".to_owned())),
        PingReply::Foreign | PingReply::Http => Err(failed("another kind of server listens there".to_owned())),
    }
}

/// The server to ask.
#[derive(Debug)]
enum Peer {
    Tcp { host: String, port: u16, encrypted: bool },
    Unix(PathBuf),
}

impl Peer {
    fn find(given: &str, options: &Options) -> Result<Self, String> {
        if given.contains('/') && !given.starts_with("proto") {
            return Ok(Self::Unix(given.into()));
        }
        let address = if given.parse::<u16>().is_ok() {
            ListenAddress::parse(&format!("127.0.0.1:{given}"))
        } else if !given.is_empty() {
            ListenAddress::parse(given)
        } else if let Some(path) = &options.unix_socket {
            return Ok(Self::Unix(path.clone()));
        } else {
            Ok(options.listen.first().cloned().unwrap_or_else(ListenAddress::loopback))
        };
        let address = address.map_err(|error| error.message)?;
        #[cfg(unix)]
        if address.is_path() {
            return Ok(Self::Unix(address.host.into()));
        }
        let port = match (address.port, options.tcp_port) {
            (Some(port @ 1..), _) | (None, TcpPort::Number(port)) => port,
            (Some(0), _) | (None, TcpPort::Off | TcpPort::Ephemeral) => {
                return Err("--ping: the other flags do not say at which port: give an address".to_owned());
            }
        };
        let encrypted = match address.security {
            Some(security) => security != Security::Plain,
            None => options.tls.enabled,
        };
        Ok(Self::Tcp { host: reachable(address.host), port, encrypted })
    }
}

/// A concrete address in place of a wildcard address.
fn reachable(host: String) -> String {
    match host.as_str() {
        "0.0.0.0" | "*" => "127.0.0.1".to_owned(),
        "::" => "::1".to_owned(),
        _ => host,
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An owned [`Answer`], or the end of the connection.
enum PingReply {
    Version(String),
    Guarded,
    Http,
    Ready,
    Error(String),
    Foreign,
    HungUp,
}

fn ask(peer: &Peer, question: Question, deadline: Instant) -> io::Result<PingReply> {
    match peer {
        Peer::Tcp { host, port, encrypted } => {
            let stream = connect((host.as_str(), *port).to_socket_addrs()?, deadline)?;
            stream.set_write_timeout(Some(left(deadline)?))?;
            let patience = || stream.set_read_timeout(Some(left(deadline)?));
            if !encrypted {
                return converse(&mut &stream, question, patience);
            }
            let mut connection = tls::client::connection(host).map_err(io::Error::other)?;
            patience()?;
            match converse(&mut rustls::Stream::new(&mut connection, &mut &stream), question, patience) {
                Err(error) if wants_a_certificate(&error) => Ok(PingReply::Guarded),
                reply => reply,
            }
        }
        #[cfg(unix)]
        Peer::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_write_timeout(Some(left(deadline)?))?;
            converse(&mut &stream, question, || stream.set_read_timeout(Some(left(deadline)?)))
        }
        #[cfg(not(unix))]
        Peer::Unix(_) => Err(io::Error::other("this system has no Unix sockets")),
    }
}

/// Whether the server has closed the connection because it requires a client certificate.
fn wants_a_certificate(error: &io::Error) -> bool {
    use rustls::{
        AlertDescription::{CertificateRequired, HandshakeFailure},
        Error::AlertReceived,
    };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(AlertReceived(CertificateRequired | HandshakeFailure)))
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

fn converse(
    stream: &mut (impl Read + Write),
    question: Question,
    patience: impl Fn() -> io::Result<()>,
) -> io::Result<PingReply> {
    stream.write_all(question.bytes())?;
    let mut reply = Vec::new();
    let mut piece = [0; 256];
    loop {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
        match question.interpret(&reply) {
            Some(Answer::Version(version)) => return Ok(PingReply::Version(text(version))),
            Some(Answer::Guarded) => return Ok(PingReply::Guarded),
            Some(Answer::Http) => return Ok(PingReply::Http),
            Some(Answer::Ready) => return Ok(PingReply::Ready),
            Some(Answer::Refused(words)) => return Ok(PingReply::Error(text(words))),
            Some(Answer::Foreign) => return Ok(PingReply::Foreign),
            None => {}
        }
        patience()?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(PingReply::HungUp),
            Ok(bytes) => reply.extend_from_slice(&piece[..bytes]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // With TLS, an end without a closing alert.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
                return Ok(PingReply::HungUp);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Time left until the deadline.
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
