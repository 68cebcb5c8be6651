//! What the project's tests share: transcripts (data) and the targets they are replayed against.
//!
//! The transcripts live in `tests/transcripts`, their format is described there. A target is anything that takes the
//! bytes of a client and gives bytes back: real memcached (the oracle), the server over TCP, the engine as a native
//! library, the engine as a guest under wasmtime.

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
