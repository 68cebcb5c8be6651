//! The chart of CPU ratios as SVG: one bar per cell.

use std::fmt::Write as _;

use super::findings::Findings;

const WIDTH: f64 = 760.0;
const LABEL_WIDTH: f64 = 260.0;
const ROW_HEIGHT: f64 = 20.0;
const TOP: f64 = 46.0;
const RATIO_MAX: f64 = 1.6;

/// Draws the ratios; a bar beyond the right edge is cut off, its number remains.
pub fn cpu_ratios(findings: &Findings) -> String {
    let height = TOP + ROW_HEIGHT * findings.cells.len() as f64 + 12.0;
    let scale = (WIDTH - LABEL_WIDTH - 60.0) / RATIO_MAX;
    let x = |ratio: f64| LABEL_WIDTH + ratio.clamp(0.0, RATIO_MAX) * scale;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-size=\"14\">Server CPU per request: {} to {} (shorter is better; line: spread of the rounds)</text>\n",
        findings.ours, findings.theirs
    );
    for (row, result) in findings.cells.iter().enumerate() {
        let y = TOP + ROW_HEIGHT * row as f64;
        let ratio = result.cpu_ratio;
        let colour = if ratio.median <= 1.0 { "#3a7d5d" } else { "#c0653a" };
        let middle = y + 8.0;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LABEL_WIDTH}\" y=\"{}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"#222\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{:.2}</text>\n",
            LABEL_WIDTH - 8.0,
            y + 12.0,
            result.cell,
            y + 2.0,
            x(ratio.median) - LABEL_WIDTH,
            x(ratio.lowest),
            x(ratio.highest),
            x(ratio.highest.max(ratio.median)) + 6.0,
            y + 12.0,
            ratio.median,
        );
    }
    for (ratio, dash) in [(0.5, "2 4"), (1.0, "")] {
        let _ = write!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#888\" stroke-dasharray=\"{dash}\"/>\n\
             <text x=\"{0:.1}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#555\">{ratio}</text>\n",
            x(ratio),
            TOP - 4.0,
            height - 8.0,
            TOP - 8.0,
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::super::cell::Cell;
    use super::super::summary::{CellResult, Numbers};
    use super::super::workload::Operation;
    use super::*;

    #[test]
    fn every_cell_has_a_bar_and_its_number() {
        let numbers = |cpu_us_request| Numbers { cpu_us_request, ..Numbers::default() };
        let cells = Operation::ALL
            .map(|operation| CellResult::new(Cell::base(operation), &[numbers(7.0)], &[numbers(4.0)], &[]))
            .to_vec();
        let svg = cpu_ratios(&Findings { cells, ..Findings::default() });
        assert_eq!(svg.matches(">1.75</text>").count(), 6);
        assert_eq!(svg.matches("height=\"12\"").count(), 6);
        assert!(svg.ends_with("</svg>\n"));
    }
}
