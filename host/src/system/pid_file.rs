//! The file with the process id, and the writing of files that must not follow a link.

use crate::{console::report, exit::reason, limits::PID_FILE_BYTES_READ_MAX};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

/// A file with the process id, removed on drop.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file in one step. A failure is reported and does not stop the server. An existing file is replaced, with a
    /// warning if its process is alive.
    pub(crate) fn write(path: &Path) -> Option<Self> {
        if let Some(pid) = read_pid(path)
            && is_running(pid)
        {
            report(format_args!("WARNING: The pid file contained the following (running) pid: {pid}"));
        }
        // The rename would put a file in its place: with the rights of root, in the place of /dev/null, too.
        if fs::symlink_metadata(path).is_ok_and(|known| !known.is_file() && !known.is_symlink()) {
            report(format_args!("Could not open the pid file {} for writing: it is no regular file", path.display()));
            return None;
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        if let Err(error) = write_anew(&temporary, &format!("{}\n", std::process::id())) {
            let path = temporary.display();
            report(format_args!("Could not open the pid file {path} for writing: {}", reason(&error)));
            return None;
        }
        match fs::rename(&temporary, path) {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                let (from, to) = (temporary.display(), path.display());
                report(format_args!("Could not rename the pid file from {from} to {to}: {}", reason(&error)));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A server that started later may have replaced the file.
        if read_pid(&self.0) != Some(std::process::id()) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.0) {
            // The process gave up its rights, or the file is gone: the next start finds that this process has ended.
            tracing::warn!("Could not remove the pid file {}: {}", self.0.display(), reason(&error));
        }
    }
}

/// Writes a new file in place of one that a crash may have left. The process may have the rights of root, so a link at that
/// place is not followed.
///
/// # Errors
/// The file cannot be written, or another process created it meanwhile.
pub(crate) fn write_anew(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

/// The process id at the beginning of a file. Anything else at that place, however large, is no reason to wait or to take
/// memory.
fn read_pid(path: &Path) -> Option<u32> {
    let mut options = File::options();
    // Opening a FIFO would wait for its writer.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), nix::libc::O_NONBLOCK);
    let file = options.read(true).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(PID_FILE_BYTES_READ_MAX).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

/// `path`, made independent of the current folder.
pub(crate) fn fixed_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a process of any user has that id.
#[cfg(unix)]
fn is_running(pid: u32) -> bool {
    use nix::{errno::Errno, unistd::Pid};
    let Ok(pid @ 1..) = i32::try_from(pid) else { return false };
    matches!(nix::sys::signal::kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// Unknown on this system.
#[cfg(windows)]
fn is_running(_pid: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_first_line_of_a_regular_file() {
        let folder = std::env::temp_dir().join(format!("wasmcached-read-pid-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("pid");
        for (contents, expected) in [
            ("1234\n", Some(1234)),
            ("1234", Some(1234)),
            (" 1234 \r\nrest", Some(1234)),
            ("4194304\n\u{fffd}and more than the bytes that are read", Some(4_194_304)),
            ("12345678901234567890123456789012345678901234567890", None),
            ("", None),
            ("\n1234", None),
            ("x", None),
            ("-1\n", None),
        ] {
            fs::write(&path, contents).unwrap();
            assert_eq!(read_pid(&path), expected, "{contents:?}");
        }
        assert_eq!(read_pid(&folder), None);
        assert_eq!(read_pid(Path::new("/dev/zero")), None);
        assert_eq!(read_pid(&folder.join("none")), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("wasmcached-anew-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (target, path) = (folder.join("target"), folder.join("pid.tmp"));
        fs::write(&target, "contents").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        for text in ["1\n", "2\n"] {
            write_anew(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "contents");
        assert!(write_anew(&folder.join("none/pid.tmp"), "").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
