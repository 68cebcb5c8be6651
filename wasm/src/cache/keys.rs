//! Keys in the window, and the names under which their entries are stored.

use wasmcached_core::limits::KEY_BYTES_MAX;

/// The longest key: 64 KiB of a caller, and the number of a namespace in front.
pub(super) const LONG_KEY_BYTES_MAX: usize = 64 * 1024 + 5;
/// The first byte of the name of a long key. No other key begins with it.
pub(super) const LONG_KEY_TAG: u8 = 0xff;
/// Bytes of that name: the tag and two hashes.
pub(super) const LONG_NAME_BYTES: usize = 17;
/// Bytes of a word.
pub(super) const WORD_BYTES: usize = 4;

/// The place of a key in the window, behind the word for its length.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) key_bytes: usize,
}

impl Place {
    /// The key of a call with one key.
    #[inline]
    pub(super) fn first(key_bytes: u32) -> Self {
        Self { at: WORD_BYTES, key_bytes: key_bytes as usize }
    }

    /// The end of the key.
    pub(super) fn end(self) -> usize {
        self.at.saturating_add(self.key_bytes)
    }
}

impl Place {
    /// Whether the entry has another name than the key.
    #[inline]
    pub(super) fn is_long(self) -> bool {
        self.key_bytes > KEY_BYTES_MAX
    }

    /// The name under which the entry is stored.
    #[inline]
    pub(super) fn name<'a>(self, window: &'a [u8], long_name: &'a [u8; LONG_NAME_BYTES]) -> Option<&'a [u8]> {
        if self.is_long() { Some(long_name) } else { window.get(self.at..self.end()).filter(|key| !key.is_empty()) }
    }

    /// The bytes that lie in front of the value: of a long key, its length and the key itself.
    #[inline]
    pub(super) fn head(self, window: &[u8]) -> &[u8] {
        if self.is_long() { window.get(self.at - WORD_BYTES..self.end()).unwrap_or_default() } else { &[] }
    }
}

/// The places of several keys in the window.
pub(super) struct Places {
    pub(super) at: usize,
    pub(super) left: u32,
}

impl Places {
    pub(super) fn new(count: u32) -> Self {
        Self { at: 0, left: count }
    }

    pub(super) fn next(&mut self, window: &[u8]) -> Option<Place> {
        self.left = self.left.checked_sub(1)?;
        let key_bytes = u32::from_le_bytes(*window.get(self.at..)?.first_chunk()?);
        let place = Place { at: self.at + WORD_BYTES, key_bytes: key_bytes as usize };
        self.at = place.end();
        (self.at <= window.len()).then_some(place)
    }
}
