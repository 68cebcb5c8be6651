//! What the programs have in common that run for as long as one likes: `PROGRAM [SECONDS] [-- FLAGS]`.

/// How long, with which flags of the server, from which seed.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// How long, in all.
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
    /// What it should have been.
    pub fn read(seconds_default: u64) -> Result<Self, String> {
        let mut arguments: Vec<String> = std::env::args().skip(1).collect();
        let flags = match arguments.iter().position(|argument| argument == "--") {
            Some(place) => arguments.split_off(place)[1..].to_vec(),
            None => Vec::new(),
        };
        let seconds = match &arguments[..] {
            [] => seconds_default,
            [seconds] => seconds.parse().map_err(|error| format!("{seconds}: {error}"))?,
            _ => return Err("it takes a number of seconds, and the server's flags after `--`".to_owned()),
        };
        let seed = std::env::var("WASMCACHED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        Ok(Self { seconds, flags, seed })
    }
}
