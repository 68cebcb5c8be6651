//! What a process of a Unix system does besides its work: limits, users, the background, its process id in a file.
//!
//! Where a system has none of that, the same functions say so.

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

use crate::{
    listener::reason,
    options::{Refusal, exit},
};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// A file with the process id, removed with this value.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file: whole, or not at all. One that cannot be written is no reason not to serve, and one that is there
    /// already is replaced, with a word if its process is alive.
    pub(crate) fn write(path: &Path) -> Option<Self> {
        if let Some(pid) = read_pid(path)
            && is_running(pid)
        {
            eprintln!("WARNING: The pid file contained the following (running) pid: {pid}");
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        if let Err(error) = write_anew(&temporary, &format!("{}\n", std::process::id())) {
            let path = temporary.display();
            eprintln!("Could not open the pid file {path} for writing: {}", reason(&error));
            return None;
        }
        match fs::rename(&temporary, path) {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                let (from, to) = (temporary.display(), path.display());
                eprintln!("Could not rename the pid file from {from} to {to}: {}", reason(&error));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A server that was started after this one may have written its own.
        if read_pid(&self.0) != Some(std::process::id()) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.0) {
            // It gave up its rights, or somebody was faster: the next start finds that this process is gone.
            tracing::warn!("Could not remove the pid file {}: {}", self.0.display(), reason(&error));
        }
    }
}

