//! Fixed answers of the text protocol, each with its line end.

#![allow(missing_docs, reason = "the text is the documentation")]

pub const BAD_DATA_CHUNK: &[u8] = b"CLIENT_ERROR bad data chunk\r\n";
pub const BAD_FORMAT: &[u8] = b"CLIENT_ERROR bad command line format\r\n";
/// memcached sends a stray line end after the refusal of a retrieval, and has done so for years.
pub const BAD_FORMAT_RETRIEVAL: &[u8] = b"CLIENT_ERROR bad command line format\r\n\r\n";
pub const BAD_LOGIN: &[u8] = b"CLIENT_ERROR bad authentication token format\r\n";
pub const BAD_LOGIN_END: &[u8] = b"CLIENT_ERROR bad command line termination\r\n";
pub const BAD_CLASS: &[u8] = b"BADCLASS invalid class id\r\n";
pub const BAD_CLASSES: &[u8] = b"BADCLASS invalid src or dst class id\r\n";
pub const BAD_WINDOW: &[u8] = b"CLIENT_ERROR automove window too low or too high\r\n";
pub const CACHEDUMP_NOT_ALLOWED: &[u8] = b"CLIENT_ERROR stats cachedump not allowed\r\n";
pub const CRAWLER_DISABLED: &[u8] = b"CLIENT_ERROR lru crawler disabled\r\n";
pub const CRAWLER_RUNS: &[u8] = b"ERROR failed to start lru crawler thread\r\n";
pub const CRAWLER_UNKNOWN: &[u8] = b"ERROR an unknown error happened\r\n";
pub const DETAIL_NOT_ALLOWED: &[u8] = b"CLIENT_ERROR stats detail not allowed\r\n";
pub const END_META: &[u8] = b"EN\r\n";
pub const ILLEGAL_CLASS: &[u8] = b"CLIENT_ERROR Illegal slab id\r\n";
pub const METADUMP_NOT_ALLOWED: &[u8] = b"ERROR metadump not allowed\r\n";
pub const METADUMP_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before metadump\r\n";
pub const MGDUMP_NOT_ALLOWED: &[u8] = b"ERROR key dump not allowed\r\n";
pub const MGDUMP_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before mgdump\r\n";
pub const NO_SPARE_PAGES: &[u8] = b"NOSPARE source class has no spare pages\r\n";
pub const REASSIGN_DISABLED: &[u8] = b"CLIENT_ERROR slab reassignment disabled\r\n";
pub const SAME_CLASS: &[u8] = b"SAME src and dst class are identical\r\n";
pub const WATCH_NOT_ALLOWED: &[u8] = b"CLIENT_ERROR watch commands not allowed\r\n";
pub const WATCH_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before watch\r\n";
pub const WATCHER_FAILED: &[u8] = b"WATCHER_FAILED failed to add log watcher\r\n";
pub const WATCHERS_TOO_MANY: &[u8] = b"WATCHER_TOO_MANY log watcher limit reached\r\n";
pub const SLEEP_TOO_LONG: &[u8] = b"CLIENT_ERROR sleep must be one second or less\r\n";
pub const BAD_COMMAND_LINE: &[u8] = b"CLIENT_ERROR bad command line\r\n";
pub const DELETED: &[u8] = b"DELETED\r\n";
pub const DETAIL_USAGE: &[u8] = b"CLIENT_ERROR usage: stats detail on|off|dump\r\n";
/// In place of the end of a dump of which a part was lost on the way.
pub const DUMP_INCOMPLETE: &[u8] = b"SERVER_ERROR the dump is incomplete: a part of the cache was restarted empty\r\n";
pub const END: &[u8] = b"END\r\n";
pub const LINE_END: &[u8] = b"\r\n";
pub const LINE_END_AND_END: &[u8] = b"\r\nEND\r\n";
pub const ERROR: &[u8] = b"ERROR\r\n";
pub const EXISTS: &[u8] = b"EXISTS\r\n";
pub const FLUSH_NOT_ALLOWED: &[u8] = b"CLIENT_ERROR flush_all not allowed\r\n";
pub const INVALID_DELTA: &[u8] = b"CLIENT_ERROR invalid numeric delta argument\r\n";
pub const INVALID_EXPTIME: &[u8] = b"CLIENT_ERROR invalid exptime argument\r\n";
pub const INVALID_SHUTDOWN: &[u8] = b"CLIENT_ERROR invalid shutdown mode\r\n";
pub const MEMLIMIT_FAILED: &[u8] = b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n";
pub const MEMLIMIT_NOT_BYTES: &[u8] = b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n";
pub const LOGIN_FAILED: &[u8] = b"CLIENT_ERROR authentication failure\r\n";
pub const LONG_LOGIN: &[u8] = b"CLIENT_ERROR auth token too long\r\n";
pub const LRU_TOO_MUCH: &[u8] = b"ERROR hot and warm pcts must not exceed 80\r\n";
pub const LRU_NO_AGE: &[u8] = b"ERROR hot/warm age factors must be greater than 0\r\n";
pub const MEMLIMIT_TOO_SMALL: &[u8] = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n";
pub const NON_NUMERIC: &[u8] = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
pub const NOT_FOUND: &[u8] = b"NOT_FOUND\r\n";
pub const NOT_STORED: &[u8] = b"NOT_STORED\r\n";
pub const OK: &[u8] = b"OK\r\n";
pub const OUT_OF_MEMORY: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";
pub const OUT_OF_MEMORY_ARITHMETIC: &[u8] = b"SERVER_ERROR out of memory\r\n";
pub const OUT_OF_MEMORY_READING: &[u8] = b"SERVER_ERROR out of memory reading request\r\n";
pub const RESET: &[u8] = b"RESET\r\n";
pub const SHARD_LOST: &[u8] = b"SERVER_ERROR a part of the cache was restarted empty\r\n";
pub const SHUTDOWN_DISABLED: &[u8] = b"SERVER_ERROR: shutdown not enabled\r\n";
pub const STORED: &[u8] = b"STORED\r\n";
pub const TLS_OFF: &[u8] = b"Error TLS not enabled\r\n";
pub const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
/// As short as possible, because it must fit where the answer does not.
pub const TOO_LARGE_FOR_DATAGRAMS: &[u8] = b"SERVER_ERROR too large for UDP\r\n";
pub const TOO_MANY_CONNECTIONS: &[u8] = b"ERROR Too many open connections\r\n";
pub const TOUCHED: &[u8] = b"TOUCHED\r\n";
pub const UNAUTHENTICATED: &[u8] = b"CLIENT_ERROR unauthenticated\r\n";
pub const VERSION: &[u8] = b"VERSION 1.6.45\r\n";

