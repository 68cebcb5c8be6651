//! Skins of the engine, one file each, and the host in miniature that skins without a host share.
//!
//! Owns the exports, the allocator and the panic handler of the WebAssembly module; knows no protocol word.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

#[cfg(feature = "abi")]
pub mod abi;
#[cfg(all(target_family = "wasm", feature = "abi"))]
mod allocator;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "bindgen")]
pub mod bindgen;
pub mod local_host;
#[cfg(any(feature = "abi", all(feature = "bindgen", target_family = "wasm"), test))]
mod message;
#[cfg(any(all(target_family = "wasm", feature = "abi"), test))]
mod pages;

#[cfg(all(target_family = "wasm", any(feature = "abi", feature = "bindgen")))]
mod runtime {
    #[cfg(feature = "abi")]
    #[global_allocator]
    pub(crate) static ALLOCATOR: crate::allocator::Allocator = crate::allocator::Allocator::new();

    #[cfg(not(feature = "abi"))]
    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    #[cfg(feature = "bindgen")]
    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::bindgen::throw(&info.message())
    }

    #[cfg(not(feature = "bindgen"))]
    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::abi::leave_message(&info.message());
        core::arch::wasm32::unreachable()
    }
}
