//! What lies in a file for want of room in memory (`allocator::bulk`) leaves the program's memory again once it is much:
//! compiling, cleanup and synchronizing go through lists of a whole catalog, each through others. The system keeps it in its
//! cache as long as it has room.

use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked while something goes through such lists, which may touch all of one in tens of milliseconds.
const OFTEN: Duration = Duration::from_millis(5);

/// How often otherwise; also while little lies there, since a list of hundreds of megabytes can come at once.
const EVERY: Duration = Duration::from_millis(100);

/// So many bytes may be in memory.
const MOST: usize = 64 << 20;

/// Looks until told to stop, or until nobody could tell it any more. On a thread of its own: where every worker is busy,
/// timers come late.
pub(crate) fn run(stop: &watch::Receiver<bool>) {
    while !*stop.borrow() && stop.has_changed().is_ok() {
        let much = sluicegate_allocator::overflowed() > MOST;
        if much {
            sluicegate_allocator::set_aside_beyond(MOST);
        }
        std::thread::sleep(if much && sluicegate_allocator::bulk_is_under_way() { OFTEN } else { EVERY });
    }
}
