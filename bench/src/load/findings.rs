//! The results of a run, before they are formatted.

use super::memory::{FullCache, IdleConnections};
use super::summary::CellResult;

/// Results of a run.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Name of the first server of each pair.
    pub ours: String,
    /// Name of the second.
    pub theirs: String,
    /// Whether both are the same program: every ratio but 1 is noise, and no bar applies.
    pub is_noise: bool,
    /// Machine, versions, command and method, one per line.
    pub circumstances: Vec<(String, String)>,
    /// The cells.
    pub cells: Vec<CellResult>,
    /// Full caches, alternately ours and theirs.
    pub full: Vec<FullCache>,
    /// Idle connections, ours and theirs.
    pub idle: Vec<IdleConnections>,
}

/// Formats with three significant digits.
pub(crate) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn three_digits() {
        assert_eq!([1234.4, 45.67, 4.567, 0.4567].map(digits), ["1234", "45.7", "4.57", "0.457"]);
    }
}
