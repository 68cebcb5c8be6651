//! Health check: a request that every server of this kind answers, and the meaning of its reply. Callers need to know
//! no protocol.

/// The request, in one of the protocols that a server may be restricted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `version`.
    Text,
    /// Opcode 0x0b.
    Binary,
    /// `/healthz` over HTTP.
    Http,
}

/// The meaning of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The server serves, and this is its version.
    Version(&'a [u8]),
    /// The server serves clients that log in.
    Guarded,
    /// A server of HTTP listens there: ask [`Question::Http`].
    Http,
    /// The server serves pages over HTTP, and is ready.
    Ready,
    /// The server refuses, in its own words.
    Refused(&'a [u8]),
    /// Another kind of server listens there.
    Foreign,
}

/// A longer reply is of another kind of server.
const REPLY_BYTES_MAX: usize = 1024;
const HEADER_BYTES: usize = 24;
const BINARY_REQUEST: [u8; HEADER_BYTES] = {
    let mut header = [0; HEADER_BYTES];
    header[0] = 0x80;
    header[1] = 0x0b;
    header
};

impl Question {
    /// The bytes to send.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            // As long as a header of the binary protocol, so that a server for that alone refuses it at once.
            Self::Text => b"version               \r\n",
            Self::Binary => &BINARY_REQUEST,
            Self::Http => b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        }
    }

    /// The meaning of a reply. `None`: it is not whole.
    pub fn interpret(self, reply: &[u8]) -> Option<Answer<'_>> {
        let answer = match self {
            Self::Text => text(reply),
            Self::Binary => binary(reply),
            Self::Http => http(reply),
        };
        answer.or((reply.len() > REPLY_BYTES_MAX).then_some(Answer::Foreign))
    }
}

fn text(reply: &[u8]) -> Option<Answer<'_>> {
    let end = memchr::memchr(b'\n', reply)?;
    let line = reply.get(..end).unwrap_or_default().trim_ascii_end();
    Some(match line.strip_prefix(b"VERSION ") {
        Some(version) => Answer::Version(version),
        None if line == b"CLIENT_ERROR unauthenticated" => Answer::Guarded,
        None if line.starts_with(b"HTTP/1.") => Answer::Http,
        None if ["ERROR", "SERVER_ERROR", "CLIENT_ERROR"].iter().any(|word| line.starts_with(word.as_bytes())) => {
            Answer::Refused(line)
        }
        None => Answer::Foreign,
    })
}

/// The answer of a server of this kind names itself in its head.
fn http(reply: &[u8]) -> Option<Answer<'_>> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let at = memchr::memmem::find(reply, HEAD_END)?;
    let (head, body) = reply.split_at_checked(at)?;
    if memchr::memmem::find(head, b"\r\nServer: wasmcached\r\n").is_none() {
        return Some(Answer::Foreign);
    }
    if head.starts_with(b"HTTP/1.1 200 ") {
        return Some(Answer::Ready);
    }
    let words = body.strip_prefix(HEAD_END).unwrap_or_default();
    Some(Answer::Refused(words.strip_suffix(b"\n")?))
}

fn binary(reply: &[u8]) -> Option<Answer<'_>> {
    const AUTHENTICATION_ERROR: [u8; 2] = [0, 0x20];
    if reply.first().is_some_and(|&magic| magic != 0x81) {
        return Some(Answer::Foreign);
    }
    let header = reply.get(..HEADER_BYTES)?;
    let (Some(0x0b), Some(&[high, low]), Some(length)) = (header.get(1), header.get(6..8), header.get(8..12)) else {
        return Some(Answer::Foreign);
    };
    let length = length.iter().fold(0_usize, |sum, &byte| sum.wrapping_shl(8) | usize::from(byte));
    if length > REPLY_BYTES_MAX {
        return Some(Answer::Foreign);
    }
    let body = reply.get(HEADER_BYTES..HEADER_BYTES.saturating_add(length))?;
    Some(match [high, low] {
        [0, 0] => Answer::Version(body),
        AUTHENTICATION_ERROR => Answer::Guarded,
        _ => Answer::Refused(body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn reply(opcode: u8, status: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from(BINARY_REQUEST);
        (bytes[0], bytes[1], bytes[7], bytes[11]) = (0x81, opcode, status, body.len() as u8);
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn both_questions_are_whole_requests_of_either_protocol() {
        assert_eq!((Question::Text.bytes().len(), Question::Binary.bytes().len()), (HEADER_BYTES, HEADER_BYTES));
        assert!(Question::Text.bytes().ends_with(b" \r\n"));
    }

    #[test]
    fn replies_of_servers_are_interpreted() {
        let text = |reply: &'static [u8]| Question::Text.interpret(reply);
        assert_eq!(text(b"VERSION 1.6.45\r\n"), Some(Answer::Version(b"1.6.45")));
        assert_eq!(
            text(b"ERROR Too many open connections\r\n"),
            Some(Answer::Refused(b"ERROR Too many open connections"))
        );
        assert_eq!(text(b"CLIENT_ERROR unauthenticated\r\n"), Some(Answer::Guarded));
        assert_eq!(text(b"HTTP/1.1 400 Bad Request\r\n"), Some(Answer::Http));
        assert_eq!(text(b"HTTP/2 400\r\n"), Some(Answer::Foreign));
        let http = |reply: &'static [u8]| Question::Http.interpret(reply);
        assert_eq!(http(b"HTTP/1.1 200 OK\r\nServer: wasmcached\r\nA: b\r\n\r\n"), Some(Answer::Ready));
        assert_eq!(http(b"HTTP/1.1 200 OK\r\nServer: wasmcached\r\nA: b\r\n"), None);
        let refused = b"HTTP/1.1 503 Service Unavailable\r\nServer: wasmcached\r\nA: b\r\n\r\nnot ready\n";
        assert_eq!(http(refused), Some(Answer::Refused(b"not ready")));
        assert_eq!(http(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nA: b\r\n\r\n"), Some(Answer::Foreign));
        assert_eq!((text(b""), text(b"VERSION 1.6")), (None, None));
        let version = reply(0x0b, 0, b"1.6.45");
        assert_eq!(Question::Binary.interpret(&version), Some(Answer::Version(b"1.6.45")));
        for end in 0..version.len() {
            assert_eq!(Question::Binary.interpret(&version[..end]), None, "{end}");
        }
        assert_eq!(Question::Binary.interpret(&reply(0x0b, 0x20, b"no")), Some(Answer::Guarded));
        assert_eq!(Question::Binary.interpret(&reply(0x0b, 0x84, b"busy")), Some(Answer::Refused(b"busy")));
        assert_eq!(Question::Binary.interpret(&reply(0x0a, 0, b"")), Some(Answer::Foreign));
        assert_eq!(Question::Binary.interpret(b"ERROR\r\n"), Some(Answer::Foreign));
        for question in [Question::Text, Question::Binary, Question::Http] {
            assert_eq!(question.interpret(&[b'x'; 2000]), Some(Answer::Foreign));
        }
    }
}