/// First words of the answers that refuse a request.
const REFUSING_WORDS: [&[u8]; 12] = [
    b"ERROR",
    b"CLIENT_ERROR",
    b"SERVER_ERROR",
    b"SERVER_ERROR:",
    b"BADCLASS",
    b"Error",
    b"MEMLIMIT_ADJUST_FAILED",
    b"MEMLIMIT_TOO_SMALL",
    b"NOSPARE",
    b"SAME",
    b"WATCHER_FAILED",
    b"WATCHER_TOO_MANY",
];

/// Length of the shortest of these answers.
const ANSWER_BYTES_MIN: usize = b"ERROR\r\n".len();

/// Whether a fixed answer refuses its request. An empty one does: the request was refused to a client that wants no
/// answer.
#[inline(never)]
pub fn refuses(answer: &[u8]) -> bool {
    if answer.len() < ANSWER_BYTES_MIN {
        return answer.is_empty();
    }
    let word = answer.split(|&byte| byte == b' ' || byte == b'\r').next().unwrap_or_default();
    REFUSING_WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::meta;

    #[test]
    fn answers_that_refuse_are_known() {
        for answer in [
            BAD_FORMAT,
            BAD_CLASS,
            ERROR,
            CRAWLER_RUNS,
            MEMLIMIT_FAILED,
            MEMLIMIT_TOO_SMALL,
            NO_SPARE_PAGES,
            SAME_CLASS,
            SHUTDOWN_DISABLED,
            TLS_OFF,
            WATCHERS_TOO_MANY,
            WATCHER_FAILED,
            meta::words::INVALID_FLAG,
            b"",
        ] {
            assert!(refuses(answer), "{}", answer.escape_ascii());
        }
        for answer in [OK, END, VERSION, RESET, meta::words::NOTHING, b"STAT pid 1\r\n"] {
            assert!(!refuses(answer), "{}", answer.escape_ascii());
        }
    }
}
