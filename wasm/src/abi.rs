//! Plain exports: the verbs of `docs/boundary.md`.
//!
//! The one file of the engine with `unsafe`.

use core::{cell::UnsafeCell, fmt};

/// Bytes of a panic's message that are kept.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What the last panic said. A static, because after a panic nothing may be allocated.
static MESSAGE: Message = Message(UnsafeCell::new(Text { bytes: [0; MESSAGE_BYTES_MAX], length: 0 }));

struct Message(UnsafeCell<Text>);

// SAFETY: a guest is single-threaded, and nobody holds a reference into the cell across a call.
unsafe impl Sync for Message {}

struct Text {
    bytes: [u8; MESSAGE_BYTES_MAX],
    length: usize,
}

impl fmt::Write for Text {
    /// Keeps what fits and drops the rest: a panic must not fail.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.bytes[self.length..];
        let taken = text.len().min(free.len());
        free[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        Ok(())
    }
}

/// Keeps a panic's message for [`message_bytes`]; allocates nothing.
pub fn leave_message(message: &dyn fmt::Display) {
    // SAFETY: single-threaded, and `Display` of a panic's message does not come back here.
    let text = unsafe { &mut *MESSAGE.0.get() };
    text.length = 0;
    // `Text` never fails; a `Display` that does has said what it could.
    let _ = fmt::write(text, format_args!("{message}"));
}

/// The message that [`leave_message`] kept; empty if there was no panic.
pub fn message_bytes() -> &'static [u8] {
    // SAFETY: single-threaded; the text changes only in a panic, after which no caller of this is running.
    let text = unsafe { &*MESSAGE.0.get() };
    &text.bytes[..text.length]
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, leave_message, message_bytes};

    /// One test, because the message is one static.
    #[test]
    fn a_message_is_kept_and_cut() {
        leave_message(&"index 3 is out of bounds");
        assert_eq!(message_bytes(), b"index 3 is out of bounds");
        leave_message(&"x".repeat(MESSAGE_BYTES_MAX + 1));
        assert_eq!(message_bytes(), "x".repeat(MESSAGE_BYTES_MAX).as_bytes());
    }
}
