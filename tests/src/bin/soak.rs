//! `cargo xtask soak [SECONDS] [-- FLAGS]`: half of the time against several workers and shards, half against one worker.
//! With flags of the server, all of the time against a server with these flags.

use std::{process::ExitCode, time::Duration};
use wasmcached_tests::{
    server::wasmcached_program,
    soak::{Plan, soak},
    trial::Arguments,
};

const SECONDS_DEFAULT: u64 = 600;
const CONNECTIONS: u64 = 64;
/// Memory for a small part of the clients' data.
const MEMORY_MIB: u64 = 8;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("soak: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Arguments { seconds, flags, seed } = Arguments::read(SECONDS_DEFAULT)?;
    let program = wasmcached_program()?;
    let servers = if flags.is_empty() { vec![words("-t 4"), words("-t 1")] } else { vec![flags] };
    let duration = Duration::from_secs(seconds) / servers.len() as u32;
    for flags in servers {
        soak(&program, &Plan { duration, connections: CONNECTIONS, memory_mib: MEMORY_MIB, seed, flags })?;
    }
    Ok(())
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
