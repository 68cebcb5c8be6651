//! Signals, as events of the main thread's loop.

#[cfg(unix)]
pub(crate) use unix::Signals;
#[cfg(windows)]
pub(crate) use windows::{Signals, request_reload, request_stop};

/// The request that a signal makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalRequest {
    /// Finish pending requests and end.
    Stop(&'static str),
    /// Read files again.
    Reload(&'static str),
}

#[cfg(unix)]
mod unix {
    use super::SignalRequest;
    use mio::{Interest, Registry, Token, Waker};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use std::{io, sync::Arc};

    /// Receives signals.
    pub(crate) struct Signals(signal_hook_mio::v1_0::Signals);

    impl Signals {
        /// Replaces the system's default handlers. (Rust ignores SIGPIPE already.)
        pub(crate) fn listen(registry: &Registry, token: Token, _waker: &Arc<Waker>) -> io::Result<Self> {
            let mut signals = signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGHUP])?;
            registry.register(&mut signals, token, Interest::READABLE)?;
            Ok(Self(signals))
        }

        /// Requests since the last call.
        pub(crate) fn pending(&mut self) -> impl Iterator<Item = SignalRequest> {
            self.0.pending().map(|signal| match signal {
                SIGHUP => SignalRequest::Reload("SIGHUP"),
                SIGINT => SignalRequest::Stop("SIGINT"),
                SIGUSR1 => SignalRequest::Stop("SIGUSR1"),
                _ => SignalRequest::Stop("SIGTERM"),
            })
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::SignalRequest;
    use mio::{Registry, Token, Waker};
    use std::{
        io,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
    };

    /// Requests to the running server.
    static PENDING: OnceLock<PendingSignals> = OnceLock::new();

    /// Requests that wait, and the waker of the loop that handles them.
    struct PendingSignals {
        stop: AtomicBool,
        reload: AtomicBool,
        waker: Arc<Waker>,
    }

    /// Acts like Ctrl-C; has no effect before the server listens.
    pub(crate) fn request_stop() {
        request(|pending| &pending.stop);
    }

    /// Makes the server read its files again.
    pub(crate) fn request_reload() {
        request(|pending| &pending.reload);
    }

    fn request(which: fn(&PendingSignals) -> &AtomicBool) {
        let Some(pending) = PENDING.get() else { return };
        which(pending).store(true, Ordering::Release);
        // Without the wake-up the loop handles it within a second.
        let _ = pending.waker.wake();
    }

    /// Receives Ctrl-C, the closing of the console, and the requests of the service manager.
    pub(crate) struct Signals(&'static PendingSignals);

    impl Signals {
        /// Replaces the system's default handlers.
        pub(crate) fn listen(_registry: &Registry, _token: Token, waker: &Arc<Waker>) -> io::Result<Self> {
            let mut is_first = false;
            let pending = PENDING.get_or_init(|| {
                is_first = true;
                PendingSignals {
                    stop: AtomicBool::new(false),
                    reload: AtomicBool::new(false),
                    waker: Arc::clone(waker),
                }
            });
            if !is_first {
                return Err(io::Error::other("a process is one server"));
            }
            ctrlc::set_handler(request_stop).map_err(io::Error::other)?;
            Ok(Self(pending))
        }

        /// Requests since the last call.
        pub(crate) fn pending(&mut self) -> impl Iterator<Item = SignalRequest> {
            let reload =
                self.0.reload.swap(false, Ordering::Acquire).then_some(SignalRequest::Reload("the service manager"));
            let stop = self
                .0
                .stop
                .swap(false, Ordering::Acquire)
                .then_some(SignalRequest::Stop("Ctrl-C or the service manager"));
            reload.into_iter().chain(stop)
        }
    }
}
