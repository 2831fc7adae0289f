//! Cli room: the log of an export or an import, where one is asked for as of `wsusutil`: what was begun, what came
//! of it, and why it failed, as text.

use anyhow::Context as _;
use serde_json::Value;
use sluicegate_server::clock::{Clock as _, SystemClock};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A log that is written, or none.
pub(crate) struct Journal(Option<(File, PathBuf)>);

impl Journal {
    /// Begins it, in the place of an earlier one of that name. What cannot be written is said before anything else
    /// is done.
    pub(crate) fn begin(path: Option<&Path>, what: &str, package: &Path) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let refused = || format!("cannot write the log `{}`, so nothing was done", path.display());
        let file = File::create(path).with_context(refused)?;
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
}
