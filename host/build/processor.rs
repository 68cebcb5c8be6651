//! For which processors the guest is compiled. Included by the build script and by the benchmark of the store, so that
//! what is measured is what is shipped.

/// x86-64-v2: what every 64-bit x86 server of the last decade has.
const X86_64_BASELINE: [&str; 6] = ["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];

/// Compiles for any processor of `target` that is not too old.
pub(crate) fn choose(config: &mut wasmtime::Config, target: &str) -> wasmtime::Result<()> {
    config.target(target)?;
    if target.starts_with("x86_64") {
        for feature in X86_64_BASELINE {
            // SAFETY: the machine code is run only after `Module::deserialize` or `Module::new` found that this machine
            // has these.
            unsafe { config.cranelift_flag_enable(feature) };
        }
    }
    Ok(())
}
