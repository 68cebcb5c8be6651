//! Whoever started this program and watches it: a service manager that may have opened the sockets already, and wants to
//! know when the server is ready and when it stops. Without one, nothing here does anything.

#[cfg(unix)]
use crate::exit::{self, ExitError};
#[cfg(unix)]
use std::{net::TcpListener, os::unix::net::UnixListener};

/// A socket that was passed on.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) enum PassedSocket {
    /// TCP.
    Tcp(TcpListener),
    /// In the file system; its file belongs to whoever made it.
    Unix(UnixListener),
}

/// The sockets that the service manager passes on (`LISTEN_FDS`), in its order. To be called once, before threads exist:
/// the variables are gone afterwards, so that no child takes them for its own.
///
/// # Errors
/// Something was passed on that cannot be served.
#[cfg(unix)]
pub(crate) fn passed_sockets() -> Result<Vec<PassedSocket>, ExitError> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let socket = match passed.take_tcp_listener(index) {
            Ok(socket) => Ok(socket.map(PassedSocket::Tcp)),
            Err(_) => passed.take_unix_listener(index).map(|socket| socket.map(PassedSocket::Unix)),
        };
        match socket {
            Ok(socket) => sockets.extend(socket),
            Err(_) => {
                let message = format!(
                    "number {index} of the sockets in LISTEN_FDS neither is TCP nor a stream in the file system"
                );
                return Err(ExitError::new(exit::SYSTEM, message));
            }
        }
    }
    Ok(sockets)
}

/// The server takes clients.
pub(crate) fn ready() {
    system::ready();
}

/// Files are read again; call [`ready`] afterwards.
pub(crate) fn reloading() {
    system::reloading();
}

/// The server begins to stop.
pub(crate) fn stopping() {
    system::stopping();
}

#[cfg(target_os = "linux")]
mod system {
    use sd_notify::NotifyState;

    pub(super) fn ready() {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping() {
        tell(&[NotifyState::Stopping]);
    }

    /// Nobody who asked to be told is fine, too.
    fn tell(state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            tracing::warn!("the service manager cannot be told how things stand: {error}");
        }
    }
}

#[cfg(windows)]
mod system {
    pub(super) fn ready() {
        super::windows_service::report_running();
    }

    /// The manager has no word for it.
    pub(super) fn reloading() {}

    pub(super) fn stopping() {
        super::windows_service::report_stopping();
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    pub(super) fn ready() {}
    pub(super) fn reloading() {}
    pub(super) fn stopping() {}
}
