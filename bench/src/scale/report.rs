//! The report: lines for the terminal while it runs, tables for the documentation.

use super::samples::{Sample, Samples, ScaleFindings};
use super::targets;
use crate::load::findings::digits;

/// Columns of all numbers, and their widths on the terminal.
const COLUMNS: [(&str, usize); 13] = [
    ("work", 11),
    ("-t", 4),
    ("server", 12),
    ("M keys/s", 9),
    ("to -t 1", 8),
    ("to memcached", 13),
    ("CPU us/key", 11),
    ("to -t 1", 8),
    ("to memcached", 13),
    ("cores busy", 11),
    ("p99 us", 8),
    ("p99.9 us", 9),
    ("misses", 7),
];

/// Marks numbers of threads for which server and load shared cores.
const SHARED: &str = "*";

/// Header of the table for the terminal.
pub fn text_head() -> String {
    aligned(&COLUMNS.map(|(name, _)| name.to_owned()))
}

/// A line of the table for the terminal, with ratios to what `samples` has already.
pub fn text_line(samples: &Samples, sample: &Sample) -> String {
    aligned(&row(samples, sample, digits(sample.median.cpu_us_key)))
}

/// Text after the table for the terminal: the targets, and the key to its marks.
pub fn text_summary(samples: &Samples) -> String {
    let mut text = String::new();
    if samples.0.iter().any(|sample| sample.is_shared) {
        text += "* server and load shared cores: compare processor time, not rates\n";
    }
    for row in targets::rows(samples).unwrap_or_default() {
        let (name, works) = row.split_at(1);
        text += &format!("{:<46}", name[0]);
        works.iter().for_each(|work| text += &format!(" {work:<20}"));
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

/// The part of the page between its markers; `pictures` are the paths of rates and processor time.
pub fn markdown(findings: &ScaleFindings, pictures: [&str; 2]) -> String {
    let samples = &findings.samples;
    let mut text: String = findings.circumstances.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect();
    if let Some(targets) = targets::rows(samples) {
        text += "\n### Targets\n\nThe bound, then what was measured.\n\n";
        text += &piped(&targets, targets[0].len());
    }
    text += "\n### Rates\n\nMillion keys a second.\n\n";
    text += &piped(&matrix(samples, |sample| digits(sample.keys_per_second() / 1e6)), 2);
    text += &format!("\n![Million keys a second by threads]({})\n", pictures[0]);
    text += "\n### Server CPU\n\nMicroseconds of all threads of the server a key, user and system.\n\n";
    text += &piped(&matrix(samples, |sample| digits(sample.median.cpu_us_key)), 2);
    text += &format!("\n![Server CPU a key by threads]({})\n", pictures[1]);
    text += "\n### All numbers\n\nMedians of the rounds; behind CPU the rounds with the least and the most.\n\n";
    let mut rows = vec![COLUMNS.map(|(name, _)| name.to_owned()).into()];
    for operation in samples.operations() {
        let of_work = samples.0.iter().filter(|sample| sample.cell.operation == operation);
        rows.extend(of_work.map(|sample| {
            let [least, most] = sample.cpu_us_key_spread().map(digits);
            row(samples, sample, format!("{} ({least} to {most})", digits(sample.median.cpu_us_key))).into()
        }));
    }
    text += &piped(&rows, 3);
    if samples.0.iter().any(|sample| sample.is_shared) {
        text += "\n`*`: server and load shared cores. Such rows compare processor time; their rates are limited by the load.\n";
    }
    text
}

fn row(samples: &Samples, sample: &Sample, cpu_us_key: String) -> [String; 13] {
    let ratio = |ratio: Option<f64>| ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"));
    let numbers = &sample.median;
    [
        sample.cell.operation.name().into(),
        threads(sample),
        sample.server.clone(),
        digits(sample.keys_per_second() / 1e6),
        ratio(samples.rate_to_one(sample)),
        ratio(samples.to_memcached(sample, |numbers| numbers.rate)),
        cpu_us_key,
        ratio(samples.cpu_to_one(sample)),
        ratio(samples.to_memcached(sample, |numbers| numbers.cpu_us_key)),
        format!("{:.2}", numbers.busy),
        digits(numbers.p99_us),
        digits(numbers.p999_us),
        format!("{:.1} %", numbers.misses * 100.0),
    ]
}

fn threads(sample: &Sample) -> String {
    format!("{}{}", sample.cell.threads, if sample.is_shared { SHARED } else { "" })
}

/// A row for each server and number of threads, a column for each work.
fn matrix(samples: &Samples, number: impl Fn(&Sample) -> String) -> Vec<Vec<String>> {
    let operations = samples.operations();
    let mut rows = vec![vec!["-t".to_owned(), "server".to_owned()]];
    rows[0].extend(operations.iter().map(|operation| operation.name().to_owned()));
    for count in samples.threads() {
        for server in samples.servers() {
            let of_row: Vec<Option<&Sample>> =
                operations.iter().map(|&operation| samples.find(server, operation, count)).collect();
            let Some(first) = of_row.iter().flatten().next() else { continue };
            let mut row = vec![threads(first), server.to_owned()];
            row.extend(of_row.iter().map(|sample| sample.map_or("-".into(), &number)));
            rows.push(row);
        }
    }
    rows
}

fn aligned(row: &[String; 13]) -> String {
    let mut line = String::new();
    for ((name, width), text) in COLUMNS.into_iter().zip(row) {
        line += &if matches!(name, "work" | "server") { format!("{text:<width$}") } else { format!("{text:>width$}") };
        line.push(' ');
    }
    line.trim_end().to_owned()
}

/// A table whose first columns hold words, and the others numbers.
fn piped(rows: &[Vec<String>], words: usize) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        text += &format!("| {} |\n", row.join(" | "));
        if at == 0 {
            text += &format!("|{}{}\n", "---|".repeat(words), "--:|".repeat(row.len() - words));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples::tests::sample;
    use super::super::samples::{OURS, THEIRS};
    use super::*;
    use crate::load::workload::Operation;

    fn samples(is_shared: bool) -> Samples {
        let of = |server, operation, threads, rate| {
            let mut sample = sample(server, operation, threads, rate, 1.5);
            sample.is_shared = is_shared && threads == 8;
            sample
        };
        Samples(vec![
            of(OURS, Operation::GetMany, 1, 20_000.0),
            of(THEIRS, Operation::GetMany, 1, 10_000.0),
            of(OURS, Operation::GetMany, 8, 120_000.0),
            of(THEIRS, Operation::GetMany, 8, 100_000.0),
        ])
    }

    #[test]
    fn a_line_has_rate_ratios_and_processor_time() {
        let samples = samples(false);
        let line = text_line(&samples, &samples.0[2]);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let expected = [
            "get-50keys",
            "8",
            OURS,
            "6.00",
            "6.00",
            "1.20",
            "1.50",
            "1.00",
            "1.00",
            "0.00",
            "50.0",
            "100",
            "0.0",
            "%",
        ];
        assert_eq!(fields, expected);
        assert_eq!(text_line(&samples, &samples.0[3]).split_whitespace().nth(5), Some("-"));
        assert!(text_head().starts_with("work"));
    }

    #[test]
    fn tables_have_as_many_columns_as_their_heads() {
        let findings = ScaleFindings { circumstances: vec![("machine", "a".into())], samples: samples(false) };
        let text = markdown(&findings, ["rate.svg", "cpu.svg"]);
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let columns: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert_eq!(columns, vec![columns[0]; columns.len()], "{table}");
        }
        assert!(text.contains("| 8 | memcached | 5.00 |"), "{text}");
        assert!(text.contains("### Targets") && text.contains("1.9: 1.20 (missed)"), "{text}");
        assert!(text.contains("| 1.50 (1.50 to 1.50) |"));
    }

    #[test]
    fn shared_cores_are_marked_and_have_no_targets() {
        let findings = ScaleFindings { circumstances: Vec::new(), samples: samples(true) };
        let text = markdown(&findings, ["rate.svg", "cpu.svg"]);
        assert!(text.contains("| get-50keys | 8* | wasmcached | 6.00 | - | 1.20 |"), "{text}");
        assert!(text.contains("shared cores") && !text.contains("Targets"));
        assert!(text_summary(&findings.samples).contains("* server and load shared cores"));
        assert!(!text_summary(&samples(false)).contains("shared"));
        assert!(text_summary(&samples(false)).contains("rate to that of one thread, at least"));
    }
}
