//! The six operations of the clients, and the writer of their requests.

pub mod binary;
pub mod meta;
pub mod text;

use super::dataset::{Dataset, KeyStream};
use super::protocol::Protocol;

/// A kind of work.
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

    /// Name on the command line and in reports.
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

    /// Requests that are written together before their replies are awaited.
    pub fn requests_per_round(self) -> u32 {
        match self {
            Self::GetPipelined => 16,
            Self::SetPipelined => 8,
            Self::Get | Self::GetMany | Self::Set | Self::Mixed => 1,
        }
    }

    /// Keys of one request.
    pub fn keys_per_request(self) -> u32 {
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

/// The expected reply to one request.
#[derive(Debug)]
pub struct Expected {
    /// When the request was due; nanoseconds on the driver's clock.
    pub due_ns: u64,
    /// Requested keys; 0 for a set.
    pub keys: u32,
    /// Opaque field of the binary protocol.
    pub number: u32,
    /// Indexes of the requested keys, if this reply is checked key by key and byte by byte.
    pub sample: Option<Box<[u32]>>,
}

/// Writes requests and describes their replies.
#[derive(Debug)]
pub struct RequestWriter<'d> {
    dataset: &'d Dataset,
    protocol: Protocol,
    operation: Operation,
    keys: KeyStream,
    set_tail: Vec<u8>,
    indexes: Vec<u32>,
    number: u32,
    check_every: u32,
    until_check: u32,
}

impl<'d> RequestWriter<'d> {
    /// A writer of `operation` that samples one reply in `check_every` for a full check (0: none).
    pub fn new(
        dataset: &'d Dataset,
        protocol: Protocol,
        operation: Operation,
        keys: KeyStream,
        check_every: u32,
    ) -> Self {
        let set_tail = match protocol {
            Protocol::Text => text::set_tail(dataset.value_bytes),
            Protocol::Meta => meta::set_tail(dataset.value_bytes),
            Protocol::Binary => Vec::new(),
        };
        let until_check = check_every;
        Self { dataset, protocol, operation, keys, set_tail, indexes: Vec::new(), number: 0, check_every, until_check }
    }

    /// Appends one request to `out`.
    pub fn write(&mut self, due_ns: u64, out: &mut Vec<u8>) -> Expected {
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        if self.operation.writes(&mut self.keys) {
            self.write_set(out);
            return Expected { due_ns, keys: 0, number, sample: None };
        }
        let keys = self.operation.keys_per_request();
        self.indexes.clear();
        for _ in 0..keys {
            self.indexes.push(self.keys.next_index());
        }
        let indexes = self.indexes.as_slice();
        match self.protocol {
            Protocol::Text => text::write_get(indexes, out),
            Protocol::Meta => meta::write_get(indexes, out),
            Protocol::Binary => binary::write_get(indexes, number, out),
        }
        let sample = self.is_checked().then(|| self.indexes.as_slice().into());
        Expected { due_ns, keys, number, sample }
    }

    fn write_set(&mut self, out: &mut Vec<u8>) {
        let index = self.keys.next_index();
        match self.protocol {
            Protocol::Text => text::write_set(self.dataset, index, &self.set_tail, out),
            Protocol::Meta => meta::write_set(self.dataset, index, &self.set_tail, out),
            Protocol::Binary => binary::write_set(self.dataset, index, self.number, out),
        }
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

#[cfg(test)]
mod tests {
    use super::super::dataset::{KEY_BYTES, Popularity, key};
    use super::*;

    fn written(protocol: Protocol, operation: Operation, check_every: u32) -> (Vec<u8>, Expected) {
        let dataset = Dataset::new(1, 3);
        let keys = KeyStream::new(1, Popularity::Uniform, 1).unwrap();
        let mut out = Vec::new();
        let expected = RequestWriter::new(&dataset, protocol, operation, keys, check_every).write(9, &mut out);
        (out, expected)
    }

    #[test]
    fn a_get_is_one_line() {
        let (out, expected) = written(Protocol::Text, Operation::Get, 1);
        assert_eq!(out, b"get key:0000000000000000\r\n");
        assert_eq!((expected.due_ns, expected.keys, expected.sample.as_deref()), (9, 1, Some([0].as_slice())));
        let (out, expected) = written(Protocol::Meta, Operation::Get, 1);
        assert_eq!(out, b"mg key:0000000000000000 k f v\r\n");
        assert_eq!((expected.due_ns, expected.keys, expected.sample.as_deref()), (9, 1, Some([0].as_slice())));
    }

    #[test]
    fn a_multi_get_names_fifty_keys() {
        for protocol in Protocol::ALL {
            let (out, expected) = written(protocol, Operation::GetMany, 0);
            assert_eq!(out.windows(KEY_BYTES).filter(|window| *window == key(0)).count(), 50, "{protocol:?}");
            assert_eq!((expected.keys, expected.sample), (50, None));
        }
    }

    #[test]
    fn quiet_gets_end_with_one_that_is_answered() {
        let (out, _) = written(Protocol::Meta, Operation::GetMany, 0);
        assert!(out.starts_with(b"mg key:0000000000000000 k f v q\r\n") && out.ends_with(b" q\r\nmn\r\n"));
        let (out, expected) = written(Protocol::Binary, Operation::GetMany, 0);
        let noop = &out[50 * (binary::HEADER_BYTES + KEY_BYTES)..];
        assert_eq!((noop.len(), noop[1], out[1]), (binary::HEADER_BYTES, binary::NOOP, binary::GETKQ));
        assert_eq!(noop[12..16], expected.number.to_be_bytes());
    }

    #[test]
    fn a_set_carries_its_value() {
        let dataset = Dataset::new(1, 3);
        let heads = [
            (Protocol::Text, b"set key:0000000000000000 0 0 3\r\n".as_slice(), b"\r\n".as_slice()),
            (Protocol::Meta, b"ms key:0000000000000000 3\r\n", b"\r\n"),
            (
                Protocol::Binary,
                b"\x80\x01\0\x14\x08\0\0\0\0\0\0\x1f\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0key:0000000000000000",
                b"",
            ),
        ];
        for (protocol, head, tail) in heads {
            let (out, expected) = written(protocol, Operation::Set, 1);
            assert_eq!(out, [head, dataset.value(0), tail].concat(), "{protocol:?}");
            assert_eq!(expected.keys, 0);
        }
    }
}
