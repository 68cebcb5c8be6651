//! A request of a load, and how many of them were misses.

/// One step of a read-through replay: get the key, and set it after a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number that is the key.
    pub key: u32,
    /// Bytes of the value to set after a miss.
    pub value_bytes: u32,
    /// Seconds that it may live then; 0: for ever.
    pub ttl_s: u32,
    /// When, in seconds since the load began.
    pub second: u32,
}

/// What a replay missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Requests.
    pub requests: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl Missed {
    /// Counts one.
    pub fn add(&mut self, request: &Request) {
        self.requests += 1;
        self.bytes += u64::from(request.value_bytes);
    }
}
