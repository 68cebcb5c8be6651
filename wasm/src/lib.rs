//! Skins of the engine, one file each: how a host calls into it.
//!
//! Owns the exports, the allocator and the panic handler of the WebAssembly module; knows no protocol word.

#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(feature = "abi")]
pub mod abi;

#[cfg(all(target_family = "wasm", feature = "abi", not(feature = "bindgen")))]
mod runtime {
    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::abi::leave_message(&info.message());
        core::arch::wasm32::unreachable()
    }
}
