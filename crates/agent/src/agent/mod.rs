//! Agent: one whole agent on one computer. A cycle is what happens between two wake-ups: scan, fetch what
//! is needed to act, report what was found, download, install or remove, report that.

mod carry_out;
mod holding;

use crate::cache::{Cache, Verdict};
use crate::download::{DownloadOptions, Place};
use crate::error::AgentError;
use crate::events::{EventWriter, Happening};
use crate::fragments::{ExtendedFacts, LocalizedTexts};
use crate::http::{Address, Pool};
use crate::machine::Machine;
use crate::random::Random;
use crate::scan::{ScanPlan, ScanSummary, scan};
use crate::session::Session;
use holding::Holding;
use sluicegate_soap::reporting::ReportingEvent;
use sluicegate_terms::{RevisionId, UpdateId};
use std::collections::HashMap;
use std::sync::Arc;

/// How an agent goes about its work.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Where downloaded files are kept until they are installed.
    pub place: Place,
    /// How downloads behave when something fails.
    pub download: DownloadOptions,
    /// Limits scans to these categories; all when empty.
    pub categories: Vec<UpdateId>,
    /// False to detect and report only.
    pub acts: bool,
}

impl Default for AgentOptions {
    fn default() -> Self {
        Self {
            place: Place::Memory { limit: 64 << 20 },
            download: DownloadOptions::default(),
            categories: Vec::new(),
            acts: true,
        }
    }
}

/// What one cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleSummary {
    /// The scan.
    pub scan: ScanSummary,
    /// Top-level updates that are needed, approved or not.
    pub needed: usize,
    /// Top-level updates that are installed.
    pub installed: usize,
    /// Files downloaded and verified.
    pub downloads: usize,
    /// Bytes of those files.
    pub downloaded_bytes: u64,
    /// Approved updates carried out, also those that wait for a restart.
    pub succeeded: usize,
    /// Approved updates that could not be carried out.
    pub failed: usize,
    /// Events that arrived at the server.
    pub events: usize,
}

/// An agent on a computer.
pub struct Agent<M: Machine> {
    session: Session,
    machine: M,
    cache: Cache<M::Rules>,
    writer: EventWriter,
    /// Events not reported yet. They outlast failed cycles.
    queue: Vec<ReportingEvent>,
    /// Connections to content servers other than the update server.
    elsewhere: HashMap<String, Arc<Pool>>,
    random: Random,
    options: AgentOptions,
    restart_due: bool,
}

/// Events kept while the server cannot be reached; older ones are dropped beyond it.
const QUEUE: usize = 2_000;

impl<M: Machine> Agent<M> {
    /// An agent with an empty cache.
    #[must_use]
    pub fn new(session: Session, machine: M, options: AgentOptions, mut random: Random) -> Self {
        let writer = EventWriter::new(Arc::clone(session.profile()), session.clock().clone(), random.fork());
        Self {
            session,
            machine,
            cache: Cache::default(),
            writer,
            queue: Vec::new(),
            elsewhere: HashMap::new(),
            random,
            options,
            restart_due: false,
        }
    }

    /// What it holds.
    #[must_use]
    pub fn cache(&self) -> &Cache<M::Rules> {
        &self.cache
    }

    /// The computer it runs on.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The session it has with the server.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// One cycle. A pending restart happens before it: nothing is reported right after a restart, the
    /// next scan's status tells (observed-behaviour 6).
    ///
    /// # Errors
    /// [`AgentError`], when the scan or a report failed; the events of that stay queued for the next
    /// cycle. Failed downloads and installations are no errors: they are counted and reported.
    pub async fn cycle(&mut self) -> Result<CycleSummary, AgentError> {
        if std::mem::take(&mut self.restart_due) {
            self.machine.restart();
        }
        let mut summary = CycleSummary::default();
        match self.detect().await {
            Ok(scan) => summary.scan = scan,
            Err(error) => {
                let event = self.writer.event(&Happening::DetectionFailed(error.hresult()), None);
                self.enqueue(event);
                // The server may be gone altogether; then the event waits.
                if let Err(unreported) = self.flush().await {
                    tracing::debug!(%unreported, "the failed scan could not be reported yet");
                }
                return Err(error);
            }
        }
        self.report_status(&mut summary);
        summary.events += self.flush().await?;
        if self.options.acts {
            self.carry_out(&mut summary).await;
            summary.events += self.flush().await?;
        }
        Ok(summary)
    }

