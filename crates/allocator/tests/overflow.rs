//! Large pieces that memory has no room for lie in a file: what is written stays, whatever leaves the memory of the
//! program, and room that was given back is used again. One process, so one test after the other.

#![cfg(target_os = "linux")]

use sluicegate_allocator::{
    Allocator, bulk, bulk_is_under_way, overflow_into, overflowed, set_aside, set_aside_beyond,
};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const MIB: usize = 1 << 20;

/// How many bytes of large pieces may stand in memory here.
const BOUND: usize = 24 * MIB;

/// The turn, with the file in use.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    static BEGUN: OnceLock<()> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    BEGUN.get_or_init(|| {
        assert!(overflow_into(tempfile::tempfile().unwrap(), BOUND));
        assert!(!overflow_into(tempfile::tempfile().unwrap(), 0), "the first one stays");
    });
    turn
}

/// Memory of this process that only it has, and that is the file's, in bytes.
fn resident() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    (of("RssAnon:"), of("RssFile:"))
}

/// Things that differ everywhere.
fn numbers(from: u64, count: usize) -> impl Iterator<Item = u64> {
    (from..).take(count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn list(from: u64, count: usize) -> Vec<u64> {
    let mut list = Vec::with_capacity(count);
    list.extend(numbers(from, count));
    list
}

#[test]
fn beyond_the_bound_large_lists_take_no_memory_and_keep_what_is_in_them() {
    let _turn = turn();
    let before = resident();
    let lists: Vec<Vec<u64>> = bulk(|| (0..200).map(|n| list(n, MIB / 8)).collect());
    assert!(overflowed() > 160 * MIB, "{} bytes lie in the file", overflowed());
    let (memory, _) = resident();
    assert!(memory < before.0 + BOUND + 16 * MIB, "{} bytes more in memory", memory - before.0);
    set_aside();
    let (_, file) = resident();
    assert!(file < before.1 + 16 * MIB, "{} bytes of the file in memory", file - before.1);
    for (n, list) in lists.iter().enumerate() {
        assert!(list.iter().copied().eq(numbers(n as u64, MIB / 8)), "list {n}");
    }
    let (_, read) = resident();
    assert!(read > file + 100 * MIB, "what is read is in memory again");
    set_aside_beyond(read);
    assert!(resident().1 > file + 100 * MIB, "no more than may be");
    set_aside_beyond(file + 50 * MIB);
    assert!(resident().1 < file + 50 * MIB);
    drop(lists);
    assert_eq!(overflowed(), 0);
}

#[test]
fn what_nobody_calls_much_stands_in_memory() {
    let _turn = turn();
    let lists: Vec<Vec<u64>> = (0..64).map(|n| list(n, MIB / 8)).collect();
    assert_eq!(overflowed(), 0);
    let one = bulk(|| list(7, MIB / 8));
    assert_eq!(overflowed(), MIB, "memory is full of the others, and this goes to the file");
    drop(lists);
    let two = bulk(|| list(8, MIB / 8));
    assert_eq!(overflowed(), MIB, "there is room again");
    let small: Vec<Vec<u8>> = bulk(|| (0..4_000).map(|_| vec![1; 15_000]).collect());
    assert_eq!(overflowed(), MIB, "small pieces never go there");
    drop((one, two, small));
    assert_eq!(overflowed(), 0);
}

#[test]
fn room_that_was_given_back_is_zero_and_is_used_again() {
    let _turn = turn();
    let _full: Vec<Vec<u8>> = bulk(|| (0..24).map(|_| vec![1; MIB]).collect());
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut highest = 0;
    for round in 0..50_usize {
        let pieces: Vec<Vec<u8>> = bulk(|| (0..20).map(|n| vec![0; 40_000 + 9_999 * n]).collect());
        for (n, mut piece) in pieces.into_iter().enumerate() {
            assert!(piece.iter().all(|byte| *byte == 0), "round {round}");
            piece.fill(0xee);
            // Every third stays a while, so that what is free lies in parts.
            if kept.len() < 12 && n % 3 == 0 {
                kept.push(piece);
            }
        }
        kept.drain(..kept.len() / 2);
        assert!(kept.iter().flatten().all(|byte| *byte == 0xee));
        highest = highest.max(overflowed());
    }
    assert!(highest > 0 && highest < 8 * MIB, "{highest}");
    drop(kept);
    assert_eq!(overflowed(), 0);
}

#[test]
fn lists_grow_into_the_file_in_it_and_out_of_it() {
    let _turn = turn();
    let full: Vec<Vec<u8>> = (0..22).map(|_| vec![1; MIB]).collect();
    // Grows from nothing, by doubling.
    let mut grown: Vec<u64> = Vec::new();
    for n in numbers(3, MIB) {
        bulk(|| grown.push(n));
    }
    assert!(overflowed() >= 8 * MIB, "{}", overflowed());
    assert!(grown.iter().copied().eq(numbers(3, MIB)));
    // What is in the file stays there, whoever has it grow.
    grown.extend(numbers(3 + MIB as u64, MIB));
    assert!(overflowed() >= 16 * MIB);
    drop(full);
    assert!(grown.iter().copied().eq(numbers(3, 2 * MIB)));
    // A small rest is memory's.
    grown.truncate(1_000);
    grown.shrink_to_fit();
    assert_eq!(overflowed(), 0);
    assert!(grown.iter().copied().eq(numbers(3, 1_000)));
}

#[test]
fn several_threads_have_pieces_of_their_own() {
    let _turn = turn();
    let _full: Vec<Vec<u8>> = (0..24).map(|_| vec![1; MIB]).collect();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                for round in 0..200 {
                    let count = 2_500 + (round * 37 + thread as usize * 101) % 5_000;
                    let one = bulk(|| list(thread << 32, count));
                    let other = bulk(|| list(thread << 40, count));
                    if round % 16 == 0 {
                        set_aside();
                    }
                    assert!(one.into_iter().eq(numbers(thread << 32, count)));
                    assert!(other.into_iter().eq(numbers(thread << 40, count)));
                }
            });
        }
    });
    assert_eq!(overflowed(), 0);
}

