//! Listening sockets.

use super::{
    address::{Address, descriptor},
    socket::Socket,
};
#[cfg(unix)]
use crate::system::{process, supervisor};
use crate::{
    exit::{self, ExitError, reason},
    options::{ListenAddress, Options, Security, TcpPort},
};
use mio::{Interest, Registry, Token, event::Source};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
};
use wasmcached_core::boundary::config::Binding;

/// A bound socket that is not registered yet.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: BoundSocket,
    address: Address,
    /// The service manager opened the socket and owns its file.
    #[cfg(unix)]
    passed: bool,
    security: Security,
    /// `None`: that of `-B`.
    binding: Option<Binding>,
}

#[derive(Debug)]
enum BoundSocket {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    /// Opens all sockets of the options.
    ///
    /// # Errors
    /// The first socket that cannot be opened.
    pub(crate) fn open_all(options: &Options) -> Result<Vec<Self>, ExitError> {
        let mut listeners = Self::open_cache(options)?;
        for address in &options.http {
            open_http(address, options, &mut listeners)?;
        }
        Ok(listeners)
    }

    /// Opens those of the cache.
    fn open_cache(options: &Options) -> Result<Vec<Self>, ExitError> {
        #[cfg(unix)]
        {
            let passed = supervisor::passed_sockets()?;
            if !passed.is_empty() {
                return unix::from_passed(passed, options.tls.enabled);
            }
        }
        #[cfg(unix)]
        if let Some(path) = &options.unix_socket {
            return Ok(vec![unix::open(path, options.unix_mask, options.backlog)?]);
        }
        let mut listeners = Vec::new();
        if options.listen.is_empty() {
            open_tcp(&ListenAddress::loopback(), options, &mut listeners)?;
            open_loopback_of_ipv6(options, &mut listeners);
        }
        for address in &options.listen {
            open_tcp(address, options, &mut listeners)?;
        }
        Ok(listeners)
    }

    /// The socket's address.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The descriptor, as a number.
    pub(crate) fn descriptor(&self) -> u32 {
        match &self.socket {
            BoundSocket::Tcp(socket) => descriptor(socket),
            #[cfg(unix)]
            BoundSocket::Unix(socket) => descriptor(socket),
        }
    }

    /// How its connections are protected.
    pub(crate) fn security(&self) -> Security {
        self.security
    }

    /// The protocols of its clients, if the address has some of its own.
    pub(crate) fn binding(&self) -> Option<Binding> {
        self.binding
    }

    /// Whether it serves pages, and not the cache.
    pub(crate) fn is_http(&self) -> bool {
        self.binding == Some(Binding::Http)
    }

    /// Whether it serves this address already, in the same way.
    fn serves(&self, at: SocketAddr, security: Security, binding: Option<Binding>) -> bool {
        let same_address = matches!(&self.address, Address::Tcp(address) if *address == at);
        same_address && self.security == security && self.binding == binding
    }

    /// Whether other machines can reach it.
    pub(crate) fn is_public(&self) -> bool {
        matches!(&self.address, Address::Tcp(address) if !address.ip().is_loopback())
    }

    /// Registers the socket with an event loop.
    pub(crate) fn register(self, registry: &Registry, token: Token) -> io::Result<Acceptor> {
        let mut acceptor = match self.socket {
            BoundSocket::Tcp(socket) => Acceptor::Tcp(mio::net::TcpListener::from_std(socket)),
            #[cfg(unix)]
            BoundSocket::Unix(socket) => {
                Acceptor::Unix(mio::net::UnixListener::from_std(socket), self.address, self.passed)
            }
        };
        match &mut acceptor {
            Acceptor::Tcp(socket) => socket.register(registry, token, Interest::READABLE)?,
            #[cfg(unix)]
            Acceptor::Unix(socket, ..) => socket.register(registry, token, Interest::READABLE)?,
        }
        Ok(acceptor)
    }
}

