//! The benchmarks: servers side by side under load and on many cores, and miss ratios beside an exact LRU.
//!
//! The loops of the store alone are the programs `store` and `engine`, and `examples/store_guest.rs` for the same loops
//! inside a guest.
//!
//! Linux only: the benchmarks read CPU times from `/proc` and assign cores.

#![cfg(target_os = "linux")]

pub mod cli;
pub mod environment;
pub mod hit_ratio;
pub mod load;
pub mod outcome;
mod page;
mod picture;
mod repository;
pub mod scale;
pub mod server;
pub mod tls;
