//! The guests as machine code, and their loading. Also included by `examples/guest_instructions/`, which counts the
//! instructions of the shipped code.

use super::settings::MemoryLayout;

// The outputs of this crate's build script.
const RESERVED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest-reserved.cwasm"));
const COMPACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest-compact.cwasm"));
const SHARED_RESERVED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shared-guest-reserved.cwasm"));
const SHARED_COMPACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shared-guest-compact.cwasm"));

/// Loads the single-threaded module for an engine with the configuration of `layout`.
///
/// # Errors
/// This machine or this engine cannot run it.
pub(crate) fn module(engine: &wasmtime::Engine, layout: MemoryLayout) -> wasmtime::Result<wasmtime::Module> {
    load(engine, if layout == MemoryLayout::Reserved { RESERVED } else { COMPACT })
}

/// Loads the module whose instances share a memory, for an engine with the configuration of `layout`.
///
/// # Errors
/// This machine or this engine cannot run it.
#[allow(dead_code, reason = "an example includes this file for the other one")]
pub(crate) fn shared_module(engine: &wasmtime::Engine, layout: MemoryLayout) -> wasmtime::Result<wasmtime::Module> {
    load(engine, if layout == MemoryLayout::Reserved { SHARED_RESERVED } else { SHARED_COMPACT })
}

/// `machine_code` is one of the constants of this file.
fn load(engine: &wasmtime::Engine, machine_code: &'static [u8]) -> wasmtime::Result<wasmtime::Module> {
    #[expect(unsafe_code, reason = "the one way to load machine code")]
    // SAFETY: `precompile_module` made the bytes in this crate's build script, and they lie in this program's read-only data;
    // no one else can have written them. wasmtime refuses those of another configuration.
    unsafe {
        wasmtime::Module::deserialize(engine, machine_code)
    }
}
