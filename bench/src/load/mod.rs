//! A load generator for memcached's protocols, plain and over TLS, and the benchmark built on it.
//!
//! Owns: requests prepared ahead, closed and open loops over an epoll loop, checking of replies as they stream in,
//! latency histograms, the list of benchmark cells and their report.
//! Refuses: judging. It prints numbers beside bars; no number makes it fail.
//!
//! Linux only: server CPU is read from `/proc`, and cores are assigned with `sched_setaffinity`.

pub mod bench;
pub mod cell;
pub mod cli;
pub mod connection;
pub mod dataset;
pub mod documentation;
pub mod driver;
pub mod fill;
pub mod findings;
pub mod floor;
pub mod memory;
pub mod plan;
pub mod plot;
pub mod protocol;
pub mod replies;
pub mod report;
pub mod summary;
pub mod tables;
pub mod workload;
