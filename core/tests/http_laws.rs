//! The laws of the parser of HTTP: total, progress, prefix, limits, as `parser_laws.rs` has them for lines. There is one
//! exception to *prefix*: a head that is too long is refused although its end is missing. *Chunking* is in
//! `http_pages.rs`.

mod common;

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};
use wasmcached_core::{
    limits::HTTP_HEAD_BYTES_MAX,
    protocol::{
        Verdict,
        http::{Asked, HttpRequest, HttpStatus, parse},
    },
};

/// A request of any kind.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = select(vec!["GET", "GET", "GET", "HEAD", "POST", "BREW", "get"]);
    let target =
        select(vec!["/metrics", "/stats.json", "/healthz", "/healthz/live", "/", "*", "http://h/metrics?q", "x"]);
    let version = select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1", ""]);
    let field = select(vec![
        "Host: h",
        "Host: h",
        "Connection: close",
        "Connection: keep-alive, x",
        "Accept: text/plain;q=0.5, */*;q=0.1",
        "Accept: application/openmetrics-text;version=1.0.0",
        "Authorization: Bearer abcdefghijklmnop",
        "Content-Length: 0",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "X: \u{e9}\t y",
        "bad field",
        " folded",
        "X : y",
    ]);
    let end = select(vec!["\r\n", "\r\n", "\n"]);
    (method, target, version, vec(field, 0..6), end, any::<bool>()).prop_map(
        |(method, target, version, fields, end, is_late)| {
            let before = if is_late { end } else { "" };
            let fields: String = fields.iter().map(|field| format!("{field}{end}")).collect();
            format!("{before}{method} {target} {version}{end}{fields}{end}").into_bytes()
        },
    )
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b' '), Just(b'\n'), Just(b'\r'), Just(0), Just(b':'), Just(b'/'), any::<u8>()];
    common::damaged(request(), byte)
}

/// A head around the longest one.
fn long() -> impl Strategy<Value = Vec<u8>> {
    (HTTP_HEAD_BYTES_MAX - 60..HTTP_HEAD_BYTES_MAX + 60, any::<bool>()).prop_map(|(bytes, in_first_line)| {
        let start = if in_first_line { "GET /?" } else { "GET / HTTP/1.0\r\nX: " };
        let end = if in_first_line { " HTTP/1.0\r\n\r\n" } else { "\r\n\r\n" };
        [start.as_bytes(), &vec![b'x'; bytes - start.len() - end.len()], end.as_bytes()].concat()
    })
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => request(), 6 => damaged(), 1 => long(), 2 => vec(any::<u8>(), 0..60)]
}

fn is_too_long(request: &HttpRequest) -> bool {
    matches!(request.asked, Asked::Refused(HttpStatus::UriTooLong | HttpStatus::FieldsTooLarge))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn total_progress_and_limits(input in anything()) {
        match parse(&input) {
            Verdict::Close => prop_assert!(false, "every refusal is an answer"),
            Verdict::Incomplete { needed } => {
                prop_assert!(needed > input.len() && needed <= HTTP_HEAD_BYTES_MAX + 1);
            }
            Verdict::Complete { request, consumed } => {
                prop_assert!((1..=input.len()).contains(&consumed) && consumed <= HTTP_HEAD_BYTES_MAX + 1);
                prop_assert!(request.token.start as usize + request.token.bytes() <= consumed);
                prop_assert!(request.form.closes || !is_too_long(&request));
            }
        }
    }

    #[test]
    fn prefix(input in anything(), more in prop_oneof![request(), vec(any::<u8>(), 0..40)], cut in any::<Index>()) {
        if let Verdict::Complete { request, consumed } = parse(&input) {
            let longer = [&input[..consumed], &more].concat();
            prop_assert_eq!(parse(&longer), Verdict::Complete { request, consumed });
            let length = cut.index(consumed);
            match parse(&input[..length]) {
                Verdict::Incomplete { needed } => prop_assert!(needed > length && needed <= consumed),
                other => prop_assert!(false, "{length} of {consumed}: {other:?}"),
            }
        }
    }
}
