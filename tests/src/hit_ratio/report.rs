//! The tables.

use std::fmt::Write as _;

use super::compare::{LoadResult, Row};
use super::store::STORES;

/// The table of one load, for the terminal.
pub fn text_load(result: &LoadResult) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut text = format!(
        "\n{}: {}\n{} keys, {} requests, footprint {:.1} MiB\n",
        result.name,
        result.about,
        result.keys,
        result.rows.first().map_or(0, |row| row.requests),
        mib(result.footprint_bytes)
    );
    let _ = write!(text, "{:>5} {:>9} {:>9}", "size", "MiB", "exact LRU");
    for kind in &STORES {
        let _ = write!(text, " {:>8} {:>7}", kind.name, "to LRU");
    }
    text.push('\n');
    for row in &result.rows {
        let _ = write!(text, "{:>4}% {:>9.2} {:>9.4}", row.percent, mib(row.cache_bytes), row.lru);
        for (kind, &ratio) in STORES.iter().zip(&row.stores) {
            let to_lru = to_lru(row, ratio);
            let mark = if to_lru > kind.to_lru_max { "!" } else { " " };
            let _ = write!(text, " {ratio:>8.4} {to_lru:>6.3}{mark}");
        }
        text.push('\n');
    }
    text
}

/// The worst cases over all loads.
pub fn text_summary(results: &[LoadResult]) -> String {
    let mut text = String::new();
    for (at, kind) in STORES.iter().enumerate() {
        let rows = results.iter().flat_map(|result| result.rows.iter().map(move |row| (result.name, row)));
        let ratios: Vec<_> = rows.map(|(name, row)| (to_lru(row, row.stores[at]), name, row)).collect();
        let above = ratios.iter().filter(|(ratio, ..)| *ratio > kind.to_lru_max).count();
        let _ = writeln!(
            text,
            "\n{}: {above} of {} above {} times the exact LRU",
            kind.name,
            ratios.len(),
            kind.to_lru_max
        );
        if let Some((ratio, name, row)) = ratios.iter().max_by(|one, two| one.0.total_cmp(&two.0)) {
            let _ = writeln!(
                text,
                "{}: worst is {ratio:.3} times the exact LRU, on {name} at {} %",
                kind.name, row.percent
            );
        }
    }
    text
}

fn to_lru(row: &Row, ratio: f64) -> f64 {
    ratio / row.lru
}
