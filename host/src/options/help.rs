//! What is printed instead of serving: help, version, licence, man page, completions. None of it touches the engine.

use super::{
    Refusal, exit,
    extended::{self, Effect},
    parser,
};
use clap::{Arg, ArgAction, ArgMatches};
use clap_complete::Shell;

/// The version of memcached that this server stands in for.
pub(crate) const SPEAKS: &str = "memcached 1.6.45";

const GENERATE: &str = "generate";
const GENERATABLE: [&str; 5] = ["man", "bash", "zsh", "fish", "powershell"];

const EXAMPLES: &str = "\
Examples:
  wasmcached                        64 MB on 127.0.0.1:11211
  wasmcached -m 1024 -t 2           one gigabyte, two worker threads
  wasmcached -l 0.0.0.0             every interface; nobody has to log in
  wasmcached -l 0.0.0.0 -Y users.txt
                                    the same for those whom a file of user:password lines names
  wasmcached -s /run/cache.sock -a 770
                                    a socket in the file system, for one group
  wasmcached -l 0.0.0.0,notls:127.0.0.1:11212 -Z -o ssl_chain_cert=chain.pem,ssl_key=key.pem
                                    encrypted for others, in the clear for this machine
  wasmcached -d -u nobody -P /run/wasmcached.pid
                                    in the background, as an ordinary user
  wasmcached --config /etc/wasmcached.toml -m 2048
                                    flags from a file; those given here win
  wasmcached --ping -p 11211        does it answer?
  printf 'stats\\r\\nquit\\r\\n' | nc 127.0.0.1 11211
                                    ask a server how it is

Signals: SIGINT, SIGTERM and SIGUSR1 finish what is under way and stop. SIGHUP has certificates and users read again,
without letting go of a connection; with -u that user must be able to read them by then.

Environment:
  MEMCACHED_SASL_PWDB               the file of users for -S
  MEMCACHED_PORT_FILENAME           a file that gets the ports, for -p -1
  LISTEN_FDS                        sockets that a service manager opened: they are served
                                    instead of those of -p, -l and -s
  NOTIFY_SOCKET                     where a service manager wants to be told how things stand";

/// What follows the flags in `--help`.
pub(super) fn after() -> String {
    let mut text = "Names for -o:\n".to_owned();
    for known in extended::NAMES {
        let (name, help) = match known.effect {
            Effect::Switch(_, extended::HIDDEN) => continue,
            Effect::Switch(_, help) => (known.name.to_owned(), help),
            Effect::Number(_, unit, help) | Effect::Word(_, unit, help) => (format!("{}={unit}", known.name), help),
            Effect::Nothing(_) | Effect::Inert(..) | Effect::Refused(_) => continue,
        };
        text += &described(&name, help);
    }
    text += "\n  Names of memcached that have no counterpart here: accepted, each with a warning that says why it does nothing.\n";
    text += &wrapped(extended::NAMES.iter().filter_map(|known| match known.effect {
        Effect::Nothing(_) | Effect::Inert(..) => Some(known.name),
        _ => None,
    }));
    let refused = extended::NAMES.iter().filter_map(|known| match known.effect {
        Effect::Refused(_) => Some(known.name),
        _ => None,
    });
    text += "  Refused, since doing nothing would be wrong:\n";
    text += &wrapped(refused);
    text + "\n" + EXAMPLES
}

/// A width that fits everywhere.
const COLUMNS: usize = 78;

/// A name and, beside it, what it does.
fn described(name: &str, help: &str) -> String {
    const NAME_COLUMNS: usize = 25;
    let mut text = format!("  {name:<NAME_COLUMNS$}");
    let mut column = text.len();
    for word in help.split(' ') {
        if column + word.len() > COLUMNS {
            text.truncate(text.trim_end().len());
            text += &format!("\n{:1$}", "", NAME_COLUMNS + 2);
            column = NAME_COLUMNS + 2;
        }
        text += word;
        text += " ";
        column += word.len() + 1;
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Names in lines.
fn wrapped(names: impl Iterator<Item = &'static str>) -> String {
    let mut lines = vec!["   ".to_owned()];
    for name in names {
        if lines.last().is_some_and(|line| line.len() + 1 + name.len() > COLUMNS) {
            lines.push("   ".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            *line += " ";
            *line += name;
        }
    }
    lines.join("\n") + "\n"
}

/// A flag for those who package this program.
pub(super) fn generate_argument() -> Arg {
    Arg::new(GENERATE).long(GENERATE).hide(true).action(ArgAction::Set).value_parser(GENERATABLE)
}

/// What is to be printed, if anything.
pub(super) fn requested(matches: &ArgMatches) -> Result<Option<Vec<u8>>, Refusal> {
    if let Some(what) = matches.get_one::<String>(GENERATE) {
        return generate(what).map(Some);
    }
    let text = if matches.get_flag("help") {
        format!("{}\n{}", version(), parser::command().render_help())
    } else if matches.get_flag("version") {
        version()
    } else if matches.get_flag("license") {
        license()
    } else {
        return Ok(None);
    };
    Ok(Some(text.into_bytes()))
}

/// The first line of everything.
pub(crate) fn version() -> String {
    format!("wasmcached {} (speaks {SPEAKS})\n", env!("CARGO_PKG_VERSION"))
}

fn license() -> String {
    format!(
        "{}wasmcached may be used under the MIT licence or the Apache licence 2.0, at your choice:\n\
        https://opensource.org/license/mit, https://www.apache.org/licenses/LICENSE-2.0\n",
        version()
    )
}

fn generate(what: &str) -> Result<Vec<u8>, Refusal> {
    let mut command = parser::command().version(env!("CARGO_PKG_VERSION"));
    let mut bytes = Vec::new();
    let shell = match what {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => {
            let rendered = clap_mangen::Man::new(command).section("1").render(&mut bytes);
            rendered.map_err(|error| Refusal::new(exit::SYSTEM, error.to_string()))?;
            return Ok(bytes);
        }
    };
    clap_complete::generate(shell, &mut command, "wasmcached", &mut bytes);
    Ok(bytes)
}
