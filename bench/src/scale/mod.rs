//! Servers side by side with 1, 2, 4 and 8 threads: rates, processor time and latency, beside their own one thread.
//!
//! Owns: which cores servers and load get, the order of the measurement, ratios, targets, the report.
//! Refuses: making load. The load generator is that of [`crate::load`].

pub mod cli;
pub mod contestant;
pub mod documentation;
pub mod measure;
pub mod plan;
pub mod plot;
pub mod report;
pub mod samples;
pub mod targets;
