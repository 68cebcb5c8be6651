//! What the clients do: six operations, and how each is written into a request buffer.

use super::dataset::{Dataset, KEY_BYTES, KeyStream, key};

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// One get, then wait for its reply.
    Get,
    /// Sixteen gets in one write, then wait for all replies.
    GetPipelined,
    /// One get of fifty keys.
    GetMany,
    /// One set, then wait for its reply.
    Set,
    /// Eight sets in one write, then wait for all replies.
    SetPipelined,
    /// Nine gets for one set, one at a time.
    Mixed,
}

impl Operation {
    /// All operations, in the order of the report.
    pub const ALL: [Self; 6] =
        [Self::Get, Self::GetPipelined, Self::GetMany, Self::Set, Self::SetPipelined, Self::Mixed];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetPipelined => "get-x16",
            Self::GetMany => "get-50keys",
            Self::Set => "set",
            Self::SetPipelined => "set-x8",
            Self::Mixed => "mix-90-10",
        }
    }

    /// Requests written together before any reply is awaited.
    pub fn requests_a_round(self) -> u32 {
        match self {
            Self::GetPipelined => 16,
            Self::SetPipelined => 8,
            Self::Get | Self::GetMany | Self::Set | Self::Mixed => 1,
        }
    }

    /// Keys named by one request.
    pub fn keys_a_request(self) -> u32 {
        if self == Self::GetMany { 50 } else { 1 }
    }

    fn writes(self, keys: &mut KeyStream) -> bool {
        match self {
            Self::Get | Self::GetPipelined | Self::GetMany => false,
            Self::Set | Self::SetPipelined => true,
            Self::Mixed => keys.one_in(10),
        }
    }
}

/// What the reply to one request must be.
#[derive(Debug)]
pub struct Expected {
    /// When the request was sent, or should have been; nanoseconds on the driver's clock.
    pub due_ns: u64,
    /// Keys asked for; 0 for a set.
    pub keys: u32,
    /// The indexes asked for, where this reply is checked key by key and byte by byte.
    pub sample: Option<Box<[u32]>>,
}

/// Writes requests and says what to expect of their replies.
#[derive(Debug)]
pub struct RequestWriter<'d> {
    dataset: &'d Dataset,
    operation: Operation,
    keys: KeyStream,
    set_tail: Vec<u8>,
    check_every: u32,
    until_check: u32,
}

impl<'d> RequestWriter<'d> {
    /// A writer of `operation` that asks for a full check of one reply in `check_every` (0: of none).
    pub fn new(dataset: &'d Dataset, operation: Operation, keys: KeyStream, check_every: u32) -> Self {
        let set_tail = format!(" 0 0 {}\r\n", dataset.value_bytes).into_bytes();
        Self { dataset, operation, keys, set_tail, check_every, until_check: check_every }
    }

    /// Appends one request to `out`.
    pub fn write(&mut self, due_ns: u64, out: &mut Vec<u8>) -> Expected {
        if self.operation.writes(&mut self.keys) {
            write_set(self.dataset, self.keys.next_index(), &self.set_tail, out);
            return Expected { due_ns, keys: 0, sample: None };
        }
        let keys = self.operation.keys_a_request();
        let mut sample = self.is_checked().then(|| Vec::with_capacity(keys as usize));
        out.extend_from_slice(b"get");
        for _ in 0..keys {
            let index = self.keys.next_index();
            out.push(b' ');
            out.extend_from_slice(&key(index));
            if let Some(sample) = &mut sample {
                sample.push(index);
            }
        }
        out.extend_from_slice(b"\r\n");
        Expected { due_ns, keys, sample: sample.map(Vec::into_boxed_slice) }
    }

    fn is_checked(&mut self) -> bool {
        if self.check_every == 0 {
            return false;
        }
        self.until_check -= 1;
        let checked = self.until_check == 0;
        if checked {
            self.until_check = self.check_every;
        }
        checked
    }
}

/// Appends `set key 0 0 bytes`, the value and its line end; `tail` is the command line after the key.
pub fn write_set(dataset: &Dataset, index: u32, tail: &[u8], out: &mut Vec<u8>) {
    out.reserve(4 + KEY_BYTES + tail.len() + dataset.value_bytes + 2);
    out.extend_from_slice(b"set ");
    out.extend_from_slice(&key(index));
    out.extend_from_slice(tail);
    out.extend_from_slice(dataset.value(index));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Popularity;
    use super::*;

    fn written(operation: Operation, check_every: u32) -> (Vec<u8>, Expected) {
        let dataset = Dataset::new(1, 3);
        let keys = KeyStream::new(1, Popularity::Uniform, 1).unwrap();
        let mut out = Vec::new();
        let expected = RequestWriter::new(&dataset, operation, keys, check_every).write(9, &mut out);
        (out, expected)
    }

    #[test]
    fn a_get_is_one_line() {
        let (out, expected) = written(Operation::Get, 1);
        assert_eq!(out, b"get key:0000000000000000\r\n");
        assert_eq!((expected.due_ns, expected.keys, expected.sample.as_deref()), (9, 1, Some([0].as_slice())));
    }

    #[test]
    fn a_multi_get_names_fifty_keys() {
        let (out, expected) = written(Operation::GetMany, 0);
        assert_eq!(out.len(), 3 + 50 * (KEY_BYTES + 1) + 2);
        assert_eq!((expected.keys, expected.sample), (50, None));
    }

    #[test]
    fn a_set_carries_its_value() {
        let (out, expected) = written(Operation::Set, 1);
        let mut wanted = b"set key:0000000000000000 0 0 3\r\n".to_vec();
        wanted.extend_from_slice(Dataset::new(1, 3).value(0));
        wanted.extend_from_slice(b"\r\n");
        assert_eq!(out, wanted);
        assert_eq!(expected.keys, 0);
    }
}
