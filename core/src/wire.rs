//! Little-endian records between guests and their host: one writer, one reader, used by every serialised type.
//!
//! Both ends are usually this crate, but a reader never trusts a length: a short record decodes to `None`.

use alloc::vec::Vec;

/// Appends fields to a buffer.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length in four bytes, then the bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value);
    }

    /// The number of counters in four bytes, then eight bytes for each.
    pub fn counters(&mut self, counters: &[u64]) {
        self.u32(counters.len() as u32);
        counters.iter().for_each(|&counter| self.u64(counter));
    }
}

/// Takes fields from the front of a slice.
#[derive(Clone)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        let (&head, tail) = self.0.split_first()?;
        self.0 = tail;
        Some(head)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(u32::from_le_bytes(*head))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(u64::from_le_bytes(*head))
    }

    /// A length in four bytes, then the bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// Counters of a writer that may have fewer, which are 0 then, or more, which are skipped.
    pub fn counters<const COUNT: usize>(&mut self) -> Option<[u64; COUNT]> {
        let count = self.u32()?;
        let mut sent = Reader(self.take((count as usize).checked_mul(8)?)?);
        Some([(); COUNT].map(|()| sent.u64().unwrap_or(0)))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_another_version_are_skipped_or_zero() {
        let mut bytes = Vec::new();
        Writer(&mut bytes).counters(&[1, 2, 3]);
        Writer(&mut bytes).counters(&[4]);
        let mut r = Reader(&bytes);
        assert_eq!(r.counters(), Some([1, 2]));
        assert_eq!(r.counters(), Some([4, 0]));
        assert!(r.is_empty());
        assert_eq!(Reader(&bytes[..27]).counters::<3>(), None, "cut");
        assert_eq!(Reader(&[255; 12]).counters::<1>(), None, "a count that cannot be");
    }
}
