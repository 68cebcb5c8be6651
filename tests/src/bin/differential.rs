//! `cargo xtask differential [SECONDS] [-- FLAGS]`: random conversations with this server and with memcached.

use std::{process::ExitCode, time::Duration};
use wasmcached_tests::{
    differential::{KNOWN, Plan, compare},
    server::{memcached_program, wasmcached_program},
    trial::Arguments,
};

const SECONDS_DEFAULT: u64 = 600;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("differential: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Arguments { seconds, flags, seed } = Arguments::read(SECONDS_DEFAULT)?;
    let theirs = memcached_program().ok_or("memcached is not installed: install it, or name it in MEMCACHED_BIN")?;
    let plan = Plan { duration: Duration::from_secs(seconds), seed, flags };
    let outcome = compare(&wasmcached_program()?, &theirs, &plan)?;
    println!("{outcome}");
    for (known, times) in KNOWN.iter().zip(&outcome.known) {
        println!("  {times:>6}  {}", known.reason);
    }
    if outcome.unexplained.is_empty() {
        Ok(())
    } else {
        Err(format!("{} unexplained differences", outcome.unexplained.len()))
    }
}
