//! Advice to the system about pages of memory, and the time of a thread in user mode. With `guest::code` and `sockets` the
//! only file of the host with `unsafe` (but for a macro of Windows in `service`); it knows neither guests nor their verbs.

use crate::options::HugePages;
#[cfg(unix)]
use std::ops::Range;
use std::time::Duration;

/// Time that this thread has spent in user mode: its own work, without that of the system on its behalf.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd"))]
pub(crate) fn thread_user_time() -> Duration {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
    };
    getrusage(UsageWho::RUSAGE_THREAD)
        .map_or(Duration::MAX, |usage| Duration::from_micros(usage.user_time().num_microseconds().cast_unsigned()))
}

/// Time that this thread has spent in user mode.
#[cfg(target_vendor = "apple")]
pub(crate) fn thread_user_time() -> Duration {
    use nix::libc::{
        KERN_SUCCESS, THREAD_BASIC_INFO, THREAD_BASIC_INFO_COUNT, pthread_mach_thread_np, pthread_self,
        thread_basic_info, thread_info,
    };
    let mut info = std::mem::MaybeUninit::<thread_basic_info>::zeroed();
    let mut words = THREAD_BASIC_INFO_COUNT;
    #[expect(unsafe_code, reason = "macOS has no other call for it")]
    // SAFETY: the calling thread has a port; the buffer is as long as `words` says and lives as long as the call. All its
    // fields are integers, of which zero is a value.
    let (status, info) = unsafe {
        let port = pthread_mach_thread_np(pthread_self());
        let status = thread_info(port, THREAD_BASIC_INFO as _, info.as_mut_ptr().cast(), &raw mut words);
        (status, info.assume_init())
    };
    if status != KERN_SUCCESS {
        return Duration::MAX;
    }
    Duration::from_secs(info.user_time.seconds as u64) + Duration::from_micros(info.user_time.microseconds as u64)
}

/// Other systems tell only all time of a thread.
#[cfg(all(
    unix,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "openbsd",
        target_vendor = "apple"
    ))
))]
pub(crate) fn thread_user_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

/// Time that this thread has spent in user mode.
#[cfg(windows)]
pub(crate) fn thread_user_time() -> Duration {
    use windows_sys::Win32::{
        Foundation::FILETIME,
        System::Threading::{GetCurrentThread, GetThreadTimes},
    };
    let [mut created, mut ended, mut kernel, mut user] = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
    #[expect(unsafe_code, reason = "Windows has no other call for it")]
    // SAFETY: the handle of the calling thread is always valid, and the four places live as long as the call.
    let done =
        unsafe { GetThreadTimes(GetCurrentThread(), &raw mut created, &raw mut ended, &raw mut kernel, &raw mut user) };
    if done == 0 {
        return Duration::MAX;
    }
    // In steps of 100 nanoseconds.
    Duration::from_nanos((u64::from(user.dwHighDateTime) << 32 | u64::from(user.dwLowDateTime)).saturating_mul(100))
}

/// Lets all threads share one arena of the allocator. Each other one takes 64 MiB of address space.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn use_one_arena() {
    use nix::libc::{M_ARENA_MAX, mallopt};
    #[expect(unsafe_code, reason = "a setting of the C library")]
    // SAFETY: a number is set, for arenas that are made later.
    let _ = unsafe { mallopt(M_ARENA_MAX, 1) };
}

/// Other allocators take what they use.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn use_one_arena() {}

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
