//! Checks the replies of one connection while they stream in, without keeping them.
//!
//! Every reply is checked for kind, for the format of its heads, for the length of its values and their ends, for the
//! number of items, and in the binary protocol for the opaque of the request. A sampled reply is also checked key by key
//! and byte by byte.

mod binary;
mod lines;
mod meta;
mod text;

use std::collections::VecDeque;

use super::dataset::{Dataset, key};
use super::protocol::Protocol;
use super::workload::Expected;
use crate::outcome::Outcome;
use lines::ItemLine;

/// No valid head is longer: a line, or a packet without its value.
const HEAD_BYTES_MAX: usize = 512;

/// Protocol and data, prepared for the checks.
#[derive(Debug)]
pub struct Shape<'d> {
    dataset: &'d Dataset,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Text(ItemLine),
    Meta(ItemLine),
    Binary,
}

/// A part of a reply: a line, or a packet without its value.
#[derive(Debug)]
enum Head<'b> {
    /// A value follows; `key` if the protocol repeats it, `is_last` if the reply ends with this value.
    Item { key: Option<&'b [u8]>, is_last: bool },
    /// The end of the reply to a get.
    End,
    /// The reply to a set.
    Stored,
}

impl<'d> Shape<'d> {
    /// The shape of replies out of `dataset`.
    pub fn new(dataset: &'d Dataset, protocol: Protocol) -> Self {
        let form = match protocol {
            Protocol::Text => Form::Text(text::item_line(dataset.value_bytes)),
            Protocol::Meta => Form::Meta(meta::item_line(dataset.value_bytes)),
            Protocol::Binary => Form::Binary,
        };
        Self { dataset, form }
    }

    /// How many of `bytes` complete the head that `partial` begins, if they complete it.
    fn head_bytes(&self, partial: &[u8], bytes: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Text(item) | Form::Meta(item) => item.line_bytes(partial, bytes),
            Form::Binary => binary::head_bytes(partial, bytes),
        }
    }

    fn head<'b>(&self, head: &'b [u8], front: &Expected) -> Outcome<Head<'b>> {
        match &self.form {
            Form::Text(item) => text::head(head, item, front),
            Form::Meta(item) => meta::head(head, item, front),
            Form::Binary => binary::head(head, self.dataset.value_bytes, front),
        }
    }

    /// The bytes between a value and the next head.
    fn value_end(&self) -> &'static [u8] {
        match self.form {
            Form::Text(_) | Form::Meta(_) => b"\r\n",
            Form::Binary => b"",
        }
    }
}

/// A complete reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// Due time of its request.
    pub due_ns: u64,
    /// Requested keys, or one for a set.
    pub keys: u32,
    /// Requested keys that were missing.
    pub misses: u32,
}

/// State between two reads.
#[derive(Debug, Default)]
pub struct ReplyReader {
    partial_head: Vec<u8>,
    body_left: usize,
    body_index: Option<u32>,
    is_last_body: bool,
    items: u32,
    sample_position: usize,
}

impl ReplyReader {
    /// Processes the bytes of one read; calls `done` for each reply that is complete now, oldest first.
    ///
    /// # Errors
    /// Describes the first wrong reply.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        shape: &Shape<'_>,
        expected: &mut VecDeque<Expected>,
        mut done: impl FnMut(Done),
    ) -> Outcome<()> {
        while !bytes.is_empty() {
            if self.body_left > 0 {
                bytes = self.body(bytes, shape)?;
                if self.body_left == 0 && self.is_last_body {
                    self.end(expected, &mut done);
                }
                continue;
            }
            let Some(head_bytes) = shape.head_bytes(&self.partial_head, bytes) else {
                self.partial_head.extend_from_slice(bytes);
                return self.check_partial();
            };
            let (head, rest) = bytes.split_at(head_bytes);
            bytes = rest;
            if self.partial_head.is_empty() {
                self.head(head, shape, expected, &mut done)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial_head);
                whole.extend_from_slice(head);
                self.head(&whole, shape, expected, &mut done)?;
                whole.clear();
                self.partial_head = whole;
            }
        }
        Ok(())
    }

    fn check_partial(&self) -> Outcome<()> {
        if self.partial_head.len() <= HEAD_BYTES_MAX {
            return Ok(());
        }
        Err(format!("an overlong reply line: {}", shown(&self.partial_head)))
    }

    fn head(
        &mut self,
        head: &[u8],
        shape: &Shape<'_>,
        expected: &mut VecDeque<Expected>,
        done: &mut impl FnMut(Done),
    ) -> Outcome<()> {
        let front = expected.front().ok_or_else(|| format!("an unexpected reply: {}", shown(head)))?;
        match shape.head(head, front)? {
            Head::Stored => {
                done(Done { due_ns: front.due_ns, keys: 1, misses: 0 });
                expected.pop_front();
            }
            Head::End => self.end(expected, done),
            Head::Item { key, is_last } => {
                self.items += 1;
                if self.items > front.keys {
                    return Err(format!("more items than the {} requested keys", front.keys));
                }
                self.body_index = match (&front.sample, key) {
                    (Some(sample), Some(found)) => Some(self.sampled_index(found, sample)?),
                    // A reply omits the key only if one key was requested.
                    (Some(sample), None) => sample.first().copied(),
                    (None, _) => None,
                };
                self.is_last_body = is_last;
                self.body_left = shape.dataset.value_bytes + shape.value_end().len();
            }
        }
        Ok(())
    }

    fn end(&mut self, expected: &mut VecDeque<Expected>, done: &mut impl FnMut(Done)) {
        if let Some(Expected { due_ns, keys, .. }) = expected.pop_front() {
            done(Done { due_ns, keys, misses: keys - self.items });
        }
        self.items = 0;
        self.sample_position = 0;
        self.is_last_body = false;
    }

    /// Finds `found` among the sampled keys without a reply; skipped keys are misses.
    fn sampled_index(&mut self, found: &[u8], sample: &[u32]) -> Outcome<u32> {
        let rest = &sample[self.sample_position..];
        let skipped = rest.iter().position(|&index| key(index) == *found);
        let skipped = skipped.ok_or_else(|| format!("an unrequested key, or one out of order: {}", shown(found)))?;
        self.sample_position += skipped + 1;
        Ok(rest[skipped])
    }

    fn body<'b>(&mut self, bytes: &'b [u8], shape: &Shape<'_>) -> Outcome<&'b [u8]> {
        let (value_bytes, end) = (shape.dataset.value_bytes, shape.value_end());
        let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
        let start = value_bytes + end.len() - self.body_left;
        self.body_left -= body.len();
        let (value, line_end) = body.split_at(value_bytes.saturating_sub(start).min(body.len()));
        if let Some(index) = self.body_index
            && !shape.dataset.value(index)[start.min(value_bytes)..].starts_with(value)
        {
            return Err(format!("a wrong value for {}", shown(&key(index))));
        }
        let line_end_start = start.saturating_sub(value_bytes);
        if end[line_end_start..line_end_start + line_end.len()] != *line_end {
            return Err(format!("a value that does not end after {value_bytes} bytes"));
        }
        Ok(rest)
    }
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(80)].escape_ascii())
}

#[cfg(test)]
mod tests;
