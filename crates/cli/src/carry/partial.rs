//! Cli room: a file that is being written, under a name of its own beside the one it gets when it is whole: two who write
//! one file at once do not write into each other's. What somebody killed left behind goes with the next one.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How such a name ends.
const ENDING: &str = ".part";

/// Digits between the name and its ending.
const DIGITS: usize = 16;

/// A file that was written to within so long is left alone, also when nobody seems to have it: whoever made it may be
/// about to say that it is his.
const YOUNG: Duration = Duration::from_secs(60);

/// A file on its way to a name.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// A name that nobody else has; nothing is made yet.
    pub(crate) fn of(target: &Path) -> Self {
        let mut name = OsString::from(target.file_name().unwrap_or_default());
        // Seeded anew by the system for each.
        name.push(format!(".{:016x}{ENDING}", RandomState::new().build_hasher().finish()));
        Self { path: target.with_file_name(name), target: target.to_owned() }
    }

    /// Where it lies until it is whole.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it. As long as the answer is open, nobody takes it for left behind.
    pub(crate) fn create(&self) -> io::Result<File> {
        let file = File::create_new(&self.path)?;
        // Where a file system cannot lock, what is left behind stays.
        let _ = file.try_lock();
        Ok(file)
    }

    /// Gives it the name it is for, in the place of what has it.
    pub(crate) fn finish(&self) -> io::Result<()> {
        std::fs::rename(&self.path, &self.target)
    }

    /// It will not be whole.
    pub(crate) fn give_up(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a file's name is of one that is not whole, and of which.
pub(crate) fn not_whole(name: &str) -> Option<&str> {
    let (name, digits) = name.strip_suffix(ENDING)?.rsplit_once('.')?;
    (digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
}

/// Removes from a folder what was left behind on the way to names that are `ours`, by somebody who was killed.
pub(crate) fn sweep(folder: &Path, ours: impl Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(not_whole).is_some_and(&ours) && is_left_behind(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn is_left_behind(path: &Path) -> bool {
    let Ok(file) = File::options().read(true).write(true).open(path) else { return false };
    let written = file.metadata().and_then(|meta| meta.modified()).ok();
    let age = written.and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > YOUNG) && file.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn two_on_the_way_to_one_name_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.cab");
        let (one, other) = (Partial::of(&target), Partial::of(&target));
        let files = (one.create().unwrap(), other.create().unwrap());
        std::fs::write(one.path(), b"one").unwrap();
        std::fs::write(other.path(), b"other").unwrap();
        one.finish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"one");
        other.finish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"other");
        drop(files);
        assert_eq!(names(dir.path()), ["a.cab"]);
    }

    #[test]
    fn what_was_left_behind_goes_and_what_somebody_writes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * YOUNG;
        let make = |name: &str| {
            let partial = Partial::of(&dir.path().join(name));
            let file = partial.create().unwrap();
            file.set_modified(old).unwrap();
            (partial, file)
        };
        let (left, closed) = make("a.cab");
        drop(closed);
        let (written, _open) = make("a.cab");
        let (elsewhere, closed) = make("b.cab");
        drop(closed);
        drop(Partial::of(&dir.path().join("a.cab")).create().unwrap());
        std::fs::write(dir.path().join("a.cab.part"), b"somebody's").unwrap();
        assert_eq!(names(dir.path()).len(), 5);
        sweep(dir.path(), |name| name == "a.cab");
        assert!(!left.path().exists() && written.path().exists() && elsewhere.path().exists());
        assert_eq!(names(dir.path()).len(), 4, "a young one may be about to be somebody's");
    }
}
