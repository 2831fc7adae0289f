//! Where the recorded documents are, for tests that compare with real servers.

use std::path::{Path, PathBuf};

/// The folder of recordings: `SLUICEGATE_SHARED`, else `../shared` beside the work tree. `None` (with a printed
/// line) when there is none.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SLUICEGATE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.join("captures/server-sync/docs").is_dir() {
        return Some(folder);
    }
    println!("skipped: no recordings at {} (set SLUICEGATE_SHARED)", folder.display());
    None
}

/// The recorded update documents: file name without ending, and bytes.
pub(crate) fn documents(shared: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(shared.join("captures/server-sync/docs"))
        .expect("the recorded documents can be listed")
        .map(|entry| entry.expect("a folder entry").path())
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a recorded document"))
        })
        .collect();
    all.sort();
    all
}
