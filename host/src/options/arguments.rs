//! Flags with their values as text, in the order of the table. The command line and the configuration file both become
//! this list, which either applies itself to the options or is written as a file.

use super::{
    Options,
    parser::STRAY_WORDS,
    table::{Action, FLAGS, Flag},
};
use crate::exit::{self, ExitError};
use clap::ArgMatches;

/// The long name of `-o`.
pub(super) const EXTENDED: &str = "extended";

/// See the module.
#[derive(Default)]
pub(super) struct Arguments {
    flags: Vec<FlagValues>,
    /// Words that belong to no flag.
    stray_words: Vec<String>,
}

struct FlagValues {
    flag: &'static Flag,
    /// A switch has one empty value; a counted flag has its count.
    values: Vec<ArgumentValue>,
}

/// A value as the user wrote it.
pub(super) struct ArgumentValue {
    pub(super) text: String,
    /// Prefix of error messages: the place in a file. Empty for the command line.
    pub(super) place: String,
}

impl Arguments {
    /// The flags of the command line.
    pub(super) fn of_command_line(matches: &ArgMatches) -> Self {
        let mut arguments = Self::default();
        let value = |text: &str| ArgumentValue { text: text.to_owned(), place: String::new() };
        for flag in FLAGS {
            match flag.action {
                Action::Print | Action::Instead(_) => {}
                Action::Switch(_) if matches.get_flag(flag.long) => arguments.add(flag, value("")),
                Action::Switch(_) => {}
                Action::Count(_) => match matches.get_count(flag.long) {
                    0 => {}
                    count => arguments.add(flag, value(&count.to_string())),
                },
                Action::Value(..) => {
                    for text in matches.get_many::<String>(flag.long).into_iter().flatten() {
                        arguments.add(flag, value(text));
                    }
                }
                Action::Values(..) => {
                    let lists = matches.get_many::<String>(flag.long).into_iter().flatten();
                    for text in lists.flat_map(|list| list.split(',')).filter(|text| !text.is_empty()) {
                        arguments.add(flag, value(text));
                    }
                }
            }
        }
        arguments.stray_words = matches.get_many::<String>(STRAY_WORDS).into_iter().flatten().cloned().collect();
        arguments
    }

    /// Appends a value.
    pub(super) fn add(&mut self, flag: &'static Flag, value: ArgumentValue) {
        match self.flags.iter_mut().find(|known| known.flag.long == flag.long) {
            Some(known) => known.values.push(value),
            None => self.flags.push(FlagValues { flag, values: vec![value] }),
        }
    }

    /// Merges both lists. `over` wins flag by flag, and for `-o` name by name.
    pub(super) fn overridden_by(mut self, over: Self) -> Self {
        for above in over.flags {
            match self.flags.iter_mut().find(|below| below.flag.long == above.flag.long) {
                Some(below) if above.flag.long == EXTENDED => below.values.extend(above.values),
                Some(below) => *below = above,
                None => self.flags.push(above),
            }
        }
        self.stray_words.extend(over.stray_words);
        self
    }

    /// Applies every value to `options`.
    ///
    /// # Errors
    /// The first value that is invalid.
    pub(super) fn apply(&self, options: &mut Options) -> Result<(), ExitError> {
        for flag in FLAGS {
            for value in self.values(flag) {
                match flag.action {
                    Action::Print | Action::Instead(_) => {}
                    Action::Switch(action) => action(options),
                    Action::Count(action) => action(options, value.text.parse().unwrap_or(u8::MAX)),
                    Action::Value(_, action) | Action::Values(_, action) => {
                        action(options, &value.text).map_err(|error| value.located(error))?;
                    }
                }
                if let Some(message) = options.rejected.take() {
                    return Err(value.located(ExitError::new(exit::USAGE, message)));
                }
            }
        }
        for word in &self.stray_words {
            options.warn(&format!("\"{word}\" does nothing: it belongs to no flag"));
        }
        Ok(())
    }

    /// The values of a flag, in the order in which they were given.
    pub(super) fn values(&self, flag: &Flag) -> &[ArgumentValue] {
        self.flags.iter().find(|known| known.flag.long == flag.long).map_or(&[], |known| &known.values)
    }
}

impl ArgumentValue {
    fn located(&self, error: ExitError) -> ExitError {
        ExitError { message: format!("{}{}", self.place, error.message), ..error }
    }
}
