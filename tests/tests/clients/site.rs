//! The server that a suite runs against, how a client talks to it, and the report on the client.

use std::path::PathBuf;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Binary,
}

/// What it is carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    Unix,
}

/// How a client talks to its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
    /// Whether the servers ask for a name and a password.
    pub(crate) login: bool,
}

pub(crate) const TEXT: Channel = Channel { protocol: Protocol::Text, transport: Transport::Tcp, login: false };
pub(crate) const BINARY: Channel = Channel { protocol: Protocol::Binary, ..TEXT };

impl Channel {
    pub(crate) const fn tls(self) -> Self {
        Self { transport: Transport::Tls, ..self }
    }

    pub(crate) const fn unix(self) -> Self {
        Self { transport: Transport::Unix, ..self }
    }

    pub(crate) const fn login(self) -> Self {
        Self { login: true, ..self }
    }

    /// As the table has it.
    pub(crate) fn name(self) -> String {
        let protocol = match (self.protocol, self.login) {
            (Protocol::Text, false) => "text",
            (Protocol::Text, true) => "text, login",
            (Protocol::Binary, false) => "binary",
            (Protocol::Binary, true) => "binary, SASL",
        };
        let transport = match self.transport {
            Transport::Tcp => "",
            Transport::Tls => ", TLS",
            Transport::Unix => ", Unix socket",
        };
        format!("{protocol}{transport}")
    }
}

/// Whom a suite runs against.
#[derive(Debug)]
pub(crate) struct Site {
    /// The server's program.
    pub(crate) program: PathBuf,
    /// Whether it is memcached itself.
    pub(crate) is_oracle: bool,
    /// How it is talked to.
    pub(crate) channel: Channel,
}

/// What a client did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The client's own version.
    pub(crate) version: String,
    /// What passed, by name.
    pub(crate) passed: Vec<String>,
    /// What failed as it does with memcached 1.6.45, by name.
    pub(crate) failed_alike: Vec<String>,
}
