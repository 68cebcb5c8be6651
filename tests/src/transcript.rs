//! Transcripts as data: the parser of `tests/transcripts/*.txt`, and nothing else. The format is described in
//! `tests/transcripts/README.md`. Parsing is strict: an unknown directive, a half escape or an unused block is an
//! error that names the line, so that no check can be lost by a typing mistake.

use crate::{
    packet::Packet,
    template::{Template, template},
};
use regex::bytes::Regex;

/// One file.
#[derive(Debug)]
pub struct Transcript {
    /// The file's name without `.txt`.
    pub name: String,
    /// Command-line flags of the server, as memcached spells them.
    pub flags: Vec<String>,
    /// Flags that Debian's memcached needs besides.
    pub oracle_flags: Vec<String>,
    /// Why only a whole server can run the file (flags that the engine alone does not have).
    pub server_only: Option<String>,
    /// The cases in order. They share one server unless a case is `fresh`.
    pub cases: Vec<Case>,
}

/// A named part of a file; each begins with a new connection.
#[derive(Debug, Default)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Where it begins.
    pub line: usize,
    /// Wants a server that nobody has used.
    pub fresh: bool,
    /// Why its input must not be split (rules that depend on what arrives in one read).
    pub whole: Option<String>,
    /// Why real memcached cannot run it.
    pub oracle_skip: Option<String>,
    /// Why only a whole server can run it.
    pub server_only: Option<String>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A line (or block) of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// What it says.
    pub action: Action,
}

/// What a step does or expects.
#[derive(Debug, Clone)]
pub enum Action {
    /// Bytes to send; neighbouring sends go out in one write.
    Send(Template),
    /// Exactly these bytes.
    Expect(Template),
    /// A packet to send.
    SendPacket(Packet),
    /// A packet that has to come.
    ExpectPacket(Packet),
    /// One line that matches; named groups become variables.
    ExpectLine(Regex),
    /// The same, but the line ends in LF alone.
    ExpectBareLine(Regex),
    /// One or more lines that match, as many as there are.
    ExpectLines(Regex),
    /// The server closed the connection, after nothing else.
    ExpectClosed,
    /// The server says nothing.
    ExpectSilence,
    /// Open a further connection and go on with it.
    Open(String),
    /// Go on with a connection opened before.
    On(String),
    /// The client closes the current connection.
    Close,
    /// Forget the current connection without the check that it still works.
    Abandon,
    /// At least so many seconds pass.
    Time(u32),
    /// So many milliseconds pass, really.
    Sleep(u64),
    /// Ask for statistics and compare some of them.
    Statistics {
        /// The sub-command, empty for the general ones.
        of: String,
        /// By packets instead of lines.
        binary: bool,
        /// Name and value (a variable may be used).
        expected: Vec<Statistic>,
    },
    /// Two versions: ours and that of the installed memcached.
    Differs {
        /// Why they differ.
        reason: String,
        /// What memcached 1.6.45 does, and so do we.
        ours: Vec<Step>,
        /// What Debian's memcached does.
        oracle: Vec<Step>,
    },
}

/// One expected line of a statistics block.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// Where it stands.
    pub line: usize,
    /// Name of the statistic.
    pub name: String,
    /// What its value has to be.
    pub value: Value,
}

/// The value of a statistic.
#[derive(Debug, Clone)]
pub enum Value {
    /// This text.
    Is(String),
    /// Something that matches.
    Matches(Regex),
    /// The statistic must not be there.
    Absent,
}

/// Parses a file.
///
/// # Errors
/// Names the line and what is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Transcript, String> {
    let mut parser = Parser { file: name.to_owned(), lines: text.lines().enumerate().peekable() };
    parser.transcript().map_err(|(line, message)| format!("{name}.txt:{line}: {message}"))
}

type Failure = (usize, String);

struct Parser<'a> {
    file: String,
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>,
}

impl<'a> Parser<'a> {
    /// The next line that says something, with its number.
    fn line(&mut self) -> Option<(usize, &'a str)> {
        loop {
            let (index, line) = self.lines.next()?;
            if !line.is_empty() && !line.starts_with('#') {
                return Some((index + 1, line));
            }
        }
    }

    fn transcript(&mut self) -> Result<Transcript, Failure> {
        let mut transcript = Transcript {
            name: self.file.clone(),
            flags: Vec::new(),
            oracle_flags: Vec::new(),
            server_only: None,
            cases: Vec::new(),
        };
        while let Some((number, line)) = self.line() {
            let (directive, rest) = line.split_once(' ').unwrap_or((line, ""));
            let Some(case) = transcript.cases.last_mut() else {
                match directive {
                    "@oracle-flags" => {
                        transcript.oracle_flags = rest.split_whitespace().map(str::to_owned).collect();
                    }
                    "@flags" => transcript.flags = rest.split_whitespace().map(str::to_owned).collect(),
                    "@server-only" => transcript.server_only = Some(reason(number, rest)?),
                    "@case" => {
                        transcript.cases.push(Case { name: reason(number, rest)?, line: number, ..Case::default() });
                    }
                    _ => return Err((number, format!("`{line}` before the first `@case`"))),
                }
                continue;
            };
            match directive {
                "@case" => transcript.cases.push(Case { name: reason(number, rest)?, line: number, ..Case::default() }),
                "@fresh" => case.fresh = true,
                "@whole" => case.whole = Some(reason(number, rest)?),
                "@oracle-skip" => case.oracle_skip = Some(reason(number, rest)?),
                "@server-only" => case.server_only = Some(reason(number, rest)?),
                _ => {
                    let step = self.step(number, line)?;
                    case.steps.push(step);
                }
            }
        }
        match transcript.cases.iter().find(|case| case.steps.is_empty()) {
            Some(case) => Err((case.line, "a case without steps".into())),
            None if transcript.cases.is_empty() => Err((1, "a file without cases".into())),
            None => Ok(transcript),
        }
    }

