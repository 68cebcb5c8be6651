//! From bytes to a request. The verdict on a first line that is no request comes with that line, since its sender may
//! speak another protocol and wait; every other verdict comes with the whole head.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{
    AnswerForm, Asked, HttpRequest, HttpStatus, PageKind,
    accept::{self, Preference},
};
use crate::{
    limits::HTTP_HEAD_BYTES_MAX,
    protocol::{Span, Verdict},
};

/// Methods that HTTP defines, and no page here has (RFC 9110 and RFC 5789).
const OTHER_METHODS: [&[u8]; 7] = [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT"];

/// Looks for one request at the beginning of `input`.
pub fn parse(input: &[u8]) -> Verdict<HttpRequest> {
    // The byte behind the longest head decides that a head is too long.
    let bound = HTTP_HEAD_BYTES_MAX.saturating_add(1);
    let window = input.get(..bound).unwrap_or(input);
    let mut lines = Lines { window, at: empty_line(window) };
    let Some(line) = lines.next_line() else { return unfinished(window, HttpStatus::UriTooLong) };
    let mut head = match Head::begin(line) {
        Ok(head) => head,
        Err(status) => return refused(status, lines.at),
    };
    loop {
        let start = lines.at;
        let Some(line) = lines.next_line() else { return unfinished(window, HttpStatus::FieldsTooLarge) };
        if line.is_empty() {
            return Verdict::Complete { request: head.request(), consumed: lines.at };
        }
        head.field(line, start);
    }
}

/// Length of an empty line before the request, which some clients send behind a body.
fn empty_line(window: &[u8]) -> usize {
    [&b"\r\n"[..], b"\n"].iter().find(|end| window.starts_with(end)).map_or(0, |end| end.len())
}

/// The verdict on a head without an end.
fn unfinished(window: &[u8], status: HttpStatus) -> Verdict<HttpRequest> {
    if window.len() > HTTP_HEAD_BYTES_MAX {
        refused(status, window.len())
    } else {
        Verdict::Incomplete { needed: window.len().saturating_add(1) }
    }
}

/// Refuses bytes behind which no request can be found.
fn refused(status: HttpStatus, consumed: usize) -> Verdict<HttpRequest> {
    let form = AnswerForm { closes: true, ..AnswerForm::default() };
    Verdict::Complete { request: HttpRequest { asked: Asked::Refused(status), form, token: Span::default() }, consumed }
}

/// The lines of a head, without their ends.
struct Lines<'a> {
    window: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        let rest = self.window.get(self.at..)?;
        let end = memchr::memchr(b'\n', rest)?;
        self.at = self.at.saturating_add(end).saturating_add(1);
        let line = rest.get(..end)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// The content of a head, as far as it matters.
struct Head<'a> {
    is_head: bool,
    /// The version is above 1.0.
    is_modern: bool,
    target: &'a [u8],
    /// The method is one that no page has.
    refusal: Option<HttpStatus>,
    is_malformed: bool,
    hosts: u32,
    has_body: bool,
    says_close: bool,
    says_alive: bool,
    token: Option<Span>,
    preference: Preference,
}

impl<'a> Head<'a> {
    /// The head that begins with `line`.
    fn begin(line: &'a [u8]) -> Result<Self, HttpStatus> {
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HttpStatus::BadRequest);
        };
        if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return Err(HttpStatus::BadRequest);
        }
        let minor = match version {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => minor,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(HttpStatus::VersionNotSupported);
            }
            _ => return Err(HttpStatus::BadRequest),
        };
        let refusal = match method {
            b"GET" | b"HEAD" => None,
            method if OTHER_METHODS.contains(&method) => Some(HttpStatus::MethodNotAllowed),
            _ => Some(HttpStatus::NotImplemented),
        };
        Ok(Self {
            is_head: method == b"HEAD",
            is_modern: *minor != b'0',
            target,
            refusal,
            is_malformed: false,
            hosts: 0,
            has_body: false,
            says_close: false,
            says_alive: false,
            token: None,
            preference: Preference::default(),
        })
    }

    /// Takes a field, whose line begins at `start`.
    fn field(&mut self, line: &[u8], start: usize) {
        let Some((name, value)) = split_field(line) else {
            self.is_malformed = true;
            return;
        };
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        let bytes = value.of(line);
        if is(b"host") {
            self.hosts = self.hosts.saturating_add(1);
        } else if is(b"connection") {
            for option in list(bytes) {
                self.says_close |= option.eq_ignore_ascii_case(b"close");
                self.says_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if is(b"content-length") {
            self.is_malformed |= bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit);
            self.has_body |= bytes.iter().any(|&digit| digit != b'0');
        } else if is(b"transfer-encoding") {
            self.has_body = true;
        } else if is(b"authorization") {
            self.is_malformed |= self.token.is_some();
            self.token =
                Some(bearer(bytes).map_or(Span::default(), |token| token.shifted(value.start as usize).shifted(start)));
        } else if is(b"accept") {
            self.preference.add(bytes);
        }
    }

    /// The request, once all fields are taken.
    fn request(&self) -> HttpRequest {
        // A request of HTTP/1.1 names its host, and any request names one at most.
        let is_malformed = self.is_malformed || self.hosts > 1 || self.is_modern && self.hosts == 0;
        let asked = match self.refusal {
            _ if is_malformed => Asked::Refused(HttpStatus::BadRequest),
            Some(status) => Asked::Refused(status),
            None if self.has_body => Asked::Refused(HttpStatus::ContentTooLarge),
            None => self.page(),
        };
        let is_kept = if self.is_modern { !self.says_close } else { self.says_alive && !self.says_close };
        let closes = !is_kept || is_malformed || self.has_body || asked == Asked::Refused(HttpStatus::BadRequest);
        // Without chunks, only the end of the connection can end a page.
        let closes = closes || !self.is_modern && !self.is_head && matches!(asked, Asked::Page(_));
        HttpRequest {
            asked,
            form: AnswerForm {
                head_only: self.is_head,
                in_chunks: self.is_modern,
                closes,
                says_alive: !self.is_modern && !closes,
            },
            token: self.token.unwrap_or_default(),
        }
    }

    fn page(&self) -> Asked {
        match path(self.target) {
            Some(b"/metrics") => Asked::Page(PageKind::Metrics(self.preference.text())),
            Some(b"/stats.json") => Asked::Page(PageKind::Statistics),
            Some(b"/healthz" | b"/healthz/ready") => Asked::Ready,
            Some(b"/healthz/live") => Asked::Live,
            Some(_) => Asked::Refused(HttpStatus::NotFound),
            None => Asked::Refused(HttpStatus::BadRequest),
        }
    }
}

