//! `wasmcached`: a memcached server whose engine is a WebAssembly guest.
//!
//! This program owns sockets, threads, the clock, entropy, flags, signals, files and the lifecycle of guests. It knows no
//! word of any protocol and interprets no byte of a client: bytes go from sockets into guests and from guests to sockets.
//!
//! Its rooms, each above all that it imports: the files that import nothing (`exit`, `limits`, `clock`, `entropy`, `log`,
//! `reload`, `counters`), `options`, `system`, `guest`, `network`, `inbox` with `users` and `watching`, `stores`, `server`.

#![deny(unsafe_code)]

mod budget;
mod clock;
mod counters;
mod entropy;
mod exit;
mod guest;
mod inbox;
mod limits;
mod log;
mod network;
mod options;
mod ping;
mod reload;
mod server;
#[cfg(windows)]
mod service;
mod stores;
mod system;
mod users;
mod watching;

use exit::ExitError;
use options::{Invocation, Options};
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let done = match Options::parse(std::env::args_os()) {
        #[cfg(windows)]
        Ok(Invocation::Serve(options)) if options.service => service::run(*options),
        Ok(Invocation::Serve(options)) => server::serve(&options),
        Ok(Invocation::Ping { address, options }) => {
            ping::ping(&address, &options).and_then(|line| print(line.as_bytes()))
        }
        Ok(Invocation::Print(text)) => print(&text),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(ExitError { message, code }) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

/// Prints `text`. A closed pipe is no error: its reader has read enough.
fn print(text: &[u8]) -> Result<(), ExitError> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ExitError::new(exit::SYSTEM, error.to_string())),
        _ => Ok(()),
    }
}
