//! The configuration file: TOML with every flag by its long name, and the names of `-o` below `[extended]`.
//!
//! This file knows no flag: keys and the meaning of values come from the table.

use super::{
    arguments::{ArgumentValue, Arguments, EXTENDED},
    extended::{self, NAMES},
    help,
    table::{Action, FLAGS, Flag},
};
use crate::{
    exit::{self, ExitError, reason},
    limits::CONFIGURATION_BYTES_MAX,
};
use std::{
    fmt::Write as _,
    fs,
    io::{self, Read as _},
    path::Path,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads a file.
///
/// # Errors
/// The problem, with the line and the key.
pub(super) fn read(path: &Path) -> Result<Arguments, ExitError> {
    let unreadable = |why: &str| usage_error(format!("--config: cannot read {}: {why}", path.display()));
    let text = bounded_text(path).map_err(|error| unreadable(&reason(&error)))?;
    let file = File { name: path.display().to_string(), text: &text };
    let table = DeTable::parse(&text).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        usage_error(format!("{}{message}", file.place(error.span().unwrap_or_default().start)))
    })?;
    let mut arguments = Arguments::default();
    for (key, value) in in_order(table.get_ref()) {
        file.read_flag(key, value, &mut arguments)?;
    }
    Ok(arguments)
}

