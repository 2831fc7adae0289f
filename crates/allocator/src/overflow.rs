//! Allocator: the file for large pieces that memory has no room for. What a catalog has of each revision has no bound;
//! the memory that a server may take has one. So what asks within [`bulk`] gets pieces of a file in the data folder, once
//! so much of large pieces stands in memory; the system keeps in memory what of it is used, as long as it has room.

use std::alloc::Layout;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Smaller pieces always stand in memory, in bytes.
pub(crate) const LEAST: usize = 16 << 10;

/// How long the file can become, in bytes: so much of the address space is its own. It takes no more of the disk than
/// there is in it.
const LARGEST: usize = 256 << 30;

/// After so many bytes that were given out, what nobody reads leaves the memory of the program.
const OFTEN: usize = 32 << 20;

/// Where the file begins in memory; 0 as long as there is none.
static START: AtomicUsize = AtomicUsize::new(0);

/// How many bytes of large pieces may stand in memory before more of them go to the file.
static BOUND: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Bytes of large pieces that stand in memory.
static IN_MEMORY: AtomicUsize = AtomicUsize::new(0);

/// Bytes of pieces in the file.
static IN_FILE: AtomicUsize = AtomicUsize::new(0);

/// The file's room. Whoever holds it asks for small pieces only, which do not come by here.
static ROOM: Mutex<Option<Room>> = Mutex::new(None);

/// How many threads are within [`bulk`].
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many [`bulk`] the thread is within.
    static WITHIN: Cell<u32> = const { Cell::new(0) };
}

/// Has large pieces for which memory has no room lie in a file: those that are asked for within [`bulk`] while there are
/// `bound` bytes of large ones in memory. The file is to be an empty one that nobody else opens; it should have no name,
/// so that nothing of it stays behind. Answers whether it will be used: the first file is, where the system can.
pub fn overflow_into(file: File, bound: usize) -> bool {
    let mut room = room();
    if room.is_some() || !map::IS_KNOWN {
        return false;
    }
    *room = Some(Room { file, page: map::page(), free: BTreeMap::new(), end: 0, since: 0 });
    BOUND.store(bound, Ordering::Release);
    true
}

/// So many bytes of large pieces that are in memory have a bound of their own: others may stand there beside them.
pub fn beside(bytes: usize) {
    // As long as there is no file nothing is bounded.
    let _ = BOUND.fetch_update(Ordering::AcqRel, Ordering::Acquire, |bound| {
        (bound != usize::MAX).then(|| bound.saturating_add(bytes).min(usize::MAX - 1))
    });
}