#[test]
fn a_thread_that_panics_within_leaves() {
    let _turn = turn();
    let _full: Vec<Vec<u8>> = (0..24).map(|_| vec![1; MIB]).collect();
    let broken = std::panic::catch_unwind(|| bulk(|| std::panic::resume_unwind(Box::new("on purpose"))));
    assert!(broken.is_err());
    let piece = vec![1_u8; MIB];
    assert_eq!((piece.len(), overflowed()), (MIB, 0));
}

#[test]
fn somebody_is_told_as_long_as_bulk_work_is_under_way() {
    let _turn = turn();
    assert!(!bulk_is_under_way());
    bulk(|| {
        bulk(|| assert!(bulk_is_under_way()));
        assert!(bulk_is_under_way(), "the outer one has not ended");
        let seen = std::thread::spawn(bulk_is_under_way).join().unwrap();
        assert!(seen, "from another thread too");
    });
    assert!(!bulk_is_under_way());
    assert!(std::panic::catch_unwind(|| bulk(|| panic!("work that fails"))).is_err());
    assert!(!bulk_is_under_way(), "work that failed has ended too");
}

#[test]
fn what_grows_in_the_file_stays_what_it_was_and_is_not_in_memory_as_a_whole_meanwhile() {
    let _turn = turn();
    let _room = bulk(|| list(1, BOUND / 8));
    let mut grown = bulk(|| list(7, 12 * MIB));
    set_aside();
    let before = resident();
    assert!(grown.capacity() < 14 * MIB && overflowed() > 90 * MIB);
    // A copy of 96 MiB, which goes where there is room for the rest.
    grown.reserve_exact(4 * MIB);
    let after = resident();
    assert!(
        after.1 < before.1.max(40 * MIB) + 24 * MIB,
        "{} and {} bytes of the file in memory",
        before.1,
        after.1
    );
    assert!(grown.iter().copied().eq(numbers(7, 12 * MIB)));
}
