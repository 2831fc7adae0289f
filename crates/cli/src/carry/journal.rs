//! Cli room: the log of an export or an import, where one is asked for as of `wsusutil`: what was begun, what came
//! of it, and why it failed, as text.

use anyhow::{Context as _, bail};
use serde_json::Value;
use sluicegate_server::clock::{Clock as _, SystemClock};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A log that is written, or none.
pub(crate) struct Journal(Option<(File, PathBuf)>);

impl Journal {
    /// Begins it, in the place of an earlier one of that name. What cannot be written is said before anything else
    /// is done, and so is that it would be written over a package, over this one or over another.
    pub(crate) fn begin(path: Option<&Path>, what: &str, package: &Path) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let shown = path.display();
        let refused = || format!("cannot write the log `{shown}`, so nothing was done");
        let names_package = || same_file(path, package);
        let taken = "so nothing was done; name another file for the log";
        let was_there = path.exists();
        if was_there && names_package() {
            bail!("the log `{shown}` is the package itself, {taken}");
        }
        if was_there && is_packed(path) {
            bail!("`{shown}` is a package and no log, {taken}");
        }
        let file = File::create(path).with_context(refused)?;
        // Where nothing was, only what was made now shows that two names lead to the same place.
        if !was_there && names_package() {
            let _ = std::fs::canonicalize(path).and_then(std::fs::remove_file);
            bail!("the log `{shown}` is the package itself, {taken}");
        }
        let mut journal = Self(Some((file, path.to_owned())));
        journal.line(&format!("{what} of `{}` begins", package.display())).with_context(refused)?;
        Ok(journal)
    }

    fn line(&mut self, text: &str) -> std::io::Result<()> {
        match &mut self.0 {
            Some((file, _)) => writeln!(file, "{} {text}", SystemClock.now().iso()),
            None => Ok(()),
        }
    }

    /// Ends it with what was done so far and how that ended; answers the latter.
    pub(crate) fn end(mut self, report: &Value, ended: anyhow::Result<()>) -> anyhow::Result<()> {
        let last = match &ended {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {error:#}"),
        };
        let mut lines = Vec::new();
        told("", report, &mut lines);
        let written = lines.iter().chain([&last]).try_for_each(|line| self.line(line));
        match (written, &self.0) {
            // What failed before says more.
            (Err(error), Some((_, path))) if ended.is_ok() => Err(error)
                .with_context(|| format!("it is done, but its log `{}` is not whole", path.display())),
            _ => ended,
        }
    }
}

/// Whether two names lead to one file, by links too.
fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other || same_place(&one, &other),
        _ => false,
    }
}

#[cfg(unix)]
fn same_place(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

#[cfg(not(unix))]
fn same_place(_: &Path, _: &Path) -> bool {
    false
}

/// Whether a file begins as a package of either form does.
fn is_packed(path: &Path) -> bool {
    let mut first = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    is_file
        && File::open(path).and_then(|file| file.take(4).read_to_end(&mut first)).is_ok()
        && (first.starts_with(b"MSCF") || first.starts_with(&[0x1f, 0x8b]))
}

/// Each value of a report on a line of its own, under the names that lead to it.
fn told(name: &str, value: &Value, lines: &mut Vec<String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name} {key}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| told(&below(key), value, lines)),
        Value::Array(items) => items.iter().for_each(|item| told(name, item, lines)),
        other => lines.push(format!("{}: {}", name.replace('_', " "), crate::output::text(Some(other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_log_tells_what_was_done_and_why_it_failed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let report = json!({ "decisions": { "older": 2, "reasons": ["a", "b"] }, "content": null });
        let journal = Journal::begin(Some(&path), "import", Path::new("x.cab")).unwrap();
        assert!(journal.end(&report, Err(anyhow::anyhow!("the disk is full"))).is_err());
        let log = std::fs::read_to_string(&path).unwrap();
        let said: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
        let expected = [
            "import of `x.cab` begins",
            "decisions older: 2",
            "decisions reasons: a",
            "decisions reasons: b",
            "failed: the disk is full",
        ];
        assert_eq!(said, expected);
        assert!(Journal::begin(Some(dir.path()), "import", Path::new("x.cab")).is_err());
        Journal::begin(None, "import", Path::new("x.cab")).unwrap().end(&report, Ok(())).unwrap();
    }

    /// What is said of a log that is refused.
    fn refused(log: &Path, package: &Path) -> String {
        match Journal::begin(Some(log), "import", package) {
            Ok(_) => panic!("`{}` was taken for the log of `{}`", log.display(), package.display()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_log_is_never_written_over_a_package() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("x.cab"), b"MSCF and more").unwrap();
        std::fs::write(at("y.xml.gz"), [0x1f, 0x8b, 8]).unwrap();
        let itself = dir.path().join(".").join("x.cab");
        assert!(refused(&itself, &at("x.cab")).contains("is the package itself"));
        assert!(refused(&at("y.xml.gz"), &at("x.cab")).contains("is a package and no log"));
        // One that is not written yet.
        assert!(refused(&at("new.cab"), &itself.with_file_name("new.cab")).contains("the package itself"));
        #[cfg(unix)]
        for (link, to) in [("soft.log", "x.cab"), ("ahead.log", "new.cab")] {
            std::os::unix::fs::symlink(at(to), at(link)).unwrap();
            assert!(refused(&at(link), &at(to)).contains("the package itself"), "{link}");
        }
        std::fs::hard_link(at("x.cab"), at("hard.log")).unwrap();
        #[cfg(unix)]
        assert!(refused(&at("hard.log"), &at("x.cab")).contains("the package itself"));
        assert_eq!(std::fs::read(at("x.cab")).unwrap(), b"MSCF and more");
        assert!(!at("new.cab").exists());
        // An earlier log gives way.
        for _ in 0..2 {
            Journal::begin(Some(&at("x.log")), "import", &at("x.cab")).unwrap();
        }
    }
}
