//! The engine of wasmcached: memcached's protocols and a byte-exact LRU store, without sockets, threads, clocks or files.
//!
//! Data flows one way: window, connection, parser, command, store, reply, window. Each noun is a type here and has
//! one file. `protocol` and `store` do not know each other; `front` joins protocols to commands, `solo` joins a front
//! to a store in one instance.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod clock;
pub mod command;
pub mod config;
pub mod hash;
pub mod host;
pub mod limits;
pub mod reply;
pub mod statistics;
pub mod wire;
