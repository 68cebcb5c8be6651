//! A request of a load, and counts of misses.

/// One step of a read-through replay: get the key, and set it after a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of the key.
    pub key: u32,
    /// Size of the value to set after a miss.
    pub value_bytes: u32,
    /// Time to live of that value in seconds; 0: unlimited.
    pub ttl_s: u32,
    /// Time of the request, in seconds since the load began.
    pub second: u32,
}

/// Misses of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissCount {
    /// MissCount requests.
    pub requests: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl MissCount {
    /// Counts a request.
    pub fn add(&mut self, request: &Request) {
        self.requests += 1;
        self.bytes += u64::from(request.value_bytes);
    }
}
