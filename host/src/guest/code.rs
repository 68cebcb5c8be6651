//! The guest as machine code, and its loading: one of two files of the host with `unsafe`. Also included by
//! `examples/guest_instructions.rs`, which counts the instructions of the shipped code.

use super::settings::MemoryLayout;

// The outputs of this crate's build script.
const RESERVED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest-reserved.cwasm"));
const COMPACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest-compact.cwasm"));

/// Loads the guest's module for an engine with the configuration of `layout`.
///
/// # Errors
/// This machine or this engine cannot run it.
pub(crate) fn module(engine: &wasmtime::Engine, layout: MemoryLayout) -> wasmtime::Result<wasmtime::Module> {
    let machine_code = match layout {
        MemoryLayout::Reserved => RESERVED,
        MemoryLayout::Compact { .. } => COMPACT,
    };
    #[expect(unsafe_code, reason = "the one way to load machine code")]
    // SAFETY: `precompile_module` made the bytes in this crate's build script, under the same configuration, and they lie in
    // this program's read-only data; no one else can have written them.
    unsafe {
        wasmtime::Module::deserialize(engine, machine_code)
    }
}