/// What `work` asks for is much and stays, or has no bound: its large pieces may lie in the file.
pub fn bulk<R>(work: impl FnOnce() -> R) -> R {
    /// Leaves even when `work` panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            WITHIN.set(WITHIN.get() - 1);
            if WITHIN.get() == 0 {
                AT_WORK.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
    if WITHIN.get() == 0 {
        AT_WORK.fetch_add(1, Ordering::Relaxed);
    }
    WITHIN.set(WITHIN.get() + 1);
    let _leave = Leave;
    work()
}

/// Whether somebody is within [`bulk`], and may be going through all that lies in the file.
#[must_use]
pub fn bulk_is_under_way() -> bool {
    AT_WORK.load(Ordering::Relaxed) > 0
}

/// What lies in the file leaves the memory of the program, until it is read again; the system has it in its cache as long as it
/// likes. Takes microseconds.
pub fn set_aside() {
    if let Some(room) = room().as_ref() {
        room.set_aside();
    }
}

/// [`set_aside`], if so many bytes of files, the program's own among them, are in its memory. Cheap.
pub fn set_aside_beyond(bytes: usize) {
    if map::resident() > bytes {
        set_aside();
    }
}

/// How many bytes lie in the file.
#[must_use]
pub fn overflowed() -> usize {
    IN_FILE.load(Ordering::Relaxed)
}

fn room() -> MutexGuard<'static, Option<Room>> {
    // Nothing that holds it can panic halfway.
    ROOM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a piece of so many bytes belongs into the file.
pub(crate) fn is_wanted(size: usize) -> bool {
    let bound = BOUND.load(Ordering::Acquire);
    bound != usize::MAX && WITHIN.get() > 0 && IN_MEMORY.load(Ordering::Relaxed).saturating_add(size) > bound
}

/// A piece of the file, of zeros, when it belongs there and there is room on the disk.
#[cold]
pub(crate) fn take(layout: Layout) -> Option<*mut u8> {
    if !is_wanted(layout.size()) {
        return None;
    }
    let mut room = room();
    let room = room.as_mut()?;
    if layout.align() > room.page {
        return None;
    }
    let start = room.start()?;
    let size = layout.size().checked_next_multiple_of(room.page)?;
    let at = room.find(size)?;
    if !map::fill(&room.file, at, size) {
        room.put_back(at, size);
        return None;
    }
    IN_FILE.fetch_add(size, Ordering::Relaxed);
    room.since += size;
    if room.since >= OFTEN {
        room.since = 0;
        room.set_aside();
    }
    Some(std::ptr::with_exposed_provenance_mut(start + at))
}

/// Whether a piece lies in the file.
#[inline]
pub(crate) fn has(piece: *mut u8) -> bool {
    let start = START.load(Ordering::Acquire);
    start != 0 && piece.addr().wrapping_sub(start) < LARGEST
}

/// Gives a piece of the file back.
#[cold]
pub(crate) fn give(piece: *mut u8, size: usize) {
    let mut room = room();
    let Some(room) = room.as_mut() else { return };
    let at = piece.addr() - START.load(Ordering::Acquire);
    let size = size.next_multiple_of(room.page);
    IN_FILE.fetch_sub(size, Ordering::Relaxed);
    // Else it would not be zeros when it is taken again: such room is left.
    if map::empty(&room.file, at, size) {
        room.put_back(at, size);
    }
}

/// Counts a large piece that stands in memory, unless there was none to be had.
#[inline]
pub(crate) fn counted(size: usize, piece: *mut u8) -> *mut u8 {
    if !piece.is_null() {
        IN_MEMORY.fetch_add(size, Ordering::Relaxed);
    }
    piece
}

#[inline]
pub(crate) fn uncount(size: usize) {
    IN_MEMORY.fetch_sub(size, Ordering::Relaxed);
}

/// A piece in memory has another size now.
#[inline]
pub(crate) fn recount(old: usize, new: usize) {
    if new >= LEAST {
        IN_MEMORY.fetch_add(new, Ordering::Relaxed);
    }
    if old >= LEAST {
        uncount(old);
    }
}

/// What of the file is whose.
struct Room {
    file: File,
    /// Pieces begin and end where pages do; bytes.
    page: usize,
    /// Free parts before `end`, by where they begin, with their lengths; no two of them touch.
    free: BTreeMap<usize, usize>,
    /// Behind it, all is free.
    end: usize,
    /// Bytes that were given out since what is not used was set aside.
    since: usize,
}

impl Room {
    /// Where it begins in memory; it is put there when it is needed first. `None` when the system will not.
    fn start(&self) -> Option<usize> {
        let start = START.load(Ordering::Acquire);
        if start != 0 {
            return Some(start);
        }
        let start = map::whole(&self.file, LARGEST);
        match start {
            Some(start) => START.store(start, Ordering::Release),
            // Nobody needs to ask again.
            None => BOUND.store(usize::MAX, Ordering::Release),
        }
        start
    }

    /// A free part of this length.
    fn find(&mut self, size: usize) -> Option<usize> {
        let found = self.free.iter().find(|(_, len)| **len >= size).map(|(at, len)| (*at, *len));
        if let Some((at, len)) = found {
            self.free.remove(&at);
            if len > size {
                self.free.insert(at + size, len - size);
            }
            return Some(at);
        }
        let end = self.end.checked_add(size).filter(|end| *end <= LARGEST)?;
        Some(std::mem::replace(&mut self.end, end))
    }

    fn put_back(&mut self, at: usize, size: usize) {
        let (mut from, mut to) = (at, at + size);
        if let Some(len) = self.free.remove(&to) {
            to += len;
        }
        if let Some((before, len)) = self.free.range(..from).next_back().map(|(before, len)| (*before, *len))
            && before + len == from
        {
            self.free.remove(&before);
            from = before;
        }
        if to == self.end {
            self.end = from;
        } else {
            self.free.insert(from, to - from);
        }
    }

    fn set_aside(&self) {
        let start = START.load(Ordering::Acquire);
        if start != 0 && self.end > 0 {
            map::set_aside(start, self.end);
        }
    }
}

/// The system's calls.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod map {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;

    pub(super) const IS_KNOWN: bool = true;

    /// How many bytes a page of memory has.
    pub(super) fn page() -> usize {
        #[allow(unsafe_code)]
        // SAFETY: it takes and gives numbers.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(64 << 10)
    }

    /// How many bytes of files are in the program's memory.
    pub(super) fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm.split(' ').nth(2).and_then(|pages| pages.parse::<usize>().ok());
        pages.unwrap_or(0).saturating_mul(page())
    }

    /// Puts the whole file into memory and says where. It becomes as long as it can be, of nothing but holes.
    pub(super) fn whole(file: &File, len: usize) -> Option<usize> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        #[allow(unsafe_code)]
        // SAFETY: writes the structure that it is given.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
        // A longer file than a process may have ends it.
        if !known || limit.rlim_cur < len as libc::rlim_t || file.set_len(len as u64).is_err() {
            return None;
        }
        #[allow(unsafe_code)]
        // SAFETY: the system chooses where, so nothing is there yet. The file is ours alone and never becomes shorter,
        // so every page of it can be read; what is written to lies on disk room that was reserved before (`fill`).
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_NORESERVE,
                file.as_raw_fd(),
                0,
            )
        };
        (start != libc::MAP_FAILED).then(|| start.expose_provenance())
    }

    fn allocate(file: &File, how: libc::c_int, at: usize, len: usize) -> bool {
        let (Ok(at), Ok(len)) = (libc::off_t::try_from(at), libc::off_t::try_from(len)) else {
            return false;
        };
        #[allow(unsafe_code)]
        // SAFETY: takes numbers. Bytes of the file change only where a piece was given back.
        let done = unsafe { libc::fallocate(file.as_raw_fd(), how, at, len) };
        done == 0
    }

    /// Reserves room on the disk; `false` when there is none, or when the file system cannot.
    pub(super) fn fill(file: &File, at: usize, len: usize) -> bool {
        allocate(file, libc::FALLOC_FL_KEEP_SIZE, at, len)
    }

    /// Gives room on the disk back, and in memory; it reads as zeros then.
    pub(super) fn empty(file: &File, at: usize, len: usize) -> bool {
        allocate(file, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, at, len)
    }

    /// Pages of the file leave the memory of the program.
    pub(super) fn set_aside(start: usize, len: usize) {
        #[allow(unsafe_code)]
        // SAFETY: the range is that of the file, all of which is mapped and shared: what was written stays written
        // (madvise(2), MADV_DONTNEED), and comes back when it is read.
        unsafe {
            libc::madvise(std::ptr::with_exposed_provenance_mut(start), len, libc::MADV_DONTNEED);
        }
    }
}

/// Elsewhere everything stands in memory.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod map {
    use std::fs::File;

    pub(super) const IS_KNOWN: bool = false;

    pub(super) fn page() -> usize {
        64 << 10
    }

    pub(super) fn whole(_: &File, _: usize) -> Option<usize> {
        None
    }

    pub(super) fn fill(_: &File, _: usize, _: usize) -> bool {
        false
    }

    pub(super) fn empty(_: &File, _: usize, _: usize) -> bool {
        false
    }

    pub(super) fn set_aside(_: usize, _: usize) {}

    pub(super) fn resident() -> usize {
        0
    }
}
