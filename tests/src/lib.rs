//! Shared code of the project's tests: transcripts, the targets that they are replayed against, and long random trials.
//!
//! The transcripts and their format are in `tests/transcripts`. A target accepts the bytes of a client and returns bytes:
//! real memcached (the oracle), the server over TCP, the engine as a native library, the engine as a guest under
//! wasmtime.

pub mod differential;
pub mod embedding;
pub mod native;
pub mod packet;
pub mod replay;
pub mod server;
pub mod soak;
pub mod suite;
pub mod target;
pub mod template;
pub mod transcript;
pub mod transport;
pub mod trial;
