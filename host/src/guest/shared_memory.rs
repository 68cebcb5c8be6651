//! Access to a memory that instances on many threads use at the same time. All of the host's `unsafe` for it is here.
//!
//! The host reads and writes by atomics and copies: what it reads may change at any time, and is never trusted. An address
//! outside the memory is a [`Fault`], never a panic.

use super::{Fault, out_of_memory};
use crate::system::memory::{self, Pages};
use std::{
    cell::UnsafeCell,
    ops::Range,
    ptr::NonNull,
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
};
use wasmtime::{Engine, MemoryType};

const WORD_BYTES: usize = 4;
const EIGHT_BYTES: usize = 8;

/// A memory of many instances. It has its maximum from the start, never moves, and is unmapped with its last instance.
#[derive(Clone)]
pub(super) struct SharedMemory(wasmtime::SharedMemory);

impl SharedMemory {
    /// Makes a memory of `pages` pages of WebAssembly that can grow to the end of that range.
    ///
    /// # Errors
    /// There is no address space for it.
    pub(super) fn create(engine: &Engine, pages: Range<u32>) -> wasmtime::Result<Self> {
        wasmtime::SharedMemory::new(engine, MemoryType::shared(pages.start, pages.end)).map(Self)
    }

    /// The memory for an instance that imports it.
    pub(super) fn import(&self) -> wasmtime::SharedMemory {
        self.0.clone()
    }

    /// Its current length.
    pub(super) fn bytes(&self) -> usize {
        self.0.data_size()
    }

    /// Copies the bytes from `at` on.
    pub(super) fn read(&self, at: usize, into: &mut [u8]) -> Result<(), Fault> {
        let (head, eights, tail) = atomics(self.cells(at, into.len())?);
        let (head_into, rest) = into.split_at_mut(head.len());
        let (eights_into, tail_into) = rest.split_at_mut(EIGHT_BYTES * eights.len());
        let load = |byte: &AtomicU8| byte.load(Ordering::Relaxed);
        head_into.iter_mut().zip(head).for_each(|(into, byte)| *into = load(byte));
        for (into, eight) in eights_into.chunks_exact_mut(EIGHT_BYTES).zip(eights) {
            into.copy_from_slice(&eight.load(Ordering::Relaxed).to_ne_bytes());
        }
        tail_into.iter_mut().zip(tail).for_each(|(into, byte)| *into = load(byte));
        Ok(())
    }

    /// Copies `bytes` to `at`.
    pub(super) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        let (head, eights, tail) = atomics(self.cells(at, bytes.len())?);
        let (head_bytes, rest) = bytes.split_at(head.len());
        let (eights_bytes, tail_bytes) = rest.split_at(EIGHT_BYTES * eights.len());
        head.iter().zip(head_bytes).for_each(|(cell, byte)| cell.store(*byte, Ordering::Relaxed));
        for (cell, bytes) in eights.iter().zip(eights_bytes.as_chunks().0) {
            cell.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        tail.iter().zip(tail_bytes).for_each(|(cell, byte)| cell.store(*byte, Ordering::Relaxed));
        Ok(())
    }

    /// The word at `at`, which is a multiple of 4.
    #[inline]
    pub(super) fn word(&self, at: usize) -> Result<u32, Fault> {
        Ok(u32::from_le(self.atomic_word(at)?.load(Ordering::Relaxed)))
    }

    /// Sets the word at `at`, which is a multiple of 4.
    #[inline]
    pub(super) fn set_word(&self, at: usize, value: u32) -> Result<(), Fault> {
        self.atomic_word(at)?.store(value.to_le(), Ordering::Relaxed);
        Ok(())
    }

    /// Gives advice about the whole pages of a range; whether the system agreed.
    pub(super) fn advise(&self, at: usize, bytes: usize, pages: Pages) -> Result<bool, Fault> {
        let range = NonNull::from(self.cells(at, bytes)?);
        #[expect(unsafe_code, reason = "advice about pages is a system call")]
        // SAFETY: the range is mapped as long as `self` lives. Others may access it meanwhile, but by atomics and by machine
        // code, which find one value or the other.
        Ok(unsafe { memory::advise_range(range.cast(), bytes, pages) })
    }

    /// Makes the whole pages of a range inaccessible for as long as the memory lives: an access by an instance is a trap.
    /// Whether the system can.
    pub(super) fn guard(&self, at: usize, bytes: usize) -> Result<bool, Fault> {
        let range = NonNull::from(self.cells(at, bytes)?);
        #[expect(unsafe_code, reason = "the protection of pages is a system call")]
        // SAFETY: the range is mapped as long as `self` lives. No Rust reference to its contents exists: `cells` and `atomics`
        // are private to this file, and the host never reads or writes a stack of a guest.
        Ok(unsafe { memory::forbid_range(range.cast(), bytes) })
    }

