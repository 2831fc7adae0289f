//! Allocator: mimalloc, told to give memory back soon, and a file for large pieces that memory has no room for. A server
//! works in bursts (a synchronization, compiling a snapshot), and what one burst has freed is not the next one's to stand
//! beside. The only room with `unsafe`: what allocates is, and allocators take orders through C interfaces alone.

mod overflow;

pub use overflow::{beside, bulk, bulk_is_under_way, overflow_into, overflowed, set_aside, set_aside_beyond};

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_long;

/// The allocator of the program: mimalloc, but for what goes into the file of [`overflow_into`].
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

#[allow(unsafe_code)]
// SAFETY: a piece is given back to where it came from, which its address says; both places give pieces of the size and
// alignment that are asked for, which nobody else has.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < overflow::LEAST {
            // SAFETY: what the caller promises is what is needed.
            return unsafe { MiMalloc.alloc(layout) };
        }
        overflow::take(layout).unwrap_or_else(|| {
            // SAFETY: as above.
            overflow::counted(layout.size(), unsafe { MiMalloc.alloc(layout) })
        })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < overflow::LEAST {
            // SAFETY: as in `alloc`.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        // A file is zero where nothing was written.
        overflow::take(layout).unwrap_or_else(|| {
            // SAFETY: as in `alloc`.
            overflow::counted(layout.size(), unsafe { MiMalloc.alloc_zeroed(layout) })
        })
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if layout.size() >= overflow::LEAST {
            if overflow::has(ptr) {
                return overflow::give(ptr, layout.size());
            }
            overflow::uncount(layout.size());
        }
        // SAFETY: it is not in the file, so it is from mimalloc; the rest the caller promises.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size().max(size) < overflow::LEAST {
            // SAFETY: a small piece is from mimalloc; the rest the caller promises.
            return unsafe { MiMalloc.realloc(ptr, layout, size) };
        }
        let in_file = layout.size() >= overflow::LEAST && overflow::has(ptr);
        if in_file || size >= overflow::LEAST && overflow::is_wanted(size) {
            // SAFETY: the caller promises that the size is not too large for the alignment.
            let next = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
            // SAFETY: the old piece has this layout and the new one has room for as much; they are two.
            unsafe {
                // What is in the file stays there, whoever has it grow.
                let new = if in_file && size >= overflow::LEAST {
                    bulk(|| self.alloc(next))
                } else {
                    self.alloc(next)
                };
                if !new.is_null() {
                    let len = layout.size().min(size);
                    for at in (0..len).step_by(STEP) {
                        std::ptr::copy_nonoverlapping(ptr.add(at), new.add(at), STEP.min(len - at));
                        if len > STEP {
                            set_aside();
                        }
                    }
                    self.dealloc(ptr, layout);
                }
                return new;
            }
        }
        // SAFETY: it is not in the file, so it is from mimalloc; the rest the caller promises.
        let new = unsafe { MiMalloc.realloc(ptr, layout, size) };
        if !new.is_null() {
            overflow::recount(layout.size(), size);
        }
        new
    }
}

/// What grows in the file is copied in steps of so many bytes, after each of which it leaves memory: the whole of it and of its
/// copy would be there at once.
const STEP: usize = 16 << 20;

/// `mi_option_purge_delay` of mimalloc.h; the bindings do not name it.
const PURGE_DELAY: mi_option_t = 15;

/// How long freed memory is kept for the next who asks, in milliseconds. The allocator's own second kept 50 MiB more
/// through a synchronization, this keeps 20; with a sixth of it, taking memory anew cost three of a hundred parts of a
/// synchronization's time.
const KEPT: c_long = 300;

/// Has freed memory given back to the system soon. To be called once, when the program starts.
pub fn give_back_soon() {
    #[allow(unsafe_code)]
    // SAFETY: it takes numbers only; the option is one that mimalloc.h lists, and setting it is one atomic store.
    unsafe {
        mi_option_set(PURGE_DELAY, KEPT);
    }
}

/// [`KEPT`] of a program that has so much in memory already that this would count: time for memory.
const KEPT_BESIDE_MUCH: c_long = 50;

/// Has freed memory given back sooner still: much more of it is in use from now on than usual.
pub fn give_back_sooner() {
    #[allow(unsafe_code)]
    // SAFETY: as in `give_back_soon`.
    unsafe {
        mi_option_set(PURGE_DELAY, KEPT_BESIDE_MUCH);
    }
}

/// Gives back what is free now, in both allocators: something large is over. Takes milliseconds.
///
/// Libraries in C take their memory from the system's allocator, which by itself gives back only what lies at the end
/// of its heap: after a synchronization, pages of the database that were freed long ago kept 40 MiB.
pub fn give_back_now() {
    #[allow(unsafe_code)]
    // SAFETY: it takes a flag only; it empties what the calling thread keeps and what nobody uses.
    unsafe {
        mi_collect(true);
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: it takes a number only, locks what it looks at, and touches nothing that is in use (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

    /// How long freed memory is kept for the next who asks, in milliseconds.
    fn kept() -> c_long {
        #[allow(unsafe_code)]
        // SAFETY: takes and gives a number; the option is one that mimalloc.h lists.
        unsafe {
            libmimalloc_sys::mi_option_get(PURGE_DELAY)
        }
    }

    /// Memory of this process that is in use, in MiB.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
    }

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // What the allocator says of itself: milliseconds, a second unless told otherwise.
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(kept(), 1_000);
        }
        give_back_sooner();
        assert_eq!(kept(), KEPT_BESIDE_MUCH);
        give_back_soon();
        assert_eq!(kept(), KEPT);

        let pieces: Vec<Vec<u8>> = (0..3_000_usize).map(|n| vec![1; 20_000 + n]).collect();
        let full = resident();
        drop(pieces);
        let since = Instant::now();
        while resident() + 30 > full {
            assert!(since.elapsed() < Duration::from_secs(60), "{} of {full} MiB are still held", resident());
            std::thread::sleep(Duration::from_millis(60));
            // Giving back happens when somebody asks for memory.
            drop(vec![1_u8; 1 << 20]);
        }
    }
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn what_c_has_freed_is_given_back() {
        const PIECE: usize = 16 << 10;
        let take = || {
            #[allow(unsafe_code)]
            // SAFETY: memory of this size, all of which is written, or nothing at all.
            unsafe {
                let piece = libc::malloc(PIECE);
                assert!(!piece.is_null());
                libc::memset(piece, 1, PIECE)
            }
        };
        let give = |piece| {
            #[allow(unsafe_code)]
            // SAFETY: each is from `take` and is given once.
            unsafe {
                libc::free(piece);
            }
        };
        let mut pieces: Vec<_> = (0..4_000).map(|_| take()).collect();
        // Stays at the end of the heap, which cannot become shorter.
        let last = pieces.split_off(pieces.len() - 1);
        pieces.into_iter().for_each(give);
        let full = resident();
        give_back_now();
        assert!(resident() + 40 < full, "{} of {full} MiB are still held", resident());
        last.into_iter().for_each(give);
    }
}
