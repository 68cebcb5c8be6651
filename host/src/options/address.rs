//! `-p` and `-l`: where to listen.

use super::{Refusal, exit};

/// `-p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpPort {
    /// No TCP.
    Off,
    /// That port.
    Number(u16),
    /// Any that is free.
    Ephemeral,
}

impl TcpPort {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
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
    /// A name or a numeric address.
    pub(crate) host: String,
    /// `None`: `-p` says.
    pub(crate) port: Option<u16>,
}

impl ListenAddress {
    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let text = without_prefixes(text)?;
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| bad_address(text, "the bracket is not closed"))?,
            None if text.matches(':').count() == 1 => text.split_at(text.find(':').unwrap_or(text.len())),
            None => (text, ""),
        };
        if host.is_empty() {
            return Err(bad_address(text, "the host is missing"));
        }
        let port = match rest.strip_prefix(':') {
            Some(digits) => match digits.parse::<i64>() {
                Ok(number) if number > 0 => Some(port(number)?),
                _ => return Err(bad_port(digits)),
            },
            None if rest.is_empty() => None,
            None => return Err(bad_address(text, "a port follows the bracket after a colon")),
        };
        let host = if host == "*" { "0.0.0.0" } else { host };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// memcached lets an address say which protocol and which encryption it is for.
fn without_prefixes(mut text: &str) -> Result<&str, Refusal> {
    loop {
        if let Some(rest) = text.strip_prefix("notls:") {
            text = rest;
        } else if text.starts_with("btls:") || text.starts_with("mtls:") {
            return Err(Refusal::new(exit::USAGE, format!("TLS is not served yet: -l {text}")));
        } else if let Some((_, rest)) = text.strip_prefix("tag[").and_then(|rest| rest.split_once("]:")) {
            text = rest;
        } else if let Some((protocol, rest)) = text.strip_prefix("proto[").and_then(|rest| rest.split_once("]:")) {
            match protocol {
                "asc" | "ascii" | "negotiating" => text = rest,
                _ => return Err(Refusal::new(exit::USAGE, format!("only proto[asc] is served yet: -l {text}"))),
            }
        } else {
            return Ok(text);
        }
    }
}

fn port(number: i64) -> Result<u16, Refusal> {
    u16::try_from(number).map_err(|_| bad_port(&number.to_string()))
}

fn bad_port(text: &str) -> Refusal {
    Refusal::new(exit::USAGE, format!("ERROR: Invalid port number {text}."))
}

fn bad_address(text: &str, why: &str) -> Refusal {
    Refusal::new(exit::USAGE, format!("-l {text}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_form() {
        for (text, host, port) in [
            ("127.0.0.1", "127.0.0.1", None),
            ("localhost:1234", "localhost", Some(1234)),
            ("[::1]:1234", "::1", Some(1234)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
            ("*:7", "0.0.0.0", Some(7)),
            ("notls:proto[asc]:tag[web]:10.0.0.1:5", "10.0.0.1", Some(5)),
        ] {
            assert_eq!(ListenAddress::parse(text), Ok(ListenAddress { host: host.into(), port }), "{text}");
        }
        for text in ["", ":1", "h:0", "h:70000", "h:x", "[::1", "[::1]x", "mtls:h", "proto[bin]:h"] {
            assert_eq!(ListenAddress::parse(text).unwrap_err().code, exit::USAGE, "{text}");
        }
    }
}
