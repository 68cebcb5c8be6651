//! Pictures in SVG: panels with curves under one legend.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::outcome::{Outcome, ResultExt as _};

/// Colour of an exact or a reference curve, and of text.
pub(crate) const BLACK_LINE: RGBColor = RGBColor(40, 40, 40);
/// Colour of memcached.
pub(crate) const RED: RGBColor = RGBColor(192, 74, 46);
/// Colours of this project's curves first, then of others.
pub(crate) const COLOURS: [RGBColor; 3] = [RGBColor(58, 125, 93), RGBColor(60, 110, 190), RGBColor(150, 100, 170)];

const COLUMNS: usize = 3;
const PANEL: (u32, u32) = (330, 250);
const HEAD_HEIGHT: u32 = 34;

/// A part of a picture.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The result of drawing.
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Draws `count` panels, three a row, below a line with the names of the curves and a remark.
pub(crate) fn panels(
    count: usize,
    curves: &[(&str, RGBColor)],
    remark: &str,
    panel: impl Fn(usize, &Area<'_>) -> Drawn,
) -> Outcome<String> {
    let mut svg = String::new();
    let rows = count.div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * rows as u32 + HEAD_HEIGHT);
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).context("picture")?;
        let (head, body) = root.split_vertically(HEAD_HEIGHT);
        legend(&head, curves, remark).context("picture")?;
        for (at, area) in body.split_evenly((rows, COLUMNS)).iter().take(count).enumerate() {
            panel(at, area).context("picture")?;
        }
        root.present().context("picture")?;
    }
    Ok(svg)
}

fn legend(area: &Area<'_>, curves: &[(&str, RGBColor)], remark: &str) -> Drawn {
    let style = ("sans-serif", 13).into_font().color(&BLACK_LINE);
    let mut x = 20;
    for (name, colour) in curves {
        area.draw(&PathElement::new([(x, 18), (x + 24, 18)], colour.stroke_width(2)))?;
        area.draw(&Text::new(*name, (x + 30, 12), style.clone()))?;
        x += 60 + 8 * name.len() as i32;
    }
    area.draw(&Text::new(remark, (x, 12), style))
}
