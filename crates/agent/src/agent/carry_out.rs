//! Agent: carrying out approvals: download, install, remove, and the events of each step in the order
//! real agents report them (observed-behaviour 6).

use super::{Agent, CycleSummary};
use crate::cache::{Cached, Task};
use crate::download::{Contents, Download, DownloadError};
use crate::events::{Happening, Subject};
use crate::fragments::{ExtendedFacts, FileSpec};
use crate::hresult::HResult;
use crate::http::Address;
use crate::machine::{Machine, Outcome};
use sluicegate_terms::{RevisionId, UpdateIdentity};
use std::collections::HashMap;

/// Files of the parts of a task, by part.
type Files = HashMap<RevisionId, Vec<(FileSpec, Contents)>>;

impl<M: Machine> Agent<M> {
    /// Carries out every approval that applies now: removals first, then installations.
    pub(super) async fn carry_out(&mut self, summary: &mut CycleSummary) {
        let mut tasks = self.cache.tasks();
        tasks.sort_by_key(|task| (!task.uninstall, task.parent));
        for task in tasks {
            let outcome =
                if task.uninstall { self.remove(&task) } else { self.install(&task, summary).await };
            match outcome {
                Outcome::Failed(_) => summary.failed += 1,
                Outcome::RestartRequired => {
                    summary.succeeded += 1;
                    self.restart_due = true;
                }
                Outcome::Succeeded => summary.succeeded += 1,
            }
        }
    }

    /// Success: 167, 162, 181, 183, or 201 instead of 183 when a restart is pending. Failed download:
    /// 167, 161, 181, 182 with "not downloaded".
    async fn install(&mut self, task: &Task, summary: &mut CycleSummary) -> Outcome {
        self.note(task.parent, None, &Happening::DownloadStarted);
        let files = match self.download(task, summary).await {
            Ok((files, bytes)) => {
                self.note(task.parent, None, &Happening::Downloaded(bytes));
                files
            }
            Err((part, error)) => {
                tracing::debug!(%error, "download failed");
                self.note_both(task, part, &Happening::DownloadFailed(error.hresult()));
                self.note(task.parent, None, &Happening::InstallStarted);
                let code = HResult::NOT_DOWNLOADED;
                self.note_both(task, part, &Happening::InstallFailed(code));
                return Outcome::Failed(code);
            }
        };
        self.note(task.parent, None, &Happening::InstallStarted);
        let mut outcome = Outcome::Succeeded;
        for part in &task.parts {
            let Some(held) = self.cache.get(*part) else { continue };
            let empty = ExtendedFacts::default();
            let extended = held.extended.as_ref().unwrap_or(&empty);
            let files = files.get(part).map_or(&[] as &[_], Vec::as_slice);
            let ended = self.machine.install(&held.core, &held.rules, extended, files);
            if *part != task.parent {
                self.note(*part, Some(task.parent), &installed(ended));
            }
            outcome = outcome.and(ended);
            if matches!(ended, Outcome::Failed(_)) {
                break;
            }
        }
        self.note(task.parent, None, &installed(outcome));
        outcome
    }

    fn remove(&mut self, task: &Task) -> Outcome {
        self.note(task.parent, None, &Happening::UninstallStarted);
        let mut outcome = Outcome::Succeeded;
        for part in task.parts.iter().rev() {
            if let Some(held) = self.cache.get(*part) {
                outcome = outcome.and(self.machine.uninstall(&held.core));
            }
        }
        let happening = match outcome {
            Outcome::Succeeded => Happening::Uninstalled,
            Outcome::RestartRequired => Happening::UninstallRestart,
            Outcome::Failed(code) => Happening::UninstallFailed(code),
        };
        self.note(task.parent, None, &happening);
        outcome
    }

    /// Fetches the files of every part; the part whose file failed, if one did.
    async fn download(
        &mut self,
        task: &Task,
        summary: &mut CycleSummary,
    ) -> Result<(Files, u64), (RevisionId, DownloadError)> {
        let mut files = Files::new();
        let mut bytes = 0;
        for part in &task.parts {
            let held = self.cache.get(*part).and_then(|held| held.extended.as_ref());
            let wanted = held.map(|extended| extended.files.clone()).unwrap_or_default();
            for file in wanted {
                let contents = self.fetch(&file).await.map_err(|error| (*part, error))?;
                bytes += file.size;
                summary.downloads += 1;
                summary.downloaded_bytes += file.size;
                files.entry(*part).or_default().push((file, contents));
            }
        }
        Ok((files, bytes))
    }

    async fn fetch(&mut self, file: &FileSpec) -> Result<Contents, DownloadError> {
        let no_location = || DownloadError::NoLocation { name: file.name.clone(), sha1: file.sha1 };
        let url = self.session.location(file.sha1).ok_or_else(no_location)?;
        let location: Address =
            url.parse().map_err(|source| DownloadError::Location { name: file.name.clone(), source })?;
        let pool = self.pool_for(&location);
        let download = Download { pool: &pool, location: &location, file, options: self.options.download };
        download.fetch(&self.options.place, &mut self.random).await
    }

    /// Queues an event about a member of a bundle, if it is one, and about the bundle. That both are
    /// reported was seen for 182 (recorded traffic); the others follow it.
    fn note_both(&mut self, task: &Task, part: RevisionId, happening: &Happening) {
        if part != task.parent {
            self.note(part, Some(task.parent), happening);
        }
        self.note(task.parent, None, happening);
    }

    fn note(&mut self, about: RevisionId, parent: Option<RevisionId>, happening: &Happening) {
        let identity = |held: &Cached<M::Rules>| held.core.identity;
        let parent: Option<UpdateIdentity> = parent.and_then(|id| self.cache.get(id)).map(identity);
        let Some(held) = self.cache.get(about) else { return };
        let subject = Subject {
            identity: held.core.identity,
            title: held.title.as_deref().filter(|_| parent.is_none()),
            parent,
            is_bundle: !held.core.bundles.is_empty(),
        };
        let event = self.writer.event(happening, Some(subject));
        self.enqueue(event);
    }
}

fn installed(outcome: Outcome) -> Happening {
    match outcome {
        Outcome::Succeeded => Happening::Installed,
        Outcome::RestartRequired => Happening::RestartPending,
        Outcome::Failed(code) => Happening::InstallFailed(code),
    }
}
