//! The pictures: a panel for each work, a curve for each server, over the number of threads.

use plotters::prelude::*;

use super::samples::{OURS, Sample, Samples, THEIRS};
use crate::outcome::Outcome;
use crate::picture::{Area, COLOURS, Drawn, RED, panels};

/// Draws a number of each sample; `remark` says which.
pub fn by_threads(samples: &Samples, remark: &str, number: fn(&Sample) -> f64) -> Outcome<String> {
    let curves: Vec<(&str, RGBColor)> =
        samples.servers().into_iter().enumerate().map(|(at, server)| (server, colour(server, at))).collect();
    let operations = samples.operations();
    panels(operations.len(), &curves, remark, |panel, area| {
        let of_panel: Vec<&Sample> =
            samples.0.iter().filter(|sample| sample.cell.operation == operations[panel]).collect();
        draw(operations[panel].name(), &of_panel, &curves, number, area)
    })
}

fn colour(server: &str, at: usize) -> RGBColor {
    match server {
        OURS => COLOURS[0],
        THEIRS => RED,
        _ => COLOURS[1 + at % (COLOURS.len() - 1)],
    }
}

fn draw(
    title: &str,
    samples: &[&Sample],
    curves: &[(&str, RGBColor)],
    number: fn(&Sample) -> f64,
    area: &Area<'_>,
) -> Drawn {
    // Each doubling of the threads is as wide as any other.
    let place = |sample: &Sample| f64::from(sample.cell.threads).log2();
    let last = samples.iter().map(|sample| place(sample)).fold(1.0, f64::max);
    let highest = samples.iter().map(|sample| number(sample)).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..last, 0.0..(highest * 1.05).max(f64::MIN_POSITIVE))?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .x_labels(last as usize + 1)
        .y_labels(6)
        .x_label_formatter(&|place| if place.fract() == 0.0 { format!("-t {}", place.exp2()) } else { String::new() })
        .label_style(("sans-serif", 11))
        .draw()?;
    for (server, colour) in curves {
        let mut points: Vec<(f64, f64)> = samples
            .iter()
            .filter(|sample| sample.server == *server)
            .map(|sample| (place(sample), number(sample)))
            .collect();
        points.sort_by(|one, two| one.0.total_cmp(&two.0));
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, colour.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::tests::sample;
    use super::*;
    use crate::load::workload::Operation;

    #[test]
    fn every_work_has_a_panel_and_every_sample_a_point() {
        let servers = [OURS, THEIRS, "rival"];
        let of =
            |operation, threads: u32| servers.map(|server| sample(server, operation, threads, f64::from(threads), 1.0));
        let all = [Operation::Get, Operation::SetPipelined].map(|operation| [1, 2, 8].map(|t| of(operation, t)));
        let samples = Samples(all.concat().concat());
        let svg = by_threads(&samples, "million keys a second", |sample| sample.median.rate).unwrap();
        assert_eq!(svg.matches("<circle").count(), 18);
        assert!(servers.iter().chain(&["get", "set-x8", "-t 8"]).all(|text| svg.contains(text)), "{svg}");
    }

    #[test]
    fn one_number_of_threads_is_drawn_too() {
        let samples = Samples(vec![sample(OURS, Operation::Get, 1, 0.0, 1.0)]);
        assert!(by_threads(&samples, "", |sample| sample.median.rate).unwrap().contains("<circle"));
    }
}
