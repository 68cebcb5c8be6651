//! The configuration of wasmtime.
//!
//! Shared by the build script, which compiles the guest, and the host, which loads it: an engine accepts only modules of an
//! engine with the same configuration.

use wasmtime::Config;

/// Address space of a guest's memory: all that 32 bits can address, so memory never moves and needs no bounds checks.
pub(crate) const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Unmapped address space after it, for accesses with a constant offset.
pub(crate) const MEMORY_GUARD_BYTES: u64 = 32 << 20;

/// The configuration for compiling and running.
pub(crate) fn engine_config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .memory_reservation_for_growth(0)
        .guard_before_linear_memory(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false);
    config
}
