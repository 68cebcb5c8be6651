//! The benchmarks: servers side by side under load, and miss ratios beside an exact LRU.
//!
//! The loops of the store alone are the programs `store` and `engine`, and `examples/store_guest.rs` for the same loops
//! inside a guest.

#[cfg(target_os = "linux")]
pub mod hit_ratio;
#[cfg(target_os = "linux")]
pub mod load;
