//! Faults for tests of the host: a key names the fault of the guest that meets it.

/// Panics in a guest of this role if the key begins `!trap-<role>`, and never returns if it begins `!hang-<role>`. The
/// role `walk` is that of a store which shows its items.
pub(crate) fn inject(key: &[u8], role: &[u8]) {
    if key.strip_prefix(b"!trap-").is_some_and(|rest| rest.starts_with(role)) {
        panic!("injected fault in a {}", core::str::from_utf8(role).unwrap_or_default());
    }
    while key.strip_prefix(b"!hang-").is_some_and(|rest| rest.starts_with(role)) {
        core::hint::spin_loop();
    }
}