/// The text of a file. A pipe is one, too, but not an endless one.
fn bounded_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = fs::File::open(path)?.take(CONFIGURATION_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > CONFIGURATION_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {CONFIGURATION_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Writes `arguments` as a file that reads back the same. Absent flags are comments.
pub(super) fn write(arguments: &Arguments) -> String {
    let mut text = format!(
        "# The configuration of {}# Read with --config FILE. Lines that begin with # are not in force.\n",
        help::version()
    );
    let flags: Vec<_> = FLAGS.iter().filter(|flag| is_configurable(flag) && flag.long != EXTENDED).collect();
    for (index, first) in flags.iter().enumerate() {
        if flags[..index].iter().any(|before| before.group == first.group) {
            continue;
        }
        let _ = write!(text, "\n# {}\n", first.group);
        for flag in flags.iter().filter(|flag| flag.group == first.group) {
            let _ = writeln!(text, "{}", line_of(flag, arguments.values(flag)));
        }
    }
    let _ = write!(text, "\n# Names of -o\n[{EXTENDED}]\n");
    let values = FLAGS.iter().find(|flag| flag.long == EXTENDED).map_or(&[][..], |flag| arguments.values(flag));
    for (index, item) in values.iter().enumerate() {
        let (name, value) = split(&item.text);
        // The last of several values counts.
        if values[index + 1..].iter().all(|later| split(&later.text).0 != name) {
            let value = value.map_or("true".to_owned(), literal);
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    text
}

struct File<'a> {
    name: String,
    text: &'a str,
}

impl File<'_> {
    /// Prefix of an error about that byte.
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        format!("{}:{}: ", self.name, before.matches('\n').count() + 1)
    }

    fn read_flag(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
        arguments: &mut Arguments,
    ) -> Result<(), ExitError> {
        let name = key.get_ref().as_ref();
        let reject = |message: String| Err(usage_error(self.place(key.span().start) + &message));
        let Some(flag) = FLAGS.iter().find(|flag| flag.long == name && is_configurable(flag)) else {
            return reject(unknown_flag(name));
        };
        let place = format!("{}{name}: ", self.place(key.span().start));
        let mut add = |text: String| arguments.add(flag, ArgumentValue { text, place: place.clone() });
        match (&flag.action, value.get_ref()) {
            (Action::Values(..), DeValue::Table(names)) if flag.long == EXTENDED => {
                for (key, value) in in_order(names) {
                    self.read_extended(key, value, arguments)?;
                }
            }
            (Action::Switch(_), DeValue::Boolean(true)) => add(String::new()),
            (Action::Switch(_), DeValue::Boolean(false)) => {}
            (Action::Switch(_), _) => return reject(format!("{name}: is either true or false")),
            (Action::Count(_), DeValue::Integer(count)) if count.as_str().parse::<u8>().is_ok() => {
                add(count.as_str().to_owned());
            }
            (Action::Count(_), _) => return reject(format!("{name}: is a number from 0 to 255")),
            (Action::Values(..), DeValue::Array(values)) => {
                for value in values.iter() {
                    match text_of(value.get_ref()) {
                        Some(text) => add(text),
                        None => return reject(format!("{name}: is a list of strings")),
                    }
                }
            }
            (_, value) => match text_of(value) {
                Some(text) => add(text),
                None => return reject(format!("{name}: is a string or a decimal number, as on the command line")),
            },
        }
        Ok(())
    }

    fn read_extended(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
        arguments: &mut Arguments,
    ) -> Result<(), ExitError> {
        let name = key.get_ref().as_ref();
        let reject = |message: String| Err(usage_error(self.place(key.span().start) + &message));
        if !NAMES.iter().any(|known| known.name == name) {
            return reject(unknown_extended(name));
        }
        let text = match value.get_ref() {
            DeValue::Boolean(true) => name.to_owned(),
            DeValue::Boolean(false) => match opposite(name) {
                Some(opposite) => opposite,
                None => return Ok(()),
            },
            value => match text_of(value) {
                Some(value) if !value.contains(',') => format!("{name}={value}"),
                _ => return reject(format!("{name}: is true, false, a number or a string without commas")),
            },
        };
        if let Some(flag) = FLAGS.iter().find(|flag| flag.long == EXTENDED) {
            arguments.add(flag, ArgumentValue { text, place: format!("{}{name}: ", self.place(key.span().start)) });
        }
        Ok(())
    }
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Key<'i>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn usage_error(message: String) -> ExitError {
    ExitError::new(exit::USAGE, message)
}

/// Some flags exist on the command line only.
pub(super) fn is_configurable(flag: &Flag) -> bool {
    !matches!(flag.action, Action::Print | Action::Instead(_))
}

/// The value as text of the command line.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// The counterpart of `name` or `no_name`, where both exist.
fn opposite(name: &str) -> Option<String> {
    let opposite = name.strip_prefix("no_").map_or_else(|| format!("no_{name}"), str::to_owned);
    NAMES.iter().any(|known| known.name == opposite).then_some(opposite)
}

fn unknown_flag(name: &str) -> String {
    let flags = FLAGS.iter().filter(|flag| is_configurable(flag));
    if FLAGS.iter().any(|flag| flag.long == name) {
        return format!("\"{name}\" belongs on the command line");
    }
    if NAMES.iter().any(|known| known.name == name) {
        return format!("\"{name}\" belongs below [{EXTENDED}]");
    }
    if let Some(flag) = flags.clone().find(|flag| flag.short.is_some_and(|short| name == short.to_string())) {
        return format!("unknown key \"{name}\": a file has the long names, here \"{}\"", flag.long);
    }
    unknown(name, flags.map(|flag| flag.long))
}

fn unknown_extended(name: &str) -> String {
    if FLAGS.iter().any(|flag| flag.long == name && is_configurable(flag)) {
        return format!("\"{name}\" belongs above [{EXTENDED}]");
    }
    unknown(name, NAMES.iter().map(|known| known.name))
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match extended::nearest(name, known) {
        Some(nearest) => format!("unknown key \"{name}\" (did you mean \"{nearest}\"?)"),
        None => format!("unknown key \"{name}\""),
    }
}

/// A name of `-o` and its value.
fn split(item: &str) -> (&str, Option<&str>) {
    item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value)))
}

fn line_of(flag: &Flag, values: &[ArgumentValue]) -> String {
    let name = flag.long;
    let texts: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
    match (&flag.action, texts.as_slice()) {
        (Action::Switch(_), []) => format!("# {name} = false"),
        (Action::Switch(_), _) => format!("{name} = true"),
        (Action::Count(_), []) => format!("# {name} = 0"),
        (Action::Values(..), texts @ [_, ..]) => {
            format!("{name} = [{}]", texts.iter().copied().map(string).collect::<Vec<_>>().join(", "))
        }
        (_, [.., last]) => format!("{name} = {}", literal(last)),
        (_, []) => match documented_default(flag) {
            Some(default) => format!("# {name} = {}", literal(default)),
            None => format!("# {name} = {}", string("")),
        },
    }
}

/// The default in the help, if it is one word.
pub(super) fn documented_default(flag: &Flag) -> Option<&'static str> {
    let (_, default) = flag.help.split_once("[default: ")?;
    Some(default.strip_suffix(']')?).filter(|default| !default.contains(' '))
}

