//! Makes the parser of command lines, with its help, from the table of flags.

use super::{
    help,
    table::{
        Action::{Count, Instead, Print, Switch, Value, Values},
        FLAGS, Flag,
    },
};
use clap::{Arg, ArgAction, Command};

/// Words that belong to no flag. memcached ignores them, so start scripts may have some.
pub(super) const STRAY_WORDS: &str = "stray-words";

/// The parser.
pub(super) fn command() -> Command {
    let command = Command::new("wasmcached")
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(help::after())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .max_term_width(120);
    FLAGS.iter().map(argument).fold(command, Command::arg).arg(help::generate_argument()).arg(stray_words_argument())
}

fn stray_words_argument() -> Arg {
    Arg::new(STRAY_WORDS).hide(true).num_args(0..)
}

fn argument(flag: &Flag) -> Arg {
    let argument = Arg::new(flag.long).long(flag.long).help(flag.help).help_heading(flag.group);
    let argument = argument.aliases(abbreviations(flag));
    let argument = match flag.short {
        Some(short) => argument.short(short),
        None => argument,
    };
    match flag.action {
        Switch(_) | Print => argument.action(ArgAction::SetTrue).overrides_with(flag.long),
        Count(_) => argument.action(ArgAction::Count),
        Value(name, _) => {
            argument.action(ArgAction::Set).value_name(name).overrides_with(flag.long).allow_hyphen_values(true)
        }
        Values(name, _) => argument.action(ArgAction::Append).value_name(name).allow_hyphen_values(true),
        Instead(name) => {
            let argument = argument.action(ArgAction::Set).overrides_with(flag.long);
            match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                Some(name) => argument.value_name(name).num_args(0..=1).default_missing_value(""),
                None => argument.value_name(name),
            }
        }
    }
}

/// Abbreviations of a flag that are unique in memcached. Flags that memcached does not have (those without a letter) must
/// not make them ambiguous.
fn abbreviations(flag: &Flag) -> Vec<&'static str> {
    let starting_with = |start: &str, lettered: bool| {
        FLAGS.iter().filter(|other| other.short.is_some() == lettered && other.long.starts_with(start)).count()
    };
    if flag.short.is_none() {
        return Vec::new();
    }
    let starts = (1..flag.long.len()).filter_map(|bytes| flag.long.get(..bytes));
    starts.filter(|start| starting_with(start, true) == 1 && starting_with(start, false) > 0).collect()
}
