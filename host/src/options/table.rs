//! The one table of flags. The parser, `--help`, the man page, the completions and `stats settings` derive from it.

use super::{HugePages, Options, ShownAs, TcpPort, address::ListenAddress, extended, value, yes_no};
use crate::exit::{self, ExitError};
use wasmcached_core::{boundary::config::Binding, settings::Setting};

/// A flag of the command line.
pub(super) struct Flag {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    pub(super) group: &'static str,
    pub(super) help: &'static str,
    pub(super) action: Action,
    pub(super) setting: Option<ShownAs>,
}

/// The effect of a flag.
pub(super) enum Action {
    /// Without a value.
    Switch(fn(&mut Options)),
    /// With a value, of that name; the last of several counts.
    Value(&'static str, fn(&mut Options, &str) -> Result<(), ExitError>),
    /// With comma-separated values, each of which counts.
    Values(&'static str, fn(&mut Options, &str) -> Result<(), ExitError>),
    /// The number of repetitions counts.
    Count(fn(&mut Options, u8)),
    /// Handled by [`super::print`].
    Print,
    /// Handled by [`Options::parse`], with a value of that name; one in brackets is optional.
    Instead(&'static str),
}
use Action::{Count, Instead, Print, Switch, Value, Values};

const NETWORK: &str = "Where to listen";
const CACHE: &str = "Cache";
const WORK: &str = "Connections and threads";
const PROCESS: &str = "Process";
const OTHER: &str = "Without effect, or not supported";
const FILE: &str = "Configuration file";
const INFORMATION: &str = "Information";

fn set<T>(place: &mut T, value: Result<T, ExitError>) -> Result<(), ExitError> {
    *place = value?;
    Ok(())
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// memcached's name of a choice of protocols.
pub(crate) fn binding_name(binding: Binding) -> &'static str {
    match binding {
        Binding::Auto => "auto-negotiate",
        Binding::Ascii => "ascii",
        Binding::Binary => "binary",
        Binding::Http => "http",
    }
}

/// The flags, in the order of `--help`.
pub(super) const FLAGS: &[Flag] = &[
    Flag {
        short: Some('p'),
        long: "port",
        group: NETWORK,
        help: "TCP port; 0: no TCP, -1: any free port, written to the file that MEMCACHED_PORT_FILENAME names \
               [default: 11211]",
        action: Value("NUM", |o, v| {
            o.tcp_port_is_given = true;
            set(&mut o.tcp_port, TcpPort::parse(v))
        }),
        setting: Some((Setting::TcpPort, |o| o.tcp_port.to_setting())),
    },
    Flag {
        short: Some('l'),
        long: "listen",
        group: NETWORK,
        help: "Addresses to listen on: host, host:port or [ipv6]:port, separated by commas or given several times. Prefixes with -Z: \
               notls:, btls: (no client certificate) or mtls: (client certificate required). Prefixes without logins: \
               proto[asc]: or proto[bin]:, which is -B for that address. proto[http]:host:port or proto[http]:/path serves pages for \
               monitoring instead, in addition to all other addresses: see http_port. \
               * is all addresses of IPv4 and IPv6. The default serves this machine only; memcached's serves all \
               interfaces [default: 127.0.0.1,::1]",
        action: Values("ADDR", |o, v| {
            v.split([',', ';']).filter(|a| !a.is_empty()).try_for_each(|a| {
                let address = ListenAddress::parse(a)?;
                if address.is_http() { &mut o.http } else { &mut o.listen }.push(address);
                Ok(())
            })
        }),
        setting: Some((Setting::Inter, |o| {
            if o.listen.is_empty() {
                "127.0.0.1,::1".into()
            } else {
                o.listen.iter().map(|l| l.given.as_str()).collect::<Vec<_>>().join(",")
            }
        })),
    },
    Flag {
        short: Some('s'),
        long: "unix-socket",
        group: NETWORK,
        help: "Listen on a Unix socket instead of TCP",
        action: Value("FILE", |o, v| {
            if cfg!(windows) {
                return Err(ExitError::new(exit::USAGE, "-s: this system has no Unix sockets"));
            }
            o.unix_socket = Some(v.into());
            Ok(())
        }),
        setting: Some((Setting::DomainSocket, |o| {
            o.unix_socket.as_ref().map_or("NULL".into(), |path| path.display().to_string())
        })),
    },
    Flag {
        short: Some('a'),
        long: "unix-mask",
        group: NETWORK,
        help: "Access mask of the Unix socket, in octal [default: 700]",
        action: Value("MASK", |o, v| set(&mut o.unix_mask, value::mask(v))),
        setting: Some((Setting::Umask, |o| format!("{:o}", o.unix_mask))),
    },
    Flag {
        short: Some('U'),
        long: "udp-port",
        group: NETWORK,
        help: "UDP port; 0: no UDP, -1: any free port. Without -p it is the TCP port, too. Replies to other machines are limited: see udp_amplification \
               [default: 0]",
        action: Value("NUM", |o, v| {
            let port = TcpPort::parse(v);
            let failure = |_| ExitError::new(exit::USAGE, format!("ERROR: Invalid UDP port number {v}."));
            set(&mut o.udp_port, port.map_err(failure))
        }),
        setting: Some((Setting::UdpPort, |o| o.udp_port.to_setting())),
    },
    Flag {
        short: Some('b'),
        long: "listen-backlog",
        group: NETWORK,
        help: "Connections that may wait to be accepted, as far as the system allows [default: 1024]",
        action: Value("NUM", |o, v| set(&mut o.backlog, value::number(v, "-b"))),
        setting: Some((Setting::TcpBacklog, |o| o.backlog.to_string())),
    },
    Flag {
        short: Some('m'),
        long: "memory-limit",
        group: CACHE,
        help: "Memory for items and their index, in megabytes [default: 64]",
        action: Value("MB", |o, v| set(&mut o.guest.store.memory_bytes, value::mebibytes(v))),
        setting: Some((Setting::MaxBytes, |o| o.guest.store.memory_bytes.to_string())),
    },
    Flag {
        short: Some('I'),
        long: "max-item-size",
        group: CACHE,
        help: "Largest item, 1k to 992m and at most half of -m or of a shard [default: 1m]",
        action: Value("SIZE", |o, v| set(&mut o.guest.store.item_bytes_max, value::item_bytes(v))),
        setting: Some((Setting::ItemSizeMax, |o| o.guest.store.item_bytes_max.to_string())),
    },
    Flag {
        short: Some('M'),
        long: "disable-evictions",
        group: CACHE,
        help: "Reject new items when memory is full, instead of evicting old ones",
        action: Switch(|o| o.guest.store.evictions = false),
        setting: Some((Setting::Evictions, |o| on_off(o.guest.store.evictions))),
    },
    Flag {
        short: Some('C'),
        long: "disable-cas",
        group: CACHE,
        help: "Store no CAS value with items",
        action: Switch(|o| o.guest.store.cas = false),
        setting: Some((Setting::CasEnabled, |o| yes_no(o.guest.store.cas))),
    },
    Flag {
        short: Some('F'),
        long: "disable-flush-all",
        group: CACHE,
        help: "Disable the command flush_all",
        action: Switch(|o| o.guest.permissions.flush = false),
        setting: Some((Setting::FlushEnabled, |o| yes_no(o.guest.permissions.flush))),
    },
    Flag {
        short: Some('D'),
        long: "stat-delimiter",
        group: CACHE,
        help: "Keep statistics by key prefix, which ends with this character [default: off, and \":\" when a client turns it on]",
        action: Value("CHAR", |o, v| {
            o.guest.prefix_delimiter = value::delimiter(v)?;
            o.guest.detail = true;
            if v.len() > 1 {
                o.warn(&format!("-D: only the first character of \"{v}\" counts"));
            }
            Ok(())
        }),
        setting: Some((Setting::StatKeyPrefix, |o| char::from(o.guest.prefix_delimiter).to_string())),
    },
    Flag {
        short: Some('c'),
        long: "conn-limit",
        group: WORK,
        help: "Simultaneous connections [default: 1024]",
        action: Value("NUM", |o, v| {
            let message = "Maximum connections must be greater than 0";
            set(&mut o.connections_max, value::positive::<u32>(v, message).map(|number| number as usize))
        }),
        setting: Some((Setting::MaxConnections, |o| o.connections_max.to_string())),
    },
    Flag {
        short: Some('t'),
        long: "threads",
        group: WORK,
        help: "Worker threads [default: 4]",
        action: Value("NUM", |o, v| {
            o.threads = value::positive::<u16>(v, "Number of threads must be greater than 0")?.into();
            if o.threads > 64 {
                o.warnings_of_memcached.push(
                    "WARNING: Setting a high number of workerthreads is not recommended.\n \
                     Set this value to the number of cores in your machine or less."
                        .to_owned(),
                );
            }
            Ok(())
        }),
        setting: Some((Setting::NumThreads, |o| o.threads.to_string())),
    },
    Flag {
        short: Some('R'),
        long: "max-reqs-per-event",
        group: WORK,
        help: "Requests of one connection before the next one has its turn [default: 20]",
        action: Value("NUM", |o, v| {
            set(
                &mut o.guest.requests_per_event,
                value::positive(v, "Number of requests per event must be greater than 0"),
            )
        }),
        setting: Some((Setting::RequestsPerEvent, |o| o.guest.requests_per_event.to_string())),
    },
    Flag {
        short: Some('A'),
        long: "enable-shutdown",
        group: PROCESS,
        help: "Enable the command shutdown",
        action: Switch(|o| o.guest.permissions.shutdown = true),
        setting: Some((Setting::ShutdownCommand, |o| yes_no(o.guest.permissions.shutdown))),
    },
    Flag {
        short: Some('d'),
        long: "daemon",
        group: PROCESS,
        help: "Run in the background",
        action: Switch(|o| o.daemon = true),
        setting: None,
    },
    Flag {
        short: Some('P'),
        long: "pidfile",
        group: PROCESS,
        help: "Write the process id to this file",
        action: Value("FILE", |o, v| set(&mut o.pid_file, Ok(Some(v.into())))),
        setting: None,
    },
    Flag {
        short: Some('u'),
        long: "user",
        group: PROCESS,
        help: "When started as root: become this user after sockets are opened and keys and users are read",
        action: Value("USER", |o, v| set(&mut o.user, Ok(Some(v.into())))),
        setting: None,
    },
    Flag {
        short: None,
        long: "service",
        group: PROCESS,
        help: "Windows: run as a service, started by the service manager",
        action: Print,
        setting: None,
    },
    Flag {
        short: Some('k'),
        long: "lock-memory",
        group: PROCESS,
        help: "Keep memory out of the swap file; needs root or an unlimited `ulimit -l`",
        action: Switch(|o| o.lock_memory = true),
        setting: None,
    },
    Flag {
        short: Some('r'),
        long: "enable-coredumps",
        group: PROCESS,
        help: "Lift the limit of core files, which hold cached data",
        action: Switch(|o| o.core_files = true),
        setting: None,
    },
    Flag {
        short: Some('v'),
        long: "verbose",
        group: PROCESS,
        help: "Log errors of clients; -vv: also connections; -vvv: everything",
        action: Count(|o, count| o.verbosity = count.into()),
        setting: Some((Setting::Verbosity, |o| o.verbosity.to_string())),
    },
    Flag {
        short: Some('o'),
        long: "extended",
        group: PROCESS,
        help: "Further options, separated by commas: see below",
        action: Values("NAME[=VALUE]", extended::apply),
        setting: None,
    },
    Flag {
        short: Some('B'),
        long: "protocol",
        group: NETWORK,
        help: "Protocols: auto (by the first byte of a connection), ascii or binary [default: auto]",
        action: Value("NAME", |o, v| set(&mut o.binding, value::binding(v).map(Some))),
        setting: Some((Setting::BindingProtocol, |o| binding_name(o.binding()).to_owned())),
    },
    Flag {
        short: Some('f'),
        long: "slab-growth-factor",
        group: OTHER,
        help: "Does nothing: there are no slabs",
        action: Value("FACTOR", |o, v| match v.parse::<f64>() {
            Ok(factor) if factor > 1.0 && factor.is_finite() => {
                o.show_setting(Setting::GrowthFactor, format!("{factor:.2}"));
                o.warn("-f does nothing: memory is a log of segments, there are no slabs");
                Ok(())
            }
            _ => Err(ExitError::new(exit::FLAG, "Factor must be greater than 1")),
        }),
        setting: None,
    },
    Flag {
        short: Some('n'),
        long: "slab-min-size",
        group: OTHER,
        help: "Does nothing: there are no slabs",
        action: Value("BYTES", |o, v| {
            let bytes = value::positive::<u32>(v, "Chunk size must be greater than 0")?;
            o.show_setting(Setting::ChunkSize, bytes.to_string());
            o.warn("-n does nothing: memory is a log of segments, there are no slabs");
            Ok(())
        }),
        setting: None,
    },
    Flag {
        short: Some('L'),
        long: "enable-largepages",
        group: CACHE,
        help: "Allocate all memory at the start, in huge pages, and print how much of it is huge",
        action: Switch(|o| o.huge_pages = HugePages::Now),
        setting: None,
    },
    Flag {
        short: Some('N'),
        long: "napi_ids",
        group: OTHER,
        help: "Does nothing: connections are assigned in turn",
        action: Value("NUM", |o, v| {
            let count = value::positive::<u32>(v, "Maximum number of NAPI IDs must be greater than 0")?;
            o.show_setting(Setting::NumNapiIds, count.to_string());
            o.warn("-N does nothing: connections are assigned in turn");
            Ok(())
        }),
        setting: None,
    },
    Flag {
        short: Some('X'),
        long: "disable-dumping",
        group: CACHE,
        help: "Disable the listing of keys",
        action: Switch(|o| o.guest.permissions.dump = false),
        setting: Some((Setting::DumpEnabled, |o| yes_no(o.guest.permissions.dump))),
    },
    Flag {
        short: Some('W'),
        long: "disable-watch",
        group: CACHE,
        help: "Disable the command watch",
        action: Switch(|o| o.guest.permissions.watch = false),
        setting: None,
    },
    Flag {
        short: Some('S'),
        long: "enable-sasl",
        group: NETWORK,
        help: "Binary protocol only, with logins (SASL: PLAIN, SCRAM-SHA-256) of the users in the file that MEMCACHED_SASL_PWDB names; with -Y that one decides",
        action: Switch(|o| o.sasl = true),
        setting: Some((Setting::AuthEnabledSasl, |o| yes_no(o.sasl))),
    },
    Flag {
        short: Some('Y'),
        long: "auth-file",
        group: NETWORK,
        help: "Text protocol only, with logins (a set of \"user password\") of the users in FILE: lines of user:password, or a hash in place of the password; SIGHUP reads it again",
        action: Value("FILE", |o, v| {
            o.auth_file = Some(v.into());
            Ok(())
        }),
        setting: Some((Setting::AuthEnabledAscii, |o| {
            o.auth_file.as_ref().map_or("no".to_owned(), |path| path.display().to_string())
        })),
    },
    Flag {
        short: Some('Z'),
        long: "enable-ssl",
        group: NETWORK,
        help: "Encrypt with TLS, by -o ssl_chain_cert and ssl_key; SIGHUP reads both files again",
        action: Switch(|o| o.tls.enabled = true),
        setting: None,
    },
    Flag {
        short: Some('e'),
        long: "memory-file",
        group: OTHER,
        help: "Rejected: a cache that survives a restart is not supported yet",
        action: Value("FILE", |o, _| {
            o.reject("-e: a cache that survives a restart is not supported yet");
            Ok(())
        }),
        setting: None,
    },
    Flag {
        short: None,
        long: "config",
        group: FILE,
        help: "Read flags from this file (TOML: `port = 11211`, the names of -o below `[extended]`); those of the command line win",
        action: Instead("FILE"),
        setting: None,
    },
    Flag {
        short: None,
        long: "print-config",
        group: FILE,
        help: "Print file and flags together as such a file, and end",
        action: Print,
        setting: None,
    },
    Flag {
        short: None,
        long: "ping",
        group: INFORMATION,
        help: "Health check: ask the server at this address (host:port or the path of a Unix socket; default: the address of the \
               other flags) and print one line; exit code 0 if it answers, else 1. With btls: before the address, or -Z, over TLS",
        action: Instead("[ADDR]"),
        setting: None,
    },
    Flag { short: Some('h'), long: "help", group: INFORMATION, help: "Print this", action: Print, setting: None },
    Flag {
        short: Some('V'),
        long: "version",
        group: INFORMATION,
        help: "Print the version",
        action: Print,
        setting: None,
    },
    Flag {
        short: Some('i'),
        long: "license",
        group: INFORMATION,
        help: "Print the licence",
        action: Print,
        setting: None,
    },
];

/// Lines that depend on a flag which already has another line.
const MORE_SETTINGS: &[ShownAs] = &[
    (Setting::DetailEnabled, |o| yes_no(o.guest.detail)),
    // Each socket has one worker.
    (Setting::NumThreadsPerUdp, |o| if o.udp_port == TcpPort::Off { o.threads.to_string() } else { "1".to_owned() }),
];

/// The lines of `stats settings` that flags decide.
pub(super) fn settings(options: &Options) -> Vec<(Setting, String)> {
    let names = extended::NAMES.iter().filter_map(|name| name.setting);
    let flags = FLAGS.iter().filter_map(|flag| flag.setting).chain(names);
    let mut settings: Vec<_> =
        flags.chain(MORE_SETTINGS.iter().copied()).map(|(setting, value)| (setting, value(options))).collect();
    // Flags without effect show their value, the last of several.
    for (index, (setting, value)) in options.without_effect.iter().enumerate() {
        if options.without_effect[index + 1..].iter().all(|(later, _)| later != setting) {
            settings.push((*setting, value.clone()));
        }
    }
    settings
}
