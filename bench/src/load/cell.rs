//! One cell of the benchmark: a point in the space of operations, data, connections and threads.

use std::fmt;

use super::dataset::Popularity;
use super::driver::Pace;
use super::protocol::Protocol;
use super::workload::Operation;

/// A combination that is measured on every server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Work of the clients.
    pub operation: Operation,
    /// Protocol of the clients.
    pub protocol: Protocol,
    /// Whether connections use TLS.
    pub encrypted: bool,
    /// Keys that the server holds.
    pub keys: u32,
    /// Bytes per value.
    pub value_bytes: usize,
    /// Connections.
    pub connections: u32,
    /// The server's `-t`.
    pub threads: u32,
    /// Distribution of the keys.
    pub popularity: Popularity,
    /// Closed or open loop.
    pub pace: Pace,
    /// Whether the servers have memory for a quarter of the data, so that each set evicts.
    pub scarce: bool,
}

impl Cell {
    /// `operation` at the point of the bars: one million values of 100 bytes, 20 connections, one thread.
    pub fn base(operation: Operation) -> Self {
        Self {
            operation,
            protocol: Protocol::Text,
            encrypted: false,
            keys: 1_000_000,
            value_bytes: 100,
            connections: 20,
            threads: 1,
            popularity: Popularity::Uniform,
            pace: Pace::Closed,
            scarce: false,
        }
    }

    /// Cells with an equal group share a running server and its data.
    pub fn group(&self) -> (u32, usize, u32, bool, bool) {
        (self.keys, self.value_bytes, self.threads, self.scarce, self.encrypted)
    }

    /// Megabytes of values per second at this rate of requests.
    pub fn megabytes_per_second(&self, requests_per_second: f64) -> f64 {
        requests_per_second * f64::from(self.operation.keys_per_request()) * self.value_bytes as f64 / 1e6
    }

    /// Name of the data.
    pub fn data_name(&self) -> String {
        format!("{}x{}B", short_count(self.keys), short_count(self.value_bytes as u32))
    }

    /// The same work in the text protocol.
    pub fn in_text(self) -> Self {
        Self { protocol: Protocol::Text, ..self }
    }

    /// Differences from a closed loop of plain text over uniform keys, in words; empty without any.
    pub fn variant_name(&self) -> String {
        let mut words = Vec::new();
        if self.protocol != Protocol::Text {
            words.push(self.protocol.name().to_owned());
        }
        if self.encrypted {
            words.push("tls".to_owned());
        }
        if self.scarce {
            words.push("evicting".to_owned());
        }
        if let Popularity::Zipf(exponent) = self.popularity {
            words.push(format!("zipf{exponent}"));
        }
        if let Pace::Open(rate) = self.pace {
            words.push(format!("open{}", short_count(rate as u32)));
        }
        words.join("-")
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, connections, threads, .. } = self;
        write!(f, "{} {} c{connections} t{threads}", operation.name(), self.data_name())?;
        let variant = self.variant_name();
        if variant.is_empty() { Ok(()) } else { write!(f, " {variant}") }
    }
}

/// `1000000` as `1M`, `5000` as `5k`.
pub fn short_count(count: u32) -> String {
    match count {
        0 => "0".into(),
        n if n % 1_000_000 == 0 => format!("{}M", n / 1_000_000),
        n if n % 1000 == 0 => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_cells_apart() {
        let base = Cell::base(Operation::GetPipelined);
        assert_eq!(base.to_string(), "get-x16 1Mx100B c20 t1");
        let open = Cell { pace: Pace::Open(50_000.0), popularity: Popularity::Zipf(0.99), ..base };
        assert_eq!(open.to_string(), "get-x16 1Mx100B c20 t1 zipf0.99-open50k");
        let meta = Cell { protocol: Protocol::Meta, ..base };
        assert_eq!(meta.to_string(), "get-x16 1Mx100B c20 t1 meta");
        assert_eq!(Cell { encrypted: true, ..meta }.to_string(), "get-x16 1Mx100B c20 t1 meta-tls");
        assert_eq!(meta.in_text(), base);
    }
}
