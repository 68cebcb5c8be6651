//! Addresses and descriptors of sockets, as the log and `stats conns` show them.

#[cfg(unix)]
use std::sync::Arc;
use std::{fmt, net::SocketAddr};

/// The descriptor of a socket, as a number.
#[cfg(unix)]
pub(crate) fn descriptor(socket: &impl std::os::fd::AsRawFd) -> u32 {
    socket.as_raw_fd() as u32
}

/// The handle of a socket, as a number.
#[cfg(windows)]
pub(crate) fn descriptor(socket: &impl std::os::windows::io::AsRawSocket) -> u32 {
    socket.as_raw_socket() as u32
}

/// The address of a peer or of a listener.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// UDP.
    Udp(SocketAddr),
    /// A Unix socket: the path is the listener's, peers have none.
    #[cfg(unix)]
    Unix(Arc<std::path::Path>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address @ SocketAddr::V4(_)) => write!(f, "tcp:{address}"),
            Self::Tcp(address @ SocketAddr::V6(_)) => write!(f, "tcp6:{address}"),
            Self::Udp(address @ SocketAddr::V4(_)) => write!(f, "udp:{address}"),
            Self::Udp(address @ SocketAddr::V6(_)) => write!(f, "udp6:{address}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
