//! Synchronization: the files that the content policy wants and that downstream servers asked for
//! (MS-WSUSSS 3.2.4.4). A file that does not come never stops a run; it is wanted again next time.

use super::fetched::{blame_upstream, judge, no_update_of, still_awaited};
use super::session::LARGEST_ANSWER;
use super::{Run, SyncError};
use crate::content::{ContentError, ContentOptions, ContentReport, WantedFile, fetch_all, parent_address};
use sluicegate_policy::hierarchy::{ContentPolicy, SyncFilter};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{DownloadFilesRequest, DownloadFilesResponse};
use sluicegate_store::hierarchy::{FileNeed, UpstreamSource};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Most files named in one DownloadFiles (MS-WSUSSS 3.1.4.11).
const ASKED_AT_ONCE: usize = 100;

/// Files fetched at a time.
const PARALLEL: usize = 4;

/// Between two looks at whether other files are wanted than when the files were begun.
const LOOK: Duration = Duration::from_millis(250);

/// Why files were not all tried.
enum Stopped {
    Run(SyncError),
    WantsOthers,
}

/// What came of asking the upstream for files.
#[derive(Default)]
struct Asked {
    /// Those that it knows no update of (MS-WSUSSS 3.1.4.11): nobody there will ever fetch them.
    unknown: HashSet<Sha1Digest>,
    /// Those that it could not be asked for.
    unasked: HashSet<Sha1Digest>,
}

/// How a pass over the files ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Done,
    /// Before everything had been tried: other files are wanted now.
    WantsOthers,
}

impl Run {
    /// The choice of files is the one part of the settings that holds from the moment it is made: who says `never` does
    /// not want those of a run under way either.
    pub(super) async fn files(&mut self) -> Result<(), SyncError> {
        while self.files_as_chosen().await? == Pass::WantsOthers {
            let now = self.store.upstream_settings();
            let settings = Arc::make_mut(&mut self.settings);
            settings.content = now.content;
            settings.filter.languages = now.filter.languages.clone();
            tracing::info!(when = %now.content.when, "other files are wanted than when the synchronization began");
            self.progress.update(|p| (p.done, p.total, p.failed) = (0, 0, 0));
        }
        Ok(())
    }

    async fn files_as_chosen(&mut self) -> Result<Pass, SyncError> {
        let (content, filter) = (self.settings.content, self.settings.filter.clone());
        let now = self.around.now();
        let (needs, facts, waiting) = self
            .on_store(move |store| {
                let needs = store.missing_files(content.when, content.express, &filter, now)?;
                let waiting = waiting(&store, content, &filter, &needs)?;
                if needs.is_empty() {
                    store.files_not_upstream(&[], now)?;
                }
                Ok((needs, store.sync_state()?.facts, waiting))
            })
            .await?;
        if let Some((count, reason)) = waiting {
            let files = if count == 1 { "1 file waits".to_owned() } else { format!("{count} files wait") };
            self.progress.warn_of_files(&format!(
                "{files} for an hour after failing to come, unless `sluicegate sync now --retry-failed` tries again at \
                 once; the first: {reason}"
            ));
        }
        if needs.is_empty() {
            return Ok(Pass::Done);
        }
        let mut wanted: Vec<_> = needs.iter().map(|need| self.wanted(need, facts.catalog_only)).collect();
        // Each run begins with others: those for which nobody has time must not end each before the rest is tried.
        let first = usize::try_from(self.number).unwrap_or(0).wrapping_mul(PARALLEL) % wanted.len();
        wanted.rotate_left(first);
        let (mut report, stopped) = self.fetch_files(wanted).await;
        if facts.catalog_only && self.settings.source != Some(UpstreamSource::MicrosoftUpdate) {
            blame_upstream(&mut report, &self.address());
        }
        let taken_in = self.take_in(&report).await;
        match stopped {
            Some(Stopped::Run(why)) => return Err(why),
            Some(Stopped::WantsOthers) => return taken_in.map(|()| Pass::WantsOthers),
            None => taken_in?,
        }
        let told = match self.settings.source {
            Some(UpstreamSource::MicrosoftUpdate) => Ok(()),
            _ => self.await_upstream(&report.not_there).await,
        };
        let unfit = report.failed.iter().find(|failed| failed.error.does_not_fit()).map(|failed| failed.sha1);
        let whose = match unfit {
            Some(sha1) => self.on_store(move |store| store.update_of_file(sha1)).await?,
            None => None,
        };
        let judged = judge(report, whose.as_deref());
        for warning in &judged.warnings {
            self.progress.warn_of_files(warning);
        }
        self.progress.update(|p| p.try_soon |= judged.try_soon);
        told?;
        judged.outcome.map(|()| Pass::Done)
    }

