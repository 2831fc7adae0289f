//! Where recorded traffic of real servers and agents is, when it is there.

use std::path::PathBuf;

/// A file of the recordings. Prints a line and answers `None` when there are none.
#[allow(dead_code, reason = "not every test file reads recordings")]
pub(crate) fn recorded(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("SLUICEGATE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    if !root.is_dir() {
        println!("skipped: no recordings (set SLUICEGATE_SHARED or put them at {})", root.display());
        return None;
    }
    let file = root.join(path);
    Some(std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// Fails with the place of the first difference instead of two whole messages.
#[allow(dead_code, reason = "not every test file compares messages")]
pub(crate) fn assert_same(written: &[u8], expected: &[u8], what: &str) {
    if written != expected {
        let at = written.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let near = |bytes: &[u8]| {
            let end = bytes.len().min(at + 100);
            String::from_utf8_lossy(&bytes[at.saturating_sub(40).min(end)..end]).into_owned()
        };
        panic!("{what}: differs at byte {at}\n written  …{}\n expected …{}", near(written), near(expected));
    }
}

#[allow(dead_code, reason = "not every test file needs messages")]
pub(crate) mod samples;

#[allow(dead_code, unused_macros, unused_imports, reason = "not every test file needs messages of servers")]
pub(crate) mod server_samples;
