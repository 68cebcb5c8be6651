//! What was asked for, wherever it was said: flags with their values as text, in the order of the table. The command
//! line and the configuration file both become this; it puts itself into force, or writes itself down.

use super::{
    Options,
    parser::SURPLUS,
    table::{Action, FLAGS, Flag},
};
use crate::refusal::{Refusal, exit};
use clap::ArgMatches;

/// The long name of `-o`.
pub(super) const EXTENDED: &str = "extended";

/// See the module.
#[derive(Default)]
pub(super) struct Given {
    flags: Vec<GivenFlag>,
    /// Words that belong to no flag.
    surplus: Vec<String>,
}

struct GivenFlag {
    flag: &'static Flag,
    /// Of a switch: one that is empty. Of what is counted: how often.
    said: Vec<Said>,
}

/// A value as somebody wrote it.
pub(super) struct Said {
    pub(super) text: String,
    /// What an error begins with: the place in a file. Empty for the command line.
    pub(super) place: String,
}

impl Given {
    /// What the command line says.
    pub(super) fn of_command_line(matches: &ArgMatches) -> Self {
        let mut given = Self::default();
        let said = |text: &str| Said { text: text.to_owned(), place: String::new() };
        for flag in FLAGS {
            match flag.action {
                Action::Print | Action::Instead(_) => {}
                Action::Switch(_) if matches.get_flag(flag.long) => given.add(flag, said("")),
                Action::Switch(_) => {}
                Action::Count(_) => match matches.get_count(flag.long) {
                    0 => {}
                    count => given.add(flag, said(&count.to_string())),
                },
                Action::Value(..) => {
                    for text in matches.get_many::<String>(flag.long).into_iter().flatten() {
                        given.add(flag, said(text));
                    }
                }
                Action::Values(..) => {
                    let lists = matches.get_many::<String>(flag.long).into_iter().flatten();
                    for text in lists.flat_map(|list| list.split(',')).filter(|text| !text.is_empty()) {
                        given.add(flag, said(text));
                    }
                }
            }
        }
        given.surplus = matches.get_many::<String>(SURPLUS).into_iter().flatten().cloned().collect();
        given
    }

    /// One more value.
    pub(super) fn add(&mut self, flag: &'static Flag, said: Said) {
        match self.flags.iter_mut().find(|given| given.flag.long == flag.long) {
            Some(given) => given.said.push(said),
            None => self.flags.push(GivenFlag { flag, said: vec![said] }),
        }
    }

    /// Both, where `over` wins: flag by flag, and of `-o` name by name.
    pub(super) fn beneath(mut self, over: Self) -> Self {
        for above in over.flags {
            match self.flags.iter_mut().find(|given| given.flag.long == above.flag.long) {
                Some(below) if above.flag.long == EXTENDED => below.said.extend(above.said),
                Some(below) => *below = above,
                None => self.flags.push(above),
            }
        }
        self.surplus.extend(over.surplus);
        self
    }

    /// Puts all of it into `options`.
    ///
    /// # Errors
    /// The first that cannot be obeyed.
    pub(super) fn apply(&self, options: &mut Options) -> Result<(), Refusal> {
        for flag in FLAGS {
            for said in self.said(flag) {
                match flag.action {
                    Action::Print | Action::Instead(_) => {}
                    Action::Switch(action) => action(options),
                    Action::Count(action) => action(options, said.text.parse().unwrap_or(u8::MAX)),
                    Action::Value(_, action) | Action::Values(_, action) => {
                        action(options, &said.text).map_err(|refusal| said.located(refusal))?;
                    }
                }
                if let Some(message) = options.refused.take() {
                    return Err(said.located(Refusal::new(exit::USAGE, message)));
                }
            }
        }
        for word in &self.surplus {
            options.warn(&format!("\"{word}\" does nothing: it belongs to no flag"));
        }
        Ok(())
    }

    /// The values of a flag, in the order in which they were said.
    pub(super) fn said(&self, flag: &Flag) -> &[Said] {
        self.flags.iter().find(|given| given.flag.long == flag.long).map_or(&[], |given| &given.said)
    }
}

impl Said {
    fn located(&self, refusal: Refusal) -> Refusal {
        Refusal { message: format!("{}{}", self.place, refusal.message), ..refusal }
    }
}
