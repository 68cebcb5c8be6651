//! Standard error and standard output that cannot be written: nothing printed is worth the end of the server.

#![cfg(unix)]

mod common;

use common::{Folder, Server, program, run};
use std::{
    fs::File,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

/// Ways in which a descriptor cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwritable {
    /// A disk without room.
    Full,
    /// A pipe whose reader has left.
    ReaderGone,
    /// The shell has closed the descriptor.
    Closed,
}

const EVERY_WAY: [Unwritable; 3] = [Unwritable::Full, Unwritable::ReaderGone, Unwritable::Closed];

impl Unwritable {
    /// The program, whose descriptor `number` (1 or 2) is closed if this says so.
    fn command(self, number: u32) -> Command {
        if self != Self::Closed {
            return Command::new(program());
        }
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {number}>&-")).arg(program());
        shell
    }

    fn stream(self) -> Stdio {
        match self {
            Self::Full if cfg!(target_os = "linux") => File::options().write(true).open("/dev/full").unwrap().into(),
            Self::Full | Self::ReaderGone => OwnedFd::from(std::io::pipe().unwrap().1).into(),
            Self::Closed => Stdio::null(),
        }
    }
}

/// Each line of the start, and of the log afterwards.
#[test]
fn a_server_serves_without_standard_error() {
    let folder = Folder::new("mute-files");
    let running = folder.0.join("running");
    let flags = [
        String::new(),
        "-vvv -l 127.0.0.1 -U -1".to_owned(),
        "-f 1.1 -n 10 -N 2 -t 65 -o modern,hashpower=20,no_slab_reassign surplus".to_owned(),
        "-k -L -m 64".to_owned(),
        format!("-P {}", running.display()),
        "-P /no/such/folder/pid".to_owned(),
    ];
    for way in EVERY_WAY {
        for flags in &flags {
            std::fs::write(&running, std::process::id().to_string()).unwrap();
            let server = Server::start_command(way.command(2), "mute", flags, way.stream());
            let mut client = server.client();
            assert_eq!(client.set("a", "1"), "STORED", "{way:?} {flags}");
            // The log has lines about connections and about the reload.
            server.signal(nix::sys::signal::Signal::SIGHUP);
            drop(server.client());
            assert_eq!(client.ask("verbosity 3"), "OK", "{way:?} {flags}");
            drop(server.client());
            assert_eq!(server.client().get("a").as_deref(), Some("1"), "{way:?} {flags}");
            server.signal(nix::sys::signal::Signal::SIGTERM);
            assert_eq!(server.wait().code(), Some(0), "{way:?} {flags}");
        }
    }
}

#[test]
fn exit_codes_do_not_depend_on_standard_error() {
    for flags in ["-p 70000", "-Q", "-o foo", "-l 192.0.2.1:1", "--ping 127.0.0.1:1", "--config /no/such/file"] {
        let code = run(flags).status.code();
        assert!(matches!(code, Some(1 | 64 | 71)), "{flags}: {code:?}");
        for way in EVERY_WAY {
            let mut command = way.command(2);
            let command = command.args(flags.split_whitespace()).stderr(way.stream()).stdout(Stdio::null());
            assert_eq!(command.status().unwrap().code(), code, "{way:?} {flags}");
        }
    }
}

#[test]
fn texts_for_a_reader_that_has_left_end_with_success() {
    let texts = ["-h", "-V", "-i", "--print-config", "--generate man", "--generate reference", "--generate bash"];
    for flags in texts {
        for way in EVERY_WAY {
            let mut command = way.command(1);
            let output = command.args(flags.split_whitespace()).stdout(way.stream()).stderr(Stdio::piped());
            let output = output.spawn().unwrap().wait_with_output().unwrap();
            let reported = String::from_utf8(output.stderr).unwrap();
            let is_reported = way == Unwritable::Full && cfg!(target_os = "linux");
            let expected =
                if is_reported { (71, "cannot write to standard output: No space left on device\n") } else { (0, "") };
            assert_eq!((output.status.code(), reported.as_str()), (Some(expected.0), expected.1), "{way:?} {flags}");
        }
    }
}

/// Both at once: there is nobody to tell.
#[test]
fn nothing_can_be_written_at_all() {
    let mut command = Command::new(program());
    command.arg("-h").stdout(Unwritable::Full.stream()).stderr(Unwritable::Full.stream());
    assert_eq!(command.status().unwrap().code(), Some(if cfg!(target_os = "linux") { 71 } else { 0 }));
}
