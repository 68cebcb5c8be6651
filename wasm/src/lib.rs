//! Skins of the engine, one file each, and the host in miniature that skins without a host share.
//!
//! Owns the exports, the allocator and the panic handler of the WebAssembly module; knows no protocol word.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

#[cfg(feature = "abi")]
pub mod abi;
#[cfg(all(target_family = "wasm", any(feature = "abi", feature = "shared")))]
mod allocator;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "bindgen")]
pub mod bindgen;
#[cfg(any(feature = "cache", test))]
pub mod cache;
#[cfg(any(all(target_os = "wasi", feature = "shared"), test))]
mod compare;
pub mod local_host;
#[cfg(any(feature = "shared", test))]
mod lock;
#[cfg(any(feature = "abi", feature = "shared", all(feature = "bindgen", target_family = "wasm"), test))]
mod message;
#[cfg(any(all(target_family = "wasm", any(feature = "abi", feature = "shared")), test))]
mod pages;
#[cfg(any(feature = "shared", test))]
pub mod shared;

#[cfg(all(target_family = "wasm", any(feature = "abi", feature = "bindgen", feature = "cache", feature = "shared")))]
mod runtime {
    #[cfg(not(any(feature = "bindgen", feature = "cache")))]
    #[global_allocator]
    pub(crate) static ALLOCATOR: crate::allocator::Allocator = crate::allocator::Allocator;

    #[cfg(any(feature = "bindgen", feature = "cache"))]
    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    #[cfg(feature = "bindgen")]
    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::bindgen::throw(&info.message())
    }

    /// Without the message, whose formatting would be a quarter of the module.
    #[cfg(feature = "cache")]
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }

    #[cfg(not(any(feature = "bindgen", feature = "cache")))]
    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        #[cfg(feature = "abi")]
        crate::abi::leave_message(&info.message());
        #[cfg(feature = "shared")]
        crate::shared::leave_message(&info.message());
        core::arch::wasm32::unreachable()
    }
}
