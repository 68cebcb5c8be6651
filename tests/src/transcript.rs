//! The parser of `tests/transcripts/*.txt`, whose format is described in `tests/transcripts/README.md`. Parsing is strict:
//! an unknown directive, an incomplete escape or an unused block is an error that names the line, so that no typing
//! mistake loses a check.

use crate::{
    packet::Packet,
    template::{Template, template},
};
use regex::bytes::Regex;

/// One file.
#[derive(Debug)]
pub struct Transcript {
    /// File name without `.txt`.
    pub name: String,
    /// Command-line flags of the server, in memcached's spelling.
    pub flags: Vec<String>,
    /// Further flags for Debian's memcached.
    pub oracle_flags: Vec<String>,
    /// Why only a server can run the file, if so.
    pub server_only: Option<String>,
    /// The cases in order, on one server unless a case is `fresh`.
    pub cases: Vec<Case>,
}

/// A named part of a file, which begins with a new connection.
#[derive(Debug, Default)]
pub struct Case {
    /// Its text after `@case`.
    pub name: String,
    /// Number of its first line.
    pub line: usize,
    /// Whether it needs an unused server.
    pub fresh: bool,
    /// Why its input must not be split, if so.
    pub whole: Option<String>,
    /// Why real memcached cannot run it, if so.
    pub oracle_skip: Option<String>,
    /// Why only a server can run it, if so.
    pub server_only: Option<String>,
    /// Its directives.
    pub directives: Vec<Directive>,
}

/// A line or block of a case.
#[derive(Debug, Clone)]
pub struct Directive {
    /// Number of its line.
    pub line: usize,
    /// Its effect on the conversation.
    pub action: Action,
}

/// The meaning of a directive.
#[derive(Debug, Clone)]
pub enum Action {
    /// Send bytes; adjacent sends share one write.
    Send(Template),
    /// Expect exactly these bytes.
    Expect(Template),
    /// Send a packet.
    SendPacket(Packet),
    /// Expect a packet.
    ExpectPacket(Packet),
    /// Expect a line that matches; named groups become variables.
    ExpectLine(Regex),
    /// Expect a line that matches and ends in LF alone.
    ExpectBareLine(Regex),
    /// Expect one or more lines that match.
    ExpectLines(Regex),
    /// Expect the server to close the connection without further bytes.
    ExpectClosed,
    /// Expect no bytes.
    ExpectSilence,
    /// Open a further connection and switch to it.
    Open(String),
    /// Switch to an open connection.
    On(String),
    /// Close the current connection.
    Close,
    /// Drop the current connection without the final check.
    Abandon,
    /// Let at least so many seconds pass.
    Time(u32),
    /// Sleep so many milliseconds of real time.
    Sleep(u64),
    /// Request statistics and compare some of them.
    Statistics {
        /// Sub-command; empty for the general statistics.
        of: String,
        /// Whether the binary protocol is used.
        binary: bool,
        /// Whether every other count must be 0.
        complete: bool,
        /// Expected statistics.
        expected: Vec<Statistic>,
    },
    /// Different expectations for this engine and for the installed memcached.
    Differs {
        /// Reason.
        reason: String,
        /// Directives for this engine, as memcached 1.6.45 behaves.
        ours: Vec<Directive>,
        /// Directives for Debian's memcached.
        oracle: Vec<Directive>,
    },
}

/// One expected line of a statistics block.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// Line.
    pub line: usize,
    /// Name.
    pub name: String,
    /// Expected value.
    pub value: Value,
}

/// The value of a statistic.
#[derive(Debug, Clone)]
pub enum Value {
    /// Exactly this text.
    Is(String),
    /// Text that matches.
    Matches(Regex),
    /// The statistic is absent.
    Absent,
}

/// Parses a file.
///
/// # Errors
/// Names the line and the mistake.
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
    /// The next line that is no comment and not empty, with its number.
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
                    let directive = self.directive(number, line)?;
                    case.directives.push(directive);
                }
            }
        }
        match transcript.cases.iter().find(|case| case.directives.is_empty()) {
            Some(case) => Err((case.line, "a case without directives".into())),
            None if transcript.cases.is_empty() => Err((1, "a file without cases".into())),
            None => Ok(transcript),
        }
    }

    fn directive(&mut self, number: usize, line: &str) -> Result<Directive, Failure> {
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
                Action::Statistics { of: rest.to_owned(), binary, complete: false, expected: self.statistics()? }
            }
            "@counts" | "@bcounts" if rest.is_empty() => {
                let binary = directive == "@bcounts";
                Action::Statistics { of: String::new(), binary, complete: true, expected: self.statistics()? }
            }
            "@oracle-differs" => self.differs(number, rest)?,
            _ => return Err((number, format!("unknown directive `{line}`"))),
        };
        Ok(Directive { line: number, action })
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
                    let directive = self.directive(at, line)?;
                    if at_oracle { &mut oracle } else { &mut ours }.push(directive);
                }
            }
        }
        Err((number, "`@oracle-differs` needs `@oracle` and `@end`".into()))
    }
}

/// The mandatory text of a directive.
fn reason(number: usize, text: &str) -> Result<String, Failure> {
    if text.trim().is_empty() { Err((number, "a text is missing".into())) } else { Ok(text.trim().to_owned()) }
}

/// A pattern of bytes for a whole line without its ending.
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
        assert_eq!(transcript.cases[0].directives.len(), 3);
    }
}
