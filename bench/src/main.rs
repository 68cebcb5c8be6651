//! `cargo xtask bench`: wasmcached and memcached, side by side, under the same load.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    wasmcached_bench::cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("bench: it reads /proc and assigns cores, so it runs on Linux only");
    std::process::ExitCode::FAILURE
}
