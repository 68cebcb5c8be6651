//! Limits, users and daemons of Unix.
//!
//! On other systems the same functions do nothing or report an error.

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

use crate::{
    console::report,
    exit::{self, ExitError},
    options::Options,
};

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

    /// Raises the limit of descriptors to `connections` clients and `reserved` others.
    ///
    /// # Errors
    /// The limit stays below `connections`.
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
        // The last few clients may find no descriptor and wait for one.
        let possible = hard.min(wanted);
        if possible >= least && setrlimit(Resource::RLIMIT_NOFILE, possible, hard).is_ok() {
            return Ok(());
        }
        Err(failure())
    }

    /// `-r`: lifts the limit of core files.
    ///
    /// # Errors
    /// The system writes none at all.
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

    /// Lifts the limit of locked memory, where this process may. Call it before the process gives up its rights.
    pub(crate) fn raise_lock_limit() {
        // macOS has no such limit. A failure is not final: `lock_memory` reports whether memory is locked.
        #[cfg(not(target_vendor = "apple"))]
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    }

    /// `-k`: keeps all memory, present and future, out of the swap file. A failure is a warning. Call it after the guests
    /// are made: their whole address space counts, so a limit that is too low fails here and not when a guest is replaced.
    pub(crate) fn lock_memory() {
        let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | pages_as_they_are_used();
        if let Err(error) = mlockall(flags) {
            let hint = match error {
                Errno::ENOMEM | Errno::EAGAIN => " (the limit of locked memory, ulimit -l, must be unlimited)",
                _ => "",
            };
            report(format_args!("warning: -k invalid, mlockall() failed: {}{hint}", reason(&error.into())));
        }
    }

    /// Locks pages as they are used. Otherwise the address space of all guests would be taken at once.
    #[cfg(target_os = "linux")]
    fn pages_as_they_are_used() -> MlockAllFlags {
        MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT)
    }

    #[cfg(not(target_os = "linux"))]
    fn pages_as_they_are_used() -> MlockAllFlags {
        MlockAllFlags::empty()
    }

    /// Runs `action`, whose files have at most the rights of `mask`.
    pub(crate) fn with_creation_mask<T>(mask: u32, action: impl FnOnce() -> T) -> T {
        let closed = Mode::from_bits_truncate((!mask & 0o777) as nix::libc::mode_t);
        let before = umask(closed);
        let result = action();
        umask(before);
        result
    }

    /// The user to become, looked up before anything is opened.
    #[derive(Debug)]
    pub(crate) struct Identity(Option<User>);

    impl Identity {
        /// The user of `-u`, which has an effect only for root.
        ///
        /// # Errors
        /// There is no such user.
        pub(crate) fn find(options: &Options) -> Result<Self, ExitError> {
            if !Uid::effective().is_root() {
                return Ok(Self(None));
            }
            let Some(name) = options.user.as_deref() else {
                options.notice("running as root: -u USER would give up its rights once the sockets are open");
                return Ok(Self(None));
            };
            match User::from_name(name) {
                Ok(Some(user)) => Ok(Self(Some(user))),
                _ => Err(ExitError::new(exit::NO_USER, format!("can't find the user {name} to switch to"))),
            }
        }

        /// Becomes that user, without a way back.
        ///
        /// # Errors
        /// A system call fails.
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

    /// Continues in the background; `keep_output` keeps standard error. Call it before threads exist.
    ///
    /// # Errors
    /// A system call fails.
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

    /// Unknown on this system.
    pub(crate) fn cpu_time_us() -> (u64, u64) {
        (0, 0)
    }

    /// Dumps of crashes are set up for the whole system.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn raise_core_limit() -> Result<(), ExitError> {
        report("-r does nothing: this system writes dumps of crashes if it is set up for that");
        Ok(())
    }

    /// Not on this system.
    pub(crate) fn raise_lock_limit() {}

    /// Not on this system.
    pub(crate) fn lock_memory() {
        report("warning: -k invalid, mlockall() not supported on this platform.  proceeding without.");
    }

    /// This system has no such limit.
    pub(crate) fn raise_descriptor_limit(_connections: usize, _reserved: usize) -> Result<(), ExitError> {
        Ok(())
    }

    /// The user to become.
    #[derive(Debug)]
    pub(crate) struct Identity;

    impl Identity {
        /// This system has no `-u`.
        ///
        /// # Errors
        /// A user was named.
        pub(crate) fn find(options: &Options) -> Result<Self, ExitError> {
            match options.user {
                None => Ok(Self),
                Some(_) => {
                    Err(ExitError::new(exit::USAGE, "-u: this system starts a service under its user by itself"))
                }
            }
        }

        /// Does nothing.
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
