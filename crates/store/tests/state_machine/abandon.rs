//! Crashes: the folder as it lies on the disk while a store is open on it, with bytes behind its ends that nobody
//! synced.

use super::support::open;
use sluicegate_store::Store;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Opens a copy of the folder that was made while the store had it open, and lets the store go.
pub(crate) fn abandon(store: Store, dir: &Path, n: usize) -> Store {
    let copy = dir.join(format!("after {n}"));
    copy_folder(store.dir(), &copy);
    let fresh = open(&copy);
    assert_eq!(fresh.decisions(), store.decisions(), "the crash changed decisions");
    assert_eq!(fresh.anchor(), store.anchor(), "the crash changed the anchor");
    let left = store.dir().to_owned();
    drop(store);
    fs::remove_dir_all(left).unwrap();
    fresh
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = to.join(&name);
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else if !name.ends_with("-shm") {
            // What is shared between processes is memory, and gone.
            fs::copy(entry.path(), &target).unwrap();
            if name.ends_with("-wal") || from.ends_with("fragments") {
                let mut file = fs::OpenOptions::new().append(true).open(&target).unwrap();
                file.write_all(&[0xa5; 700]).unwrap();
            }
        }
    }
}
