//! Tables for the terminal and for the documentation.

use std::fmt::Write as _;

use super::capacity::{Capacity, LIMIT_MIB};
use super::compare::{LoadResult, MemcachedResult, Row, StoreResult};
use super::store::STORES;

/// Marks a number that misses its bar.
const MISSED: &str = "!";

/// The table of one load.
pub fn text_load(result: &LoadResult) -> String {
    let requests = result.rows.first().map_or(0, |row| row.requested.requests);
    let footprint = mib(result.footprint_bytes);
    let mut text = format!("\n{}: {}\n", result.name, result.about);
    let _ = writeln!(text, "{} keys, {requests} requests, footprint {footprint:.1} MiB", result.keys);
    text + &aligned(&cells(result, false))
}

/// The table of one load, with memory and items.
pub fn markdown_load(result: &LoadResult) -> String {
    let requests = result.rows.first().map_or(0, |row| row.requested.requests);
    format!(
        "### {}\n\n{}. {} keys, {requests} requests, footprint {:.1} MiB.\n\n{}\n",
        result.name,
        result.about,
        result.keys,
        mib(result.footprint_bytes),
        piped(&cells(result, true))
    )
}

/// The worst ratios over all loads.
pub fn summary(results: &[LoadResult]) -> Vec<String> {
    let rows = || results.iter().flat_map(|result| result.rows.iter().map(move |row| (result.name, row)));
    let mut lines = Vec::new();
    for (at, kind) in STORES.iter().enumerate() {
        let ratios = rows().map(|(name, row)| (row.to_lru(at), name, row.percent));
        let against = format!("{} to exact LRU", kind.name);
        lines.extend(worst(&against, ratios.collect(), |ratio| ratio > kind.to_lru_max, kind.to_lru_max));
    }
    let served = rows().filter_map(|(name, row)| Some((name, row.percent, row.memcached.as_ref()?)));
    let ratios = served.map(|(name, percent, memcached)| (memcached.store_to_memcached(), name, percent));
    lines.extend(worst("store to memcached, in as much memory", ratios.collect(), |ratio| ratio >= 1.0, 1.0));
    lines
}

/// How many items fit.
pub fn text_capacity(capacities: &[Capacity]) -> String {
    format!("\nitems in -m {LIMIT_MIB}, keys of 20 bytes\n{}", aligned(&capacity_cells(capacities)))
}

/// How many items fit.
pub fn markdown_capacity(capacities: &[Capacity]) -> String {
    piped(&capacity_cells(capacities))
}

