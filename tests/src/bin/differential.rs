//! `cargo xtask differential [SECONDS] [-- FLAGS]`: random conversations with this server and with memcached.

use std::{process::ExitCode, time::Duration};
use wasmcached_tests::{
    differential::{KNOWN, Plan, compare},
    server::{memcached_program, wasmcached_program},
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
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let flags = match arguments.iter().position(|argument| argument == "--") {
        Some(place) => arguments.split_off(place)[1..].to_vec(),
        None => Vec::new(),
    };
    let seconds = match &arguments[..] {
        [] => SECONDS_DEFAULT,
        [seconds] => seconds.parse().map_err(|error| format!("{seconds}: {error}"))?,
        _ => return Err("it takes a number of seconds, and the server's flags after `--`".to_owned()),
    };
    let theirs = memcached_program().ok_or("memcached is not installed: install it, or name it in MEMCACHED_BIN")?;
    let seed = std::env::var("WASMCACHED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let plan = Plan { duration: Duration::from_secs(seconds), seed, flags };
    let outcome = compare(&wasmcached_program()?, &theirs, &plan)?;
    println!("{outcome}");
    for (known, times) in KNOWN.iter().zip(&outcome.known) {
        println!("  {times:>6}  {}", known.reason);
    }
    if outcome.unexplained.is_empty() {
        Ok(())
    } else {
        Err(format!("{} differences without a reason", outcome.unexplained.len()))
    }
}
