//! `wasmcached`: a memcached server whose engine is a WebAssembly guest.
//!
//! This program owns sockets, threads, the clock, entropy, flags, signals, files and the lifecycle of guests. It knows no
//! word of any protocol and interprets nothing that a client sends: bytes go from sockets into guests and from guests to
//! sockets (see `docs/internals/boundary.md`).

#![deny(unsafe_code)]

mod clock;
mod counters;
mod entropy;
mod guest;
mod limits;
mod log;
mod network;
mod options;
mod ping;
mod refusal;
mod reload;
mod server;
#[cfg(windows)]
mod service;
mod stores;
mod system;
mod users;
mod watching;

use options::{Options, Request};
use refusal::{Refusal, exit};
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let done = match Options::parse(std::env::args_os()) {
        #[cfg(windows)]
        Ok(Request::Serve(options)) if options.service => service::run(*options),
        Ok(Request::Serve(options)) => server::serve(&options),
        Ok(Request::Ping { address, options }) => {
            ping::ping(&address, &options).and_then(|line| print(line.as_bytes()))
        }
        Ok(Request::Print(text)) => print(&text),
        Err(refusal) => Err(refusal),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal { message, code }) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

/// Prints; a reader that has read enough is no error.
fn print(text: &[u8]) -> Result<(), Refusal> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Refusal::new(exit::SYSTEM, error.to_string())),
        _ => Ok(()),
    }
}
