//! The cargo command that compiles a guest, for the build tool and for the host's build script.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The target of guests.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The target of guests in shared memory: rustup has no other standard library with atomics. Nothing of WASI is linked.
pub(crate) const SHARED_TARGET: &str = "wasm32-wasip1-threads";
/// All targets that guests need.
pub(crate) const TARGETS: [&str; 2] = [TARGET, SHARED_TARGET];
/// Cargo's name of the guest's file.
const CARGO_FILE_NAME: &str = "wasmcached_wasm.wasm";
/// Features of all supported WebAssembly runtimes.
const WASM_FEATURES: &str =
    "+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals,+multivalue,+reference-types,+simd128";
/// An empty instance has 2 pages of memory with it, and 17 with the default.
const STACK_BYTES: u32 = 65536;

/// The feature for threads, which the single-threaded target has not.
const ATOMICS_FLAG: &str = "-Ctarget-feature=+atomics";
/// The largest memory that instances share: one page less than 4 GiB, so that no address behind an allocation is 0.
const SHARED_MEMORY_BYTES_MAX: u64 = (4 << 30) - (64 << 10);

/// wasm-bindgen's generator reads the section that says which features the module uses; Binaryen strips it later.
const JAVASCRIPT_FLAG: &str = "-Cstrip=none";

/// The variable of Cargo that the guest for JavaScript sets: every user of the package downloads it. Code for speed is 60 %
/// larger (decision 0083).
const JAVASCRIPT_LEVEL: (&str, &str) = ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z");

/// The variants of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    /// The guest of the server.
    Shipped,
    /// The same with traps and hangs on demand, for tests.
    FaultInjection,
    /// The guest whose instances share one memory, for many workers.
    Shared,
    /// The same with traps and hangs on demand, for tests.
    SharedFaultInjection,
    /// The guest of the npm package.
    #[allow(dead_code, reason = "the host's build script never embeds it")]
    JavaScript,
    /// The guest of a cache in JavaScript: the store alone.
    #[allow(dead_code, reason = "the host's build script never embeds it")]
    Cache,
    /// The guest that measures the store from inside.
    #[allow(dead_code, reason = "the host's build script never embeds it")]
    Bench,
    /// The guest of the playground in a page: that of the npm package, with a map of the memory.
    #[allow(dead_code, reason = "the host's build script never embeds it")]
    Playground,
}

impl Guest {
    /// The name of its file below `target/guest`.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Shipped => "wasmcached.wasm",
            Self::FaultInjection => "wasmcached-fault-injection.wasm",
            Self::Shared => "wasmcached-shared.wasm",
            Self::SharedFaultInjection => "wasmcached-shared-fault-injection.wasm",
            Self::JavaScript => "wasmcached-javascript.wasm",
            Self::Cache => "wasmcached-cache.wasm",
            Self::Bench => "wasmcached-bench.wasm",
            Self::Playground => "wasmcached-playground.wasm",
        }
    }

    /// The features of the crate `wasmcached-wasm` that make it.
    fn features(self) -> &'static str {
        match self {
            Self::Shipped => "abi",
            Self::FaultInjection => "abi,fault-injection",
            Self::Shared => "shared",
            Self::SharedFaultInjection => "shared,fault-injection",
            Self::JavaScript => "bindgen",
            Self::Cache => "cache",
            Self::Bench => "bench",
            Self::Playground => "playground",
        }
    }

    /// Whether wasm-bindgen's generator reads it.
    fn is_for_javascript(self) -> bool {
        matches!(self, Self::JavaScript | Self::Playground)
    }

    /// Whether its instances share one memory.
    fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::SharedFaultInjection)
    }

    /// The target of rustup that has its standard library.
    pub(crate) fn target(self) -> &'static str {
        if self.is_shared() { SHARED_TARGET } else { TARGET }
    }

    /// The part of the fingerprint besides the sources.
    pub(crate) fn flags(self) -> Vec<String> {
        let mut flags = vec![self.features().to_owned()];
        flags.extend(rustc_flags(self));
        if self.is_for_javascript() {
            flags.push(JAVASCRIPT_FLAG.to_owned());
            flags.push(format!("{}={}", JAVASCRIPT_LEVEL.0, JAVASCRIPT_LEVEL.1));
        }
        flags
    }
}

