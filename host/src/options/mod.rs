//! The command line: one table of flags, and everything that derives from it.
//!
//! Flags have memcached's letters, long names, defaults, checks and exit codes. A flag without a counterpart here is accepted
//! with a warning, so that start scripts work; one whose effect users would miss is rejected.

mod address;
mod arguments;
mod compatibility;
mod extended;
mod file;
mod help;
mod parser;
mod print;
mod reference;
mod table;
mod tls;
mod value;

pub(crate) use address::{ListenAddress, TcpPort};
pub(crate) use help::version;
pub(crate) use table::binding_name;
pub(crate) use tls::{KeyFormat, Security, TlsOptions, Verify};

use crate::{
    console::report,
    exit::{self, ExitError},
};
use arguments::Arguments;
use clap::ArgMatches;
use std::{
    ffi::{OsStr, OsString},
    fmt::Display,
    path::{Path, PathBuf},
};
use wasmcached_core::{
    boundary::config::{Authentication, Binding, Config},
    limits,
    settings::Setting,
};

/// The action that the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Serve.
    Serve(Box<Options>),
    /// Ask the server at `address` for an answer; empty: the address on which `options` listen.
    Ping {
        /// As the user wrote it.
        address: String,
        /// All other flags.
        options: Box<Options>,
    },
    /// Print this to standard output and end.
    Print(Vec<u8>),
}

/// How memory is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HugePages {
    /// Huge pages, where the system has them, as memory is used.
    AsUsed,
    /// All of it at the start.
    Now,
    /// Small pages only.
    Never,
}

