//! Advice to the system about pages of memory, and the time of a thread in user mode. One of the host's files with `unsafe`;
//! it knows neither guests nor their verbs.

use crate::options::HugePages;
#[cfg(unix)]
use std::ops::Range;
use std::{ptr::NonNull, time::Duration};

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
pub(crate) fn advise(bytes: &mut [u8], pages: Pages) -> bool {
    let length = bytes.len();
    #[expect(unsafe_code, reason = "advice about pages is a system call")]
    // SAFETY: the range is that of a live exclusive borrow, so it is mapped and not accessed by others.
    unsafe {
        advise_range(NonNull::from(bytes).cast(), length, pages)
    }
}

/// Gives advice about the whole pages of a range of private anonymous memory; whether the system agreed.
///
/// # Safety
/// The range is mapped. All code that accesses it meanwhile or later accepts other bytes there.
#[cfg(unix)]
#[expect(unsafe_code, reason = "advice about pages is a system call")]
pub(crate) unsafe fn advise_range(first: NonNull<u8>, bytes: usize, pages: Pages) -> bool {
    let Some(advice) = advice(pages) else { return false };
    let Some((first, bytes)) = whole_pages_of_system(first, bytes) else { return false };
    // SAFETY: the caller's promise; the range is a part of that one.
    bytes == 0 || unsafe { nix::sys::mman::madvise(first.cast(), bytes, advice) }.is_ok()
}

/// Makes the whole pages of a range inaccessible; whether the system can.
///
/// # Safety
/// The range is private anonymous memory, which nobody accesses any more in this program, except for code that has a handler
/// for the fault.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the protection of pages is a system call")]
pub(crate) unsafe fn forbid_range(first: NonNull<u8>, bytes: usize) -> bool {
    use nix::sys::mman::{ProtFlags, mprotect};
    let Some((first, bytes)) = whole_pages_of_system(first, bytes) else { return false };
    // SAFETY: the caller's promise; the range is a part of that one.
    bytes > 0 && unsafe { mprotect(first.cast(), bytes, ProtFlags::PROT_NONE) }.is_ok()
}

/// Windows has no such advice for committed memory.
///
/// # Safety
/// Nothing is done.
#[cfg(not(unix))]
#[expect(unsafe_code, reason = "the same signature as elsewhere")]
pub(crate) unsafe fn advise_range(_: NonNull<u8>, _: usize, _: Pages) -> bool {
    false
}

/// Nothing is forbidden.
///
/// # Safety
/// Nothing is done.
#[cfg(not(unix))]
#[expect(unsafe_code, reason = "the same signature as elsewhere")]
pub(crate) unsafe fn forbid_range(_: NonNull<u8>, _: usize) -> bool {
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

/// The whole pages of a range.
#[cfg(unix)]
fn whole_pages_of_system(first: NonNull<u8>, bytes: usize) -> Option<(NonNull<u8>, usize)> {
    use nix::unistd::{SysconfVar, sysconf};
    let page_bytes = usize::try_from(sysconf(SysconfVar::PAGE_SIZE).ok()??).ok()?;
    let whole = whole_pages(first.addr().get(), bytes, page_bytes);
    let address = first.addr().checked_add(whole.start)?;
    assert_eq!((whole.is_empty() || address.get() % page_bytes == 0, whole.len() % page_bytes), (true, 0));
    Some((first.with_addr(address), whole.len()))
}

/// The whole pages of the `bytes` bytes from address `first` on, as offsets.
#[cfg(unix)]
fn whole_pages(first: usize, bytes: usize, page_bytes: usize) -> Range<usize> {
    let begin = first.next_multiple_of(page_bytes) - first;
    let behind = (first + bytes) % page_bytes;
    begin..bytes.saturating_sub(behind).max(begin)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_advised() {
        let pages = |from: usize, to: usize| whole_pages(4096 + from, to - from, 4096);
        assert_eq!(pages(0, 8192), 0..8192);
        assert_eq!(pages(1, 8192), 4095..8191);
        assert_eq!(pages(1, 8193), 4095..8191);
        assert!(pages(1, 4096).is_empty());
        assert!(pages(100, 200).is_empty());
    }
}
