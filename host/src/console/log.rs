//! The log: lines on standard error, at a level that can change while the server runs. It never shows a byte of a client.

use std::sync::atomic::{AtomicU32, Ordering};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// Changes the level of the log.
pub(crate) struct LogHandle {
    filter: Option<reload::Handle<LevelFilter, Registry>>,
    verbosity: AtomicU32,
}

impl LogHandle {
    /// Starts the log at the level of so many `-v`.
    pub(crate) fn start(verbosity: u32) -> Self {
        let (filter, handle) = reload::Layer::new(level(verbosity));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
        // A line that cannot be written is lost. The layer would report it on standard error, and panic there.
        let lines = lines.log_internal_errors(false);
        let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Self { filter: started.is_ok().then_some(handle), verbosity: AtomicU32::new(verbosity) }
    }

    /// Changes the level.
    pub(crate) fn set_level(&self, verbosity: u32) {
        self.verbosity.store(verbosity, Ordering::Relaxed);
        if let Some(handle) = &self.filter
            && let Err(error) = handle.reload(level(verbosity))
        {
            tracing::error!("the level of the log stays as it is: {error}");
        }
    }

    /// The level, as a count of `-v`.
    pub(crate) fn verbosity(&self) -> u32 {
        self.verbosity.load(Ordering::Relaxed)
    }
}

/// Without `-v`: errors of the server. `-v`: also those of clients. `-vv`: also connections. `-vvv`: everything.
fn level(verbosity: u32) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::WARN,
        2 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}