    /// Comes back when other files are wanted than this run fetches.
    async fn wants_others(&self) {
        loop {
            let now = self.store.upstream_settings();
            let same_languages = now.filter.languages == self.settings.filter.languages;
            if now.content != self.settings.content || !same_languages {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where a file can be had. A parent that keeps files is nearer than Microsoft, unless it is told otherwise.
    fn wanted(&self, need: &FileNeed, catalog_only: bool) -> WantedFile {
        let microsoft = need.url.as_deref().and_then(|url| url.parse().ok());
        let parent = match &self.settings.source {
            Some(UpstreamSource::Server(_)) if !catalog_only => {
                parent_address(self.session.base(), need.sha1, &need.name)
            }
            _ => None,
        };
        let from_microsoft = self.settings.files_from_microsoft && microsoft.is_some();
        let sources = match (parent, microsoft) {
            (Some(parent), Some(_)) if !from_microsoft => vec![parent],
            (Some(parent), Some(microsoft)) => vec![microsoft, parent],
            (parent, microsoft) => parent.into_iter().chain(microsoft).collect(),
        };
        WantedFile { sha1: need.sha1, size: need.size, sources }
    }

    /// Answers what came, and why it ended before everything had been tried.
    async fn fetch_files(&mut self, wanted: Vec<WantedFile>) -> (ContentReport, Option<Stopped>) {
        let (progress, clock) = (self.progress.clone(), Arc::clone(&self.around.clock));
        let known = AtomicU64::new(0);
        let so_far = self.progress.counts();
        let tell = move |now: crate::content::ContentProgress| {
            let before = known.fetch_max(now.bytes, Ordering::Relaxed);
            progress.received(now.bytes.saturating_sub(before), clock());
            let at = clock();
            progress.update(|p| {
                if p.done < now.files {
                    p.last_progress = Some(at);
                }
                (p.done, p.total) = (now.files.max(p.done), now.files_total);
                // At once, so that the history tells of them should the process end. Tasks tell in any order.
                let counts = &mut p.counts;
                counts.files = counts.files.max(so_far.files.saturating_add(now.fetched));
                counts.file_bytes =
                    counts.file_bytes.max(so_far.file_bytes.saturating_add(now.fetched_bytes));
            });
        };
        let progress = self.progress.clone();
        let failed = move |error: &ContentError| {
            progress.update(|p| {
                p.failed += 1;
                p.counts.files_failed += 1;
                p.last_failure = Some(error.to_string());
            });
        };
        let options =
            ContentOptions { parallel: PARALLEL, progress: Arc::new(tell), failed: Arc::new(failed) };
        let transport = self.session.transport().clone();
        let mut report = ContentReport::default();
        let stopped = tokio::select! {
            () = fetch_all(&self.store, &transport, wanted, &options, &mut report) => None,
            why = self.stop.asked() => Some(Stopped::Run(why)),
            () = self.wants_others() => Some(Stopped::WantsOthers),
        };
        (report, stopped)
    }

    async fn take_in(&self, report: &ContentReport) -> Result<(), SyncError> {
        let fetched = report.fetched.clone();
        let now = self.around.now();
        let failed: Vec<(Sha1Digest, String)> = report
            .failed
            .iter()
            // Room may be made at any time.
            .filter(|failed| !failed.error.does_not_fit())
            .filter(|failed| !failed.error.concerns_all() && !failed.error.is_transient())
            // Of a file that a proxy does not let through, or whose server is not trusted, nothing is known: once somebody
            // has mended the way it may come.
            .filter(|failed| !failed.error.concerns_the_way())
            .map(|failed| (failed.sha1, failed.error.to_string()))
            .collect();
        self.on_store(move |store| {
            store.files_arrived(&fetched)?;
            store.files_failed(&failed, now)
        })
        .await
    }

    /// What the upstream does not have: it is asked to fetch that, and what there is to say of it is said.
    async fn await_upstream(&self, not_there: &[Sha1Digest]) -> Result<(), SyncError> {
        let Asked { unknown, unasked } = self.ask_for(not_there).await?;
        let (unknown, awaited) = not_there.iter().partition(|sha1| unknown.contains(*sha1));
        self.tell_of_unknown(unknown).await?;
        self.tell_of_awaited(awaited, unasked).await
    }

    /// A file that the upstream was asked for and did not have in the next run either may never come: its administrator
    /// has to know. In the first run it is only on its way; where the upstream could never be asked, it is not even that.
    async fn tell_of_awaited(
        &self,
        mut not_there: Vec<Sha1Digest>,
        unasked: HashSet<Sha1Digest>,
    ) -> Result<(), SyncError> {
        let now = self.around.now();
        let (never, awaited) = self
            .on_store(move |store| {
                let asked: HashSet<_> = match unasked.is_empty() {
                    true => HashSet::new(),
                    false => store.files_asked_for()?.into_iter().collect(),
                };
                let wanted = not_there.len();
                not_there.retain(|sha1| !unasked.contains(sha1) || asked.contains(sha1));
                let never = wanted - not_there.len();
                Ok((never as u64, store.files_not_upstream(&not_there, now)?))
            })
            .await?;
        self.progress.update(|p| p.counts.files_failed += never);
        if let Some(awaited) = awaited {
            self.progress.update(|p| p.counts.files_failed += awaited.files);
            self.progress.warn_of_files(&still_awaited(awaited));
        }
        Ok(())
    }

    /// Asks the upstream to fetch files it does not have yet; they are fetched from there in a later run. That it could not
    /// be asked is no failure of the run, whose documents are good, unless the run ends with it.
    async fn ask_for(&self, files: &[Sha1Digest]) -> Result<Asked, SyncError> {
        let mut asked = Asked::default();
        for files in files.chunks(ASKED_AT_ONCE) {
            let make =
                |cookie| DownloadFilesRequest { cookie: Some(cookie), file_digests: Some(files.to_vec()) };
            let answer = match self.session.call(LARGEST_ANSWER, make).await {
                Ok(body) => self.session.decode::<DownloadFilesResponse>(&body).map(|_| ()),
                Err(error) => Err(error),
            };
            match answer {
                Ok(()) => {}
                Err(error) if error.ends_everything() || matches!(error, SyncError::ServerChanged) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, files = files.len(), "the upstream does not fetch files for this server");
                    let named = unknown_of(&error, files);
                    if named.is_empty() {
                        self.progress.warn_of_files(&error.to_string());
                        asked.unasked.extend(files);
                    }
                    asked.unknown.extend(named);
                }
            }
        }
        Ok(asked)
    }

    /// Files that the upstream knows no update of have failed to come, each for that reason.
    async fn tell_of_unknown(&self, unknown: Vec<Sha1Digest>) -> Result<(), SyncError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let said = no_update_of(unknown.len(), &self.address());
        self.progress.update(|p| p.counts.files_failed += unknown.len() as u64);
        self.progress.warn_of_files(&said);
        let (now, one) = (self.around.now(), no_update_of(1, &self.address()));
        let failed: Vec<_> = unknown.into_iter().map(|sha1| (sha1, one.clone())).collect();
        self.on_store(move |store| store.files_failed(&failed, now)).await
    }
}

