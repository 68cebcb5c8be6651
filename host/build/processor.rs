//! The processors for which the guest is compiled. Shared by the build script and the benchmark of the store, which measures
//! the shipped code.

/// x86-64-v2, which all 64-bit x86 servers of the last decade have.
const X86_64_BASELINE: [&str; 6] = ["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];

/// Chooses the baseline of `target`.
pub(crate) fn choose(config: &mut wasmtime::Config, target: &str) -> wasmtime::Result<()> {
    config.target(target)?;
    if target.starts_with("x86_64") {
        for feature in X86_64_BASELINE {
            // SAFETY: the machine code runs only after `Module::deserialize` or `Module::new` has checked that this machine has
            // these features.
            unsafe { config.cranelift_flag_enable(feature) };
        }
    }
    Ok(())
}
