//! The comparison of bytes that compiled code calls. On the target of the shared build a C library would have it, and there
//! is none; other targets bring their own.

use core::ffi::c_int;

/// Bytes that are compared at a time.
const STEP_BYTES: usize = 8;

/// The order of the first bytes that differ: below 0, 0 if none does, above 0.
///
/// # Safety
/// Both are readable for `count` bytes.
#[cfg_attr(target_os = "wasi", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> c_int {
    let mut at = 0;
    // SAFETY: every read ends at `count` at the latest.
    unsafe {
        while at + STEP_BYTES <= count {
            let [a, b] = [one, other].map(|bytes| bytes.add(at).cast::<u64>().read_unaligned());
            if a != b {
                return if a.to_be() < b.to_be() { -1 } else { 1 };
            }
            at += STEP_BYTES;
        }
        while at < count {
            let (a, b) = (*one.add(at), *other.add(at));
            if a != b {
                return c_int::from(a) - c_int::from(b);
            }
            at += 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::memcmp;
    use core::cmp::Ordering;

    #[test]
    fn it_agrees_with_the_order_of_slices() {
        let base: Vec<u8> = (0..40).map(|byte| byte * 6).collect();
        for length in 0..base.len() {
            for at in 0..=length {
                for byte in [0, 1, 127, 128, 255] {
                    let mut other = base.clone();
                    other.get_mut(at).into_iter().for_each(|changed| *changed = byte);
                    // SAFETY: both have that length at least.
                    let found = unsafe { memcmp(base.as_ptr(), other.as_ptr(), length) }.cmp(&0);
                    assert_eq!(found, base[..length].cmp(&other[..length]), "{length} {at} {byte}");
                    assert!(found == Ordering::Equal || at < length);
                }
            }
        }
    }
}
