//! The lines of commands that list items.

use super::words;
use crate::{
    boundary::listing::Listed,
    clock::{Expiry, Time},
    protocol::{control::ListingFormat, meta},
};
use alloc::vec::Vec;
use core::fmt::Write;

impl ListingFormat {
    /// The text before the first line.
    pub fn head(self) -> &'static [u8] {
        match self {
            Self::Metadata | Self::Keys => words::OK,
            Self::Items => b"",
        }
    }

    /// The text behind the last line.
    pub fn tail(self) -> &'static [u8] {
        match self {
            Self::Metadata | Self::Items => words::END,
            Self::Keys => words::END_META,
        }
    }

    /// The refusal with dumps turned off (`-X`), and in datagrams.
    pub fn not_allowed(self) -> &'static [u8] {
        match self {
            Self::Keys => words::MGDUMP_NOT_ALLOWED,
            Self::Metadata => words::METADUMP_NOT_ALLOWED,
            Self::Items => words::CACHEDUMP_NOT_ALLOWED,
        }
    }

    /// The refusal behind other commands of the same read.
    pub fn pipelined(self) -> &'static [u8] {
        match self {
            Self::Keys => words::MGDUMP_PIPELINED,
            Self::Metadata | Self::Items => words::METADUMP_PIPELINED,
        }
    }
}

/// Appends the line of an item.
pub fn answer_listed(out: &mut Vec<u8>, format: ListingFormat, item: &Listed<'_>, time: &Time) {
    match format {
        ListingFormat::Metadata => metadata(out, item, time),
        ListingFormat::Keys => {
            out.extend_from_slice(b"mg ");
            let is_plain = !item.encoded_key && item.key.iter().all(|byte| !matches!(byte, b' ' | b'\r' | b'\n'));
            if is_plain {
                out.extend_from_slice(item.key);
                out.extend_from_slice(b"\r\n");
            } else {
                meta::encode_key(out, item.key);
                out.extend_from_slice(b" b\r\n");
            }
        }
        ListingFormat::Items => {
            out.extend_from_slice(b"ITEM ");
            out.extend_from_slice(item.key);
            let exp = if item.expiry == Expiry::NEVER { 0 } else { time.unix(item.expiry.0) };
            let _ = write!(TextWriter(out), " [{} b; {exp} s]\r\n", item.value_bytes);
        }
    }
}

fn metadata(out: &mut Vec<u8>, item: &Listed<'_>, time: &Time) {
    out.extend_from_slice(b"key=");
    encode_uri(out, item.key);
    let exp = if item.expiry == Expiry::NEVER { -1 } else { time.unix(item.expiry.0) };
    let fetch = if item.fetched { "yes" } else { "no" };
    let access = time.unix(item.access);
    let Listed { cas, class, item_bytes, flags, .. } = item;
    let _ = writeln!(
        TextWriter(out),
        " exp={exp} la={access} cas={cas} fetch={fetch} cls={class} size={item_bytes} flags={flags} "
    );
}

/// Letters, digits and `-._~` as they are, everything else as `%XX`.
pub(super) fn encode_uri(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Formats into a vector, which cannot fail.
pub(super) struct TextWriter<'a>(pub(super) &'a mut Vec<u8>);

impl Write for TextWriter<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
