//! The self-update directory (MS-WUSP 2.2.2.5, 3.1.5.1): what an administrator put into `self-update`
//! of the data folder, read-only. Agents up to Windows 8.1 look here; newer ones never ask.

use super::conditions::Validators;
use super::kinds::content_type;
use super::respond::Opened;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Deepest folder looked into.
const MAX_DEPTH: usize = 8;

/// Finds a file by its URL path below `/SelfUpdate`, whatever the letter case, and opens it. `None` when there is
/// none. Names are compared with those of the directory, never joined to it, so no path leads out.
///
/// # Errors
/// What the file system says, other than "not found".
pub fn open(root: &Path, url_path: &str) -> io::Result<Option<Opened>> {
    let names: Vec<&str> = url_path.split('/').filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.len() > MAX_DEPTH {
        return Ok(None);
    }
    let mut place = root.to_path_buf();
    for name in names {
        match child(&place, name)? {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    let file = File::open(&place)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let ticks = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let ending = place.extension().and_then(|e| e.to_str()).unwrap_or_default();
    Ok(Some(Opened {
        len: metadata.len(),
        validators: Validators::new(format!("\"{ticks:x}-{:x}\"", metadata.len()), modified),
        content_type: content_type(ending),
        file,
        fixed: false,
    }))
}

/// The entry of a directory with this name, letter case aside; an exact match comes first. Links are not followed.
fn child(directory: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut found = None;
    for entry in entries {
        let entry = entry?;
        let Ok(entry_name) = entry.file_name().into_string() else { continue };
        if !entry_name.eq_ignore_ascii_case(name) || entry.file_type()?.is_symlink() {
            continue;
        }
        if entry_name == name {
            return Ok(Some(entry.path()));
        }
        found = Some(entry.path());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("self-update");
        std::fs::create_dir_all(root.join("WUA")).unwrap();
        std::fs::write(root.join("WUA/wuident.TXT"), "ident").unwrap();
        std::fs::write(dir.path().join("secret"), "no").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("link")).unwrap();
        dir
    }

    #[test]
    fn files_are_found_in_any_letter_case() {
        let dir = folder();
        let opened = open(&dir.path().join("self-update"), "/wua/WUIDENT.txt").unwrap().unwrap();
        assert_eq!((opened.len, opened.content_type), (5, "text/plain"));
    }

    #[test]
    fn nothing_outside_is_reached() {
        let dir = folder();
        let root = dir.path().join("self-update");
        for path in
            ["/../secret", "/WUA/../../secret", "/link", "//", "/", "/WUA", "/./WUA/wuident.txt", "/WUA/none"]
        {
            assert!(open(&root, path).unwrap().is_none(), "{path}");
        }
        let deep = "/a".repeat(100);
        assert!(open(&root, &deep).unwrap().is_none());
    }

    #[test]
    fn a_missing_folder_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(&dir.path().join("none"), "/wuident.cab").unwrap().is_none());
    }
}