/// Defines [`Options`]: one line for each field, its type and its default.
macro_rules! options {
    ($($(#[$documentation:meta])* $visibility:vis $name:ident: $type:ty = $default:expr,)*) => {
        /// Everything that the user can choose.
        #[derive(Clone, Debug)]
        pub(crate) struct Options { $($(#[$documentation])* $visibility $name: $type,)* }

        impl Default for Options {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

options! {
    /// Options of the guests. Role, shards, seed, binding, authentication and settings are filled in at the start.
    pub(crate) guest: Config = Config::default(),
    pub(crate) tcp_port: TcpPort = TcpPort::Number(11211),
    /// `-p` was given. Otherwise `-U` is the TCP port, too.
    tcp_port_is_given: bool = false,
    /// Empty: loopback.
    pub(crate) listen: Vec<ListenAddress> = Vec::new(),
    /// Addresses of pages over HTTP, which are no addresses of the cache.
    pub(crate) http: Vec<ListenAddress> = Vec::new(),
    /// `-o http_token`
    pub(crate) http_token: Option<PathBuf> = None,
    pub(crate) udp_port: TcpPort = TcpPort::Off,
    pub(crate) unix_socket: Option<PathBuf> = None,
    pub(crate) unix_mask: u32 = 0o700,
    pub(crate) backlog: i32 = 1024,
    pub(crate) connections_max: usize = 1024,
    /// Answer and close connections beyond `connections_max` instead of letting them wait.
    pub(crate) reject_fast: bool = true,
    /// 0: no limit.
    pub(crate) idle_timeout_s: u32 = 0,
    pub(crate) threads: usize = 4,
    /// `None`: chosen by memory and threads.
    pub(crate) shards: Option<u32> = None,
    /// One guest does everything where one thread and one shard are enough.
    pub(crate) solo: bool = true,
    pub(crate) huge_pages: HugePages = HugePages::AsUsed,
    /// Bytes of events that a watching client may leave unread.
    pub(crate) watcher_bytes: u32 = 256 * 1024,
    /// Bytes of events that a guest keeps until its host collects them.
    pub(crate) events_bytes: u32 = 64 * 1024,
    /// The sweep removes expired items.
    pub(crate) crawler: bool = true,
    /// `-S`
    pub(crate) sasl: bool = false,
    /// `-Y`
    pub(crate) auth_file: Option<PathBuf> = None,
    /// `-B`, if it was given.
    pub(crate) binding: Option<Binding> = None,
    pub(crate) verbosity: u32 = 0,
    pub(crate) daemon: bool = false,
    pub(crate) pid_file: Option<PathBuf> = None,
    pub(crate) user: Option<String> = None,
    /// `-k`
    pub(crate) lock_memory: bool = false,
    /// `-r`
    pub(crate) core_files: bool = false,
    pub(crate) service: bool = false,
    pub(crate) tls: TlsOptions = TlsOptions::default(),
    /// Lines of `stats settings` for flags without effect.
    without_effect: Vec<(Setting, String)> = Vec::new(),
    /// One line for each flag that was accepted and does nothing.
    pub(crate) warnings: Vec<String> = Vec::new(),
    /// Warnings that memcached prints, too.
    pub(crate) warnings_of_memcached: Vec<String> = Vec::new(),
    /// The program was started under the name `memcached`.
    called_memcached: bool = false,
    /// The message of the first flag that was rejected.
    rejected: Option<String> = None,
}

impl Options {
    /// Parses a command line, the program's name first.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitError> {
        let words: Vec<_> = arguments.into_iter().collect();
        let called_memcached = words.first().is_some_and(|name| is_memcached(name));
        let matches = match parser::command().try_get_matches_from(words) {
            Ok(matches) => matches,
            // memcached's last line, for scripts that look for it.
            Err(error) => return Err(ExitError::new(exit::FLAG, format!("{error}Illegal argument \"?\""))),
        };
        if let Some(text) = print::requested(&matches, called_memcached)? {
            return Ok(Invocation::Print(text));
        }
        let arguments = collect(&matches)?;
        let mut options = Box::new(Self { called_memcached, ..Self::default() });
        arguments.apply(&mut options)?;
        options.check()?;
        if matches.get_flag("print-config") {
            return Ok(Invocation::Print(file::write(&arguments).into_bytes()));
        }
        options.service = matches.get_flag("service");
        if options.service && !cfg!(windows) {
            let message = "--service: only Windows has such services; elsewhere see -d, or packaging/ for unit files";
            return Err(ExitError::new(exit::USAGE, message));
        }
        match matches.get_one::<String>("ping") {
            Some(address) => Ok(Invocation::Ping { address: address.clone(), options }),
            None => Ok(Invocation::Serve(options)),
        }
    }

    /// The lines of `stats settings` that the command line decides.
    pub(crate) fn settings(&self) -> Vec<(Setting, String)> {
        table::settings(self).into_iter().chain(tls::settings(self)).collect()
    }

    /// The protocols of listeners that have none of their own.
    pub(crate) fn binding(&self) -> Binding {
        match self.authentication() {
            Authentication::None => self.binding.unwrap_or_default(),
            Authentication::Sasl => Binding::Binary,
            Authentication::Text => Binding::Ascii,
        }
    }

    /// How clients log in.
    pub(crate) fn authentication(&self) -> Authentication {
        match (self.sasl, &self.auth_file) {
            // memcached with both speaks text: the file of -Y decides.
            (_, Some(_)) => Authentication::Text,
            (true, None) => Authentication::Sasl,
            (false, None) => Authentication::None,
        }
    }

    /// Number of shards: no more than the memory needs. All workers are inside a shard at the same time, and a request that is
    /// cut into runs for several shards costs more.
    pub(crate) fn shard_count(&self) -> u32 {
        let needed = self.guest.store.memory_bytes.div_ceil(limits::SHARD_BYTES_MAX);
        self.shards.unwrap_or(needed.clamp(1, u64::from(limits::SHARDS_MAX)) as u32)
    }

    /// Tells the user something that memcached does not say. Under its name, and without `-v`, standard error stays silent
    /// as memcached's does: some start scripts take any output as a failure.
    pub(crate) fn notice(&self, line: impl Display) {
        if !self.called_memcached || self.verbosity > 0 {
            report(line);
        }
    }

    fn warn(&mut self, message: &str) {
        self.warnings.push(message.to_owned());
    }

    fn show_setting(&mut self, setting: Setting, value: String) {
        self.without_effect.push((setting, value));
    }

    fn reject(&mut self, message: &str) {
        self.rejected.get_or_insert_with(|| message.to_owned());
    }

    /// The message about an item limit above half of what each of `shards` shards has, with a remedy that works.
    fn item_too_large_for(&self, shards: u64) -> String {
        let memory_bytes = self.guest.store.memory_bytes;
        let least = memory_bytes.div_ceil(limits::SHARD_BYTES_MAX).max(1);
        let possible = memory_bytes / (2 * u64::from(self.guest.store.item_bytes_max));
        if possible >= least {
            let of = if possible == 1 { "-o shards=1".to_owned() } else { format!("-o shards={possible} or fewer") };
            return format!("-I is more than half of what each of {shards} shards has: use {of}");
        }
        let most_kib = (memory_bytes / least / 2) >> 10;
        let shard_mib = limits::SHARD_BYTES_MAX >> 20;
        format!(
            "-I is at most {most_kib}k with this -m: an item takes up to half of a shard, and a shard has up to \
             {shard_mib} MiB"
        )
    }

    /// Each kind of login exists in one protocol only.
    fn check_authentication(&self) -> Result<(), ExitError> {
        let usage = |message: &str| Err(ExitError::new(exit::USAGE, message));
        if self.sasl && !matches!(self.binding, None | Some(Binding::Binary)) {
            return usage("ERROR: You cannot allow the ASCII protocol while using SASL.");
        }
        if self.udp_port != TcpPort::Off && self.sasl {
            return usage("ERROR: Cannot enable UDP while using binary SASL authentication.");
        }
        if self.udp_port != TcpPort::Off && self.auth_file.is_some() {
            return usage("Cannot use UDP with ascii authentication enabled (-U 0 to disable)");
        }
        if self.auth_file.is_some() && !matches!(self.binding, None | Some(Binding::Ascii)) {
            return usage("ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens.");
        }
        Ok(())
    }

    /// Checks that concern several flags.
    fn check(&mut self) -> Result<(), ExitError> {
        let usage = |message: String| Err(ExitError::new(exit::USAGE, message));
        compatibility::check_together(&self.without_effect)?;
        self.check_authentication()?;
        let shards = u64::from(self.shard_count());
        let shard_bytes = self.guest.store.memory_bytes / shards;
        if u64::from(self.guest.store.item_bytes_max) > self.guest.store.memory_bytes / 2 {
            return usage("Cannot set item size limit higher than 1/2 of memory max.".to_owned());
        }
        if u64::from(self.guest.store.item_bytes_max) > shard_bytes / 2 {
            return usage(self.item_too_large_for(shards));
        }
        if shard_bytes > limits::SHARD_BYTES_MAX {
            let most_mib = (limits::SHARD_BYTES_MAX * shards) >> 20;
            return usage(format!("-m is too much for {shards} shards, which hold {most_mib} MiB at most"));
        }
        tls::check(self)?;
        self.check_listeners();
        if self.pid_file.is_some() && cfg!(windows) {
            self.warnings.push("-P: a file is written, but no service manager of this system reads it".to_owned());
        }
        Ok(())
    }

    /// Completes the ports, and warns of flags that other flags make useless.
    fn check_listeners(&mut self) {
        if self.http_token.is_some() && self.http.is_empty() {
            self.warn("-o http_token does nothing: no address serves pages (-o http_port, or -l proto[http]:ADDR)");
        }
        if !self.tcp_port_is_given && self.udp_port != TcpPort::Off {
            self.tcp_port = self.udp_port;
        }
        if self.unix_socket.is_some() {
            // memcached ignores them silently.
            for (is_given, warning) in [
                (self.udp_port != TcpPort::Off, "-U does nothing: -s turns the network off"),
                (!self.listen.is_empty(), "-l does nothing: -s turns the network off"),
                (self.tls.enabled, "-Z does nothing for -s: a Unix socket is not encrypted"),
            ] {
                if is_given {
                    self.warn(warning);
                }
            }
        } else if self.udp_port != TcpPort::Off && self.tls.enabled {
            self.warn("-U: datagrams are not encrypted, with or without -Z");
        }
    }
}

/// Whether the program was started under the name of memcached: by a link, as packages make it, or as a copy.
fn is_memcached(name: &OsStr) -> bool {
    let name = Path::new(name);
    let is_program = name.extension().is_none_or(|extension| extension.eq_ignore_ascii_case("exe"));
    is_program && name.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("memcached"))
}

/// A line of `stats settings`, and its value.
type ShownAs = (Setting, fn(&Options) -> String);

/// A switch as `stats settings` shows it.
fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// The flags of the command line, and those of the file that it names where they do not conflict.
///
/// # Errors
/// The file is missing or malformed.
fn collect(matches: &ArgMatches) -> Result<Arguments, ExitError> {
    let line = Arguments::of_command_line(matches);
    match matches.get_one::<String>("config") {
        Some(path) => Ok(file::read(Path::new(path))?.overridden_by(line)),
        None => Ok(line),
    }
}

#[cfg(test)]
mod tests;
