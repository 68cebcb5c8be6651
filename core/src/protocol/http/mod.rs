//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) for those who look at the server: `GET` and `HEAD` of a few pages.
//!
//! ```text
//! request = method SP target SP version end *( name ":" value end ) end      end = CR LF, or LF alone
//! ```
//!
//! | page | content |
//! |---|---|
//! | `/metrics` | every statistic, in the text of OpenMetrics or of Prometheus ([`metrics`]) |
//! | `/stats.json` | the same with units and help ([`json`]) |
//! | `/healthz/live` | `200`: the worker answers |
//! | `/healthz`, `/healthz/ready` | `200`, or `503` while connections are not accepted or a store was just lost |
//!
//! A head is bounded, and a request with a body is refused. A refusal after which the next request cannot be found ends
//! the connection. No page has a key or a value.

mod accept;
mod encode;
mod families;
pub mod json;
pub mod metrics;
mod parse;
mod samples;

pub use encode::{answer_health, answer_refusal, begin_chunk, begin_page, end_chunk};
pub use parse::parse;

use super::Span;
use crate::{
    boundary::config::Config,
    settings::Setting,
    statistics::{Classes, Numbers},
};
use alloc::{string::String, vec::Vec};

/// A request, or what refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The page that is asked for.
    pub asked: Asked,
    /// How the answer is sent.
    pub form: AnswerForm,
    /// Place of the token of `Authorization: Bearer`; empty if there is none.
    pub token: Span,
}

/// See [`HttpRequest::asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Statistics, sent in pieces.
    Page(PageKind),
    /// `/healthz/live`
    Live,
    /// `/healthz`, `/healthz/ready`
    Ready,
    /// Nothing that can be given.
    Refused(HttpStatus),
}

/// A page of statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// `/metrics`
    Metrics(MetricsText),
    /// `/stats.json`
    Statistics,
}

/// The text of `/metrics`, as the client prefers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsText {
    /// OpenMetrics 1.0.
    #[default]
    OpenMetrics,
    /// The text of Prometheus, version 0.0.4.
    Prometheus,
}

/// How an answer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerForm {
    /// `HEAD`: the head alone.
    pub head_only: bool,
    /// HTTP/1.1: a body of unknown length comes in chunks. Without it, the end of the connection ends the body.
    pub in_chunks: bool,
    /// The connection ends with the answer.
    pub closes: bool,
    /// HTTP/1.0: the client asked that the connection stays.
    pub says_alive: bool,
}

/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpStatus {
    /// 200
    Ok,
    /// 400: malformed.
    BadRequest,
    /// 401: without the token, or with another one.
    Unauthorized,
    /// 404: no such page.
    NotFound,
    /// 405: neither GET nor HEAD.
    MethodNotAllowed,
    /// 413: requests have no body here.
    ContentTooLarge,
    /// 414: the first line is too long.
    UriTooLong,
    /// 431: the head is too long.
    FieldsTooLarge,
    /// 501: no such method.
    NotImplemented,
    /// 503: not ready.
    Unavailable,
    /// 505: not HTTP/1.
    VersionNotSupported,
}

/// The place that a page has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePlace {
    /// The page.
    pub kind: PageKind,
    /// Number of the next row.
    pub row: usize,
}

/// The numbers that the rows of a piece are made of.
#[derive(Clone, Copy, Debug)]
pub enum PageNumbers<'a> {
    /// Of the whole server.
    Server {
        /// Which rows are shown.
        config: &'a Config,
        /// The statistics.
        numbers: &'a Numbers,
        /// The settings in force.
        settings: &'a [(Setting, String)],
    },
    /// Of the size classes.
    Classes(&'a Classes),
}

impl PagePlace {
    /// The first row.
    pub fn first(kind: PageKind) -> Self {
        Self { kind, row: 0 }
    }

    /// Whether the next rows are those of size classes.
    pub fn is_in_classes(&self) -> bool {
        self.row >= self.class_row()
    }

    /// Whether all rows are written.
    pub fn is_at_end(&self) -> bool {
        self.row >= self.rows()
    }

    /// Writes rows from `numbers`, which are those of the next row, until there are `room` bytes.
    pub fn write(&mut self, out: &mut Vec<u8>, numbers: &PageNumbers<'_>, room: usize) {
        let (start, end) = (out.len(), if self.is_in_classes() { self.rows() } else { self.class_row() });
        while self.row < end && out.len().saturating_sub(start) < room {
            match self.kind {
                PageKind::Metrics(text) => metrics::write_row(out, text, self.row, numbers),
                PageKind::Statistics => json::write_row(out, self.row, numbers),
            }
            self.row = self.row.saturating_add(1);
        }
    }

    fn class_row(&self) -> usize {
        match self.kind {
            PageKind::Metrics(_) => metrics::SERVER_ROWS,
            PageKind::Statistics => json::SERVER_ROWS,
        }
    }

    fn rows(&self) -> usize {
        match self.kind {
            PageKind::Metrics(_) => metrics::ROWS,
            PageKind::Statistics => json::ROWS,
        }
    }
}
