//! The configurations of wasmtime.
//!
//! Shared by the build script, which compiles the guest, and the host, which loads it: an engine accepts only modules of an
//! engine with the same configuration.

use wasmtime::Config;

/// Address space of a guest's memory with [`MemoryLayout::Reserved`]: all that 32 bits can address.
pub(crate) const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Unmapped address space on both sides of it, for accesses with a constant offset.
pub(crate) const MEMORY_GUARD_BYTES: u64 = 32 << 20;
/// Unmapped address space after the memory of such a guest: accesses with a smaller offset share a check.
pub(crate) const COMPACT_GUARD_BYTES: u64 = 64 << 10;

/// How the memory of guests lies in the address space of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryLayout {
    /// All that a guest can address is reserved: its memory never moves and needs no bounds checks.
    Reserved,
    /// Hardly more than is in use, for processes whose address space is limited: each access is checked.
    #[allow(dead_code, reason = "benchmarks measure the other one")]
    Compact {
        /// Address space behind the memory of a guest. Growth beyond it moves the memory. No part of the machine code.
        growth_bytes: u64,
    },
}

/// The configuration for compiling and running.
pub(crate) fn engine_config(layout: MemoryLayout) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_bulk_memory(true)
        .wasm_threads(true)
        .shared_memory(true)
        .wasm_multi_value(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false);
    match layout {
        MemoryLayout::Reserved => config
            .memory_reservation(MEMORY_RESERVATION_BYTES)
            .memory_guard_size(MEMORY_GUARD_BYTES)
            .memory_reservation_for_growth(0)
            .guard_before_linear_memory(true),
        MemoryLayout::Compact { growth_bytes } => config
            .memory_reservation(0)
            .memory_guard_size(COMPACT_GUARD_BYTES)
            .memory_reservation_for_growth(growth_bytes)
            .guard_before_linear_memory(false),
    };
    config
}
