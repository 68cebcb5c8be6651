//! The page of `docs/reference` that lists the flags, in Markdown.

use super::{
    extended::{self, Effect, Extended},
    table::{Action, FLAGS, Flag},
};
use std::fmt::Write as _;

const HEAD: &str = "\
# Flags

Every flag of `wasmcached`, generated from the table of flags in `host/src/options`. After a change of the table, write this
page with `cargo run --package wasmcached -- --generate reference > docs/reference/flags.md`.

Flags have memcached's letters and long names. Each long name is also a key of the configuration file (`--config`); names of
`-o` stand there below `[extended]`. The last column names the line of `stats settings` that shows the value.
";

/// The whole page.
pub(super) fn page() -> String {
    let mut text = HEAD.to_owned();
    for (index, first) in FLAGS.iter().enumerate() {
        if FLAGS[..index].iter().any(|before| before.group == first.group) {
            continue;
        }
        let _ = write!(
            text,
            "\n## {}\n\n| flag | value | default | effect | setting |\n|---|---|---|---|---|\n",
            first.group
        );
        FLAGS.iter().filter(|flag| flag.group == first.group).for_each(|flag| text += &flag_row(flag));
    }
    text += "\n## Names of `-o`\n\n| name | value | effect | setting |\n|---|---|---|---|\n";
    extended::NAMES.iter().for_each(|name| text += &name_row(name));
    text += "\n## Names of `-o` without effect\n\nAccepted, each with a warning.\n\n| name | reason |\n|---|---|\n";
    for name in extended::NAMES {
        if let Effect::NoOp(reason) | Effect::CheckedNoOp(_, reason) = name.effect {
            let _ = writeln!(text, "| `{}` | {} |", name.name, cell(reason));
        }
    }
    text += "\n## Rejected names of `-o`\n\nThe server does not start with them.\n\n| name | reason |\n|---|---|\n";
    for name in extended::NAMES {
        if let Effect::Rejected(reason) = name.effect {
            let _ = writeln!(text, "| `{}` | {} |", name.name, cell(reason));
        }
    }
    text
}

fn flag_row(flag: &Flag) -> String {
    let names = match flag.short {
        Some(short) => format!("`-{short}`, `--{}`", flag.long),
        None => format!("`--{}`", flag.long),
    };
    let value = match flag.action {
        Action::Switch(_) | Action::Print => "",
        Action::Count(_) => "repeatable",
        Action::Value(name, _) | Action::Values(name, _) | Action::Instead(name) => name,
    };
    let (help, default) = match flag.help.split_once("[default: ") {
        Some((help, default)) => (help.trim_end(), default.trim_end_matches(']')),
        None => (flag.help, ""),
    };
    let setting = setting(flag.setting.map(|(setting, _)| setting.name()));
    format!("| {names} | {} | {} | {} | {setting} |\n", cell(value), cell(default), cell(help))
}

/// Empty for names without effect and for those of tests.
fn name_row(name: &Extended) -> String {
    let (value, help) = match name.effect {
        Effect::Switch(_, extended::HIDDEN) => return String::new(),
        Effect::Switch(_, help) => ("", help),
        Effect::Number(_, unit, help) | Effect::Word(_, unit, help) => (unit, help),
        Effect::NoOp(_) | Effect::CheckedNoOp(..) | Effect::Rejected(_) => return String::new(),
    };
    let setting = setting(name.setting.map(|(setting, _)| setting.name()));
    format!("| `{}` | {} | {} | {setting} |\n", name.name, cell(value), cell(help))
}

fn setting(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!("`{name}`"))
}

/// Text inside a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
