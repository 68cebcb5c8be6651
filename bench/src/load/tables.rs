//! Tables of the documentation for the other protocols beside text, and for TLS.

use std::fmt::Write as _;

use super::cell::Cell;
use super::findings::{Findings, digits};
use super::protocol::Protocol;
use super::summary::{CellResult, Numbers};
use crate::tls::SUITE_NAME;

/// Whether a cell belongs to the table of all cells instead of one of these.
pub fn is_plain_text(cell: &Cell) -> bool {
    cell.protocol == Protocol::Text && !cell.encrypted
}

/// The table of protocols; empty if only text was measured.
pub fn markdown_protocols(findings: &Findings) -> String {
    let Findings { ours, theirs, .. } = findings;
    let mut text = String::new();
    for CellResult { cell, ours: numbers, theirs: others, text: in_text, cpu_ratio, .. } in &findings.cells {
        let Some(in_text) = in_text else { continue };
        if text.is_empty() {
            let _ = write!(
                text,
                "\n### Protocols\n\nServer CPU microseconds per request in the protocol; beside it {theirs} in the same protocol, \
                 and {ours} with the same work in text. A request of 50 keys is 50 quiet gets and a no-op.\n\n\
                 | work | protocol | {ours} | {theirs} | ratio (rounds) | {ours} in text | protocol to text (rounds) \
                 | thousand requests/s | p50 us | p99 us |\n|---|---|--:|--:|---|--:|---|--:|--:|--:|\n"
            );
        }
        let pair = |field: fn(&Numbers) -> f64| format!("{} / {}", digits(field(numbers)), digits(field(others)));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | **{:.2}** ({:.2} to {:.2}) | {} | **{:.2}** ({:.2} to {:.2}) | {} | {} | {} |",
            work(cell),
            cell.protocol.name(),
            digits(numbers.cpu_us_request),
            digits(others.cpu_us_request),
            cpu_ratio.median,
            cpu_ratio.lowest,
            cpu_ratio.highest,
            digits(in_text.numbers.cpu_us_request),
            in_text.cpu_ratio.median,
            in_text.cpu_ratio.lowest,
            in_text.cpu_ratio.highest,
            pair(|n| n.rate / 1e3),
            pair(|n| n.p50_us),
            pair(|n| n.p99_us),
        );
    }
    text
}

/// The table of TLS; empty if TLS was not measured.
pub fn markdown_tls(findings: &Findings) -> String {
    let mut text = String::new();
    for CellResult { cell, ours, theirs, cpu_ratio, .. } in findings.cells.iter().filter(|result| result.cell.encrypted)
    {
        if text.is_empty() {
            let _ = write!(
                text,
                "\n### TLS\n\n`-Z` on both servers, {SUITE_NAME}. Each pair of numbers is {} / {}; busy is the share of one \
                 core that the server used: the client decrypts what the server encrypts, and limits the rate \
                 where it is the slower side.\n\n\
                 | work | data | conns | -t | CPU ratio (rounds) | CPU us per request | thousand requests/s | MB/s of values \
                 | busy % | p50 us | p99 us |\n|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|\n",
                findings.ours, findings.theirs
            );
        }
        let pair = |field: &dyn Fn(&Numbers) -> f64| format!("{} / {}", digits(field(ours)), digits(field(theirs)));
        let Cell { connections, threads, .. } = cell;
        let _ = writeln!(
            text,
            "| {} | {} | {connections} | {threads} | **{:.2}** ({:.2} to {:.2}) | {} | {} | {} | {} | {} | {} |",
            work(cell),
            cell.data_name(),
            cpu_ratio.median,
            cpu_ratio.lowest,
            cpu_ratio.highest,
            pair(&|n| n.cpu_us_request),
            pair(&|n| n.rate / 1e3),
            pair(&|n| cell.megabytes_per_second(n.rate)),
            pair(&|n| n.busy * 100.0),
            pair(&|n| n.p50_us),
            pair(&|n| n.p99_us),
        );
    }
    text
}

/// Operation and variant, without the words that these tables have in a column or a title.
fn work(cell: &Cell) -> String {
    let plain = Cell { protocol: Protocol::Text, encrypted: false, ..*cell };
    let words = [plain.operation.name().to_owned(), plain.variant_name()].join(" ");
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    #[test]
    fn every_cell_is_a_row_with_as_many_columns_as_its_head() {
        let rounds = [Numbers { cpu_us_request: 3.0, rate: 2e4, ..Numbers::default() }];
        let cells = [plan::protocols(), plan::encrypted()].concat();
        let cells = cells.into_iter().map(|cell| {
            let text: &[Numbers] = if cell.protocol == Protocol::Text { &[] } else { &rounds };
            CellResult::new(cell, &rounds, &rounds, &[]).beside_text(&rounds, text)
        });
        let findings = Findings { cells: cells.collect(), ..Findings::default() };
        let tables = [
            (markdown_protocols(&findings), plan::protocols().len()),
            (markdown_tls(&findings), plan::encrypted().len()),
        ];
        for (text, rows) in tables {
            let table: Vec<usize> =
                text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
            assert_eq!(table, vec![table[0]; rows + 2], "{text}");
        }
        assert!(markdown_tls(&findings).contains("| 2000 / 2000 |"), "20,000 values of 100 kB a second");
        assert_eq!(markdown_protocols(&Findings::default()) + &markdown_tls(&Findings::default()), "");
    }
}