/// Of the files that the upstream was asked for, those of which its fault says that it knows no update.
fn unknown_of(error: &SyncError, asked: &[Sha1Digest]) -> Vec<Sha1Digest> {
    let SyncError::Transport(transport) = error else { return Vec::new() };
    let fault = transport.fault().filter(|fault| fault.error_code == Some(ErrorCode::FileDigestsMissing));
    let Some(fault) = fault else { return Vec::new() };
    let named = |sha1: &&Sha1Digest| fault.message.split('|').any(|one| one.trim() == sha1.to_base64());
    let named: Vec<Sha1Digest> = asked.iter().filter(named).copied().collect();
    // One that was asked for alone is the one, however the fault spells it.
    if let (true, [only]) = (named.is_empty(), asked) { vec![*only] } else { named }
}

/// How many of the files that are missing failed so lately that this run does not try them, and why the first did.
fn waiting(
    store: &Store,
    content: ContentPolicy,
    filter: &SyncFilter,
    tried: &[FileNeed],
) -> Result<Option<(usize, String)>, StoreError> {
    let failed = store.failed_files()?;
    if failed.is_empty() {
        return Ok(None);
    }
    let tried: HashSet<Sha1Digest> = tried.iter().map(|need| need.sha1).collect();
    let missing = store.missing_files(content.when, content.express, filter, Timestamp::MAX)?;
    let missing: HashSet<Sha1Digest> =
        missing.into_iter().map(|need| need.sha1).filter(|sha1| !tried.contains(sha1)).collect();
    let mut reasons = failed.into_iter().filter(|(sha1, _)| missing.contains(sha1));
    Ok(reasons.next().map(|(_, reason)| (reasons.count() + 1, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Failure, TransportError};
    use sluicegate_soap::fault::ReceivedFault;

    #[test]
    fn of_the_files_that_were_asked_for_those_are_unknown_above_that_the_fault_names() {
        let [a, b, c] = [1, 2, 3].map(|n| Sha1Digest([n; 20]));
        let fault = |code, message: String| {
            let url = "http://parent.example:8530/".parse().unwrap();
            let fault = ReceivedFault {
                code: "Client".to_owned(),
                text: String::new(),
                error_code: Some(code),
                error_code_text: String::new(),
                message,
                id: None,
                method: String::new(),
                actor: String::new(),
            };
            SyncError::from(TransportError::new(&url, None, Failure::Fault(Box::new(fault))))
        };
        let named = fault(ErrorCode::FileDigestsMissing, format!("{}|{}", c.to_base64(), a.to_base64()));
        assert_eq!(unknown_of(&named, &[a, b, c]), [a, c]);
        let none = fault(ErrorCode::FileDigestsMissing, String::new());
        assert_eq!(unknown_of(&none, &[a]), [a], "asked for alone");
        assert_eq!(unknown_of(&none, &[a, b]), []);
        assert_eq!(unknown_of(&fault(ErrorCode::InternalServerError, a.to_base64()), &[a]), []);
    }
}