    fn cells(&self, at: usize, bytes: usize) -> Result<&[UnsafeCell<u8>], Fault> {
        at.checked_add(bytes).and_then(|end| self.0.data().get(at..end)).ok_or_else(out_of_memory)
    }

    #[inline]
    fn atomic_word(&self, at: usize) -> Result<&AtomicU32, Fault> {
        let cells = self.cells(at, WORD_BYTES)?;
        if !at.is_multiple_of(WORD_BYTES) {
            return Err(out_of_memory());
        }
        #[expect(unsafe_code, reason = "the memory has no atomics of its own")]
        // SAFETY: four bytes that live as long as `self`; their address is a multiple of 4, because a memory begins with a page.
        // Machine code accesses them meanwhile, but no Rust code does except by atomics.
        Ok(unsafe { AtomicU32::from_ptr(cells.as_ptr().cast_mut().cast()) })
    }
}

/// The same bytes as atomics: as few as possible single ones before and after the others.
fn atomics(cells: &[UnsafeCell<u8>]) -> (&[AtomicU8], &[AtomicU64], &[AtomicU8]) {
    #[expect(unsafe_code, reason = "the memory has no atomics of its own")]
    // SAFETY: the bytes live as long as the borrow, and atomics of the same size may be shared and have any value. Machine code
    // accesses them meanwhile, but no Rust code does except by atomics.
    unsafe {
        let (head, eights, tail) = cells.align_to::<AtomicU64>();
        let single = |cells: &[UnsafeCell<u8>]| std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len());
        (single(head), eights, single(tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{MemoryLayout, settings::engine_config};

    fn memory() -> SharedMemory {
        let engine = Engine::new(&engine_config(MemoryLayout::Compact { growth_bytes: 1 << 16 })).unwrap();
        SharedMemory::create(&engine, 1..2).unwrap()
    }

    #[test]
    fn bytes_are_copied_at_any_alignment() {
        let memory = memory();
        let bytes: Vec<u8> = (1..=40).collect();
        for at in 0..9 {
            for count in 0..=bytes.len() {
                memory.write(0, &[0; 64]).unwrap();
                memory.write(at, &bytes[..count]).unwrap();
                let mut read = [0; 64];
                memory.read(0, &mut read).unwrap();
                assert_eq!(read[at..at + count], bytes[..count], "{at} {count}");
                assert!(read[..at].iter().chain(&read[at + count..]).all(|byte| *byte == 0), "{at} {count}");
                let mut part = vec![0; count];
                memory.read(at, &mut part).unwrap();
                assert_eq!(part, bytes[..count], "{at} {count}");
            }
        }
        memory.write(8, &[1, 2, 3, 4]).unwrap();
        assert_eq!(memory.word(8).unwrap(), 0x0403_0201);
        memory.set_word(8, 0x0807_0605).unwrap();
        let mut word = [0; 4];
        memory.read(8, &mut word).unwrap();
        assert_eq!(word, [5, 6, 7, 8]);
    }

    #[test]
    fn addresses_are_checked() {
        let memory = memory();
        let end = memory.bytes();
        assert_eq!(end, 1 << 16);
        assert!(memory.read(end - 1, &mut [0; 1]).is_ok() && memory.write(end, &[]).is_ok());
        assert!(memory.read(end - 1, &mut [0; 2]).is_err() && memory.write(end - 1, &[0; 2]).is_err());
        assert!(memory.read(usize::MAX, &mut [0; 2]).is_err() && memory.write(usize::MAX, &[0]).is_err());
        assert!(memory.word(end - 4).is_ok() && memory.word(end - 2).is_err() && memory.word(2).is_err());
        assert!(memory.set_word(end, 0).is_err() && memory.set_word(3, 0).is_err());
        assert!(memory.advise(end, 1, Pages::Absent).is_err() && memory.guard(end - 1, 2).is_err());
    }

    /// The instances of a memory never see it move.
    #[test]
    fn growth_ends_with_the_reservation() {
        for (layout, pages) in [(MemoryLayout::Reserved, 40), (MemoryLayout::Compact { growth_bytes: 3 << 16 }, 4)] {
            let engine = Engine::new(&engine_config(layout)).unwrap();
            let memory = SharedMemory::create(&engine, 1..40).unwrap();
            let before = memory.0.data().as_ptr();
            while memory.import().grow(1).is_ok() {}
            assert_eq!((memory.import().size(), memory.0.data().as_ptr()), (pages, before), "{layout:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn absent_pages_are_zero() {
        let memory = memory();
        memory.write(0, &[1; 12288]).unwrap();
        assert!(memory.advise(1, 8191, Pages::Absent).unwrap());
        let mut read = [9; 12288];
        memory.read(0, &mut read).unwrap();
        assert!(read[..4096].iter().all(|byte| *byte == 1) && read[8192..].iter().all(|byte| *byte == 1));
        assert!(read[4096..8192].iter().all(|byte| *byte == 0));
    }
}
