//! Summarises rounds as medians, spreads and ratios.

use super::cell::Cell;
use super::driver::Counted;
use crate::server::Usage;

/// Numbers of one server in one round, or their medians over all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// Requests per second.
    pub rate: f64,
    /// Server CPU per request, microseconds.
    pub cpu_us_request: f64,
    /// Server CPU per key, microseconds.
    pub cpu_us_key: f64,
    /// Share of one core that the server used.
    pub busy: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile of latency, microseconds.
    pub p99_us: f64,
    /// 99.9th percentile of latency, microseconds.
    pub p999_us: f64,
    /// Resident memory, MiB.
    pub resident_mib: f64,
    /// Share of the requested keys that were not found.
    pub misses: f64,
}

impl Numbers {
    /// The numbers of one round.
    pub fn of(counted: &Counted<Usage>) -> Self {
        let cpu_us = (counted.after.cpu_ns - counted.before.cpu_ns) as f64 / 1e3;
        let quantile_us = |quantile| counted.latency_ns.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            rate: counted.rate(),
            cpu_us_request: cpu_us / counted.requests as f64,
            cpu_us_key: cpu_us / counted.keys as f64,
            busy: cpu_us / 1e6 / counted.elapsed.as_secs_f64(),
            p50_us: quantile_us(0.5),
            p99_us: quantile_us(0.99),
            p999_us: quantile_us(0.999),
            resident_mib: counted.after.resident_kib as f64 / 1024.0,
            misses: counted.misses as f64 / counted.keys as f64,
        }
    }

    /// The medians of rounds.
    pub fn medians(rounds: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| median(rounds.iter().map(field));
        Self {
            rate: of(|n| n.rate),
            cpu_us_request: of(|n| n.cpu_us_request),
            cpu_us_key: of(|n| n.cpu_us_key),
            busy: of(|n| n.busy),
            p50_us: of(|n| n.p50_us),
            p99_us: of(|n| n.p99_us),
            p999_us: of(|n| n.p999_us),
            resident_mib: of(|n| n.resident_mib),
            misses: of(|n| n.misses),
        }
    }
}

/// A ratio over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the rounds' ratios.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
}

/// The work of a cell in the text protocol on our server, in the same rounds.
#[derive(Clone, Copy, Debug)]
pub struct InText {
    /// Medians.
    pub numbers: Numbers,
    /// CPU per request, the cell's protocol to text, round by round.
    pub cpu_ratio: Ratio,
    /// The same ratio between the quietest rounds.
    pub quietest_cpu_ratio: f64,
}

/// Result of a cell.
#[derive(Clone, Debug)]
pub struct CellResult {
    /// The cell.
    pub cell: Cell,
    /// Medians of our server.
    pub ours: Numbers,
    /// Medians of the other server.
    pub theirs: Numbers,
    /// Medians of the floor, if it was measured.
    pub floor: Option<Numbers>,
    /// CPU per request, ours to theirs, round by round.
    pub cpu_ratio: Ratio,
    /// CPU per request between the quietest rounds, ours to theirs: disturbances only add time.
    pub quietest_cpu_ratio: f64,
    /// Rate, ours to theirs, round by round.
    pub rate_ratio: Ratio,
    /// The same work in text on our server, for cells in another protocol.
    pub text: Option<InText>,
    /// Latency at the median, ours to theirs.
    pub p50_ratio: Ratio,
    /// Latency at the 99th percentile, ours to theirs.
    pub p99_ratio: Ratio,
}

impl CellResult {
    /// Summarises rounds; `ours[i]` and `theirs[i]` were measured one after the other.
    pub fn new(cell: Cell, ours: &[Numbers], theirs: &[Numbers], floor: &[Numbers]) -> Self {
        let ratio = |field: fn(&Numbers) -> f64| ratio_of(ours.iter().zip(theirs).map(|(o, t)| field(o) / field(t)));
        Self {
            cell,
            quietest_cpu_ratio: quietest_cpu_us(ours) / quietest_cpu_us(theirs),
            ours: Numbers::medians(ours),
            theirs: Numbers::medians(theirs),
            floor: (!floor.is_empty()).then(|| Numbers::medians(floor)),
            text: None,
            cpu_ratio: ratio(|n| n.cpu_us_request),
            rate_ratio: ratio(|n| n.rate),
            p50_ratio: ratio(|n| n.p50_us),
            p99_ratio: ratio(|n| n.p99_us),
        }
    }

    /// Adds the same work in text; `text[i]` was measured next to `ours[i]`. An empty `text` changes nothing.
    #[must_use]
    pub fn beside_text(mut self, ours: &[Numbers], text: &[Numbers]) -> Self {
        self.text = (!text.is_empty()).then(|| InText {
            numbers: Numbers::medians(text),
            cpu_ratio: ratio_of(ours.iter().zip(text).map(|(o, t)| o.cpu_us_request / t.cpu_us_request)),
            quietest_cpu_ratio: quietest_cpu_us(ours) / quietest_cpu_us(text),
        });
        self
    }
}

fn quietest_cpu_us(rounds: &[Numbers]) -> f64 {
    rounds.iter().map(|n| n.cpu_us_request).fold(f64::INFINITY, f64::min)
}

/// The middle value; of an even number of values, the mean of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn ratio_of(ratios: impl Iterator<Item = f64> + Clone) -> Ratio {
    Ratio {
        median: median(ratios.clone()),
        lowest: ratios.clone().fold(f64::INFINITY, f64::min),
        highest: ratios.fold(f64::NEG_INFINITY, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::super::workload::Operation;
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rounds = |cpu: [f64; 3]| cpu.map(|cpu_us_request| Numbers { cpu_us_request, ..Numbers::default() });
        let result =
            CellResult::new(Cell::base(Operation::Get), &rounds([1.0, 4.0, 9.0]), &rounds([2.0, 4.0, 6.0]), &[]);
        assert_eq!(result.cpu_ratio, Ratio { median: 1.0, lowest: 0.5, highest: 1.5 });
        assert_eq!(result.quietest_cpu_ratio, 0.5);
        assert_eq!(result.ours.cpu_us_request, 4.0);
    }
}
