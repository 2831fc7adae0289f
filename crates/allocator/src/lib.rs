//! Allocator: mimalloc, told to give memory back soon. A server works in bursts (a synchronization, compiling a
//! snapshot), and what one burst has freed is not the next one's to stand beside. The only room with `unsafe`,
//! and only because allocators take settings and orders through C interfaces alone.

pub use mimalloc::MiMalloc as Allocator;

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};
use std::ffi::c_long;

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
