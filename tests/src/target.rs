//! The trait of replay targets, and their kinds.

use std::time::Duration;

/// The kind of a target, which decides skipped cases and the expected variant of a difference.
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
    /// Whether the target is a server process.
    pub fn is_server(self) -> bool {
        matches!(self, Self::Memcached | Self::Server)
    }
}

/// Result of a receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes were appended.
    Bytes,
    /// The target closed the connection.
    Closed,
    /// Nothing arrived in time.
    Nothing,
}

/// A server or an engine with its connections, which are identified by the number that `open` returns.
pub trait Target {
    /// Opens a connection.
    ///
    /// # Errors
    /// Why it cannot be opened.
    fn open(&mut self) -> Result<usize, String>;

    /// Sends all bytes and keeps bytes received meanwhile for [`Target::receive`]. A closed connection is no error here:
    /// its earlier output counts.
    ///
    /// # Errors
    /// A failure other than a closed connection.
    fn send(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String>;

    /// Appends received bytes to `inbox`; waits at most `wait`.
    ///
    /// # Errors
    /// What failed.
    fn receive(&mut self, connection: usize, inbox: &mut Vec<u8>, wait: Duration) -> Result<Received, String>;

    /// Closes the connection from the client's side.
    fn close(&mut self, connection: usize);

    /// Lets at least `seconds` pass on the target's clock.
    fn pass(&mut self, seconds: u32);

    /// Whether replies may arrive later: false for an engine in process.
    fn is_asynchronous(&self) -> bool;
}

/// A source of targets of one kind.
pub trait Factory: Sync {
    /// See [`Kind`].
    fn kind(&self) -> Kind;

    /// Why this kind does not support the flags, if so.
    fn refuses(&self, flags: &[String]) -> Option<String>;

    /// Starts an unused target with these flags.
    ///
    /// # Errors
    /// Why it does not start.
    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String>;
}
