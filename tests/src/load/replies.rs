//! Checks the replies of one connection while they stream in, without keeping them.
//!
//! Every reply is checked for kind, for the shape of its item lines, for the length of its values and their line ends,
//! and for the number of items. A reply that carries a sample is also checked key by key and byte by byte.

use std::collections::VecDeque;

use super::Outcome;
use super::dataset::{Dataset, KEY_BYTES, key};
use super::workload::Expected;

/// A line longer than this is no reply that a benchmark can get.
const LINE_BYTES_MAX: usize = 512;

/// What the checks need to know of the data, prepared once.
#[derive(Debug)]
pub struct Shape<'d> {
    dataset: &'d Dataset,
    header_tail: Vec<u8>,
}

impl<'d> Shape<'d> {
    /// The shape of replies out of `dataset`.
    pub fn new(dataset: &'d Dataset) -> Self {
        Self { dataset, header_tail: format!(" 0 {}\r\n", dataset.value_bytes).into_bytes() }
    }

    fn header_bytes(&self) -> usize {
        VALUE.len() + KEY_BYTES + self.header_tail.len()
    }

    /// The key of an item's line, where the line has the one shape it may have.
    fn key_of<'b>(&self, line: &'b [u8]) -> Option<&'b [u8]> {
        line.strip_prefix(VALUE)?.strip_suffix(self.header_tail.as_slice()).filter(|key| key.len() == KEY_BYTES)
    }
}

const VALUE: &[u8] = b"VALUE ";
const END: &[u8] = b"END\r\n";
const STORED: &[u8] = b"STORED\r\n";

/// A reply that came in whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// When its request was due.
    pub due_ns: u64,
    /// Keys asked for, or one for a set.
    pub keys: u32,
    /// Keys asked for that were not there.
    pub misses: u32,
}

/// The state between two reads.
#[derive(Debug, Default)]
pub struct ReplyReader {
    partial_line: Vec<u8>,
    body_left: usize,
    body_index: Option<u32>,
    items: u32,
    sample_position: usize,
}

impl ReplyReader {
    /// Takes what one read delivered; calls `done` for each reply that is now whole, oldest first.
    ///
    /// # Errors
    /// The first reply that is not what was asked for, in words.
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
                continue;
            }
            let Some(line_bytes) = self.line_bytes(bytes, shape) else {
                self.partial_line.extend_from_slice(bytes);
                return self.check_partial();
            };
            let (line, rest) = bytes.split_at(line_bytes);
            bytes = rest;
            if self.partial_line.is_empty() {
                self.line(line, shape, expected, &mut done)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial_line);
                whole.extend_from_slice(line);
                self.line(&whole, shape, expected, &mut done)?;
                whole.clear();
                self.partial_line = whole;
            }
        }
        Ok(())
    }

    /// The length of the line at the front of `bytes`, if it ends there.
    fn line_bytes(&self, bytes: &[u8], shape: &Shape<'_>) -> Option<usize> {
        let header = shape.header_bytes();
        if self.partial_line.is_empty() && bytes.starts_with(VALUE) && bytes.get(header - 1) == Some(&b'\n') {
            return Some(header);
        }
        bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1)
    }

    fn check_partial(&self) -> Outcome<()> {
        if self.partial_line.len() <= LINE_BYTES_MAX {
            return Ok(());
        }
        Err(format!("a reply line without end: {}", shown(&self.partial_line)))
    }

    fn line(
        &mut self,
        line: &[u8],
        shape: &Shape<'_>,
        expected: &mut VecDeque<Expected>,
        done: &mut impl FnMut(Done),
    ) -> Outcome<()> {
        let front = expected.front().ok_or_else(|| format!("a reply nobody asked for: {}", shown(line)))?;
        if front.keys == 0 {
            if line != STORED {
                return Err(format!("the reply to a set is {}", shown(line)));
            }
            done(Done { due_ns: front.due_ns, keys: 1, misses: 0 });
            expected.pop_front();
            return Ok(());
        }
        if line == END {
            done(Done { due_ns: front.due_ns, keys: front.keys, misses: front.keys - self.items });
            self.items = 0;
            self.sample_position = 0;
            expected.pop_front();
            return Ok(());
        }
        let found = shape.key_of(line).ok_or_else(|| format!("a line of the reply to a get is {}", shown(line)))?;
        self.items += 1;
        if self.items > front.keys {
            return Err(format!("more items than the {} keys asked for", front.keys));
        }
        self.body_index = match &front.sample {
            Some(sample) => Some(self.sampled_index(found, sample)?),
            None => None,
        };
        self.body_left = shape.dataset.value_bytes + 2;
        Ok(())
    }

    /// Finds `found` among the sampled keys not yet answered; those passed over were misses.
    fn sampled_index(&mut self, found: &[u8], sample: &[u32]) -> Outcome<u32> {
        let rest = &sample[self.sample_position..];
        let skipped = rest.iter().position(|&index| key(index) == *found);
        let skipped = skipped.ok_or_else(|| format!("a key not asked for, or out of order: {}", shown(found)))?;
        self.sample_position += skipped + 1;
        Ok(rest[skipped])
    }

    fn body<'b>(&mut self, bytes: &'b [u8], shape: &Shape<'_>) -> Outcome<&'b [u8]> {
        let value_bytes = shape.dataset.value_bytes;
        let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
        let start = value_bytes + 2 - self.body_left;
        self.body_left -= body.len();
        let (value, line_end) = body.split_at(value_bytes.saturating_sub(start).min(body.len()));
        if let Some(index) = self.body_index
            && !shape.dataset.value(index)[start.min(value_bytes)..].starts_with(value)
        {
            return Err(format!("a wrong value for {}", shown(&key(index))));
        }
        let line_end_start = start.saturating_sub(value_bytes);
        if b"\r\n"[line_end_start..line_end_start + line_end.len()] != *line_end {
            return Err(format!("a value that does not end after {value_bytes} bytes"));
        }
        Ok(rest)
    }
}

fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(80)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        Dataset::new(100, 7)
    }

    fn item(dataset: &Dataset, index: u32) -> Vec<u8> {
        [b"VALUE ", &key(index)[..], b" 0 7\r\n", dataset.value(index), b"\r\n"].concat()
    }

    fn get(indexes: &[u32]) -> Expected {
        Expected { due_ns: 5, keys: indexes.len() as u32, sample: Some(indexes.into()) }
    }

    fn set() -> Expected {
        Expected { due_ns: 6, keys: 0, sample: None }
    }

    fn read(chunks: &[&[u8]], expected: Vec<Expected>) -> Outcome<Vec<Done>> {
        let dataset = dataset();
        let shape = Shape::new(&dataset);
        let mut expected = VecDeque::from(expected);
        let (mut reader, mut done) = (ReplyReader::default(), Vec::new());
        for chunk in chunks {
            reader.feed(chunk, &shape, &mut expected, |reply| done.push(reply))?;
        }
        Ok(done)
    }

    #[test]
    fn any_split_gives_the_same_replies() {
        let dataset = dataset();
        let stream = [item(&dataset, 1), item(&dataset, 3), END.to_vec(), STORED.to_vec(), END.to_vec()].concat();
        let wanted = vec![
            Done { due_ns: 5, keys: 3, misses: 1 },
            Done { due_ns: 6, keys: 1, misses: 0 },
            Done { due_ns: 5, keys: 1, misses: 1 },
        ];
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                let got = read(&chunks, vec![get(&[1, 2, 3]), set(), get(&[4])]);
                assert_eq!(got.as_ref(), Ok(&wanted), "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn wrong_replies_are_refused() {
        let dataset = dataset();
        let good = item(&dataset, 1);
        let mut wrong_value = good.clone();
        *wrong_value.last_chunk_mut::<3>().unwrap() = *b"?\r\n";
        let mut long_value = good.clone();
        long_value.insert(good.len() - 2, b'x');
        let refused: [(&[u8], Vec<Expected>); 8] = [
            (&wrong_value, vec![get(&[1])]),
            (&long_value, vec![get(&[1])]),
            (&good, vec![get(&[2])]),
            (&[good.as_slice(), &good].concat(), vec![get(&[1])]),
            (&[item(&dataset, 2), item(&dataset, 1)].concat(), vec![get(&[1, 2])]),
            (b"ERROR\r\n", vec![set()]),
            (b"STORED\r\n", vec![get(&[1])]),
            (b"END\r\n", vec![]),
        ];
        for (bytes, expected) in refused {
            assert!(read(&[bytes], expected).is_err(), "accepted {}", shown(bytes));
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert!(read(&[&[b'x'; LINE_BYTES_MAX + 1]], vec![set()]).is_err());
    }
}
