//! Every record that crosses between a guest and its host, or between two guests. The counts of statistics, which
//! derive from their tables in [`crate::statistics`], cross as lists of counters in the form given here.
//!
//! **A change below this folder is a new [`ABI_VERSION`], or is readable by the old one.** `docs/internals/boundary.md`
//! specifies verbs and records byte by byte; `core/tests/boundary.rs` compares its tables with this folder.
//!
//! Two forms can grow without a new version:
//!
//! - A record of numbered fields ([`config`]): a missing field has its default. An unknown field makes the record
//!   invalid, because its sender relies on it.
//! - A list of counters (the statistics of stores and of the host): a `u32` with the number of counters, then a `u64`
//!   for each. New counters are appended. A reader skips counters that it does not know, and missing ones are zero.
//!
//! Orders and replies ([`batch`]), listings and the events of guests have neither: both ends have the same version.

pub mod batch;
pub mod config;
pub mod event;
pub mod host;
pub mod listing;
pub mod record;
pub mod rows;
pub mod status;

/// The version of the verbs and of all records, for hosts that load a module from elsewhere.
pub const ABI_VERSION: u32 = 5;
