//! What the two protocols of lines have in common: an item is a line of one shape, then its value, then a line end.

use super::super::dataset::KEY_BYTES;

/// The line of an item, which is the same but for the key, for all values have one length.
#[derive(Debug)]
pub(super) struct ItemLine {
    /// What stands before the key.
    pub(super) before_key: Vec<u8>,
    /// What stands after it, with the line end.
    pub(super) after_key: Vec<u8>,
}

impl ItemLine {
    /// The key, where the line has the one shape it may have.
    pub(super) fn key_of<'b>(&self, line: &'b [u8]) -> Option<&'b [u8]> {
        line.strip_prefix(self.before_key.as_slice())?
            .strip_suffix(self.after_key.as_slice())
            .filter(|key| key.len() == KEY_BYTES)
    }

    /// How many of `bytes` complete the line that `partial` begins, if it ends there.
    pub(super) fn line_bytes(&self, partial: &[u8], bytes: &[u8]) -> Option<usize> {
        let item = self.before_key.len() + KEY_BYTES + self.after_key.len();
        if partial.is_empty() && bytes.get(item - 1) == Some(&b'\n') && bytes.starts_with(&self.before_key) {
            return Some(item);
        }
        bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1)
    }
}
