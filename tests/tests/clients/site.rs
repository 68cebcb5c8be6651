//! The server that a suite runs against, how a client talks to it, and the report on the client.

use std::path::PathBuf;

/// Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Binary,
}

/// Transport.
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
    /// Whether the servers require a login.
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

    /// Name in the table.
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

/// The server under test.
#[derive(Debug)]
pub(crate) struct Site {
    /// Program of the server.
    pub(crate) program: PathBuf,
    /// Whether it is memcached itself.
    pub(crate) is_oracle: bool,
    /// How clients talk to it.
    pub(crate) channel: Channel,
}

/// Results of a client.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Version of the client.
    pub(crate) version: String,
    /// Names of passed tests.
    pub(crate) passed: Vec<String>,
    /// Names of tests that fail with memcached 1.6.45 too.
    pub(crate) failed_alike: Vec<String>,
}