    fn step(&mut self, number: usize, line: &str) -> Result<Step, Failure> {
        let (directive, rest) = line.split_once(' ').unwrap_or((line, ""));
        let wrong = |message: String| (number, message);
        let action = match directive {
            ">" => Action::Send(template(rest).map_err(wrong)?),
            "<" => Action::Expect(template(rest).map_err(wrong)?),
            ">b" => Action::SendPacket(Packet::request(rest).map_err(wrong)?),
            "<b" => Action::ExpectPacket(Packet::answer(rest).map_err(wrong)?),
            "<~" => Action::ExpectLine(pattern(rest).map_err(wrong)?),
            "<n" => Action::ExpectBareLine(pattern(rest).map_err(wrong)?),
            "<+" => Action::ExpectLines(pattern(rest).map_err(wrong)?),
            "@closed" => Action::ExpectClosed,
            "@silent" => Action::ExpectSilence,
            "@open" => Action::Open(reason(number, rest)?),
            "@on" => Action::On(reason(number, rest)?),
            "@close" => Action::Close,
            "@abandon" => Action::Abandon,
            "@time" => Action::Time(seconds(rest).ok_or((number, "`@time +seconds`".into()))?),
            "@sleep" => Action::Sleep(milliseconds(rest).ok_or((number, "`@sleep 100ms`".into()))?),
            "@stats" | "@bstats" => {
                let binary = directive == "@bstats";
                Action::Statistics { of: rest.to_owned(), binary, expected: self.statistics()? }
            }
            "@oracle-differs" => self.differs(number, rest)?,
            _ => return Err((number, format!("what is `{line}`?"))),
        };
        Ok(Step { line: number, action })
    }

    fn statistics(&mut self) -> Result<Vec<Statistic>, Failure> {
        let mut expected = Vec::new();
        while self.lines.peek().is_some_and(|(_, line)| line.starts_with("= ") || line.starts_with('#')) {
            let Some((index, line)) = self.lines.next() else { break };
            let Some(text) = line.strip_prefix("= ") else { continue };
            let (name, value) = text.split_once(' ').ok_or((index + 1, "`= name value`".to_owned()))?;
            let value = match value.strip_prefix('~') {
                Some(text) => Value::Matches(pattern(text.trim_start()).map_err(|message| (index + 1, message))?),
                None if value == "(absent)" => Value::Absent,
                None => Value::Is(value.to_owned()),
            };
            expected.push(Statistic { line: index + 1, name: name.to_owned(), value });
        }
        Ok(expected)
    }

    fn differs(&mut self, number: usize, text: &str) -> Result<Action, Failure> {
        let reason = reason(number, text)?;
        let (mut ours, mut oracle) = (Vec::new(), Vec::new());
        let mut at_oracle = false;
        while let Some((at, line)) = self.line() {
            match line {
                "@oracle" if !at_oracle => at_oracle = true,
                "@end" if at_oracle => return Ok(Action::Differs { reason, ours, oracle }),
                _ => {
                    let step = self.step(at, line)?;
                    if at_oracle { &mut oracle } else { &mut ours }.push(step);
                }
            }
        }
        Err((number, "`@oracle-differs` wants `@oracle` and `@end`".into()))
    }
}

/// The text of a directive that must have one.
fn reason(number: usize, text: &str) -> Result<String, Failure> {
    if text.trim().is_empty() { Err((number, "a text is missing".into())) } else { Ok(text.trim().to_owned()) }
}

/// A pattern for a whole line, without its ending; bytes, not characters.
fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?s-u)^(?:{text})$")).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Option<u32> {
    text.strip_prefix('+')?.parse().ok()
}

fn milliseconds(text: &str) -> Option<u64> {
    text.strip_suffix("ms")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_errors() {
        for text in ["> get a", "@case a\n", "@case a\nget a", "@case a\n@oracle-differs x\n< A", "@case a\n@time 3"] {
            assert!(parse("t", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_whole_file() {
        let text = "# note\n@flags -M\n@case one\n@fresh\n> get a\n@oracle-differs because\n< END\n@oracle\n< ERROR\n@end\n@stats\n= cmd_get 1\n= pid ~ \\d+\n@case two\n> quit\n@closed\n";
        let transcript = parse("t", text).unwrap();
        assert_eq!(transcript.flags, ["-M"]);
        assert_eq!(transcript.cases.len(), 2);
        assert!(transcript.cases[0].fresh && !transcript.cases[1].fresh);
        assert_eq!(transcript.cases[0].steps.len(), 3);
    }
}