    /// Scans, and fetches extended information of what applies.
    async fn detect(&mut self) -> Result<ScanSummary, AgentError> {
        let mut summary = self.scan().await?;
        let mut again = true;
        loop {
            let wanted = self.cache.without_extended();
            match self.fetch_extended(&wanted).await {
                Ok(()) => return Ok(summary),
                // The server changed between scan and fetch: a new scan refreshes the ids.
                Err(AgentError::RefreshRequired { .. }) if std::mem::take(&mut again) => {
                    summary = self.scan().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn scan(&mut self) -> Result<ScanSummary, AgentError> {
        let machine = &self.machine;
        // Everything is evaluated again before each scan (MS-WUSP 3.2.1).
        self.cache.evaluate(|held| machine.judge(&held.core, &held.rules));
        let devices = machine.devices();
        let plan = ScanPlan { categories: &self.options.categories, devices: &devices };
        let mut holding = Holding { cache: &mut self.cache, machine };
        scan(&mut self.session, &mut holding, plan).await
    }

    async fn fetch_extended(&mut self, wanted: &[RevisionId]) -> Result<(), AgentError> {
        let at_once = self.session.extended_at_once();
        for revisions in wanted.chunks(at_once) {
            let cache = &mut self.cache;
            self.session
                .extended_info(revisions, |fragments| {
                    for id in revisions {
                        if let Some(held) = cache.get_mut(*id) {
                            // Asked for once; a server that knows nothing is not asked for ever.
                            held.extended.get_or_insert_default();
                        }
                    }
                    fragments.iter().try_for_each(|fragment| {
                        let xml = fragment.xml.as_ref().map(|xml| xml.plain()).unwrap_or_default();
                        keep_fragment(cache, fragment.id, &xml)
                    })
                })
                .await?;
        }
        Ok(())
    }

    fn report_status(&mut self, summary: &mut CycleSummary) {
        let named = |verdict| {
            self.cache
                .reported()
                .filter(|held| held.verdict == verdict)
                .map(|held| held.core.identity.update)
                .collect::<Vec<_>>()
        };
        let (needed, installed) = (named(Verdict::Needed), named(Verdict::Installed));
        summary.needed = needed.len();
        summary.installed = installed.len();
        let offered = self.cache.tasks().iter().filter(|task| !task.uninstall).count();
        let detected = self.writer.event(&Happening::Detected(offered), None);
        self.enqueue(detected);
        let status = self.writer.event(&Happening::Status { needed, installed }, None);
        self.enqueue(status);
    }

    fn enqueue(&mut self, event: ReportingEvent) {
        if self.queue.len() >= QUEUE {
            self.queue.remove(0);
        }
        self.queue.push(event);
    }

    /// Reports what is queued. An event keeps its instance id, so one that arrived unnoticed is not
    /// counted twice (observed-behaviour 6).
    async fn flush(&mut self) -> Result<usize, AgentError> {
        self.session.report(&self.queue).await?;
        Ok(std::mem::take(&mut self.queue).len())
    }

    /// Connections to the server that has a file.
    fn pool_for(&mut self, address: &Address) -> Arc<Pool> {
        let own = self.session.pool();
        if own.address().same_server(address) {
            return Arc::clone(own);
        }
        let options = own.options();
        let pool = || Arc::new(Pool::new(address.clone(), options));
        Arc::clone(self.elsewhere.entry(address.authority()).or_insert_with(pool))
    }
}

/// Keeps what a fragment says with its revision.
fn keep_fragment<R>(cache: &mut Cache<R>, id: RevisionId, xml: &str) -> Result<(), AgentError> {
    let Some(held) = cache.get_mut(id) else { return Ok(()) };
    let unreadable = |source| AgentError::Fragment { revision: id.get(), source };
    if xml.trim_start().starts_with("<LocalizedProperties") {
        let texts = LocalizedTexts::read(xml).map_err(unreadable)?;
        // The first language of those that were asked for wins.
        if held.title.is_none() && !texts.title.is_empty() {
            held.title = Some(texts.title);
        }
    } else {
        held.extended = Some(ExtendedFacts::read(xml).map_err(unreadable)?);
    }
    Ok(())
}
