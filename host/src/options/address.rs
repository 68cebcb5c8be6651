//! Addresses and ports of `-p`, `-U` and `-l`.

use super::Security;
use crate::exit::{self, ExitError};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};
use wasmcached_core::boundary::config::Binding;

/// `-p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpPort {
    /// No TCP.
    Off,
    /// This port.
    Number(u16),
    /// Any free port.
    Ephemeral,
}

impl TcpPort {
    pub(super) fn parse(text: &str) -> Result<Self, ExitError> {
        match text.parse::<i64>() {
            Ok(-1) => Ok(Self::Ephemeral),
            Ok(0) => Ok(Self::Off),
            Ok(number) => port(number).map(Self::Number),
            Err(_) => Err(bad_port(text)),
        }
    }

    /// As `stats settings` shows it.
    pub(super) fn to_setting(self) -> String {
        match self {
            Self::Off => "0".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Ephemeral => "-1".to_owned(),
        }
    }
}

/// One address of `-l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// A name or a numeric address, or `*` for all addresses.
    pub(crate) host: String,
    /// `None`: that of `-p`. 0: any free port.
    pub(crate) port: Option<u16>,
    /// `None`: that of `-Z`.
    pub(crate) security: Option<Security>,
    /// `None`: that of `-B`.
    pub(crate) binding: Option<Binding>,
    /// As the user wrote it.
    pub(super) given: String,
}

impl ListenAddress {
    /// The first address of the default, which serves this machine only. The other one is `::1`.
    pub(crate) fn loopback() -> Self {
        let host = "127.0.0.1".to_owned();
        Self { given: host.clone(), host, port: None, security: None, binding: None }
    }