/// The source of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The file that was built from these very sources.
    Fresh,
    /// A compiler.
    Compiler,
    /// None: there is only an outdated file.
    Stale,
    /// None.
    Missing,
}

/// Chooses the source. `stamp` lies beside the built file, if there is one; `wanted` is the stamp of a fresh file.
pub(crate) fn source(stamp: Option<&str>, wanted: &str, can_compile: impl FnOnce() -> bool) -> Source {
    match stamp {
        Some(stamp) if stamp.trim() == wanted => Source::Fresh,
        _ if can_compile() => Source::Compiler,
        Some(_) => Source::Stale,
        None => Source::Missing,
    }
}

/// The stamp of a built guest; empty if the file has none, `None` without a file.
pub(crate) fn stamp_of(file: &Path) -> Option<String> {
    file.is_file().then(|| std::fs::read_to_string(file.with_extension("stamp")).unwrap_or_default())
}

/// A compiler that has the guest's standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The active toolchain, with the target installed by rustup.
    Rustup {
        /// The cargo to run.
        cargo: PathBuf,
        /// The rustc for it.
        rustc: PathBuf,
    },
    /// A distribution's compiler with the source of the standard library, and a linker.
    #[allow(dead_code, reason = "the build tool constructs it, the build script does not")]
    BuildStd {
        /// The cargo to run.
        cargo: PathBuf,
        /// The rustc for it.
        rustc: PathBuf,
        /// `rust-lld`.
        linker: PathBuf,
    },
}

/// Whether the sysroot holds the standard library of `target`.
pub(crate) fn has_target(sysroot: &Path, target: &str) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(target).join("lib");
    std::fs::read_dir(libraries).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(is_core_library)))
}

fn is_core_library(entry: std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    name.starts_with("libcore-") && name.ends_with(".rlib")
}

