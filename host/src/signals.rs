//! Signals, as events of the main thread's loop.

#[cfg(unix)]
pub(crate) use unix::Signals;
#[cfg(windows)]
pub(crate) use windows::{Signals, stop_as_if_pressed};

/// What a signal asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To finish what is under way and end.
    Stop(&'static str),
    /// To read its files again.
    #[cfg(unix)]
    Reload,
}

#[cfg(unix)]
mod unix {
    use super::Asked;
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
        pub(crate) fn pending(&mut self) -> impl Iterator<Item = Asked> {
            self.0.pending().map(|signal| match signal {
                SIGHUP => Asked::Reload,
                SIGINT => Asked::Stop("SIGINT"),
                SIGUSR1 => Asked::Stop("SIGUSR1"),
                _ => Asked::Stop("SIGTERM"),
            })
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::Asked;
    use mio::{Registry, Token, Waker};
    use std::{
        io,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
    };

    /// The running server's.
    static KEY: OnceLock<(Arc<AtomicBool>, Arc<Waker>)> = OnceLock::new();

    /// Does what Ctrl-C does; nothing before the server listens for it.
    pub(crate) fn stop_as_if_pressed() {
        let Some((pressed, waker)) = KEY.get() else { return };
        pressed.store(true, Ordering::Release);
        // The loop looks by itself too, only later.
        let _ = waker.wake();
    }

    /// Receives Ctrl-C and the closing of the console.
    pub(crate) struct Signals(Arc<AtomicBool>);

    impl Signals {
        /// Takes over from the system's defaults.
        pub(crate) fn listen(_registry: &Registry, _token: Token, waker: &Arc<Waker>) -> io::Result<Self> {
            let pressed = Arc::new(AtomicBool::new(false));
            let (key, seen) = ((Arc::clone(&pressed), Arc::clone(waker)), pressed);
            KEY.set(key).map_err(|_| io::Error::other("a process is one server"))?;
            ctrlc::set_handler(stop_as_if_pressed).map_err(io::Error::other)?;
            Ok(Self(seen))
        }

        /// What has arrived since the last call.
        pub(crate) fn pending(&mut self) -> impl Iterator<Item = Asked> {
            self.0.swap(false, Ordering::Acquire).then_some(Asked::Stop("Ctrl-C")).into_iter()
        }
    }
}
