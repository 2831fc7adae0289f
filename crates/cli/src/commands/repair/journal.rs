//! Repair: the journal of a run. It is written before and after each step, so that a run that broke off anywhere
//! is taken up again, with what was decided before it began.

use super::managed::UpdateState;
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluicegate_server::clock::{Clock as _, SystemClock};
use sluicegate_terms::UpdateId;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What a run has done on one server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// It was a replica before.
    pub(super) replica: bool,
    /// Its mode was changed (or was about to be) and is not restored yet.
    pub(super) lifted: bool,
    /// What was decided before.
    pub(super) before: UpdateState,
    /// Everything is done here.
    pub(super) done: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    update: String,
    keep: bool,
    servers: BTreeMap<String, Progress>,
    log: Vec<String>,
}

/// The journal of one repair.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    kept: Kept,
}

impl Journal {
    /// Opens the journal of a run that broke off, or begins one.
    pub(super) fn open(path: &Path, update: UpdateId, keep: bool) -> anyhow::Result<Self> {
        let fresh = Kept { update: update.to_string(), keep, ..Kept::default() };
        let kept = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<Kept>(&bytes)
                .with_context(|| format!("`{}` is not the journal of a repair", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => fresh,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        if kept.update != update.to_string() || kept.keep != keep {
            bail!(
                "`{}` is the journal of another repair (of {}, {} --keep); finish that one first",
                path.display(),
                kept.update,
                if kept.keep { "with" } else { "without" }
            );
        }
        Ok(Self { path: path.to_owned(), kept })
    }

    /// What an earlier, broken run did on a server.
    pub(super) fn of(&self, server: &str) -> Option<&Progress> {
        self.kept.servers.get(server)
    }

    /// Changes what is known of a server, durably.
    pub(super) fn note(
        &mut self,
        server: &str,
        what: &str,
        change: impl FnOnce(&mut Progress),
    ) -> anyhow::Result<()> {
        change(self.kept.servers.entry(server.to_owned()).or_default());
        self.kept.log.push(format!("{} {server}: {what}", SystemClock.now().iso()));
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        let partial = self.path.with_extension("partial");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&partial)?;
            file.write_all(&serde_json::to_vec_pretty(&self.kept)?)?;
            file.sync_all()?;
            fs::rename(&partial, &self.path)
        };
        write().with_context(|| format!("cannot write the journal `{}`", self.path.display()))
    }

    /// What was done, a line for each step.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.kept.log.iter().map(String::as_str)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "update_id": self.kept.update, "servers": self.kept.servers, "log": self.kept.log })
    }

    /// Writes the lines to a file that stays.
    pub(super) fn write_log(&self, path: &Path) -> anyhow::Result<()> {
        let text = self.kept.log.join("\n") + "\n";
        fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Removes the journal of a run that is complete.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove the journal `{}`", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}