/// A listening socket in an event loop.
#[derive(Debug)]
pub(crate) enum Acceptor {
    /// TCP.
    Tcp(mio::net::TcpListener),
    /// A Unix socket with its path; whether the service manager owns the file.
    #[cfg(unix)]
    Unix(mio::net::UnixListener, Address, bool),
}

impl Acceptor {
    /// Accepts the next waiting connection; returns it with its peer.
    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // On Linux the socket inherits both options from the listener.
                if !cfg!(target_os = "linux") {
                    // The first receive reports a peer that is gone already.
                    let _ = stream.set_nodelay(true);
                    let _ = socket2::SockRef::from(&stream).set_keepalive(true);
                }
                Ok((Socket::Tcp(stream), Address::Tcp(peer)))
            }
            #[cfg(unix)]
            Self::Unix(listener, address, _) => Ok((Socket::Unix(listener.accept()?.0), address.clone())),
        }
    }

    /// The descriptor, as a number.
    pub(crate) fn descriptor(&self) -> u32 {
        match self {
            Self::Tcp(listener) => descriptor(listener),
            #[cfg(unix)]
            Self::Unix(listener, ..) => descriptor(listener),
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Self::Unix(_, Address::Unix(path), false) = self {
            // A missing file needs no removal.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Opens a socket for pages: it needs neither -p nor -l.
fn open_http(address: &ListenAddress, options: &Options, listeners: &mut Vec<Listener>) -> Result<(), ExitError> {
    #[cfg(unix)]
    if address.is_path() {
        let listener = unix::open(address.host.as_ref(), options.unix_mask, options.backlog)?;
        listeners.push(Listener { binding: address.binding, ..listener });
        return Ok(());
    }
    open_tcp_at(address, address.port.unwrap_or(0), options, listeners)
}

fn open_tcp(address: &ListenAddress, options: &Options, listeners: &mut Vec<Listener>) -> Result<(), ExitError> {
    let port = match (address.port, options.tcp_port) {
        (_, TcpPort::Off) => return Ok(()),
        (Some(port), _) | (None, TcpPort::Number(port)) => port,
        (None, TcpPort::Ephemeral) => 0,
    };
    open_tcp_at(address, port, options, listeners)
}

fn open_tcp_at(
    address: &ListenAddress,
    port: u16,
    options: &Options,
    listeners: &mut Vec<Listener>,
) -> Result<(), ExitError> {
    let failure = |error: &io::Error| {
        let place = match (options.listen.is_empty() && !address.is_http(), port) {
            (true, port) => format!("port {port}"),
            (false, _) if address.host.contains(':') => format!("address [{}]:{port}", address.host),
            (false, _) => format!("address {}:{port}", address.host),
        };
        ExitError::new(exit::SYSTEM, format!("failed to listen on TCP {place}: {}", reason(error)))
    };
    let security = security_of(address, options);
    let (mut is_served, mut last_error) = (false, io::Error::other("the name has no address"));
    for at in address.resolve(port).map_err(|error| failure(&error))? {
        if listeners.iter().any(|known| known.serves(at, security, address.binding)) {
            is_served = true;
            continue;
        }
        match bind_tcp(at, options.backlog, security) {
            Ok(listener) => {
                listeners.push(Listener { binding: address.binding, ..listener });
                is_served = true;
            }
            // A name may have addresses of other machines, but a port in use is always a mistake.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(failure(&error)),
            Err(error) => last_error = error,
        }
    }
    if is_served { Ok(()) } else { Err(failure(&last_error)) }
}

/// Opens the second address of the default, at the port of the first one. A machine may be without IPv6.
fn open_loopback_of_ipv6(options: &Options, listeners: &mut Vec<Listener>) {
    let Some(Address::Tcp(first)) = listeners.first().map(Listener::address) else { return };
    let security = security_of(&ListenAddress::loopback(), options);
    let at = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let bound = match bind_tcp(at(first.port()), options.backlog, security) {
        Err(error) if is_taken(&error) && options.tcp_port == TcpPort::Ephemeral => {
            bind_tcp(at(0), options.backlog, security)
        }
        bound => bound,
    };
    match bound {
        Ok(listener) => listeners.push(listener),
        // memcached goes on without the address, too.
        Err(error) if is_taken(&error) => {
            options.notice(format_args!("{} is not served: {}", Address::Tcp(at(first.port())), reason(&error)));
        }
        Err(_) => {}
    }
}

fn security_of(address: &ListenAddress, options: &Options) -> Security {
    match (options.tls.enabled, address.security) {
        (false, _) => Security::Plain,
        (true, chosen) => chosen.unwrap_or(Security::Tls),
    }
}

fn bind_tcp(at: SocketAddr, backlog: i32, security: Security) -> io::Result<Listener> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option would let other processes take the port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(at))?;
    socket.listen(backlog)?;
    let socket = std::net::TcpListener::from(socket);
    let address = Address::Tcp(socket.local_addr()?);
    Ok(Listener {
        socket: BoundSocket::Tcp(socket),
        address,
        #[cfg(unix)]
        passed: false,
        security,
        binding: None,
    })
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::system::supervisor::PassedSocket;
    use std::{fs, os::unix::fs::FileTypeExt, path::Path};

    /// Binds `path`, in place of a socket that an earlier server left.
    pub(super) fn open(path: &Path, mask: u32, backlog: i32) -> Result<Listener, ExitError> {
        let failure = |error: io::Error| {
            let message = format!("failed to listen on UNIX socket {}: {}", path.display(), reason(&error));
            ExitError::new(exit::SYSTEM, message)
        };
        let path = std::path::absolute(path).map_err(failure)?;
        if fs::symlink_metadata(&path).is_ok_and(|file| file.file_type().is_socket()) {
            fs::remove_file(&path).map_err(failure)?;
        }
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failure)?;
        socket.set_nonblocking(true).map_err(failure)?;
        let address = SockAddr::unix(&path).map_err(failure)?;
        process::with_creation_mask(mask, || socket.bind(&address)).map_err(failure)?;
        socket.listen(backlog).map_err(failure)?;
        let socket = std::os::fd::OwnedFd::from(socket).into();
        Ok(Listener {
            socket: BoundSocket::Unix(socket),
            address: Address::Unix(path.into()),
            passed: false,
            security: Security::Plain,
            binding: None,
        })
    }

    /// Uses the sockets that the service manager opened, instead of those of `-p`, `-l` and `-s`.
    pub(super) fn from_passed(passed: Vec<PassedSocket>, tls: bool) -> Result<Vec<Listener>, ExitError> {
        let failure = |error: io::Error| {
            ExitError::new(exit::SYSTEM, format!("a socket that was passed on cannot be used: {}", reason(&error)))
        };
        let take = |passed| {
            let (socket, address) = match passed {
                PassedSocket::Tcp(socket) => {
                    socket.set_nonblocking(true)?;
                    let reference = socket2::SockRef::from(&socket);
                    reference.set_keepalive(true)?;
                    reference.set_tcp_nodelay(true)?;
                    let address = Address::Tcp(socket.local_addr()?);
                    (BoundSocket::Tcp(socket), address)
                }
                PassedSocket::Unix(socket) => {
                    socket.set_nonblocking(true)?;
                    let address = socket.local_addr()?;
                    let path = address.as_pathname().unwrap_or(Path::new("(unnamed)"));
                    let path = Address::Unix(path.into());
                    (BoundSocket::Unix(socket), path)
                }
            };
            let security = match &socket {
                BoundSocket::Tcp(_) if tls => Security::Tls,
                _ => Security::Plain,
            };
            Ok(Listener { socket, address, passed: true, security, binding: None })
        };
        passed.into_iter().map(take).collect::<io::Result<_>>().map_err(failure)
    }
}
