//! What the operating system offers a process: limits and users, files, memory pages, signals, and whoever started it.

pub(crate) mod memory;
pub(crate) mod pid_file;
pub(crate) mod process;
pub(crate) mod signals;
pub(crate) mod supervisor;
#[cfg(windows)]
pub(crate) mod windows_service;