/// The command that compiles a guest into `target_directory`, and its output file.
pub(crate) fn cargo_command(
    toolchain: &Toolchain,
    guest: Guest,
    root: &Path,
    target_directory: &Path,
) -> (Command, PathBuf) {
    let (Toolchain::Rustup { cargo, rustc } | Toolchain::BuildStd { cargo, rustc, .. }) = toolchain;
    let mut flags = rustc_flags(guest);
    flags.extend(remap_flags(root));
    // A compiler with the source of the standard library builds it with any features.
    let target = if let Toolchain::Rustup { .. } = toolchain { guest.target() } else { TARGET };
    let mut command = Command::new(cargo);
    command.current_dir(root);
    forget_outer_cargo(&mut command);
    command.args(["rustc", "--release", "--package", "wasmcached-wasm", "--lib", "--crate-type", "cdylib"]);
    command.args(["--target", target, "--no-default-features", "--features", guest.features()]);
    command.arg("--target-dir").arg(target_directory);
    command.env("RUSTC", rustc);
    if let Toolchain::BuildStd { linker, .. } = toolchain {
        command.arg("-Zbuild-std=core,alloc,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        flags.push("-Zlocation-detail=none".to_owned());
        if guest.is_shared() {
            // The target of rustup has it.
            flags.push(ATOMICS_FLAG.to_owned());
        }
    }
    if guest.is_for_javascript() {
        command.env(JAVASCRIPT_LEVEL.0, JAVASCRIPT_LEVEL.1).args(["--", JAVASCRIPT_FLAG]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    (command, target_directory.join(target).join("release").join(CARGO_FILE_NAME))
}

/// Flags that change the guest.
fn rustc_flags(guest: Guest) -> Vec<String> {
    let mut flags = vec![format!("-Ctarget-feature={WASM_FEATURES}"), format!("-Clink-arg=-zstack-size={STACK_BYTES}")];
    if guest.is_shared() {
        // Without the files of WASI's C library, and with the pointer to the stack, which differs between instances.
        flags.push("-Clink-self-contained=no".to_owned());
        let maximum = format!("--max-memory={SHARED_MEMORY_BYTES_MAX}");
        let memory = ["--import-memory", "--export-memory", "--shared-memory", &maximum];
        let arguments = memory.into_iter().chain(["--no-entry", "--export=__stack_pointer"]);
        flags.extend(arguments.map(|argument| format!("-Clink-arg={argument}")));
    }
    flags
}

/// Flags that keep local paths out of programs compiled below `root`.
pub(crate) fn remap_flags(root: &Path) -> Vec<String> {
    let home = |variable: &str, folder: &str| {
        let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
        std::env::var_os(variable).map(PathBuf::from).or_else(|| Some(PathBuf::from(home()?).join(folder)))
    };
    let mut folders = vec![(root.to_owned(), "wasmcached")];
    folders.extend(home("RUSTUP_HOME", ".rustup").map(|folder| (folder, "rust")));
    // The last match wins: the name of a registry's folder would tell the source of its packages.
    if let Some(cargo) = home("CARGO_HOME", ".cargo") {
        let registries = std::fs::read_dir(cargo.join("registry/src")).into_iter().flatten().flatten();
        let registries: Vec<PathBuf> = registries.map(|entry| entry.path()).collect();
        folders.push((cargo, "cargo"));
        folders.extend(registries.into_iter().map(|folder| (folder, "crates")));
    }
    folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

/// Removes settings of the outer cargo, which are for another target.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = text.starts_with("CARGO_") && text != "CARGO_HOME" && !text.starts_with("CARGO_NET_");
        let is_setting = is_setting && !text.starts_with("CARGO_REGISTR") && !text.starts_with("CARGO_HTTP_");
        if is_setting || matches!(&*text, "RUSTFLAGS" | "RUSTC_WRAPPER" | "RUSTC_WORKSPACE_WRAPPER" | "RUSTC_LINKER") {
            command.env_remove(&name);
        }
    }
    command.env_remove("TARGET").env_remove("HOST").env_remove("PROFILE").env_remove("OUT_DIR");
}

#[cfg(test)]
mod tests {
    use super::{SHARED_TARGET, Source, TARGET, has_target, source};
    use std::fs;

    #[test]
    fn a_stale_guest_is_never_taken() {
        assert_eq!(source(Some("a\n"), "a", || false), Source::Fresh);
        assert_eq!(source(Some("a"), "a", || true), Source::Fresh);
        assert_eq!(source(Some("a"), "b", || true), Source::Compiler);
        assert_eq!(source(Some("a"), "b", || false), Source::Stale);
        assert_eq!(source(Some(""), "b", || false), Source::Stale);
        assert_eq!(source(None, "b", || true), Source::Compiler);
        assert_eq!(source(None, "b", || false), Source::Missing);
    }

    #[test]
    fn a_target_is_there_when_its_core_library_is() {
        let sysroot = std::env::temp_dir().join(format!("wasmcached-sysroot-{}", std::process::id()));
        let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
        assert!(!has_target(&sysroot, TARGET));
        fs::create_dir_all(&libraries).expect("a folder");
        assert!(!has_target(&sysroot, TARGET), "a folder that rustup left empty");
        fs::write(libraries.join("libcore-0123456789abcdef.rlib"), "").expect("a file");
        assert!(has_target(&sysroot, TARGET));
        assert!(!has_target(&sysroot, SHARED_TARGET), "the library of another target");
        fs::remove_dir_all(&sysroot).expect("our own folder");
    }
}
