//! Fixed answers of the meta commands, each with its line end.

#![allow(missing_docs, reason = "the text is the documentation")]

pub const BAD_DATA_CHUNK: &[u8] = b"CLIENT_ERROR bad data chunk\r\n";
pub const BAD_DELTA: &[u8] = b"CLIENT_ERROR invalid numeric delta value\r\n";
pub const BAD_FORMAT: &[u8] = b"CLIENT_ERROR bad command line format\r\n";
pub const BAD_INITIAL: &[u8] = b"CLIENT_ERROR invalid numeric initial value\r\n";
pub const BAD_KEY: &[u8] = b"CLIENT_ERROR error decoding key\r\n";
pub const BAD_MODE_ARITHMETIC: &[u8] = b"CLIENT_ERROR invalid mode for ma M token\r\n";
pub const BAD_MODE_SET: &[u8] = b"CLIENT_ERROR invalid mode for ms M token\r\n";
pub const BAD_TOKEN: &[u8] = b"CLIENT_ERROR bad token in command line format\r\n";
pub const DUPLICATE_FLAG: &[u8] = b"CLIENT_ERROR duplicate flag\r\n";
pub const INVALID_FLAG: &[u8] = b"CLIENT_ERROR invalid flag\r\n";
pub const INVALID_OR_DUPLICATE: &[u8] = b"CLIENT_ERROR invalid or duplicate flag\r\n";
pub const LONG_OPAQUE: &[u8] = b"CLIENT_ERROR opaque token too long\r\n";
pub const NON_NUMERIC: &[u8] = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
pub const NOTHING: &[u8] = b"MN\r\n";
pub const OUT_OF_MEMORY: &[u8] = b"SERVER_ERROR out of memory\r\n";
pub const OUT_OF_MEMORY_CREATING: &[u8] = b"SERVER_ERROR Out of memory allocating new item\r\n";
pub const OUT_OF_MEMORY_STORING: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";
pub const SHARD_LOST: &[u8] = b"SERVER_ERROR a part of the cache was restarted empty\r\n";
pub const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
pub const TOO_MANY_FLAGS: &[u8] = b"CLIENT_ERROR options flags are too long\r\n";
