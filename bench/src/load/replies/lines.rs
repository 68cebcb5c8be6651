//! Common to the two line protocols: an item is a line of a fixed format, its value and a line end.

use super::super::dataset::KEY_BYTES;

/// The line of an item: constant except for the key, because all values have one length.
#[derive(Debug)]
pub(super) struct ItemLine {
    /// Bytes before the key.
    pub(super) before_key: Vec<u8>,
    /// Bytes after the key, with the line end.
    pub(super) after_key: Vec<u8>,
}

impl ItemLine {
    /// The key, if the line has the expected format.
    pub(super) fn key_of<'b>(&self, line: &'b [u8]) -> Option<&'b [u8]> {
        line.strip_prefix(self.before_key.as_slice())?
            .strip_suffix(self.after_key.as_slice())
            .filter(|key| key.len() == KEY_BYTES)
    }

    /// How many of `bytes` complete the line that `partial` begins, if they complete it.
    pub(super) fn line_bytes(&self, partial: &[u8], bytes: &[u8]) -> Option<usize> {
        let item = self.before_key.len() + KEY_BYTES + self.after_key.len();
        if partial.is_empty() && bytes.get(item - 1) == Some(&b'\n') && bytes.starts_with(&self.before_key) {
            return Some(item);
        }
        bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1)
    }
}
