//! The service manager: it may pass sockets, and receives the states ready, reloading and stopping. Without one,
//! nothing here has an effect.

#[cfg(unix)]
use crate::exit::{self, ExitError};
#[cfg(unix)]
use std::{net::TcpListener, os::unix::net::UnixListener};

/// A socket of the service manager.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) enum PassedSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket; the service manager owns its file.
    Unix(UnixListener),
}

/// The sockets that the service manager passes (`LISTEN_FDS`), in its order. Call it once, before threads exist: it removes
/// the variables, so that no child uses them.
///
/// # Errors
/// A socket is of another kind.
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
                let message =
                    format!("number {index} of the sockets in LISTEN_FDS is neither TCP nor a stream of Unix");
                return Err(ExitError::new(exit::SYSTEM, message));
            }
        }
    }
    Ok(sockets)
}

/// Reports that the server accepts clients.
pub(crate) fn ready() {
    system::ready();
}

/// Reports that files are read again; [`ready`] ends it.
pub(crate) fn reloading() {
    system::reloading();
}

/// Reports that the server begins to stop.
pub(crate) fn stopping() {
    system::stopping();
}

#[cfg(target_os = "linux")]
mod system {
    use sd_notify::NotifyState;

    pub(super) fn ready() {
        notify(&[NotifyState::Ready]);
    }

    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping() {
        notify(&[NotifyState::Stopping]);
    }

    /// Without a service manager this does nothing.
    fn notify(state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            tracing::warn!("the service manager cannot be notified: {error}");
        }
    }
}

#[cfg(windows)]
mod system {
    pub(super) fn ready() {
        crate::system::windows_service::report_running();
    }

    /// The manager has no such state.
    pub(super) fn reloading() {}

    pub(super) fn stopping() {
        crate::system::windows_service::report_stopping();
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    pub(super) fn ready() {}
    pub(super) fn reloading() {}
    pub(super) fn stopping() {}
}
