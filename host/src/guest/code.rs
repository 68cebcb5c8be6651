//! The guest as machine code, and its loading: one of two files of the host with `unsafe`. Included by the host and by
//! `examples/guest_instructions.rs`, so that what is counted is what is shipped.

/// What the build script of this crate has made.
const MACHINE_CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.cwasm"));

/// The guest.
///
/// # Errors
/// This machine or this engine cannot run it.
pub(crate) fn module(engine: &wasmtime::Engine) -> wasmtime::Result<wasmtime::Module> {
    #[expect(unsafe_code, reason = "the one way to load machine code")]
    // SAFETY: the bytes are what `precompile_module` made in this crate's build script, under the same configuration, and
    // lie in this program's read-only data; nobody else can have written them.
    unsafe {
        wasmtime::Module::deserialize(engine, MACHINE_CODE)
    }
}
