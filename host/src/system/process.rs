//! What a process of a Unix system does besides its work: limits, users, the background.
//!
//! Where a system has none of that, the same functions say so.

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

use crate::exit::{self, ExitError};

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::exit::reason;
    use nix::{
        errno::Errno,
        sys::{
            mman::{MlockAllFlags, mlockall},
            resource::{RLIM_INFINITY, Resource, UsageWho, getrlimit, getrusage, setrlimit},
            stat::{Mode, umask},
            time::TimeValLike,
        },
        unistd::{Uid, User},
    };

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
    pub(crate) fn raise_descriptor_limit(connections: usize, reserved: usize) -> Result<(), ExitError> {
        let failure = || {
            ExitError::new(
                exit::SYSTEM,
                "failed to set rlimit for open files. Try starting as root or requesting smaller maxconns value.",
            )
        };
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|_| failure())?;
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
        Err(failure())
    }

    /// `-r`: lets the system write core files as large as they get.
    ///
    /// # Errors
    /// It writes none at all.
    pub(crate) fn raise_core_limit() -> Result<(), ExitError> {
        let failure = |_| ExitError::new(exit::SYSTEM, "failed to ensure corefile creation");
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE).map_err(failure)?;
        if setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY).is_err() {
            setrlimit(Resource::RLIMIT_CORE, hard, hard).map_err(failure)?;
        }
        match getrlimit(Resource::RLIMIT_CORE) {
            Ok((1.., _)) => Ok(()),
            _ => Err(failure(Errno::EPERM)),
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
        pub(crate) fn find(name: Option<&str>) -> Result<Self, ExitError> {
            if !Uid::effective().is_root() {
                return Ok(Self(None));
            }
            let Some(name) = name else {
                eprintln!("running as root: -u USER would give up its rights once the sockets are open");
                return Ok(Self(None));
            };
            match User::from_name(name) {
                Ok(Some(user)) => Ok(Self(Some(user))),
                _ => Err(ExitError::new(exit::NO_USER, format!("can't find the user {name} to switch to"))),
            }
        }

        /// Becomes that user for good.
        ///
        /// # Errors
        /// The system refuses.
        pub(crate) fn assume(self) -> Result<(), ExitError> {
            let Some(user) = self.0 else { return Ok(()) };
            let name = &user.name;
            let failure = |what: &str, error: nix::Error| {
                ExitError::new(exit::SYSTEM, format!("failed to {what} user {name}: {}", error.desc()))
            };
            #[cfg(not(target_vendor = "apple"))]
            nix::unistd::setgroups(&[user.gid]).map_err(|error| failure("drop supplementary groups for", error))?;
            nix::unistd::setgid(user.gid).map_err(|error| failure("assume the group of", error))?;
            nix::unistd::setuid(user.uid).map_err(|error| failure("assume identity of", error))
        }
    }

    /// Goes on in the background; `keep_output`: standard error stays where it is. To be called before threads exist.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn daemonize(keep_output: bool) -> Result<(), ExitError> {
        match fork::daemon(false, keep_output) {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(ExitError::new(exit::SYSTEM, format!("failed to daemon() in order to daemonize: {error}")))
            }
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

    /// Not on this system: who wants dumps of crashes sets them up for all programs.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn raise_core_limit() -> Result<(), ExitError> {
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
    pub(crate) fn raise_descriptor_limit(_connections: usize, _reserved: usize) -> Result<(), ExitError> {
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
        pub(crate) fn find(name: Option<&str>) -> Result<Self, ExitError> {
            match name {
                None => Ok(Self),
                Some(_) => {
                    Err(ExitError::new(exit::USAGE, "-u: this system starts a service under its user by itself"))
                }
            }
        }

        /// Stays who it is.
        ///
        /// # Errors
        /// Never.
        pub(crate) fn assume(self) -> Result<(), ExitError> {
            Ok(())
        }
    }

    /// Not on this system.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn daemonize(_keep_output: bool) -> Result<(), ExitError> {
        Err(ExitError::new(
            exit::USAGE,
            "-d: this system has no daemons: start it as a service, or in a window of its own",
        ))
    }
}
