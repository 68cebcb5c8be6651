//! Every record that crosses between a guest and its host, or between two guests.
//!
//! **A change below this folder is a new `ABI_VERSION`, or is readable by the old one.**

pub mod batch;
pub mod config;
pub mod event;
pub mod host;
pub mod listing;
