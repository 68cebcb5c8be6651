//! What the user asked for on the command line: one table of flags, and everything that derives from it.
//!
//! memcached's letters, long names, defaults, checks and exit codes. What means nothing to this server is accepted with a
//! warning so that start scripts work; what promises protection that is not there yet is refused.

mod address;
mod arguments;
mod compatibility;
mod extended;
mod file;
mod help;
mod parser;
mod print;
mod table;
mod tls;
mod value;

pub(crate) use address::{ListenAddress, TcpPort};
pub(crate) use help::version;
pub(crate) use tls::{KeyFormat, Security, TlsOptions, Verify};

use crate::exit::{self, ExitError};
use arguments::Arguments;
use clap::ArgMatches;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use wasmcached_core::{
    boundary::config::{Authentication, Binding, Eviction},
    limits,
    settings::Setting,
};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// To serve.
    Serve(Box<Options>),
    /// To ask the server at `address` whether it answers; empty: where `options` have it listen.
    Ping {
        /// As arguments.
        address: String,
        /// All other flags.
        options: Box<Options>,
    },
    /// To print this to standard output and end.
    Print(Vec<u8>),
}

/// How memory is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HugePages {
    /// Huge pages, where the system has them, as memory is used.
    AsUsed,
    /// All of it at the start.
    Now,
    /// Small pages only.
    Never,
}

/// Everything that can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) tcp_port: TcpPort,
    /// Empty: loopback.
    pub(crate) listen: Vec<ListenAddress>,
    /// `-U`.
    pub(crate) udp_port: TcpPort,
    /// How many times what it sent a UDP client beyond this machine is sent; 0: anything.
    pub(crate) udp_amplification: u32,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) unix_mask: u32,
    pub(crate) backlog: i32,
    pub(crate) connections_max: usize,
    /// Answer and close what comes in beyond `connections_max`, instead of letting it wait.
    pub(crate) reject_fast: bool,
    /// 0: never.
    pub(crate) idle_timeout_s: u32,
    pub(crate) threads: usize,
    /// `None`: by memory and threads.
    pub(crate) shards: Option<u32>,
    /// One guest does everything where one thread and one shard are enough.
    pub(crate) solo: bool,
    pub(crate) memory_bytes: u64,
    pub(crate) item_bytes_max: u32,
    /// 0: by memory.
    pub(crate) segment_bytes: u32,
    pub(crate) eviction: Eviction,
    pub(crate) huge_pages: HugePages,
    pub(crate) evictions: bool,
    pub(crate) cas: bool,
    pub(crate) flush: bool,
    pub(crate) shutdown: bool,
    /// Clients may stop and move the clock.
    pub(crate) debug_time: bool,
    /// Clients may list keys.
    pub(crate) dump: bool,
    /// Clients may follow what happens.
    pub(crate) watch: bool,
    /// What a client that watches may have unread.
    pub(crate) watcher_bytes: u32,
    /// What a guest keeps of events until its host comes by.
    pub(crate) events_bytes: u32,
    pub(crate) track_sizes: bool,
    /// The sweep removes what has expired.
    pub(crate) crawler: bool,
    /// `-D`: collect statistics by prefix, which ends with this byte.
    pub(crate) prefix_delimiter: Option<u8>,
    /// `-S`
    pub(crate) sasl: bool,
    /// `-Y`
    pub(crate) auth_file: Option<PathBuf>,
    /// `-B`, if it was arguments.
    pub(crate) binding: Option<Binding>,
    pub(crate) requests_per_event: u32,
    pub(crate) verbosity: u32,
    pub(crate) daemon: bool,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) user: Option<String>,
    /// `-k`.
    pub(crate) lock_memory: bool,
    /// `-r`.
    pub(crate) core_files: bool,
    /// `--service`.
    pub(crate) service: bool,
    /// What was asked for by names that have no effect, for `stats settings`.
    without_effect: Vec<(Setting, String)>,
    pub(crate) tls: TlsOptions,
    /// What was accepted and does nothing: a line each.
    pub(crate) warnings: Vec<String>,
    /// The first flag that was refused.
    rejected: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tcp_port: TcpPort::Number(11211),
            listen: Vec::new(),
            udp_port: TcpPort::Off,
            udp_amplification: limits::DATAGRAM_AMPLIFICATION_DEFAULT,
            unix_socket: None,
            unix_mask: 0o700,
            backlog: 1024,
            connections_max: 1024,
            reject_fast: true,
            idle_timeout_s: 0,
            threads: 4,
            shards: None,
            solo: true,
            memory_bytes: 64 << 20,
            item_bytes_max: limits::ITEM_BYTES_MAX_DEFAULT,
            segment_bytes: 0,
            eviction: Eviction::default(),
            huge_pages: HugePages::AsUsed,
            evictions: true,
            cas: true,
            flush: true,
            shutdown: false,
            debug_time: false,
            dump: true,
            watch: true,
            watcher_bytes: 256 * 1024,
            events_bytes: 64 * 1024,
            track_sizes: false,
            crawler: true,
            prefix_delimiter: None,
            sasl: false,
            auth_file: None,
            binding: None,
            requests_per_event: 20,
            verbosity: 0,
            daemon: false,
            pid_file: None,
            user: None,
            lock_memory: false,
            core_files: false,
            service: false,
            without_effect: Vec::new(),
            tls: TlsOptions::default(),
            warnings: Vec::new(),
            rejected: None,
        }
    }
}