/// Writes a file that is new, in the place of what a crash may have left. It is written with all rights that the process
/// still has, so a link that somebody put there is not followed.
///
/// # Errors
/// As for any file; and where somebody else was faster.
pub(crate) fn write_anew(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

fn read_pid(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The path that `path` is also after the process has changed its folder.
pub(crate) fn fixed_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(unix)]
mod unix {
    use super::*;
    use nix::{
        errno::Errno,
        sys::{
            mman::{MlockAllFlags, mlockall},
            resource::{RLIM_INFINITY, Resource, UsageWho, getrlimit, getrusage, setrlimit},
            stat::{Mode, umask},
            time::TimeValLike,
        },
        unistd::{Pid, Uid, User},
    };

    /// Whether a process has that id. One that belongs to somebody else counts.
    pub(super) fn is_running(pid: u32) -> bool {
        let Ok(pid @ 1..) = i32::try_from(pid) else { return false };
        matches!(nix::sys::signal::kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
    }

    /// CPU time of this process so far, in user mode and in the kernel, in microseconds.
    pub(crate) fn cpu_time_us() -> (u64, u64) {
        let microseconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as u64;
        getrusage(UsageWho::RUSAGE_SELF)
            .map_or((0, 0), |usage| (microseconds(usage.user_time()), microseconds(usage.system_time())))
    }

    /// Sees to it that `connections` clients and `reserved` other descriptors can be open.
    ///
    /// # Errors
    /// Not even the clients can.
    pub(crate) fn raise_descriptor_limit(connections: usize, reserved: usize) -> Result<(), Refusal> {
        let refused = || {
            Refusal::new(
                exit::SYSTEM,
                "failed to set rlimit for open files. Try starting as root or requesting smaller maxconns value.",
            )
        };
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|_| refused())?;
        let (least, wanted) = (connections as u64, (connections + reserved) as u64);
        if soft >= wanted {
            return Ok(());
        }
        if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_ok() {
            return Ok(());
        }
        // Only the last few clients could find no descriptor: they wait until there is one.
        let possible = hard.min(wanted);
        if possible >= least && setrlimit(Resource::RLIMIT_NOFILE, possible, hard).is_ok() {
            return Ok(());
        }
        Err(refused())
    }

    /// `-r`: lets the system write core files as large as they get.
    ///
    /// # Errors
    /// It writes none at all.
    pub(crate) fn raise_core_limit() -> Result<(), Refusal> {
        let refused = |_| Refusal::new(exit::SYSTEM, "failed to ensure corefile creation");
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE).map_err(refused)?;
        if setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY).is_err() {
            setrlimit(Resource::RLIMIT_CORE, hard, hard).map_err(refused)?;
        }
        match getrlimit(Resource::RLIMIT_CORE) {
            Ok((1.., _)) => Ok(()),
            _ => Err(refused(Errno::EPERM)),
        }
    }

    /// Lets all memory be locked, if this process may decide that: to be called before it gives up its rights.
    pub(crate) fn raise_lock_limit() {
        // macOS has no limit that could be raised. If this process may not, it may still be allowed to lock
        // without one, and `lock_memory` says what came of it.
        #[cfg(not(target_vendor = "apple"))]
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    }

    /// `-k`: keeps what is in memory, and what will be, out of the swap file. Where that is refused the server goes on
    /// without. To be called when the guests are there: they reserve far more address space than they use, and all of
    /// it counts, so a limit that is too low for them is refused now and does not bite when a guest is replaced.
    pub(crate) fn lock_memory() {
        let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | pages_as_they_are_used();
        if let Err(error) = mlockall(flags) {
            let hint = match error {
                Errno::ENOMEM | Errno::EAGAIN => " (the limit of locked memory, ulimit -l, must be unlimited)",
                _ => "",
            };
            eprintln!("warning: -k invalid, mlockall() failed: {}{hint}", reason(&error.into()));
        }
    }

    /// Without it all memory that guests could ever use would be taken at once.
    #[cfg(target_os = "linux")]
    fn pages_as_they_are_used() -> MlockAllFlags {
        MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT)
    }

    #[cfg(not(target_os = "linux"))]
    fn pages_as_they_are_used() -> MlockAllFlags {
        MlockAllFlags::empty()
    }

    /// Runs `action` while files are created with at most the rights of `mask`.
    pub(crate) fn with_creation_mask<T>(mask: u32, action: impl FnOnce() -> T) -> T {
        let closed = Mode::from_bits_truncate((!mask & 0o777) as nix::libc::mode_t);
        let before = umask(closed);
        let result = action();
        umask(before);
        result
    }

    /// Whom to become; looked up before anything is opened, so that a wrong name costs nothing.
    #[derive(Debug)]
    pub(crate) struct Identity(Option<User>);

    impl Identity {
        /// The user of `-u`, which counts only for root.
        ///
        /// # Errors
        /// There is no such user.
        pub(crate) fn find(name: Option<&str>) -> Result<Self, Refusal> {
            if !Uid::effective().is_root() {
                return Ok(Self(None));
            }
            let Some(name) = name else {
                eprintln!("running as root: -u USER would give up its rights once the sockets are open");
                return Ok(Self(None));
            };
            match User::from_name(name) {
                Ok(Some(user)) => Ok(Self(Some(user))),
                _ => Err(Refusal::new(exit::NO_USER, format!("can't find the user {name} to switch to"))),
            }
        }

        /// Becomes that user for good.
        ///
        /// # Errors
        /// The system refuses.
        pub(crate) fn assume(self) -> Result<(), Refusal> {
            let Some(user) = self.0 else { return Ok(()) };
            let name = &user.name;
            let refused = |what: &str, error: nix::Error| {
                Refusal::new(exit::SYSTEM, format!("failed to {what} user {name}: {}", error.desc()))
            };
            #[cfg(not(target_vendor = "apple"))]
            nix::unistd::setgroups(&[user.gid]).map_err(|error| refused("drop supplementary groups for", error))?;
            nix::unistd::setgid(user.gid).map_err(|error| refused("assume the group of", error))?;
            nix::unistd::setuid(user.uid).map_err(|error| refused("assume identity of", error))
        }
    }

    /// Goes on in the background; `keep_output`: standard error stays where it is. To be called before threads exist.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn daemonize(keep_output: bool) -> Result<(), Refusal> {
        match fork::daemon(false, keep_output) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::new(exit::SYSTEM, format!("failed to daemon() in order to daemonize: {error}"))),
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::*;

    /// Not known on this system.
    pub(crate) fn cpu_time_us() -> (u64, u64) {
        (0, 0)
    }

    /// Not known on this system: what a file says is not believed.
    pub(super) fn is_running(_pid: u32) -> bool {
        false
    }

    /// Not on this system: who wants dumps of crashes sets them up for all programs.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn raise_core_limit() -> Result<(), Refusal> {
        eprintln!("-r does nothing: this system writes dumps of crashes if it is set up for that");
        Ok(())
    }

    /// Not on this system.
    pub(crate) fn raise_lock_limit() {}

    /// Not on this system.
    pub(crate) fn lock_memory() {
        eprintln!("warning: -k invalid, mlockall() not supported on this platform.  proceeding without.");
    }

    /// This system has no such limit.
    pub(crate) fn raise_descriptor_limit(_connections: usize, _reserved: usize) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whom to become.
    #[derive(Debug)]
    pub(crate) struct Identity;

    impl Identity {
        /// Nobody else, on this system.
        ///
        /// # Errors
        /// Somebody was asked for.
        pub(crate) fn find(name: Option<&str>) -> Result<Self, Refusal> {
            match name {
                None => Ok(Self),
                Some(_) => Err(Refusal::new(exit::USAGE, "-u: this system starts a service under its user by itself")),
            }
        }

        /// Stays who it is.
        ///
        /// # Errors
        /// Never.
        pub(crate) fn assume(self) -> Result<(), Refusal> {
            Ok(())
        }
    }

    /// Not on this system.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn daemonize(_keep_output: bool) -> Result<(), Refusal> {
        Err(Refusal::new(
            exit::USAGE,
            "-d: this system has no daemons: start it as a service, or in a window of its own",
        ))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("wasmcached-anew-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (precious, path) = (folder.join("precious"), folder.join("pid.tmp"));
        fs::write(&precious, "all of it").unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        for text in ["1\n", "2\n"] {
            write_anew(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "all of it");
        assert!(write_anew(&folder.join("none/pid.tmp"), "").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
