//! A load generator for memcached's protocols, plain and over TLS, and the benchmark built on it.
//!
//! Owns: requests prepared ahead, closed and open loops over an epoll loop, checking of replies as they stream in,
//! latency histograms, servers started and measured as child processes, the list of benchmark cells and their report.
//! Refuses: judging. It prints numbers beside bars; nothing here fails because a number is large.
//!
//! Linux only: server CPU is read from `/proc`, and cores are assigned with `sched_setaffinity`.

pub mod bench;
pub mod cell;
pub mod cli;
pub mod connection;
pub mod dataset;
pub mod documentation;
pub mod driver;
pub mod environment;
pub mod fill;
pub mod floor;
pub mod memory;
pub mod plan;
pub mod plot;
pub mod protocol;
pub mod replies;
pub mod report;
pub mod server;
pub mod summary;
pub mod tables;
pub mod tls;
pub mod workload;

/// What every fallible step of the generator returns: a message that can be shown as it is.
pub type Outcome<T> = Result<T, String>;

/// Prefixes an error with what was being done.
pub(crate) trait Doing<T> {
    /// Turns the error into `"{what}: {error}"`.
    fn doing(self, what: &str) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Outcome<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
