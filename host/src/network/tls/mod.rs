//! TLS by rustls: the server's certificates, their reloading, its counters. [`stream`] is one encrypted connection.
//!
//! Records and handshakes are parsed here; decrypted bytes are interpreted only by guests.

mod certificates;
mod ciphers;
pub(crate) mod client;
mod pem;
mod stream;
mod x509;

pub(crate) use stream::{Scratch, TlsStream};

use crate::{
    exit::{self, ExitError},
    options::{Security, TlsOptions},
    system::pid_file::fixed_path,
};
use certificates::Configurations;
use parking_lot::Mutex;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Counters of TLS connections.
#[derive(Debug, Default)]
pub(crate) struct TlsCounters {
    /// Full handshakes; resumed sessions do not count.
    pub(crate) new_sessions: AtomicU64,
    pub(crate) handshake_errors: AtomicU64,
    pub(crate) protocol_errors: AtomicU64,
}

/// See the module.
pub(crate) struct Tls {
    options: TlsOptions,
    current: Mutex<Current>,
    pub(crate) counters: Arc<TlsCounters>,
}

struct Current {
    configurations: Configurations,
    since: Instant,
}

impl Tls {
    /// Reads the certificates that `options` name; `None` without TLS.
    ///
    /// # Errors
    /// One line: the file and its problem.
    pub(crate) fn start(options: &TlsOptions) -> Result<Option<Self>, ExitError> {
        if !options.enabled {
            return Ok(None);
        }
        if options.chain.as_os_str().is_empty() {
            let message = "-Z needs a certificate: add -o ssl_chain_cert=FILE,ssl_key=FILE";
            return Err(ExitError::new(exit::USAGE, message));
        }
        // The process may change its folder, and the files are read again later.
        let mut options = options.clone();
        options.chain = fixed_path(&options.chain);
        options.key = options.key.as_deref().map(fixed_path);
        options.authorities = options.authorities.as_deref().map(fixed_path);
        let configurations = Configurations::read(&options).map_err(|message| ExitError::new(exit::USAGE, message))?;
        let current = Mutex::new(Current { configurations, since: Instant::now() });
        Ok(Some(Self { options, current, counters: Arc::default() }))
    }

    /// Reads the certificates again, for new connections. Existing connections keep theirs.
    ///
    /// # Errors
    /// The problem with the new ones. The old ones stay in force.
    pub(crate) fn refresh(&self) -> Result<(), String> {
        let configurations = Configurations::read(&self.options)?;
        *self.current.lock() = Current { configurations, since: Instant::now() };
        Ok(())
    }

    /// Seconds since the certificates were read.
    pub(crate) fn age_s(&self) -> u64 {
        self.current.lock().since.elapsed().as_secs()
    }

    /// The server's side of a connection that was accepted at `now`.
    ///
    /// # Errors
    /// rustls rejects its configuration, which it has accepted before.
    pub(crate) fn accept(&self, socket: mio::net::TcpStream, security: Security, now: u32) -> io::Result<TlsStream> {
        let configuration = self.current.lock().configurations.for_security(security);
        let batch_bytes = self.options.batch_kib as usize * 1024;
        TlsStream::new(socket, configuration, batch_bytes, now, Arc::clone(&self.counters))
    }
}

impl Tls {
    /// Counts a handshake that took too long.
    pub(crate) fn count_overdue(&self) {
        TlsCounters::count(&self.counters.handshake_errors);
    }
}

impl TlsCounters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