/// The path of a target, which may be a whole address. `None`: it has none.
fn path(target: &[u8]) -> Option<&[u8]> {
    let path = match target.first() {
        Some(b'/') => target,
        _ => {
            let scheme = [&b"http://"[..], b"https://"]
                .into_iter()
                .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
            let rest = target.get(scheme.len()..)?;
            let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?'));
            end.map_or(&b"/"[..], |end| rest.get(end..).unwrap_or_default())
        }
    };
    path.split(|&byte| byte == b'?').next()
}

/// Name and place of the value of a field; `None`: malformed.
fn split_field(line: &[u8]) -> Option<(&[u8], Span)> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.strip_prefix(b":")?;
    // A name before which or behind which is white space has led servers to see different requests.
    if !is_token(name) || !value.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f) {
        return None;
    }
    let trimmed = accept::trim(value);
    let before = value.len().saturating_sub(value.trim_ascii_start().len());
    let start = colon.saturating_add(1).saturating_add(before);
    Some((name, Span::new(start, start.saturating_add(trimmed.len()))))
}

/// The place of the token in the credentials of `Bearer`.
fn bearer(credentials: &[u8]) -> Option<Span> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = credentials.split_at_checked(SCHEME.len())?;
    let start = credentials.len().saturating_sub(token.trim_ascii_start().len());
    scheme.eq_ignore_ascii_case(SCHEME).then(|| Span::new(start, credentials.len()))
}

/// The elements of a list.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(accept::trim)
}

