//! The report: tables for the terminal and for the documentation, with the bars.

use std::fmt::Write as _;

use super::cell::Cell;
use super::findings::{Findings, digits};
use super::memory::{FullCache, IDLE_CONNECTION_KIB_MAX, IdleConnections, LIMIT_MIB, RESIDENT_MIB_MAX};
use super::plan::{self, BARS, Bar, EVICTING_LATENCY_RATIO_MAX, PROTOCOL_RATIO_MAX};
use super::summary::{CellResult, Numbers, Ratio};
use super::tables::{is_plain_text, markdown_protocols, markdown_tls};

/// Header of the table for the terminal.
pub fn text_head() -> String {
    format!(
        "{:<34} {:<12} {:>9} {:>8} {:>8} {:>5} {:>8} {:>8} {:>8} {:>8} {:>6}",
        "cell", "server", "rate/s", "us/req", "us/key", "busy", "p50 us", "p99 us", "p99.9 us", "RSS MiB", "miss"
    )
}

/// Lines of one cell in the table for the terminal.
pub fn text_cell(result: &CellResult, ours: &str, theirs: &str) -> String {
    let mut text = text_row(&result.cell.to_string(), ours, &result.ours);
    text += &text_row("", theirs, &result.theirs);
    if let Some(floor) = &result.floor {
        text += &text_row("", "floor", floor);
    }
    let _ = writeln!(
        text,
        "{:<34} {:<12} {:>9} {:>8} [{:.3} to {:.3}; quietest rounds {:.3}]; p50 {:.2}, p99 {:.2}",
        "",
        "ratio",
        format!("{:.3}", result.rate_ratio.median),
        format!("{:.3}", result.cpu_ratio.median),
        result.cpu_ratio.lowest,
        result.cpu_ratio.highest,
        result.quietest_cpu_ratio,
        result.p50_ratio.median,
        result.p99_ratio.median,
    );
    if let Some(in_text) = &result.text {
        text += &text_row("", "as text", &in_text.numbers);
        let _ = writeln!(
            text,
            "{:<34} {:<12} {:>9} {:>8.3} [{:.3} to {:.3}; quietest rounds {:.3}]",
            "",
            "to text",
            "",
            in_text.cpu_ratio.median,
            in_text.cpu_ratio.lowest,
            in_text.cpu_ratio.highest,
            in_text.quietest_cpu_ratio,
        );
    }
    if result.cell.encrypted {
        let [ours, theirs] =
            [&result.ours, &result.theirs].map(|numbers| result.cell.megabytes_per_second(numbers.rate));
        let _ = writeln!(text, "{:<34} {:<12} {} / {}", "", "MB/s", digits(ours), digits(theirs));
    }
    text
}

fn text_row(cell: &str, server: &str, numbers: &Numbers) -> String {
    format!(
        "{cell:<34} {server:<12} {:>9.0} {:>8.3} {:>8.3} {:>4.0}% {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>5.1}%\n",
        numbers.rate,
        numbers.cpu_us_request,
        numbers.cpu_us_key,
        numbers.busy * 100.0,
        numbers.p50_us,
        numbers.p99_us,
        numbers.p999_us,
        numbers.resident_mib,
        numbers.misses * 100.0,
    )
}

/// Text after the table for the terminal: memory, bars, noise.
pub fn text_summary(findings: &Findings) -> String {
    let mut text = String::new();
    for full in &findings.full {
        let _ = writeln!(
            text,
            "-m {LIMIT_MIB} full of 100-byte values, -t {}: {:<12} {:>6.1} MiB resident ({:.1} when empty; bar {:.1}), \
             {} items, {:.1} bytes per item in addition to key and value",
            full.threads,
            full.label,
            full.full_mib,
            full.empty_mib,
            RESIDENT_MIB_MAX,
            full.items,
            full.overhead_bytes_per_item(),
        );
    }
    for idle in &findings.idle {
        let _ = writeln!(
            text,
            "{} idle connections: {:<12} {:.2} KiB each (never spoke), {:.2} KiB each (got one answer); bar {:.1}",
            idle.connections, idle.label, idle.silent_kib, idle.used_kib, IDLE_CONNECTION_KIB_MAX
        );
    }
    for verdict in verdicts(findings) {
        let _ = writeln!(text, "{:<6} {}", if verdict.is_met { "meets" } else { "MISSES" }, verdict.words);
    }
    if findings.is_noise {
        let noise = findings.cells.iter().map(|result| (result.cpu_ratio.median - 1.0).abs());
        let _ = writeln!(text, "noise: CPU ratios are at most {:.3} away from 1", noise.fold(0.0, f64::max));
    }
    if let Some(spread) = widest_spread(&findings.cells) {
        let _ = writeln!(text, "widest spread of a CPU ratio between rounds: {spread}");
    }
    text
}

