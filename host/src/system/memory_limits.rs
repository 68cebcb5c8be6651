//! The limits that the system puts on the memory of this process, and how much of each is in use.

use std::fmt;

/// The limits that are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryLimits {
    /// Mapped addresses, used or not.
    pub(crate) address_space: Option<MemoryLimit>,
    /// Writable memory, used or not.
    pub(crate) writable: Vec<MemoryLimit>,
    /// The largest piece of writable memory.
    pub(crate) piece: Option<MemoryLimit>,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub(crate) kind: MemoryLimitKind,
    pub(crate) bytes: u64,
    /// Memory that counts already.
    pub(crate) used_bytes: u64,
}

/// The source of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryLimitKind {
    /// `ulimit -v`.
    AddressSpace,
    /// `ulimit -d`.
    Data,
    /// `vm.overcommit_memory=2`.
    Commitment,
    /// `vm.overcommit_memory=0`: no piece is larger than all memory of the machine.
    Piece,
}

impl MemoryLimit {
    /// Memory that may still be taken.
    pub(crate) fn left_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.used_bytes)
    }
}

/// The limit, and after a colon its value.
impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.bytes >> 10;
        match self.kind {
            MemoryLimitKind::AddressSpace => write!(f, "the limit of address space (ulimit -v) is {kib} KiB"),
            MemoryLimitKind::Data => write!(f, "the limit of data (ulimit -d) is {kib} KiB"),
            MemoryLimitKind::Commitment => {
                write!(f, "the limit of all programs together (CommitLimit, with vm.overcommit_memory=2) is {kib} KiB")
            }
            MemoryLimitKind::Piece => write!(f, "the machine has {kib} KiB (vm.overcommit_memory=0)"),
        }
    }
}

impl MemoryLimits {
    /// Asks the system.
    pub(crate) fn read() -> Self {
        let pages = read_usage();
        let limit = |kind, bytes: Option<u64>, used_bytes| bytes.map(|bytes| MemoryLimit { kind, bytes, used_bytes });
        let system = system_limits();
        let data = limit(MemoryLimitKind::Data, process_limit(MemoryLimitKind::Data), pages.data_bytes);
        Self {
            address_space: limit(
                MemoryLimitKind::AddressSpace,
                process_limit(MemoryLimitKind::AddressSpace),
                pages.mapped_bytes,
            ),
            writable: data
                .into_iter()
                .chain(system.filter(|limit| limit.kind == MemoryLimitKind::Commitment))
                .collect(),
            piece: system.filter(|limit| limit.kind == MemoryLimitKind::Piece),
        }
    }
}

/// Memory of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    mapped_bytes: u64,
    data_bytes: u64,
}

#[cfg(unix)]
fn process_limit(kind: MemoryLimitKind) -> Option<u64> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let resource = match kind {
        // OpenBSD has none.
        #[cfg(not(target_os = "openbsd"))]
        MemoryLimitKind::AddressSpace => Resource::RLIMIT_AS,
        MemoryLimitKind::Data => Resource::RLIMIT_DATA,
        _ => return None,
    };
    getrlimit(resource).ok().map(|(soft, _)| soft).filter(|&soft| soft != RLIM_INFINITY)
}

#[cfg(not(unix))]
fn process_limit(_: MemoryLimitKind) -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
fn read_usage() -> Usage {
    use nix::unistd::{SysconfVar, sysconf};
    let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096) as u64;
    std::fs::read_to_string("/proc/self/statm").map_or_else(|_| Usage::default(), |text| usage(&text, page_bytes))
}

#[cfg(not(target_os = "linux"))]
fn read_usage() -> Usage {
    Usage::default()
}

#[cfg(target_os = "linux")]
fn system_limits() -> Option<MemoryLimit> {
    let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").ok()?;
    commitment(&policy, &std::fs::read_to_string("/proc/meminfo").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn system_limits() -> Option<MemoryLimit> {
    None
}

/// The summary of a process in pages: the first word is all of it, the sixth data and stack.
#[cfg(any(target_os = "linux", test))]
fn usage(statm: &str, page_bytes: u64) -> Usage {
    let field = |index| statm.split_whitespace().nth(index).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    Usage { mapped_bytes: field(0) * page_bytes, data_bytes: field(5) * page_bytes }
}

/// The limit that the kernel's policy on overcommitment sets.
#[cfg(any(target_os = "linux", test))]
fn commitment(policy: &str, meminfo: &str) -> Option<MemoryLimit> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    };
    match policy.trim() {
        "0" => {
            let bytes = bytes("MemTotal")? + bytes("SwapTotal").unwrap_or(0);
            Some(MemoryLimit { kind: MemoryLimitKind::Piece, bytes, used_bytes: 0 })
        }
        "2" => {
            let (bytes, used_bytes) = (bytes("CommitLimit")?, bytes("Committed_AS")?);
            Some(MemoryLimit { kind: MemoryLimitKind::Commitment, bytes, used_bytes })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:        1000 kB\nSwapTotal:         24 kB\nCommitLimit:      524 kB\nCommitted_AS:     500 kB\n";

    #[test]
    fn the_files_of_the_kernel_are_understood() {
        let limit = |kind, bytes, used_bytes| Some(MemoryLimit { kind, bytes, used_bytes });
        assert_eq!(commitment("0\n", MEMINFO), limit(MemoryLimitKind::Piece, 1024 << 10, 0));
        assert_eq!(commitment("2\n", MEMINFO), limit(MemoryLimitKind::Commitment, 524 << 10, 500 << 10));
        assert_eq!((commitment("1\n", MEMINFO), commitment("0", ""), commitment("", "")), (None, None, None));
        assert_eq!(usage("10 2 3 4 0 6 0\n", 4096), Usage { mapped_bytes: 40960, data_bytes: 24576 });
        assert_eq!(usage("", 4096), Usage::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        let Usage { mapped_bytes, data_bytes } = read_usage();
        assert!(mapped_bytes > 1 << 20 && data_bytes > 100 << 10 && mapped_bytes > data_bytes);
        assert!(std::path::Path::new("/proc/sys/vm/overcommit_memory").exists());
        let _ = MemoryLimits::read();
    }
}