/// Describes the largest ratio and counts those that miss the bar.
fn worst(what: &str, ratios: Vec<(f64, &str, u64)>, is_missed: impl Fn(f64) -> bool, bar: f64) -> Option<String> {
    let missed = ratios.iter().filter(|(ratio, ..)| is_missed(*ratio)).count();
    let (ratio, name, percent) = ratios.iter().max_by(|one, two| one.0.total_cmp(&two.0))?;
    let mean = (ratios.iter().map(|(ratio, ..)| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    Some(format!(
        "{what}: worst {ratio:.3} ({name}, {percent} %), geometric mean {mean:.3}, {missed} of {} miss the bar of {bar}",
        ratios.len()
    ))
}

/// The table of one load, header first.
fn cells(result: &LoadResult, with_held: bool) -> Vec<Vec<String>> {
    let has_expiring = result.rows.iter().any(|row| row.lru_expiring.is_some());
    let has_memcached = result.rows.iter().any(|row| row.memcached.is_some());
    let mut head = vec!["size".to_owned(), "MiB".into(), "exact LRU".into()];
    if has_expiring {
        head.push("expired go at once".into());
    }
    head.push("exact S3-FIFO".into());
    head.extend(STORES.iter().flat_map(|kind| [kind.name.to_owned(), "to LRU".into()]));
    if with_held {
        head.extend(["items", "dead MiB", "free MiB"].map(String::from));
    }
    if has_memcached {
        head.extend(["memcached", "-m", "held MiB"].map(String::from));
        if with_held {
            head.extend(["RSS MiB", "items"].map(String::from));
        }
        head.extend(["store in as much", "to memcached"].map(String::from));
    }
    head.extend(["LRU bytes", "store bytes"].map(String::from));
    if has_memcached {
        head.extend(["memcached bytes", "in as much"].map(String::from));
    }
    let rows = result.rows.iter().map(|row| {
        let mut cells =
            vec![format!("{} %", row.percent), format!("{:.2}", mib(row.cache_bytes)), ratio(row.lru.ratio)];
        cells.extend(row.lru_expiring.map(|miss| ratio(miss.ratio)));
        cells.push(ratio(row.s3fifo.ratio));
        cells.extend(STORES.iter().enumerate().flat_map(|(at, kind)| {
            let to_lru = row.to_lru(at);
            [ratio(row.stores[at].miss.ratio), marked(to_lru, to_lru > kind.to_lru_max)]
        }));
        if with_held {
            cells.extend(store_held(row));
        }
        cells.extend(row.memcached.iter().flat_map(|memcached| memcached_cells(memcached, with_held)));
        cells.extend(byte_cells(row));
        cells
    });
    std::iter::once(head).chain(rows).collect()
}

/// Results of the default store.
fn default_store(row: &Row) -> &StoreResult {
    &row.stores[STORES.iter().position(|kind| kind.is_default).unwrap_or(0)]
}

/// Miss ratios counted in bytes.
fn byte_cells(row: &Row) -> impl Iterator<Item = String> {
    let memcached = row.memcached.iter().flat_map(|memcached| [memcached.miss, memcached.store_miss]);
    [row.lru, default_store(row).miss].into_iter().chain(memcached).map(|miss| ratio(miss.bytes))
}

/// Items, dead and free memory of the store.
fn store_held(row: &Row) -> [String; 3] {
    let counters = &default_store(row).counters;
    let [dead, free] = [counters.pool_dead_bytes, counters.pool_free_bytes].map(|bytes| format!("{:.2}", mib(bytes)));
    [counters.curr_items.to_string(), dead, free]
}

fn memcached_cells(memcached: &MemcachedResult, with_held: bool) -> Vec<String> {
    let held = &memcached.held;
    let mut cells =
        vec![ratio(memcached.miss.ratio), memcached.memory_mib.to_string(), format!("{:.2}", mib(held.cache_bytes()))];
    if with_held {
        cells.extend([format!("{:.1}", mib(held.resident_bytes)), held.items.to_string()]);
    }
    let to_memcached = memcached.store_to_memcached();
    cells.extend([ratio(memcached.store_miss.ratio), marked(to_memcached, to_memcached >= 1.0)]);
    cells
}

fn capacity_cells(capacities: &[Capacity]) -> Vec<Vec<String>> {
    let has_memcached = capacities.iter().any(|capacity| capacity.memcached.is_some());
    let mut head = vec!["value bytes".to_owned(), "store".into(), "promised".into(), "bookkeeping bytes".into()];
    if has_memcached {
        head.extend(["memcached", "store to it", "its pages MiB", "its hash MiB", "its RSS MiB"].map(String::from));
    }
    let rows = capacities.iter().map(|capacity| {
        let is_kept = capacity.promised.is_none_or(|promised| capacity.store_items >= promised);
        let items = format!("{}{}", capacity.store_items, if is_kept { "" } else { MISSED });
        let promised = capacity.promised.map_or(String::new(), |promised| promised.to_string());
        let mut cells =
            vec![capacity.value_bytes.to_string(), items, promised, format!("{:.1}", capacity.bookkeeping_bytes)];
        cells.extend(capacity.memcached.iter().flat_map(|held| {
            let times = capacity.store_items as f64 / held.items as f64;
            [held.items.to_string(), format!("{times:.2}")].into_iter().chain(
                [held.pages_bytes, held.hash_bytes, held.resident_bytes].map(|bytes| format!("{:.1}", mib(bytes))),
            )
        }));
        cells
    });
    std::iter::once(head).chain(rows).collect()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.4}")
}

fn marked(ratio: f64, is_missed: bool) -> String {
    format!("{ratio:.3}{}", if is_missed { MISSED } else { "" })
}

/// A table for the terminal, right-aligned.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

/// A table for the documentation.
fn piped(rows: &[Vec<String>]) -> String {
    let line = |row: &[String]| format!("| {} |\n", row.join(" | "));
    let Some((head, rest)) = rows.split_first() else { return String::new() };
    let rule = format!("|{}\n", "--:|".repeat(head.len()));
    [line(head), rule].into_iter().chain(rest.iter().map(|row| line(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::compare::Miss;
    use super::super::memcached::Held;
    use super::super::request::MissCount;
    use super::*;

    fn miss(ratio: f64) -> Miss {
        Miss { ratio, bytes: ratio }
    }

    fn result(store_miss: f64, store_equal: f64) -> LoadResult {
        let memcached = MemcachedResult {
            memory_mib: 1,
            miss: miss(0.25),
            held: Held { pages_bytes: 3 << 20, hash_bytes: 1 << 19, resident_bytes: 9 << 20, items: 7 },
            store_miss: miss(store_equal),
        };
        let row = Row {
            percent: 10,
            cache_bytes: 1 << 20,
            requested: MissCount { requests: 100, bytes: 1000 },
            lru: miss(0.5),
            s3fifo: miss(0.45),
            stores: vec![StoreResult { miss: miss(store_miss), ..StoreResult::default() }; STORES.len()],
            memcached: Some(memcached),
            ..Row::default()
        };
        LoadResult { name: "test", about: "x".into(), keys: 5, footprint_bytes: 10 << 20, rows: vec![row] }
    }

    #[test]
    fn a_missed_bar_is_marked() {
        let good = text_load(&result(0.5, 0.2));
        assert!(!good.contains(MISSED) && good.contains("1.000") && good.contains("0.800") && good.contains("3.50"));
        let bad = text_load(&result(0.6, 0.25));
        assert!(bad.contains("1.200!") && bad.contains("1.000!"));
        let lines = summary(&[result(0.6, 0.25), result(0.5, 0.2)]);
        assert!(lines[0].contains("worst 1.200 (test, 10 %)") && lines[0].contains("1 of 2 miss"));
        assert!(lines.last().unwrap().contains("1 of 2 miss"));
    }

    #[test]
    fn the_documentation_has_every_column() {
        let text = markdown_load(&result(0.5, 0.2));
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 3);
        assert!(table.iter().all(|line| line.matches('|').count() == table[0].matches('|').count()));
    }
}
