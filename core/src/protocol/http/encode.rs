//! Heads of answers, short bodies, and the chunks of long ones.

use super::{AnswerForm, Asked, HttpRequest, HttpStatus, MetricsText, PageKind};
use crate::clock::Time;
use alloc::vec::Vec;
use core::fmt::Write;

/// Writes text to the end of an answer.
pub(super) struct Text<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Digits of the length of a chunk.
const CHUNK_DIGITS: usize = 8;

/// The length of a body, as the head says it.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunks,
    /// The end of the connection ends the body.
    End,
}

impl HttpStatus {
    /// Number and reason.
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::UriTooLong => "414 URI Too Long",
            Self::FieldsTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    /// The remedy, for the body.
    fn remedy(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::BadRequest => "this is not a request of HTTP/1.1; memcached's protocols have ports of their own",
            Self::Unauthorized => "send `Authorization: Bearer` with the token of -o http_token",
            Self::NotFound => "there are /metrics, /stats.json, /healthz, /healthz/live and /healthz/ready",
            Self::MethodNotAllowed | Self::NotImplemented => "use GET or HEAD",
            Self::ContentTooLarge => "send no body",
            Self::UriTooLong | Self::FieldsTooLarge => "send a shorter head",
            Self::Unavailable => "not ready",
            Self::VersionNotSupported => "use HTTP/1.1",
        }
    }

    /// The fields that the standard asks for with this status.
    fn fields(self) -> &'static str {
        match self {
            Self::Unauthorized => "WWW-Authenticate: Bearer realm=\"wasmcached\"\r\n",
            Self::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        }
    }
}

impl PageKind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Metrics(MetricsText::OpenMetrics) => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Metrics(MetricsText::Prometheus) => "text/plain; version=0.0.4; charset=utf-8",
            Self::Statistics => "application/json",
        }
    }
}

/// Writes the head of a page. Its body follows between [`begin_chunk`] and [`end_chunk`], unless `form` is `HEAD`'s.
pub fn begin_page(out: &mut Vec<u8>, kind: PageKind, form: AnswerForm, time: &Time) {
    let framing = if form.in_chunks { Framing::Chunks } else { Framing::End };
    head(out, HttpStatus::Ok, kind.content_type(), framing, form, time);
}

/// Begins a piece of a body. Returns its place for [`end_chunk`].
pub fn begin_chunk(out: &mut Vec<u8>, form: AnswerForm) -> usize {
    let start = out.len();
    if form.in_chunks {
        out.extend_from_slice(&[b'0'; CHUNK_DIGITS]);
        out.extend_from_slice(b"\r\n");
    }
    start
}

/// Ends the piece that began at `start`, and the body if it was the last.
pub fn end_chunk(out: &mut Vec<u8>, form: AnswerForm, start: usize, is_last: bool) {
    if !form.in_chunks {
        return;
    }
    let body = start + CHUNK_DIGITS + 2;
    let bytes = out.len().saturating_sub(body);
    if bytes == 0 {
        // An empty chunk would end the body.
        out.truncate(start);
    } else {
        let digits = (0..CHUNK_DIGITS).rev().map(|place| b"0123456789abcdef"[bytes >> (4 * place) & 0xF]);
        out.iter_mut().skip(start).zip(digits).for_each(|(byte, digit)| *byte = digit);
        out.extend_from_slice(b"\r\n");
    }
    if is_last {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// Answers [`Asked::Live`] and [`Asked::Ready`].
pub fn answer_health(out: &mut Vec<u8>, is_well: bool, form: AnswerForm, time: &Time) {
    short(out, if is_well { HttpStatus::Ok } else { HttpStatus::Unavailable }, form, time);
}

/// Answers [`Asked::Refused`].
pub fn answer_refusal(out: &mut Vec<u8>, status: HttpStatus, form: AnswerForm, time: &Time) {
    short(out, status, form, time);
}

fn short(out: &mut Vec<u8>, status: HttpStatus, form: AnswerForm, time: &Time) {
    let body = status.remedy();
    head(out, status, "text/plain; charset=utf-8", Framing::Length(body.len() + 1), form, time);
    if !form.head_only {
        out.extend_from_slice(body.as_bytes());
        out.push(b'\n');
    }
}

fn head(out: &mut Vec<u8>, status: HttpStatus, content: &str, framing: Framing, form: AnswerForm, time: &Time) {
    let mut text = Text(out);
    // Writing to a vector cannot fail.
    let _ = write!(text, "HTTP/1.1 {}\r\nServer: wasmcached\r\nDate: ", status.line());
    let _ = date(&mut text, time.unix(time.now));
    let _ = write!(text, "\r\nContent-Type: {content}\r\n");
    let _ = match framing {
        Framing::Length(bytes) => write!(text, "Content-Length: {bytes}\r\n"),
        Framing::Chunks => text.write_str("Transfer-Encoding: chunked\r\n"),
        Framing::End => Ok(()),
    };
    let fields = "Cache-Control: no-store\r\nVary: Accept, Authorization\r\nX-Content-Type-Options: nosniff\r\n";
    let connection = match (form.closes, form.says_alive) {
        (true, _) => "Connection: close\r\n",
        (false, true) => "Connection: keep-alive\r\n",
        (false, false) => "",
    };
    let _ = write!(text, "{fields}{}{connection}\r\n", status.fields());
}

/// Writes a time as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &mut Text<'_>, unix: i64) -> core::fmt::Result {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const LAST: i64 = 253_402_300_799; // The end of the year 9999, the last of four digits.
    let unix = unix.clamp(0, LAST);
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Years that begin in March have their leap day at the end; 400 of them have as many days as any other 400.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    let (weekday, month) = (WEEKDAYS[(days % 7) as usize], MONTHS[month as usize]);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(text, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

impl HttpRequest {
    /// The same request, refused.
    #[must_use]
    pub fn refused(self, status: HttpStatus) -> Self {
        Self { asked: Asked::Refused(status), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn date_of(unix: i64) -> String {
        let mut out = Vec::new();
        date(&mut Text(&mut out), unix).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix, wanted) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(date_of(unix), wanted);
        }
    }

    #[test]
    fn pieces_are_chunks_where_the_client_knows_them() {
        let answer = |in_chunks: bool, pieces: &[&[u8]]| {
            let (form, mut out) = (AnswerForm { in_chunks, ..AnswerForm::default() }, Vec::new());
            for (number, piece) in pieces.iter().enumerate() {
                let start = begin_chunk(&mut out, form);
                out.extend_from_slice(piece);
                end_chunk(&mut out, form, start, number + 1 == pieces.len());
            }
            String::from_utf8(out).unwrap()
        };
        let long = [b'x'; 300];
        assert_eq!(answer(true, &[b"abc", b"", b"d"]), "00000003\r\nabc\r\n00000001\r\nd\r\n0\r\n\r\n");
        assert!(answer(true, &[&long]).starts_with("0000012c\r\nxxx"));
        assert_eq!(answer(true, &[b""]), "0\r\n\r\n");
        assert_eq!(answer(false, &[b"abc", b"d"]), "abcd");
    }
}
