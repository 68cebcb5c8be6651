//! The command line of the trials, programs that run for a chosen time: `PROGRAM [SECONDS] [-- FLAGS]`.

/// Duration, flags of the server, seed.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Total duration.
    pub seconds: u64,
    /// Flags of the server.
    pub flags: Vec<String>,
    /// `WASMCACHED_SEED`, or 1.
    pub seed: u64,
}

impl Arguments {
    /// Reads the command line.
    ///
    /// # Errors
    /// The expected form.
    pub fn read(seconds_default: u64) -> Result<Self, String> {
        let mut arguments: Vec<String> = std::env::args().skip(1).collect();
        let flags = match arguments.iter().position(|argument| argument == "--") {
            Some(place) => arguments.split_off(place)[1..].to_vec(),
            None => Vec::new(),
        };
        let seconds = match &arguments[..] {
            [] => seconds_default,
            [seconds] => seconds.parse().map_err(|error| format!("{seconds}: {error}"))?,
            _ => return Err("expected a number of seconds, and the server's flags after `--`".to_owned()),
        };
        let seed = std::env::var("WASMCACHED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        Ok(Self { seconds, flags, seed })
    }
}
