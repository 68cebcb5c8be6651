//! Signals, as events of the main thread's loop.

#[cfg(unix)]
pub(crate) use unix::Signals;
#[cfg(windows)]
pub(crate) use windows::{Signals, ask_to_reload, ask_to_stop};

/// What a signal asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalRequest {
    /// To finish what is under way and end.
    Stop(&'static str),
    /// To read its files again.
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
        /// Takes over from the system's defaults. (Rust ignores SIGPIPE already.)
        pub(crate) fn listen(registry: &Registry, token: Token, _waker: &Arc<Waker>) -> io::Result<Self> {
            let mut signals = signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGHUP])?;
            registry.register(&mut signals, token, Interest::READABLE)?;
            Ok(Self(signals))
        }

        /// What has arrived since the last call.
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

    /// The running server's.
    static PENDING: OnceLock<PendingSignals> = OnceLock::new();

    /// What was asked for, and the loop to tell of it.
    struct PendingSignals {
        stop: AtomicBool,
        reload: AtomicBool,
        waker: Arc<Waker>,
    }

    /// Does what Ctrl-C does; nothing before the server listens for it.
    pub(crate) fn ask_to_stop() {
        ring(|bell| &bell.stop);
    }

    /// Has files read again.
    pub(crate) fn ask_to_reload() {
        ring(|bell| &bell.reload);
    }

    fn ring(which: fn(&PendingSignals) -> &AtomicBool) {
        let Some(bell) = PENDING.get() else { return };
        which(bell).store(true, Ordering::Release);
        // The loop looks by itself too, only later.
        let _ = bell.waker.wake();
    }

    /// Receives Ctrl-C, the closing of the console, and what the service manager wants.
    pub(crate) struct Signals(&'static PendingSignals);

    impl Signals {
        /// Takes over from the system's defaults.
        pub(crate) fn listen(_registry: &Registry, _token: Token, waker: &Arc<Waker>) -> io::Result<Self> {
            let mut is_first = false;
            let bell = PENDING.get_or_init(|| {
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
            ctrlc::set_handler(ask_to_stop).map_err(io::Error::other)?;
            Ok(Self(bell))
        }

        /// What has arrived since the last call.
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