    /// The addresses of the host.
    ///
    /// # Errors
    /// The name has none.
    pub(crate) fn resolve(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        if self.host == "*" {
            return Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]);
        }
        (self.host.as_str(), port).to_socket_addrs().map(Iterator::collect)
    }

    /// Whether pages are served there, and not the cache.
    pub(crate) fn is_http(&self) -> bool {
        self.binding == Some(Binding::Http)
    }

    /// Whether it is the path of a Unix socket.
    pub(crate) fn is_path(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Parses `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address, after any prefixes. Pages may have the path
    /// of a Unix socket.
    pub(crate) fn parse(given: &str) -> Result<Self, ExitError> {
        let address = Self::parse_any(given)?;
        match (address.is_http(), address.is_path(), address.port) {
            (true, true, _) if cfg!(windows) => Err(bad_address(given, "this system has no Unix sockets")),
            (true, false, None) => Err(bad_address(given, "proto[http] needs a port of its own: ADDRESS:PORT")),
            (false, true, _) => {
                Err(bad_address(given, "-s names a Unix socket; only proto[http] may have a path here"))
            }
            _ => Ok(address),
        }
    }

    fn parse_any(given: &str) -> Result<Self, ExitError> {
        let (security, binding, text) = without_prefixes(given)?;
        if text.starts_with('/') {
            return Ok(Self { host: text.to_owned(), port: None, security, binding, given: given.to_owned() });
        }
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| bad_address(text, "the bracket is not closed"))?,
            None if text.matches(':').count() == 1 => text.split_at(text.find(':').unwrap_or(text.len())),
            None => (text, ""),
        };
        if host.is_empty() {
            return Err(bad_address(given, "the host is missing"));
        }
        let port = match rest.strip_prefix(':') {
            Some(digits) => match digits.parse::<i64>() {
                // memcached's name of any free port.
                Ok(-1) => Some(0),
                Ok(number) if number >= 0 => Some(port(number)?),
                _ => return Err(bad_port(digits)),
            },
            None if rest.is_empty() => None,
            None => return Err(bad_address(given, "write [ADDRESS]:PORT, with a colon after the bracket")),
        };
        Ok(Self { host: host.to_owned(), port, security, binding, given: given.to_owned() })
    }
}

/// Longest name in `tag[…]:`, as in memcached.
const TAG_BYTES_MAX: usize = 8;

/// Splits off memcached's prefixes for protocol and encryption.
fn without_prefixes(given: &str) -> Result<(Option<Security>, Option<Binding>, &str), ExitError> {
    let (mut security, mut binding, mut text) = (None, None, given);
    loop {
        if let Some(rest) = text.strip_prefix("notls:") {
            (security, text) = (Some(Security::Plain), rest);
        } else if let Some(rest) = text.strip_prefix("btls:") {
            (security, text) = (Some(Security::TlsBasic), rest);
        } else if let Some(rest) = text.strip_prefix("mtls:") {
            (security, text) = (Some(Security::TlsMutual), rest);
        } else if let Some((tag, rest)) = bracketed(text, "tag") {
            if !(1..=TAG_BYTES_MAX).contains(&tag.len()) {
                let message = format!("Listener tags must be between 1 and 8 characters: \"{tag}\"");
                return Err(ExitError::new(exit::USAGE, message));
            }
            // Tags name routes of memcached's proxy; they have no effect here.
            text = rest;
        } else if let Some((protocol, rest)) = bracketed(text, "proto") {
            text = rest;
            binding = Some(match protocol {
                "asc" | "ascii" => Binding::Ascii,
                "bin" | "binary" => Binding::Binary,
                "auto" | "negotiating" => Binding::Auto,
                "http" => Binding::Http,
                _ => {
                    let message = format!(
                        "-l {given}: proto[{protocol}] is none of proto[asc], proto[bin], proto[auto], proto[http]"
                    );
                    return Err(ExitError::new(exit::USAGE, message));
                }
            });
        } else {
            return Ok((security, binding, text));
        }
    }
}

/// Splits `name[what]:rest`, or `name_what_:rest`, which needs no quotes in a shell.
fn bracketed<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let text = text.strip_prefix(name)?;
    let (text, end) = match text.strip_prefix('[') {
        Some(text) => (text, "]:"),
        None => (text.strip_prefix('_')?, "_:"),
    };
    text.split_once(end)
}

fn port(number: i64) -> Result<u16, ExitError> {
    u16::try_from(number).map_err(|_| bad_port(&number.to_string()))
}

fn bad_port(text: &str) -> ExitError {
    ExitError::new(exit::USAGE, format!("ERROR: Invalid port number {text}."))
}

fn bad_address(text: &str, why: &str) -> ExitError {
    ExitError::new(exit::USAGE, format!("-l {text}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_form() {
        for (text, host, port, security) in [
            ("127.0.0.1", "127.0.0.1", None, None),
            ("localhost:1234", "localhost", Some(1234), None),
            ("127.0.0.1:0", "127.0.0.1", Some(0), None),
            ("127.0.0.1:-1", "127.0.0.1", Some(0), None),
            ("[::1]:1234", "::1", Some(1234), None),
            ("[::1]", "::1", None, None),
            ("::1", "::1", None, None),
            ("*:7", "*", Some(7), None),
            ("notls:proto[asc]:tag[web]:10.0.0.1:5", "10.0.0.1", Some(5), Some(Security::Plain)),
            ("mtls:tag_web_:[::1]:5", "::1", Some(5), Some(Security::TlsMutual)),
            ("tag[x]:btls:h", "h", None, Some(Security::TlsBasic)),
        ] {
            let parsed = ListenAddress::parse(text).unwrap();
            assert_eq!((parsed.host.as_str(), parsed.port, parsed.security), (host, port, security), "{text}");
            assert_eq!(parsed.given, text);
        }
        let every = ListenAddress::parse("*").unwrap().resolve(7).unwrap();
        assert_eq!(every, ["0.0.0.0:7".parse().unwrap(), "[::]:7".parse().unwrap()]);
        for (text, binding) in [
            ("h", None),
            ("proto[asc]:h", Some(Binding::Ascii)),
            ("proto_binary_:tag[x]:h:5", Some(Binding::Binary)),
            ("proto[auto]:h", Some(Binding::Auto)),
            ("notls:proto[http]:h:9150", Some(Binding::Http)),
            ("proto_http_:[::1]:9150", Some(Binding::Http)),
        ] {
            assert_eq!(ListenAddress::parse(text).unwrap().binding, binding, "{text}");
        }
        for text in [
            "",
            ":1",
            "h:-2",
            "h:70000",
            "h:x",
            "[::1",
            "[::1]x",
            "notls:",
            "proto[foo]:h",
            "proto[http]:h",
            "/run/socket",
            "proto[asc]:/run/socket",
            "tag[toolongtag]:h",
            "tag[]:h",
        ] {
            assert_eq!(ListenAddress::parse(text).unwrap_err().code, exit::USAGE, "{text}");
        }
    }
}
