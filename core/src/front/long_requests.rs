//! Long requests: which connection probably sends one next.

use crate::limits;

/// A connection's habit of long requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LongRequests {
    /// Length of the last long one.
    pub(super) bytes: usize,
    /// Number of further reads of which one is expected to begin a long one.
    patience: u8,
    /// The connection's own buffer is a lent one.
    pub(super) has_buffer: bool,
}

impl LongRequests {
    /// Whether the next read probably begins a long request.
    #[inline]
    pub(super) fn are_expected(&self) -> bool {
        self.patience > 0
    }

    /// Whether the next read goes into a lent buffer, of which `space` bytes are free.
    #[inline]
    pub(super) fn has_room(&self, space: usize) -> bool {
        self.has_buffer && space > 0
    }

    /// Learns from the input of a turn, or from a request that needs so many bytes.
    pub(super) fn note(&mut self, bytes: usize) {
        match bytes {
            0 => {}
            1..limits::LONG_REQUEST_BYTES => self.patience = self.patience.saturating_sub(1),
            limits::LONG_REQUEST_BYTES..=limits::LENT_BUFFER_BYTES_MAX => {
                self.patience = limits::LONG_REQUEST_PATIENCE;
                self.bytes = bytes;
            }
            _ => self.patience = 0,
        }
    }
}
