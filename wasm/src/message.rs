//! The text of a panic, in a buffer of fixed size: a panic may be about memory, so nothing here allocates.

use core::fmt;

/// At most `BYTES_MAX` bytes of text.
pub(crate) struct Message<const BYTES_MAX: usize> {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl<const BYTES_MAX: usize> Message<BYTES_MAX> {
    /// No text.
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; BYTES_MAX], length: 0 }
    }

    /// Replaces the text by the beginning of `message` that fits.
    pub(crate) fn set(&mut self, message: &dyn fmt::Display) {
        self.length = 0;
        // Writing never fails. A `Display` that fails has written a part, which is kept.
        let _ = fmt::write(self, format_args!("{message}"));
    }

    /// The text; empty if there is none.
    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl<const BYTES_MAX: usize> fmt::Write for Message<BYTES_MAX> {
    /// Keeps what fits and drops the rest: a panic must not fail.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.bytes[self.length..];
        let taken = &text[..text.floor_char_boundary(free.len())];
        free[..taken.len()].copy_from_slice(taken.as_bytes());
        self.length += taken.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_cut_between_characters() {
        let mut message = Message::<8>::new();
        assert_eq!(message.text(), "");
        message.set(&"1234567ü");
        assert_eq!(message.text(), "1234567");
        message.set(&"short");
        assert_eq!(message.text(), "short");
    }
}
