//! `wasmcached`: a memcached server whose engine is a WebAssembly guest.
//!
//! This program owns sockets, threads, the clock, entropy, flags, signals, files and the lifecycle of guests. It knows no
//! word of any protocol and interprets no byte of a client: bytes go from sockets into guests and from guests to sockets.
//!
//! Its rooms, each above all that it imports: the files that import nothing (`exit`, `limits`, `clock`, `console`,
//! `entropy`, `log`, `reload`, `counters`), `options`, `system`, `guest`, `network`, `inbox` with `users`, `http_token` and
//! `watching`, `stores`, `server`.

#![deny(unsafe_code)]
// A line that cannot be written must not end the process: `console` writes all of them.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod budget;
mod clock;
mod console;
mod counters;
mod entropy;
mod exit;
mod guest;
mod http_token;
mod inbox;
mod limits;
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

use exit::{ExitError, reason};
use options::{Invocation, Options};
use std::process::ExitCode;

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
            console::report(message);
            ExitCode::from(code)
        }
    }
}

fn print(text: &[u8]) -> Result<(), ExitError> {
    console::print(text)
        .map_err(|error| ExitError::new(exit::SYSTEM, format!("cannot write to standard output: {}", reason(&error))))
}
