//! The engine of wasmcached: memcached's protocols and a byte-exact LRU store, without sockets, threads, clocks or files.
//!
//! Data flows one way: window, connection, parser, command, store, reply, window. Each noun is a type here and has
//! one file. `protocol` and `store` do not know each other; `front` joins protocols to commands, `engine` joins a front
//! to a store in one instance.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod authentication;
pub mod boundary;
pub mod clock;
pub mod command;
mod decimal;
pub mod engine;
#[cfg(feature = "fault-injection")]
mod fault;
pub mod front;
pub mod hash;
pub mod limits;
pub mod protocol;
pub mod reply;
pub mod settings;
pub mod shard;
pub mod statistics;
pub mod store;
pub mod stripes;
pub mod wire;
