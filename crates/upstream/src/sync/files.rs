//! Synchronization: the files that the content policy wants and that downstream servers asked for
//! (MS-WSUSSS 3.2.4.4). A file that does not come never stops a run; it is wanted again next time.

use super::session::LARGEST_ANSWER;
use super::{Run, SyncError};
use crate::content::{ContentOptions, ContentReport, WantedFile, fetch_all, parent_address};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{DownloadFilesRequest, DownloadFilesResponse};
use sluicegate_store::hierarchy::{FileNeed, UpstreamSource};
use sluicegate_terms::Sha1Digest;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most files named in one DownloadFiles (MS-WSUSSS 3.1.4.11).
const ASKED_AT_ONCE: usize = 100;

/// Files fetched at a time.
const PARALLEL: usize = 4;

/// A file that came damaged from every place is tried again after this many seconds.
const AGAIN: i64 = 3_600;

impl Run {
    pub(super) async fn files(&mut self) -> Result<(), SyncError> {
        let (content, filter) = (self.settings.content, self.settings.filter.clone());
        let now = self.around.now();
        let (needs, facts) = self
            .on_store(move |store| {
                let needs = store.missing_files(content.when, content.express, &filter, now)?;
                Ok((needs, store.sync_state()?.facts))
            })
            .await?;
        if needs.is_empty() {
            return Ok(());
        }
        let wanted = needs.iter().map(|need| self.wanted(need, facts.catalog_only)).collect();
        let report = self.fetch_files(wanted).await?;
        self.take_in(&report).await?;
        if !report.not_there.is_empty() && self.settings.source != Some(UpstreamSource::MicrosoftUpdate) {
            self.ask_for(&report.not_there).await;
        }
        match report.failed.into_iter().find(|failed| failed.error.concerns_all()) {
            Some(failed) => Err(SyncError::Content(Box::new(failed.error))),
            None => Ok(()),
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

    async fn fetch_files(&mut self, wanted: Vec<WantedFile>) -> Result<ContentReport, SyncError> {
        let (progress, clock) = (self.progress.clone(), Arc::clone(&self.around.clock));
        let known = AtomicU64::new(0);
        let tell = move |now: crate::content::ContentProgress| {
            let before = known.fetch_max(now.bytes, Ordering::Relaxed);
            progress.received(now.bytes.saturating_sub(before), clock());
            let at = clock();
            progress.update(|p| {
                if p.done < now.files {
                    p.last_progress = Some(at);
                }
                (p.done, p.total) = (now.files.max(p.done), now.files_total);
            });
        };
        let options = ContentOptions { parallel: PARALLEL, progress: Arc::new(tell) };
        let transport = self.session.transport().clone();
        tokio::select! {
            report = fetch_all(&self.store, &transport, wanted, &options) => Ok(report),
            why = self.stop.asked() => Err(why),
        }
    }

    async fn take_in(&self, report: &ContentReport) -> Result<(), SyncError> {
        self.progress.update(|p| {
            p.counts.files += report.fetched.len() as u64;
            p.counts.file_bytes += report.bytes;
            p.counts.files_failed += report.failed.len() as u64;
        });
        let fetched = report.fetched.clone();
        let again_at = self.around.now().plus_seconds(AGAIN);
        let failed: Vec<(Sha1Digest, String)> = report
            .failed
            .iter()
            .filter(|failed| !failed.error.concerns_all() && !failed.error.is_transient())
            .map(|failed| (failed.sha1, failed.error.to_string()))
            .collect();
        self.on_store(move |store| {
            store.files_arrived(&fetched)?;
            store.files_failed(&failed, again_at)
        })
        .await
    }

    /// Asks the upstream to fetch files it does not have yet; they are fetched from there in a later run.
    async fn ask_for(&self, files: &[Sha1Digest]) {
        for files in files.chunks(ASKED_AT_ONCE) {
            let make =
                |cookie| DownloadFilesRequest { cookie: Some(cookie), file_digests: Some(files.to_vec()) };
            let asked = match self.session.call(LARGEST_ANSWER, make).await {
                Ok(body) => self.session.decode::<DownloadFilesResponse>(&body).map(|_| ()),
                Err(error) => Err(error),
            };
            if let Err(error) = asked {
                // Their documents are good all the same.
                tracing::warn!(%error, files = files.len(), "the upstream does not fetch files for this server");
                let said = match error.fault() {
                    Some(ErrorCode::FileDigestsMissing) => forgotten(files.len()),
                    _ => error.to_string(),
                };
                self.progress.warn(&said);
            }
        }
    }
}

/// What to do when the upstream does not know files any more: its cleanup removed the updates they belong to, which
/// are in use here. Nobody there will ever fetch them, so waiting does not help.
fn forgotten(files: usize) -> String {
    format!(
        "of {files} files that are wanted here the upstream has removed some together with their updates, and does not \
         fetch them; add them here with `sluicegate content add`, import the updates there again, have files \
         fetched from Microsoft, or take back what approves the updates here"
    )
}
