//! The operating system: limits and users, files, memory pages, signals, sockets, the service manager.

pub(crate) mod memory;
pub(crate) mod memory_limits;
pub(crate) mod pid_file;
pub(crate) mod process;
pub(crate) mod signals;
pub(crate) mod sockets;
pub(crate) mod supervisor;
#[cfg(windows)]
pub(crate) mod windows_service;
