//! Advice to the system about pages of memory, and the processor time of a thread. With `guest::code` and
//! `sockets` the only file of the host with `unsafe` (but for a macro of Windows in `service`); it knows neither guests nor their verbs.

use crate::options::HugePages;
#[cfg(unix)]
use std::ops::Range;
use std::time::Duration;

/// Processor time that this thread has used.
#[cfg(unix)]
pub(crate) fn thread_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

/// Windows has only unsafe calls for it: the time since the first call.
#[cfg(not(unix))]
pub(crate) fn thread_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// Advice about pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Huge pages, as they are used.
    Huge,
    /// No huge pages.
    Small,
    /// No pages: the contents may be lost. The next use brings pages with any contents.
    Absent,
}

/// Gives advice about the whole pages of `bytes`, which are private anonymous memory; whether the system agreed.
#[cfg(unix)]
pub(crate) fn advise(bytes: &mut [u8], pages: Pages) -> bool {
    use nix::{
        sys::mman::madvise,
        unistd::{SysconfVar, sysconf},
    };
    let Some(advice) = advice(pages) else { return false };
    let Ok(Some(page_bytes)) = sysconf(SysconfVar::PAGE_SIZE) else { return false };
    let whole = whole_pages(bytes, page_bytes as usize);
    let Some(bytes) = bytes.get_mut(whole).filter(|bytes| !bytes.is_empty()) else { return true };
    let length = bytes.len();
    assert_eq!((bytes.as_ptr().addr() % page_bytes as usize, length % page_bytes as usize), (0, 0));
    let address = std::ptr::NonNull::from(bytes).cast();
    #[expect(unsafe_code, reason = "advice about pages is a system call")]
    // SAFETY: the address range is that of a live exclusive borrow, so it is mapped and not accessed by others. Every
    // advice used here either keeps its bytes or replaces them by others, and any byte is a valid `u8`.
    unsafe { madvise(address, length, advice) }.is_ok()
}

/// Windows has no such advice for committed memory.
#[cfg(not(unix))]
pub(crate) fn advise(_: &mut [u8], _: Pages) -> bool {
    false
}

/// Linux frees pages at once; other systems when memory is short.
#[cfg(unix)]
fn advice(pages: Pages) -> Option<nix::sys::mman::MmapAdvise> {
    use nix::sys::mman::MmapAdvise;
    match pages {
        #[cfg(target_os = "linux")]
        Pages::Huge => Some(MmapAdvise::MADV_HUGEPAGE),
        #[cfg(target_os = "linux")]
        Pages::Small => Some(MmapAdvise::MADV_NOHUGEPAGE),
        #[cfg(target_os = "linux")]
        Pages::Absent => Some(MmapAdvise::MADV_DONTNEED),
        #[cfg(not(target_os = "linux"))]
        Pages::Huge | Pages::Small => None,
        #[cfg(not(target_os = "linux"))]
        Pages::Absent => Some(MmapAdvise::MADV_FREE),
    }
}

/// One line for the user about the pages of memory.
#[cfg(target_os = "linux")]
pub(crate) fn describe_pages(requested: HugePages) -> String {
    const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let offered = std::fs::read_to_string(SETTING).is_ok_and(|setting| !setting.contains("[never]"));
    match requested {
        HugePages::Never => "memory: small pages, as asked for".to_owned(),
        _ if !offered => format!("memory: small pages; this system has no transparent huge pages ({SETTING})"),
        HugePages::AsUsed => "memory: huge pages, as it is used (-L takes all of it now)".to_owned(),
        HugePages::Now => {
            let kib =
                |field| process_kib(field).map_or("an unknown number of".to_owned(), |kib| (kib >> 10).to_string());
            format!("memory: {} MB are taken, {} MB of them in huge pages", kib("Rss:"), kib("AnonHugePages:"))
        }
    }
}

/// One line for the user about the pages of memory.
#[cfg(not(target_os = "linux"))]
pub(crate) fn describe_pages(requested: HugePages) -> String {
    let taken = if requested == HugePages::Now { ", all of it is taken" } else { "" };
    format!("memory: pages of the system's choice{taken}")
}

/// A field of the kernel's summary of this process's memory.
#[cfg(target_os = "linux")]
fn process_kib(field: &str) -> Option<u64> {
    let account = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = account.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The whole pages of `bytes`.
#[cfg(unix)]
fn whole_pages(bytes: &[u8], page_bytes: usize) -> Range<usize> {
    let first = bytes.as_ptr().addr();
    let begin = first.next_multiple_of(page_bytes) - first;
    let behind = (first + bytes.len()) % page_bytes;
    begin..bytes.len().saturating_sub(behind).max(begin)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_advised() {
        let buffer = vec![0u8; 5 * 4096];
        let aligned = buffer.as_ptr().addr().wrapping_neg() % 4096;
        let page = |from: usize, to: usize| &buffer[aligned + from..aligned + to];
        assert_eq!(whole_pages(page(0, 8192), 4096), 0..8192);
        assert_eq!(whole_pages(page(1, 8192), 4096), 4095..8191);
        assert_eq!(whole_pages(page(1, 8193), 4096), 4095..8191);
        assert!(whole_pages(page(1, 4096), 4096).is_empty());
        assert!(whole_pages(page(100, 200), 4096).is_empty());
    }
}
