//! The picture of miss-ratio curves, one panel per load.

use plotters::prelude::*;

use super::compare::{LoadResult, Row};
use super::store::STORES;
use crate::outcome::Outcome;
use crate::picture::{Area, BLACK_LINE, COLOURS, Drawn, RED, panels};

const MEMCACHED: &str = "memcached (in what it held)";

/// A curve: its name, its colour, and its points (percent of the footprint, miss ratio).
type Curve = (&'static str, RGBColor, fn(&Row, usize) -> Option<(f64, f64)>, usize);

/// Draws all loads. memcached's points lie at the memory that it held, even if that is more than its limit.
pub fn curves(results: &[LoadResult]) -> Outcome<String> {
    let curves: Vec<(&str, RGBColor)> = all_curves().iter().map(|(name, colour, ..)| (*name, *colour)).collect();
    let remark = "miss ratio over cache size in % of the footprint";
    panels(results.len(), &curves, remark, |at, area| panel(&results[at], area))
}

fn all_curves() -> Vec<Curve> {
    let mut curves: Vec<Curve> = vec![("exact LRU", BLACK_LINE, |row, _| Some((row.percent as f64, row.lru.ratio)), 0)];
    for (at, kind) in STORES.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        curves.push((kind.name, colour, |row, at| Some((row.percent as f64, row.stores[at].miss.ratio)), at));
    }
    curves.push((MEMCACHED, RED, |row, _| memcached_point(row), 0));
    curves
}

fn memcached_point(row: &Row) -> Option<(f64, f64)> {
    let memcached = row.memcached.as_ref()?;
    let percent = row.percent as f64 * memcached.held.cache_bytes() as f64 / row.cache_bytes as f64;
    Some((percent, memcached.miss.ratio))
}

fn panel(result: &LoadResult, area: &Area<'_>) -> Drawn {
    let misses = result.rows.iter().flat_map(|row| {
        let memcached = row.memcached.iter().map(|memcached| memcached.miss);
        row.stores.iter().map(|store| store.miss).chain([row.lru]).chain(memcached).map(|miss| miss.ratio)
    });
    let highest = misses.fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(result.name, ("sans-serif", 14))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(36)
        .build_cartesian_2d((1f64..100f64).log_scale(), 0.0..(highest * 1.05).clamp(0.01, 1.0))?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .x_labels(5)
        .y_labels(6)
        .x_label_formatter(&|percent| format!("{percent:.0}"))
        .label_style(("sans-serif", 11))
        .draw()?;
    for (name, colour, point, at) in all_curves() {
        let mut points: Vec<(f64, f64)> = result.rows.iter().filter_map(|row| point(row, at)).collect();
        points.sort_by(|one, two| one.0.total_cmp(&two.0));
        // memcached may hold the same memory for several sizes, which makes no curve.
        if name != MEMCACHED {
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        }
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, colour.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::compare::compare;
    use super::super::synthetic;
    use super::*;

    #[test]
    fn every_load_has_a_panel_with_its_curves() {
        let names = ["zipf-0.9", "loop"];
        let results = names.map(|name| compare(&synthetic::load(name, 0.01).unwrap(), 1, None).unwrap());
        let svg = curves(&results).unwrap();
        assert!(names.iter().all(|name| svg.contains(name)));
        let curves_a_panel = 1 + STORES.len();
        assert_eq!(svg.matches("<circle").count(), names.len() * curves_a_panel * 5);
    }
}
