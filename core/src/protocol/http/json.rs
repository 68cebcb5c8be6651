//! `/stats.json`: every statistic with its unit and meaning, for programs.
//!
//! ```text
//! {"version": 1, "server": "wasmcached-…",
//!  "statistics": {NAME: {"value": number or text, "kind": "counter" | "gauge" | "text", "unit": text, "help": text}},
//!  "classes": {NAME: {"kind": …, "unit": …, "help": …, "values": {CLASS: number}}}}
//! ```
//!
//! Names are those of `stats`, `stats items` and `stats slabs`. Fields and statistics may be added under the same
//! version.

use super::{
    PageNumbers,
    encode::Text,
    samples::{sample_value, unit_name},
};
use crate::statistics::{
    Class, Classes, ITEM_STATISTICS, Kind, Numbers, SLAB_STATISTICS, STATISTICS, Statistic, StatisticValue,
};
use alloc::vec::Vec;
use core::fmt::{Display, Formatter, Result, Write};

/// The version of the page: a program that knows it can read the page.
const VERSION: u32 = 1;
/// Rows that [`PageNumbers::Server`] fills.
pub const SERVER_ROWS: usize = STATISTICS.len();
const SLAB_ROW: usize = SERVER_ROWS + ITEM_STATISTICS.len();
/// All rows.
pub const ROWS: usize = SLAB_ROW + SLAB_STATISTICS.len();

/// Writes a row, with the beginning or end of the page around the first and last ones.
pub(super) fn write_row(out: &mut Vec<u8>, row: usize, numbers: &PageNumbers<'_>) {
    // Writing to a vector cannot fail.
    let _ = match *numbers {
        PageNumbers::Server { config, numbers, .. } => {
            let statistic = &STATISTICS[row];
            let is_shown = (statistic.is_shown)(config);
            server_row(&mut Text(out), statistic, numbers, row == 0, is_shown)
        }
        PageNumbers::Classes(classes) => {
            let statistic =
                if row < SLAB_ROW { &ITEM_STATISTICS[row - SERVER_ROWS] } else { &SLAB_STATISTICS[row - SLAB_ROW] };
            class_row(&mut Text(out), statistic, classes, row)
        }
    };
}

fn server_row(
    text: &mut Text<'_>,
    statistic: &Statistic<Numbers>,
    numbers: &Numbers,
    is_first: bool,
    is_shown: bool,
) -> Result {
    if is_first {
        let server = concat!("wasmcached-", env!("CARGO_PKG_VERSION"));
        write!(text, "{{\"version\":{VERSION},\"server\":\"{server}\",\"statistics\":{{")?;
    } else if is_shown {
        text.write_str(",")?;
    }
    if !is_shown {
        return Ok(());
    }
    write!(text, "\n\"{}\":{{\"value\":", statistic.name)?;
    match sample_value(statistic.value(numbers), statistic.unit) {
        StatisticValue::Text(value) => write!(text, "\"{}\"", JsonText(value))?,
        value => write!(text, "{value}")?,
    }
    write!(text, ",{}}}", Meaning(statistic))
}

fn class_row(text: &mut Text<'_>, statistic: &Statistic<Class>, classes: &Classes, row: usize) -> Result {
    text.write_str(if row == SERVER_ROWS { "\n},\"classes\":{" } else { "," })?;
    write!(text, "\n\"{}\":{{{},\"values\":{{", statistic.name, Meaning(statistic))?;
    for (place, class) in classes.0.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, "{comma}\"{}\":{}", class.number, sample_value(statistic.value(class), statistic.unit))?;
    }
    text.write_str(if row + 1 == ROWS { "}}\n}}\n" } else { "}}" })
}

/// The fields of a statistic besides its value.
struct Meaning<'s, N>(&'s Statistic<N>);

impl<N> Display for Meaning<'_, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let kind = match self.0.kind {
            Kind::Counter | Kind::Broadcasts | Kind::Lifetime => "counter",
            Kind::Gauge | Kind::Longest => "gauge",
            Kind::Text => "text",
        };
        let (unit, help) = (unit_name(self.0.unit), JsonText(self.0.help));
        write!(f, "\"kind\":\"{kind}\",\"unit\":\"{unit}\",\"help\":\"{help}\"")
    }
}

/// A text within the quotes of JSON. The texts of the tables have no control characters.
struct JsonText(&'static str);

impl Display for JsonText {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        Ok(())
    }
}