/// The part of `docs/reference/benchmarks.md` between its markers.
pub fn markdown(findings: &Findings, plot: &str) -> String {
    let mut text = String::new();
    for (name, value) in &findings.circumstances {
        let _ = writeln!(text, "- {name}: {value}");
    }
    let _ = write!(text, "\n### The bars\n\n| bar | measured | |\n|---|---|---|\n");
    for verdict in verdicts(findings) {
        let mark = if verdict.is_met { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {} | {} | {mark} |", verdict.bar, verdict.measured);
    }
    let _ = writeln!(
        text,
        "\n### Server CPU per request, as a ratio\n\n![CPU per request, {} to {}]({plot})",
        findings.ours, findings.theirs
    );
    let _ = writeln!(
        text,
        "\n### All cells in plain text\n\nEach pair of numbers is {} / {}.\n",
        findings.ours, findings.theirs
    );
    text += "| work | data | conns | -t | CPU ratio (rounds) | CPU us per request | CPU us per key | thousand requests/s \
             | p50 us | p99 us | p99.9 us | RSS MiB |\n|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|\n";
    let plain = findings.cells.iter().filter(|result| is_plain_text(&result.cell));
    plain.for_each(|result| text += &markdown_row(result));
    text += &markdown_protocols(findings);
    text += &markdown_tls(findings);
    text += &markdown_floor(&findings.cells);
    text += &markdown_memory(findings);
    text
}

fn markdown_row(result: &CellResult) -> String {
    let CellResult { cell, ours, theirs, cpu_ratio, .. } = result;
    let pair = |field: fn(&Numbers) -> f64| format!("{} / {}", digits(field(ours)), digits(field(theirs)));
    let work = [cell.operation.name().to_owned(), cell.variant_name()].join(" ");
    let Cell { connections, threads, .. } = cell;
    format!(
        "| {} | {} | {connections} | {threads} | **{:.2}** ({:.2} to {:.2}) | {} | {} | {} | {} | {} | {} | {} |\n",
        work.trim_end(),
        cell.data_name(),
        cpu_ratio.median,
        cpu_ratio.lowest,
        cpu_ratio.highest,
        pair(|n| n.cpu_us_request),
        pair(|n| n.cpu_us_key),
        pair(|n| n.rate / 1e3),
        pair(|n| n.p50_us),
        pair(|n| n.p99_us),
        pair(|n| n.p999_us),
        pair(|n| n.resident_mib),
    )
}

fn markdown_floor(cells: &[CellResult]) -> String {
    let mut text = String::new();
    for CellResult { cell, ours, theirs, floor, .. } in cells {
        let Some(floor) = floor else { continue };
        if text.is_empty() {
            text += "\n### The floor\n\nServer CPU microseconds per request, beside a bare event loop that replies with a constant.\n\n\
                     | cell | floor | ours | theirs |\n|---|--:|--:|--:|\n";
        }
        let [floor, ours, theirs] = [floor, ours, theirs].map(|numbers| digits(numbers.cpu_us_request));
        let _ = writeln!(text, "| {cell} | {floor} | {ours} | {theirs} |");
    }
    text
}

fn markdown_memory(findings: &Findings) -> String {
    let mut text = String::new();
    if !findings.full.is_empty() {
        let _ = write!(
            text,
            "\n### Memory\n\n`-m {LIMIT_MIB}` filled with 100-byte values, a quarter more than fit.\n\n\
             | server | -t | resident MiB | when empty | items held | bytes per item in addition to key and value |\n\
             |---|--:|--:|--:|--:|--:|\n"
        );
    }
    for full in &findings.full {
        let FullCache { label, threads, empty_mib, full_mib, items, .. } = full;
        let overhead = full.overhead_bytes_per_item();
        let _ = writeln!(text, "| {label} | {threads} | {full_mib:.1} | {empty_mib:.1} | {items} | {overhead:.1} |");
    }
    if !findings.idle.is_empty() {
        text +=
            "\n| server | idle connections | KiB each, never spoke | KiB each, got one answer |\n|---|--:|--:|--:|\n";
    }
    for IdleConnections { label, connections, silent_kib, used_kib } in &findings.idle {
        let _ = writeln!(text, "| {label} | {connections} | {silent_kib:.2} | {used_kib:.2} |");
    }
    text
}

/// A bar and its measurement.
struct Verdict {
    bar: String,
    measured: String,
    words: String,
    is_met: bool,
}

impl Verdict {
    fn new(bar: String, measured: String, is_met: bool) -> Self {
        Self { words: format!("{bar}: {measured}"), bar, measured, is_met }
    }
}

fn verdicts(findings: &Findings) -> Vec<Verdict> {
    if findings.is_noise {
        return Vec::new();
    }
    let mut verdicts: Vec<Verdict> = BARS.iter().filter_map(|bar| cpu_verdict(bar, &findings.cells)).collect();
    verdicts.extend(findings.cells.iter().filter_map(protocol_verdict));
    verdicts.extend(latency_verdict(&findings.cells));
    for full in findings.full.iter().filter(|full| full.label == findings.ours) {
        verdicts.push(Verdict::new(
            format!(
                "resident memory of a full -m {LIMIT_MIB}, -t {}, at or under {RESIDENT_MIB_MAX:.1} MiB",
                full.threads
            ),
            format!("{:.1} MiB", full.full_mib),
            full.full_mib <= RESIDENT_MIB_MAX,
        ));
    }
    for idle in findings.idle.iter().filter(|idle| idle.label == findings.ours) {
        verdicts.push(Verdict::new(
            format!("an idle connection at or under {IDLE_CONNECTION_KIB_MAX:.1} KiB"),
            format!("{:.2} KiB", idle.used_kib),
            idle.used_kib <= IDLE_CONNECTION_KIB_MAX,
        ));
    }
    verdicts
}

fn cpu_verdict(bar: &Bar, cells: &[CellResult]) -> Option<Verdict> {
    let cell = bar.cell();
    let result = cells.iter().find(|result| result.cell == cell)?;
    let Ratio { median, lowest, highest } = result.cpu_ratio;
    Some(Verdict::new(
        format!("{cell}: server CPU per request at or under {:.2} of theirs", bar.ratio_max),
        format!("{median:.3} ({lowest:.3} to {highest:.3}; quietest rounds {:.3})", result.quietest_cpu_ratio),
        median <= bar.ratio_max,
    ))
}

fn protocol_verdict(result: &CellResult) -> Option<Verdict> {
    let in_text = result.text.filter(|_| plan::protocols().contains(&result.cell))?;
    let Ratio { median, lowest, highest } = in_text.cpu_ratio;
    Some(Verdict::new(
        format!("{}: server CPU per request at or under {PROTOCOL_RATIO_MAX:.2} of ours in text", result.cell),
        format!("{median:.3} ({lowest:.3} to {highest:.3}; quietest rounds {:.3})", in_text.quietest_cpu_ratio),
        median <= PROTOCOL_RATIO_MAX,
    ))
}

fn latency_verdict(cells: &[CellResult]) -> Option<Verdict> {
    let p999_us = |cell| cells.iter().find(|result| result.cell == cell).map(|result| result.ours.p999_us);
    let [without, with] = plan::evicting_pair().map(p999_us);
    let ratio = with? / without?;
    Some(Verdict::new(
        format!("sets that evict: p99.9 at or under {EVICTING_LATENCY_RATIO_MAX:.1} times that of sets that do not"),
        format!("{ratio:.2} ({} us, {} us)", digits(with?), digits(without?)),
        ratio <= EVICTING_LATENCY_RATIO_MAX,
    ))
}

fn widest_spread(cells: &[CellResult]) -> Option<String> {
    let width = |result: &CellResult| result.cpu_ratio.highest - result.cpu_ratio.lowest;
    let widest = cells.iter().max_by(|a, b| width(a).total_cmp(&width(b)))?;
    Some(format!("{:.3} ({})", width(widest), widest.cell))
}

#[cfg(test)]
mod tests {
    use super::super::workload::Operation;
    use super::*;

    fn findings(cpu_ours: f64) -> Findings {
        let numbers = |cpu_us_request| Numbers { cpu_us_request, rate: 1e5, ..Numbers::default() };
        let cell = Cell::base(Operation::GetPipelined);
        let result = CellResult::new(cell, &[numbers(cpu_ours)], &[numbers(1.0)], &[]);
        Findings { ours: "a".into(), theirs: "b".into(), cells: vec![result], ..Findings::default() }
    }

    #[test]
    fn a_bar_is_met_or_missed() {
        assert!(text_summary(&findings(0.55)).contains("meets  get-x16"));
        assert!(text_summary(&findings(0.56)).contains("MISSES get-x16"));
    }

    #[test]
    fn protocols_are_held_to_our_own_text() {
        let numbers = |cpu_us_request| Numbers { cpu_us_request, ..Numbers::default() };
        let summary = |cpu_us: f64| {
            let result = CellResult::new(plan::protocols()[0], &[numbers(cpu_us)], &[numbers(9.0)], &[]);
            let cells = vec![result.beside_text(&[numbers(cpu_us)], &[numbers(1.0)])];
            text_summary(&Findings { cells, ..Findings::default() })
        };
        assert!(summary(1.15).contains("meets  get 1Mx100B c20 t1 meta: server CPU per request at or under 1.15"));
        assert!(summary(1.16).contains("MISSES get 1Mx100B c20 t1 meta"));
    }

    #[test]
    fn rows_have_as_many_columns_as_their_head() {
        let text = markdown(&findings(0.5), "plot.svg");
        let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("| work")).collect();
        let columns = |line: &str| line.matches('|').count();
        assert_eq!(columns(table[0]), columns(table[1]));
        assert_eq!(columns(table[0]), columns(table[2]));
    }
}