/// A TOML number where that reads back as the same text, else a string.
fn literal(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'.' || *byte == b'-';
    let is_number = text.bytes().all(|byte| is_plain(&byte))
        && (text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
            || text.parse::<f64>().is_ok_and(|number| number.to_string() == text && text.contains('.')));
    if is_number { text.to_owned() } else { string(text) }
}

fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Invocation, ListenAddress, Options},
        *,
    };
    use std::ffi::OsString;

    fn parse(arguments: &[&str]) -> Result<Invocation, ExitError> {
        Options::parse(std::iter::once("wasmcached").chain(arguments.iter().copied()).map(OsString::from))
    }

    fn options(arguments: &[&str]) -> String {
        match parse(arguments) {
            Ok(Invocation::Serve(options)) => format!("{options:?}"),
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    fn printed(arguments: &[&str]) -> String {
        match parse(&[arguments, &["--print-config"]].concat()) {
            Ok(Invocation::Print(text)) => String::from_utf8(text).unwrap(),
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    /// Calls `action` with the path of a file that holds `text`.
    fn with_file<T>(text: &str, action: impl FnOnce(&str) -> T) -> T {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wasmcached-{}-{number}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        let result = action(path.to_str().unwrap());
        fs::remove_file(&path).unwrap();
        result
    }

    fn error_of(text: &str) -> String {
        with_file(text, |path| match parse(&["--config", path]) {
            Err(error) => error.message.replace(path, "FILE"),
            other => panic!("{text}: {other:?}"),
        })
    }

    /// A valid value of this flag or name.
    fn sample(start: &[&str], join: &str) -> Option<Vec<String>> {
        let values = [
            "",
            "10",
            "auto",
            "127.0.0.1:5",
            "/a \"b\"\\c",
            "0.5",
            "murmur3",
            "lru",
            "/x:1g",
            "20",
            "64",
            "1m",
            "5-9",
            "1",
            "0",
        ];
        let lines = values.iter().map(|value| {
            let mut line: Vec<String> = start.iter().map(|&word| word.to_owned()).collect();
            match (line.last_mut(), value.is_empty()) {
                (Some(last), false) if !join.is_empty() => *last += &format!("{join}{value}"),
                (_, false) => line.push((*value).to_owned()),
                (_, true) => {}
            }
            line
        });
        lines.into_iter().find(|line| {
            let words: Vec<_> = line.iter().map(String::as_str).collect();
            matches!(parse(&words), Ok(Invocation::Serve(options)) if options.warnings.iter().all(|w| !w.starts_with('"')))
        })
    }

    #[test]
    fn a_printed_configuration_reads_back_the_same() {
        let flags = FLAGS.iter().filter(|flag| is_configurable(flag) && flag.long != EXTENDED);
        let flags = flags.map(|flag| (sample(&[&format!("--{}", flag.long)], ""), flag.long));
        let names = NAMES.iter().map(|known| (sample(&["-o", known.name], "="), known.name));
        let mut all = Vec::new();
        for (line, name) in flags.chain(names) {
            let Some(line) = line else {
                // Flags that are rejected with every value.
                assert!(is_refused(name), "{name}");
                continue;
            };
            let words: Vec<_> = line.iter().map(String::as_str).collect();
            let text = printed(&words);
            let again = with_file(&text, |path| options(&["--config", path]));
            assert_eq!(again, options(&words), "{words:?}: {text}");
            // Some flags exclude others.
            let longer: Vec<String> = [all.as_slice(), line.as_slice()].concat();
            if parse(&longer.iter().map(String::as_str).collect::<Vec<_>>()).is_ok() {
                all = longer;
            }
        }
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        assert!(all.len() > 100, "{all:?}");
        let text = printed(&all);
        assert_eq!(with_file(&text, |path| options(&["--config", path])), options(&all), "{text}");
        assert_eq!(with_file(&text, |path| printed(&["--config", path])), text);
    }

    fn is_refused(name: &str) -> bool {
        let flag = FLAGS.iter().any(|flag| flag.long == name && flag.help.starts_with("Rejected: "));
        flag || NAMES.iter().any(|known| known.name == name && matches!(known.effect, extended::Effect::Rejected(_)))
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults() {
        let documented = FLAGS.iter().filter_map(|flag| Some((flag.long, documented_default(flag)?)));
        let words: Vec<_> = documented.flat_map(|(long, default)| [format!("--{long}"), default.to_owned()]).collect();
        assert!(words.len() > 20, "{words:?}");
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let second = ListenAddress::parse("::1").unwrap();
        let loopback = format!("listen: [{:?}, {second:?}]", ListenAddress::loopback());
        // Explicit defaults differ from absent flags there, but not in effect.
        let unsaid = |text: String| {
            let text = text.replace(&loopback, "listen: []").replace("binding: Some(Auto)", "binding: None");
            text.replace("tcp_port_is_given: true", "tcp_port_is_given: false")
        };
        assert_eq!(unsaid(options(&words)), options(&[]));
    }

    #[test]
    fn flags_win_and_names_add_up() {
        let text = "memory-limit = 100\nlisten = [\"127.0.0.1:1\", '[::1]:2']\nverbose = 2\n\
                    [extended]\nidle_timeout = 5\nmaxconns_fast = false\n";
        with_file(text, |path| {
            let all = options(&["--config", path, "-m", "200", "-l", "127.0.0.1:3", "-o", "idle_timeout=7"]);
            let expected = options(&["-m", "200", "-vv", "-l", "127.0.0.1:3", "-o", "no_maxconns_fast,idle_timeout=7"]);
            assert_eq!(all, expected);
        });
        let text = "port = 1\nport-is-not-a-flag = 2";
        assert!(error_of(text).contains("FILE:2: unknown key"), "{}", error_of(text));
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, expected) in [
            ("prot = 1", "FILE:1: unknown key \"prot\" (did you mean \"port\"?)"),
            ("\nmemory_limit = 1", "FILE:2: unknown key \"memory_limit\" (did you mean \"memory-limit\"?)"),
            ("m = 1", "FILE:1: unknown key \"m\": a file has the long names, here \"memory-limit\""),
            ("xyz = 1", "FILE:1: unknown key \"xyz\""),
            ("help = true", "FILE:1: \"help\" belongs on the command line"),
            ("config = 'x'", "FILE:1: \"config\" belongs on the command line"),
            ("idle_timeout = 1", "FILE:1: \"idle_timeout\" belongs below [extended]"),
            ("[extended]\nport = 1", "FILE:2: \"port\" belongs above [extended]"),
            ("[extended]\nidle_timout = 1", "FILE:2: unknown key \"idle_timout\" (did you mean \"idle_timeout\"?)"),
            ("[extended]\nhashpower = 11", "FILE:2: hashpower: Initial hashtable multiplier of 11 is too low"),
            ("[extended]\nshards = []", "FILE:2: shards: is true, false, a number or a string without commas"),
            ("port = 70000", "FILE:1: port: ERROR: Invalid port number 70000."),
            ("port = true", "FILE:1: port: is a string or a decimal number, as on the command line"),
            ("port = 0x10", "FILE:1: port: is a string or a decimal number, as on the command line"),
            ("daemon = 1", "FILE:1: daemon: is either true or false"),
            ("verbose = 300", "FILE:1: verbose: is a number from 0 to 255"),
            ("listen = [1.5, []]", "FILE:1: listen: is a list of strings"),
            ("port = 1\nport = 2", "FILE:2: duplicate key"),
            ("\n\nport 1", "FILE:3: "),
        ] {
            let message = error_of(text);
            assert!(message.starts_with(expected) && !message.contains('\n'), "{text:?}: {message:?}");
        }
        let Err(error) = parse(&["--config", "/no/such/file"]) else { panic!("there is no such file") };
        assert!(error.message.starts_with("--config: cannot read /no/such/file: "), "{}", error.message);
        assert_eq!(error.code, exit::USAGE);
        if cfg!(unix) {
            let Err(error) = parse(&["--config", "/dev/zero"]) else { panic!("it never ends") };
            assert_eq!(error.message, "--config: cannot read /dev/zero: it is larger than 1048576 bytes");
        }
    }

    #[test]
    fn false_is_the_opposite_where_there_is_one() {
        for (text, line) in [
            ("maxconns_fast = false", "no_maxconns_fast"),
            ("no_maxconns_fast = false", "maxconns_fast"),
            ("no_huge_pages = false", ""),
        ] {
            let text = format!("[extended]\n{text}\n");
            assert_eq!(with_file(&text, |path| options(&["--config", path])), options(&["-o", line]), "{text}");
        }
    }
}