impl Options {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitError> {
        let matches = match parser::command().try_get_matches_from(arguments) {
            Ok(matches) => matches,
            // memcached's last words, for scripts that look for them.
            Err(error) => return Err(ExitError::new(exit::FLAG, format!("{error}Illegal argument \"?\""))),
        };
        if let Some(text) = print::requested(&matches)? {
            return Ok(Invocation::Print(text));
        }
        let arguments = collect(&matches)?;
        let mut options = Box::new(Self::default());
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

    /// Which protocols are spoken.
    pub(crate) fn binding(&self) -> Binding {
        match self.authentication() {
            Authentication::None => self.binding.unwrap_or_default(),
            Authentication::Sasl => Binding::Binary,
            Authentication::Text => Binding::Ascii,
        }
    }

    /// Who has to log in, and how.
    pub(crate) fn authentication(&self) -> Authentication {
        match (self.sasl, &self.auth_file) {
            (true, _) => Authentication::Sasl,
            (false, Some(_)) => Authentication::Text,
            (false, None) => Authentication::None,
        }
    }

    /// How many shards there are to be.
    pub(crate) fn shard_count(&self) -> u32 {
        const COMFORTABLE_BYTES: u64 = 64 << 20;
        let needed = self.memory_bytes.div_ceil(limits::SHARD_BYTES_MAX).max(1);
        let comfortable = (self.memory_bytes / COMFORTABLE_BYTES).min(self.threads as u64);
        // An item may take half of a shard at most.
        let possible = (self.memory_bytes / (2 * u64::from(self.item_bytes_max))).max(1);
        let count = needed.max(comfortable.min(possible)).min(u64::from(limits::SHARDS_MAX)) as u32;
        self.shards.unwrap_or(count)
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

    /// A server that asks for logins speaks the one protocol that has them.
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
        if self.auth_file.is_some() && (self.sasl || !matches!(self.binding, None | Some(Binding::Ascii))) {
            return usage("ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens.");
        }
        Ok(())
    }

    /// What no single flag can know.
    fn check(&mut self) -> Result<(), ExitError> {
        let usage = |message: String| Err(ExitError::new(exit::USAGE, message));
        compatibility::check_together(&self.without_effect)?;
        self.check_authentication()?;
        let shards = u64::from(self.shard_count());
        let shard_bytes = self.memory_bytes / shards;
        if u64::from(self.item_bytes_max) > self.memory_bytes / 2 {
            return usage("Cannot set item size limit higher than 1/2 of memory max.".to_owned());
        }
        if u64::from(self.item_bytes_max) > shard_bytes / 2 {
            return usage(format!("-I is more than half of what each of {shards} shards has: use fewer shards"));
        }
        if shard_bytes > limits::SHARD_BYTES_MAX {
            let most_mib = (limits::SHARD_BYTES_MAX * shards) >> 20;
            return usage(format!("-m is too much for {shards} shards, which hold {most_mib} MiB at most"));
        }
        let nothing = self.tcp_port == TcpPort::Off && self.udp_port == TcpPort::Off;
        if self.unix_socket.is_none() && nothing && self.listen.iter().all(|l| l.port.is_none()) {
            return usage("nothing to listen on: -p 0 turns TCP off, and there is no -s".to_owned());
        }
        tls::check(self)?;
        if self.unix_socket.is_some() {
            // memcached passes over them in silence.
            for (is_given, warning) in [
                (self.udp_port != TcpPort::Off, "-U does nothing: -s turns the network off"),
                (!self.listen.is_empty(), "-l does nothing: -s turns the network off"),
                (self.tls.enabled, "-Z does nothing for -s: a socket in the file system is not encrypted"),
            ] {
                if is_given {
                    self.warn(warning);
                }
            }
        } else if self.udp_port != TcpPort::Off && self.tls.enabled {
            self.warn("-U: what comes and goes by UDP is not encrypted, -Z or not");
        }
        if self.pid_file.is_some() && cfg!(windows) {
            self.warnings.push("-P: a file is written, but no service manager of this system reads it".to_owned());
        }
        Ok(())
    }
}

/// What the command line says, and below it what the file says that it names.
///
/// # Errors
/// What is wrong with the file.
fn collect(matches: &ArgMatches) -> Result<Arguments, ExitError> {
    let line = Arguments::of_command_line(matches);
    match matches.get_one::<String>("config") {
        Some(path) => Ok(file::read(Path::new(path))?.overridden_by(line)),
        None => Ok(line),
    }
}

#[cfg(test)]
mod tests;
