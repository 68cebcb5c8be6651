//! The guest as machine code, and its loading: one of two files of the host with `unsafe`. Also included by
//! `examples/guest_instructions.rs`, which counts the instructions of the shipped code.

/// The output of this crate's build script.
const MACHINE_CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.cwasm"));

/// Loads the guest's module.
///
/// # Errors
/// This machine or this engine cannot run it.
pub(crate) fn module(engine: &wasmtime::Engine) -> wasmtime::Result<wasmtime::Module> {
    #[expect(unsafe_code, reason = "the one way to load machine code")]
    // SAFETY: `precompile_module` made the bytes in this crate's build script, under the same configuration, and they lie in
    // this program's read-only data; no one else can have written them.
    unsafe {
        wasmtime::Module::deserialize(engine, MACHINE_CODE)
    }
}
