//! Finds fresh guests, or compiles them, and precompiles them for the host's target: the single-threaded one, and the one
//! whose instances share a memory.
//!
//! It never embeds a guest from other sources.

#[path = "build/mod.rs"]
mod guest_build;
#[path = "build/processor.rs"]
mod processor;
#[path = "src/guest/settings.rs"]
mod settings;

use guest_build::{
    guest::{self, Guest, Source, Toolchain},
    inputs,
};
use settings::MemoryLayout;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::{
    env, fs,
    hash::Hash,
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
};

/// A module that the host embeds.
struct Embedded {
    guest: Guest,
    fault_injection: Guest,
    /// Names a module to embed instead of one from the sources.
    variable: &'static str,
    /// Of its outputs, for each layout of memory.
    file_name: &'static str,
}

const EMBEDDED: [Embedded; 2] = [
    Embedded {
        guest: Guest::Shipped,
        fault_injection: Guest::FaultInjection,
        variable: "WASMCACHED_GUEST",
        file_name: "guest",
    },
    Embedded {
        guest: Guest::Shared,
        fault_injection: Guest::SharedFaultInjection,
        variable: "WASMCACHED_SHARED_GUEST",
        file_name: "shared-guest",
    },
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/guest/settings.rs");
    let out = PathBuf::from(variable("OUT_DIR"));
    if let Err(message) = EMBEDDED.iter().try_for_each(|embedded| embed(embedded, &out)) {
        println!("cargo::error={message}");
        process::exit(1);
    }
}

/// Writes the machine code of a module to `out`, for each layout of memory.
fn embed(embedded: &Embedded, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-env-changed={}", embedded.variable);
    let path = find_guest(embedded, out)?;
    println!("cargo::rerun-if-changed={}", path.display());
    let wasm = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let target = variable("TARGET");
    let layouts = [("reserved", MemoryLayout::Reserved), ("compact", MemoryLayout::Compact { growth_bytes: 0 })];
    let faults = if has_faults() { "-fault-injection" } else { "" };
    let guests = repository_root().ok().map(|root| root.join("target/guest/precompiled").join(&target));
    thread::scope(|scope| {
        let compilations = layouts.map(|(name, layout)| {
            let (wasm, target) = (&wasm, &target);
            let kept =
                guests.as_ref().map(|folder| folder.join(format!("{}{faults}-{name}.cwasm", embedded.file_name)));
            (name, scope.spawn(move || precompile(wasm, target, layout, kept.as_deref())))
        });
        for (name, compilation) in compilations {
            let machine_code = compilation.join().expect("the compiler does not panic")?;
            let file = out.join(format!("{}-{name}.cwasm", embedded.file_name));
            fs::write(&file, machine_code).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    })
}

/// The guest to embed.
fn find_guest(embedded: &Embedded, out: &Path) -> Result<PathBuf, String> {
    if let Some(path) = env::var_os(embedded.variable) {
        return Ok(path.into());
    }
    let guest = if has_faults() { embedded.fault_injection } else { embedded.guest };
    let root = repository_root()?;
    for path in inputs::SOURCE_FOLDERS.iter().chain(&["Cargo.toml", "Cargo.lock"]) {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    let wanted = inputs::fingerprint(&root, &guest.flags()).map_err(|error| format!("the guest's sources: {error}"))?;
    let built = root.join("target/guest").join(guest.file_name());
    println!("cargo::rerun-if-changed={}", built.with_extension("stamp").display());
    let can_compile = || sysroot(&variable("RUSTC")).is_some_and(|sysroot| guest::has_target(&sysroot, guest.target()));
    let state = match guest::source(guest::stamp_of(&built).as_deref(), &wanted, can_compile) {
        Source::Fresh => return Ok(built),
        Source::Compiler => return compile_guest(guest, &root, out),
        Source::Stale => "is stale",
        Source::Missing => "is missing",
    };
    let way = format!("run `cargo xtask build`, or `rustup target add {}`", guest::TARGETS.join(" "));
    Err(format!("the WebAssembly guest target/guest/{} {state}: {way}", guest.file_name()))
}

fn has_faults() -> bool {
    env::var_os("CARGO_FEATURE_FAULT_INJECTION").is_some()
}

/// The repository that contains this crate.
fn repository_root() -> Result<PathBuf, String> {
    let host = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = host.parent().map(Path::to_owned).unwrap_or_default();
    if root.join("wasm/Cargo.toml").exists() && root.join("core/Cargo.toml").exists() {
        return Ok(root);
    }
    Err(format!(
        "the guest's sources (core/, wasm/) are not beside this crate: build in a clone of the repository, or name compiled guests in {}",
        EMBEDDED.map(|embedded| embedded.variable).join(" and ")
    ))
}

fn compile_guest(guest: Guest, root: &Path, out: &Path) -> Result<PathBuf, String> {
    let toolchain = Toolchain::Rustup { cargo: variable("CARGO").into(), rustc: variable("RUSTC").into() };
    let (mut command, file) = guest::cargo_command(&toolchain, guest, root, &out.join("guest-build"));
    let output = command.output().map_err(|error| format!("cargo does not start: {error}"))?;
    if output.status.success() {
        return Ok(file);
    }
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    Err("the WebAssembly guest does not compile: see above, or run `cargo xtask build`".to_owned())
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// Compiles the guest to the machine code of `target`. The machine code is kept at `kept`, if there is such a place: each profile
/// has a build script, whose compiler is not optimised, and the machine code is always the same.
fn precompile(wasm: &[u8], target: &str, layout: MemoryLayout, kept: Option<&Path>) -> Result<Vec<u8>, String> {
    let mut config = settings::engine_config(layout);
    let hint = if cfg!(feature = "cross") { "" } else { " (for another processor: `--features cross`)" };
    let described = |error: wasmtime::Error| format!("the guest does not compile for {target}: {error:#}{hint}");
    processor::choose(&mut config, target).map_err(described)?;
    let engine = wasmtime::Engine::new(&config).map_err(described)?;
    let key = key(wasm, target, layout);
    let found = kept.and_then(|kept| fs::read(kept).ok()).filter(|found| found.starts_with(&key));
    if let Some(found) = found {
        return Ok(found[key.len()..].to_vec());
    }
    let machine_code = engine.precompile_module(wasm).map_err(described)?;
    if let Some(kept) = kept {
        // Another build may read at the same time. Without the file, only time is lost.
        let written = kept.with_extension(process::id().to_string());
        let keep = || fs::write(&written, [&key[..], &machine_code].concat()).and_then(|()| fs::rename(&written, kept));
        let _ = kept.parent().map(fs::create_dir_all);
        let _ = keep();
    }
    Ok(machine_code)
}

/// Names the machine code of a module: by all that it depends on.
fn key(wasm: &[u8], target: &str, layout: MemoryLayout) -> [u8; 16] {
    let lock = repository_root().ok().and_then(|root| fs::read(root.join("Cargo.lock")).ok());
    let sources = [include_str!("src/guest/settings.rs"), include_str!("build/processor.rs")];
    let mut hasher = SipHasher13::new();
    // The version of the compiler is in the lock file.
    (wasm, target, format!("{layout:?}"), lock, sources).hash(&mut hasher);
    hasher.finish128().as_bytes()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
