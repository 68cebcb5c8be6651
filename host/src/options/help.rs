//! The texts of `--help` and `--version`.

use super::extended::{self, Effect};
use clap::{Arg, ArgAction};

/// The version of memcached whose behaviour this server has.
pub(crate) const SPEAKS: &str = "memcached 1.6.45";

pub(super) const GENERATE: &str = "generate";
const GENERATABLE: [&str; 6] = ["man", "reference", "bash", "zsh", "fish", "powershell"];

const EXAMPLES: &str = "\
Examples:
  wasmcached                        64 MB on 127.0.0.1:11211
  wasmcached -m 1024 -t 2           one gigabyte, two worker threads
  wasmcached -l 0.0.0.0             all interfaces, without authentication
  wasmcached -l 0.0.0.0 -Y users.txt
                                    the same for the users of a file of user:password lines
  wasmcached -s /run/cache.sock -a 770
                                    a Unix socket, for one group
  wasmcached -l 0.0.0.0,notls:127.0.0.1:11212 -Z -o ssl_chain_cert=chain.pem,ssl_key=key.pem
                                    TLS for other machines, plaintext for this one
  wasmcached -d -u nobody -P /run/wasmcached.pid
                                    in the background, as an ordinary user
  wasmcached --config /etc/wasmcached.toml -m 2048
                                    flags from a file; the command line wins
  wasmcached --ping -p 11211        a health check
  wasmcached -o http_port=9150      with /metrics for Prometheus, /stats.json and /healthz
  printf 'stats\\r\\nquit\\r\\n' | nc 127.0.0.1 11211
                                    the statistics of a server

Signals: SIGINT, SIGTERM and SIGUSR1 finish pending requests and stop the server. SIGHUP reads certificates, users and
the token of HTTP again and keeps all connections; with -u, that user must be able to read the files.

Environment:
  MEMCACHED_SASL_PWDB               the file of users for -S
  MEMCACHED_PORT_FILENAME           the file to which ports are written, for -p -1
  LISTEN_FDS                        sockets that a service manager opened, served instead
                                    of those of -p, -l and -s
  NOTIFY_SOCKET                     where a service manager receives the server's state";

/// The part of `--help` after the flags.
pub(super) fn after() -> String {
    let mut text = "Names for -o:\n".to_owned();
    for known in extended::NAMES {
        let (name, help) = match known.effect {
            Effect::Switch(_, extended::HIDDEN) => continue,
            Effect::Switch(_, help) => (known.name.to_owned(), help),
            Effect::Number(_, unit, help) | Effect::Word(_, unit, help) => (format!("{}={unit}", known.name), help),
            Effect::NoOp(_) | Effect::CheckedNoOp(..) | Effect::Rejected(_) => continue,
        };
        text += &describe(&name, help);
    }
    text += "\n  Names of memcached without effect here: accepted, each with a warning that gives the reason.\n";
    text += &wrapped(extended::NAMES.iter().filter_map(|known| match known.effect {
        Effect::NoOp(_) | Effect::CheckedNoOp(..) => Some(known.name),
        _ => None,
    }));
    let rejected = extended::NAMES.iter().filter_map(|known| match known.effect {
        Effect::Rejected(_) => Some(known.name),
        _ => None,
    });
    text += "  Rejected, because ignoring them would mislead:\n";
    text += &wrapped(rejected);
    text + "\n" + EXAMPLES
}

/// Width of the text.
const COLUMNS: usize = 78;

/// A name with its help beside it.
fn describe(name: &str, help: &str) -> String {
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

/// Names, broken into lines.
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

/// The hidden flag for packagers.
pub(super) fn generate_argument() -> Arg {
    Arg::new(GENERATE).long(GENERATE).hide(true).action(ArgAction::Set).value_parser(GENERATABLE)
}

/// The line of `--version`.
pub(crate) fn version() -> String {
    format!("wasmcached {} (speaks {SPEAKS})\n", env!("CARGO_PKG_VERSION"))
}
