//! The field `Accept`: which text of `/metrics` a client prefers (RFC 9110, 12.5.1).

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::MetricsText;

/// A quality in thousandths.
type Quality = u16;

/// How well a client accepts either text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Preference {
    open_metrics: RangeMatch,
    prometheus: RangeMatch,
}

/// The quality of a type: that of the most specific range that includes it.
#[derive(Clone, Copy, Debug, Default)]
struct RangeMatch {
    /// 0: no range includes it. Then for `*/*`, for a range of types, and for the type itself.
    specificity: u8,
    quality: Quality,
}

impl RangeMatch {
    fn note(&mut self, specificity: u8, quality: Quality) {
        if (specificity, quality) > (self.specificity, self.quality) {
            *self = Self { specificity, quality };
        }
    }
}

impl Preference {
    /// Takes the value of a field.
    pub(super) fn add(&mut self, value: &[u8]) {
        for range in value.split(|&byte| byte == b',') {
            let mut parts = range.split(|&byte| byte == b';').map(trim);
            let name = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1000, None);
            for (name, value) in parts.filter_map(parameter) {
                if name.eq_ignore_ascii_case(b"q") {
                    quality = thousandths(value);
                } else if name.eq_ignore_ascii_case(b"version") {
                    version = Some(value);
                }
            }
            let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
            if is(b"*/*") {
                self.open_metrics.note(1, quality);
                self.prometheus.note(1, quality);
            } else if is(b"application/*") {
                self.open_metrics.note(2, quality);
            } else if is(b"text/*") {
                self.prometheus.note(2, quality);
            } else if is(b"application/openmetrics-text") && matches!(version, None | Some(b"1.0.0" | b"0.0.1")) {
                self.open_metrics.note(3, quality);
            } else if is(b"text/plain") && matches!(version, None | Some(b"0.0.4")) {
                self.prometheus.note(3, quality);
            }
        }
    }

    /// The text to send. A client that accepts neither gets OpenMetrics, as one that does not say.
    pub(super) fn text(&self) -> MetricsText {
        if self.prometheus.quality > self.open_metrics.quality {
            MetricsText::Prometheus
        } else {
            MetricsText::OpenMetrics
        }
    }
}

/// Name and value of a parameter, without quotes.
fn parameter(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', part)?;
    let (name, value) = part.split_at_checked(at)?;
    let value = trim(value.strip_prefix(b"=")?);
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some((trim(name), unquoted.unwrap_or(value)))
}

/// A quality; one that is malformed counts as 0.
fn thousandths(text: &[u8]) -> Quality {
    match text.split_first() {
        Some((b'1', _)) => 1000,
        Some((b'0', [])) => 0,
        Some((b'0', [b'.', digits @ ..])) if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let digits = digits.iter().copied().chain([b'0'; 3]).take(3);
            digits.fold(0, |sum, digit| sum.wrapping_mul(10).wrapping_add(Quality::from(digit.wrapping_sub(b'0'))))
        }
        _ => 0,
    }
}

/// The bytes without spaces and tabs around them.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_text_is_sent() {
        use MetricsText::{OpenMetrics, Prometheus};
        for (fields, wanted) in [
            (&[][..], OpenMetrics),
            (&["*/*"], OpenMetrics),
            (&["text/plain"], Prometheus),
            (&["text/plain;version=0.0.4"], Prometheus),
            (&["text/plain;version=1.0.0"], OpenMetrics),
            (&["TEXT/Plain ; Q=0.1"], Prometheus),
            (&["text/*"], Prometheus),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], OpenMetrics),
            (&["application/openmetrics-text"], OpenMetrics),
            (&["application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.1"], Prometheus),
            (&["application/openmetrics-text; version=\"1.0.0\"; q=0.5,text/plain;q=0.9"], Prometheus),
            (&["application/openmetrics-text;q=0", "text/plain;q=0.001"], Prometheus),
            (&["application/openmetrics-text;q=0.2,*/*"], Prometheus),
            (&["text/plain;q=0.2,*/*"], OpenMetrics),
            (&["text/plain;q=x"], OpenMetrics),
            // Prometheus 2 and 3.
            (
                &["application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                   q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"],
                OpenMetrics,
            ),
            (&["text/plain;version=0.0.4;q=0.6,*/*;q=0.1"], Prometheus),
        ] {
            let mut preference = Preference::default();
            fields.iter().for_each(|field| preference.add(field.as_bytes()));
            assert_eq!(preference.text(), wanted, "{fields:?}");
        }
    }
}
