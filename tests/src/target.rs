//! The trait of everything that transcripts are replayed against, and the list of its kinds.

use std::time::Duration;

/// Which target it is; decides what is skipped and which of two expectations holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's memcached over TCP: the oracle.
    Memcached,
    /// The product over TCP.
    Server,
    /// The engine as a native library, without a host.
    Native,
    /// The engine as a guest under wasmtime, without the product's host.
    Guest,
}

impl Kind {
    /// Whether it has flags, processes, sockets.
    pub fn is_server(self) -> bool {
        matches!(self, Self::Memcached | Self::Server)
    }
}

/// What a target said.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Some bytes were appended.
    Bytes,
    /// It closed the connection.
    Closed,
    /// Nothing arrived in the time given.
    Nothing,
}

/// A server (or an engine) with its connections. Connections are named by the number that `open` gave.
pub trait Target {
    /// A new connection.
    ///
    /// # Errors
    /// Says why there is none.
    fn open(&mut self) -> Result<usize, String>;

    /// Sends all bytes. What the target says meanwhile is kept for [`Target::receive`]. A closed connection is not an
    /// error here: what it said before is what counts.
    ///
    /// # Errors
    /// Says what broke, where it is not the closing of the connection.
    fn send(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String>;

    /// Appends what has arrived to `inbox`; waits at most `wait` for something.
    ///
    /// # Errors
    /// Says what broke.
    fn receive(&mut self, connection: usize, inbox: &mut Vec<u8>, wait: Duration) -> Result<Received, String>;

    /// The client closes.
    fn close(&mut self, connection: usize);

    /// At least so many seconds pass for the target, by whatever clock it has.
    fn pass(&mut self, seconds: u32);

    /// Whether waiting can bring anything: false for an engine that answers at once.
    fn is_asynchronous(&self) -> bool;
}

/// Where targets of one kind come from.
pub trait Factory: Sync {
    /// See [`Kind`].
    fn kind(&self) -> Kind;

    /// Why the flags cannot be had here, if so.
    fn refuses(&self, flags: &[String]) -> Option<String>;

    /// A target that nobody has used, with these flags.
    ///
    /// # Errors
    /// Says why there is none.
    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String>;
}