/// Whether these bytes are a token (RFC 9110, 5.6.2).
fn is_token(bytes: &[u8]) -> bool {
    const MARKS: &[u8] = b"!#$%&'*+-.^_`|~";
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::{super::MetricsText, *};

    fn whole(input: &[u8]) -> HttpRequest {
        match parse(input) {
            Verdict::Complete { request, consumed } if consumed == input.len() => request,
            other => panic!("{}: {other:?}", input.escape_ascii()),
        }
    }

    fn asked(input: &str) -> Asked {
        whole(input.as_bytes()).asked
    }

    #[test]
    fn pages_are_found_under_every_form_of_their_address() {
        let page = |target: &str| asked(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let metrics = Asked::Page(PageKind::Metrics(MetricsText::OpenMetrics));
        for target in ["/metrics", "/metrics?x=1", "/metrics?", "http://h:1/metrics", "HTTPS://h/metrics?a"] {
            assert_eq!(page(target), metrics, "{target}");
        }
        for (target, wanted) in [
            ("/stats.json", Asked::Page(PageKind::Statistics)),
            ("/healthz", Asked::Ready),
            ("/healthz/ready", Asked::Ready),
            ("/healthz/live", Asked::Live),
            ("/", Asked::Refused(HttpStatus::NotFound)),
            ("/Metrics", Asked::Refused(HttpStatus::NotFound)),
            ("/metrics/", Asked::Refused(HttpStatus::NotFound)),
            ("http://h", Asked::Refused(HttpStatus::NotFound)),
            ("http://h?/metrics", Asked::Refused(HttpStatus::NotFound)),
            ("*", Asked::Refused(HttpStatus::BadRequest)),
            ("h:1", Asked::Refused(HttpStatus::BadRequest)),
            ("metrics", Asked::Refused(HttpStatus::BadRequest)),
        ] {
            assert_eq!(page(target), wanted, "{target}");
        }
    }

    #[test]
    fn refusals_have_the_status_of_the_standard() {
        for (request, status) in [
            ("GET /metrics\r\n", HttpStatus::BadRequest),
            ("version\r\n", HttpStatus::BadRequest),
            ("GET  /metrics HTTP/1.1\r\n", HttpStatus::BadRequest),
            ("GET /a b HTTP/1.1\r\n", HttpStatus::BadRequest),
            ("GET /\u{e9} HTTP/1.1\r\n", HttpStatus::BadRequest),
            ("G(T / HTTP/1.1\r\n", HttpStatus::BadRequest),
            ("GET / http/1.1\r\n", HttpStatus::BadRequest),
            ("GET / HTTP/1.10\r\n", HttpStatus::BadRequest),
            ("PRI * HTTP/2.0\r\n", HttpStatus::VersionNotSupported),
            ("GET / HTTP/0.9\r\n", HttpStatus::VersionNotSupported),
            ("GET /metrics HTTP/1.1\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.0\r\nHost : a\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.0\r\nX: a\r\n folded\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.0\r\nX: a\rb\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.0\r\nnothing\r\n\r\n", HttpStatus::BadRequest),
            ("GET /metrics HTTP/1.0\r\nContent-Length: -1\r\n\r\n", HttpStatus::BadRequest),
            ("POST /metrics HTTP/1.0\r\n\r\n", HttpStatus::MethodNotAllowed),
            ("OPTIONS * HTTP/1.0\r\n\r\n", HttpStatus::MethodNotAllowed),
            ("BREW /metrics HTTP/1.0\r\n\r\n", HttpStatus::NotImplemented),
            ("get /metrics HTTP/1.0\r\n\r\n", HttpStatus::NotImplemented),
            ("GET /metrics HTTP/1.0\r\nContent-Length: 10\r\n\r\n", HttpStatus::ContentTooLarge),
            ("GET /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HttpStatus::ContentTooLarge),
        ] {
            assert_eq!(asked(request), Asked::Refused(status), "{request:?}");
        }
        assert_eq!(asked("GET /healthz/live HTTP/1.0\r\nContent-Length: 00\r\n\r\n"), Asked::Live);
        let long = |prefix: &str| [prefix.as_bytes(), &[b'x'; HTTP_HEAD_BYTES_MAX + 1]].concat();
        for (input, status) in
            [(long("GET /"), HttpStatus::UriTooLong), (long("GET / HTTP/1.1\r\nX: "), HttpStatus::FieldsTooLarge)]
        {
            let Verdict::Complete { request, consumed } = parse(&input) else { panic!("{status:?}") };
            assert_eq!((request.asked, consumed), (Asked::Refused(status), HTTP_HEAD_BYTES_MAX + 1));
            assert!(request.form.closes);
            let shorter = input.get(..HTTP_HEAD_BYTES_MAX).unwrap_or_default();
            assert_eq!(parse(shorter), Verdict::Incomplete { needed: HTTP_HEAD_BYTES_MAX + 1 });
        }
    }

    #[test]
    fn connections_are_kept_as_the_version_and_the_client_say() {
        for (head, closes, says_alive) in [
            ("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", false, false),
            ("GET /healthz HTTP/1.1\nHost: h\n\n", false, false),
            ("\r\nGET /healthz HTTP/1.1\r\nHost:\r\n\r\n", false, false),
            ("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: x , Close\r\n\r\n", true, false),
            ("GET /healthz HTTP/1.0\r\n\r\n", true, false),
            ("GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false, true),
            ("GET /healthz HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", true, false),
            ("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, false),
            ("HEAD /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, true),
            ("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", false, false),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", true, false),
            ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", false, false),
            ("GET /healthz HTTP/1.1\r\n\r\n", true, false),
        ] {
            let form = whole(head.as_bytes()).form;
            assert_eq!((form.closes, form.says_alive), (closes, says_alive), "{head:?}");
        }
        assert!(matches!(parse(b"\r"), Verdict::Incomplete { needed: 2 }));
    }

    #[test]
    fn tokens_are_found_where_they_are() {
        let token = |field: &str| {
            let head = format!("GET /metrics HTTP/1.0\r\nA: b\r\n{field}\r\n\r\n");
            let request = whole(head.as_bytes());
            (request.token.of(head.as_bytes()).to_vec(), request.asked == Asked::Refused(HttpStatus::BadRequest))
        };
        assert_eq!(token("Authorization: Bearer abc"), (b"abc".to_vec(), false));
        assert_eq!(token("authorization:  bearer   a.b=  "), (b"a.b=".to_vec(), false));
        assert_eq!(token("Authorization: Basic abc"), (Vec::new(), false));
        assert_eq!(token("Authorization: Bearer"), (Vec::new(), false));
        assert_eq!(token("Authorization: Bearer a\r\nAuthorization: Bearer b"), (b"b".to_vec(), true));
    }

    use alloc::{format, vec::Vec};
}
