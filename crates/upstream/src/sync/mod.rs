//! Synchronization: what a downstream server does with its upstream (MS-WSUSSS 3.2), one run at a time:
//! authorization, configuration, categories, updates, decisions, files, and what is told to the upstream.
//! Each step is durable when it is complete, so a run that is cut off goes on where it was.

mod above;
mod deployments;
mod desks;
mod error;
mod fetch;
mod fetched;
mod files;
mod keys;
mod listing;
mod metadata;
mod mirror;
mod progress;
mod rollup;
mod rollup_details;
mod session;
mod stop;
mod unusable;

pub use error::SyncError;
pub use mirror::{Mirror, MirrorError};
pub use progress::{Phase, Progress};
pub use unusable::{say_missing, say_missing_and_why};

use crate::Probe;
use crate::transport::{Transport, TransportError, TransportSettings, Url};
pub(crate) use progress::Watched;
pub(crate) use session::PROTOCOL;
use session::Session;
use sluicegate_soap::server_reporting::RollupConfiguration;
use sluicegate_store::Store;
use sluicegate_store::audit::Actor;
use sluicegate_store::hierarchy::{Generation, RunCounts, SyncState, UpstreamSettings, UpstreamSource};
use sluicegate_terms::Timestamp;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use stop::{Reason, Stop};

/// Microsoft Update's synchronization service.
const MICROSOFT_UPDATE: &str = "https://sws.update.microsoft.com";

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a run needs from whoever runs it.
#[derive(Clone)]
pub struct Surroundings {
    /// What time it is.
    pub clock: Clock,
    /// Called when catalog or decisions have changed and would be worth publishing.
    pub changed: Arc<dyn Fn() + Send + Sync>,
    /// The name this server is known by when the settings give none.
    pub host_name: String,
    /// Documents with more bytes of text are refused.
    pub largest_document: usize,
    /// How often a run is looked at by whoever ends those that are stuck.
    pub glance: Duration,
    /// A busy upstream is told of the status of computers again after so long (MS-WSUSSS 3.2.4.5: a minute).
    pub busy_wait: Duration,
    /// Requests for metadata under way at once.
    pub requests: usize,
    /// Fewest revisions in one commit; up to four times as many in a large catalog.
    pub batch: usize,
    /// Is asked in the place of Microsoft Update.
    pub microsoft_update: Option<Mirror>,
    /// How the transport repeats and waits; proxies and certificates come from the settings.
    pub transport: TransportSettings,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("host_name", &self.host_name).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// With a clock, and usual bounds for everything else.
    #[must_use]
    pub fn new(clock: Clock, host_name: String) -> Self {
        Self {
            clock,
            changed: Arc::new(|| {}),
            host_name,
            largest_document: sluicegate_catalog::Limits::default().max_bytes,
            glance: Duration::from_secs(5),
            busy_wait: Duration::from_secs(60),
            requests: 4,
            batch: 2_000,
            microsoft_update: None,
            transport: TransportSettings::default(),
        }
    }

    /// The transport for an upstream.
    ///
    /// # Errors
    /// [`TransportError`] when a proxy or the file of certificates is not usable.
    pub(crate) fn transport(&self, settings: &UpstreamSettings) -> Result<Transport, TransportError> {
        let TransportSettings { proxy, tls_proxy, no_proxy, ca_file, .. } =
            TransportSettings::stored(settings)?;
        Transport::new(TransportSettings { proxy, tls_proxy, no_proxy, ca_file, ..self.transport.clone() })
    }

    /// The address that is asked for an upstream, as it was written: Microsoft Update may be asked at a mirror.
    pub(crate) fn asked<'a>(&'a self, source: &'a UpstreamSource) -> &'a str {
        match source {
            UpstreamSource::MicrosoftUpdate => {
                self.microsoft_update.as_ref().map_or(MICROSOFT_UPDATE, Mirror::as_str)
            }
            UpstreamSource::Server(url) => url,
        }
    }

    /// The address below which the services of an upstream are.
    pub(crate) fn base(&self, source: &UpstreamSource) -> Result<Url, TransportError> {
        self.asked(source)
            .parse()
            .map_err(|error: crate::transport::UrlError| TransportError::settings(error.to_string()))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

fn session(
    around: &Surroundings,
    settings: &UpstreamSettings,
    store: &Store,
    stop: Stop,
) -> Result<Session, SyncError> {
    let source = settings.source.as_ref().ok_or(SyncError::NoUpstream)?;
    let base = around.base(source)?;
    let transport = around.transport(settings)?;
    let name = if settings.account_name.is_empty() { &around.host_name } else { &settings.account_name };
    Session::new(transport, base, name.clone(), store.server_id(), Arc::clone(&around.clock), stop)
}

/// Reaches an upstream with settings that are not saved yet.
pub(crate) async fn probe(
    store: &Store,
    around: &Surroundings,
    settings: UpstreamSettings,
) -> Result<Probe, SyncError> {
    let session = session(around, &settings, store, Stop::default())?;
    let config = metadata::ask_configuration(&session, None).await?;
    Ok(Probe {
        protocol: config.protocol_version.unwrap_or_default(),
        updates_per_request: config.max_updates_per_request,
        catalog_only: config.catalog_only_sync,
    })
}

/// Whether a probe that gets through shows that what ended a run is over: it takes the same way, is let in and asks for
/// the configuration. Of the lists and documents that a run asks for behind that it says nothing.
#[must_use]
pub fn probe_overcomes(phase: Phase, code: &str) -> bool {
    let (family, name) = code.split_once('/').unwrap_or_default();
    let of_the_way = [
        "NameNotResolved",
        "ConnectionRefused",
        "Unreachable",
        "TlsFailed",
        "ProxyAuthenticationRequired",
        "IncompatibleProtocolVersion",
    ];
    phase <= Phase::Configuration
        || family == "DssAuthenticationError"
        || family == "UssCommunicationError"
            && (of_the_way.contains(&name) || name.starts_with("Certificate"))
}

/// One run under way.
pub(crate) struct Run {
    pub(crate) store: Store,
    pub(crate) settings: Arc<UpstreamSettings>,
    pub(crate) around: Surroundings,
    pub(crate) session: Arc<Session>,
    pub(crate) progress: Watched,
    pub(crate) stop: Stop,
    /// Its number in the history.
    pub(crate) number: u64,
    /// It ends once the categories are here.
    pub(crate) only_categories: bool,
    /// What the upstream said about rollup in this run, with its id.
    pub(crate) rollup_configuration: Option<RollupConfiguration>,
    /// Another server than before answers.
    pub(crate) replaced: bool,
}

impl Run {
    /// Makes a run ready; nothing is asked yet.
    pub(crate) fn new(
        store: Store,
        around: Surroundings,
        progress: Watched,
        stop: Stop,
    ) -> Result<Self, SyncError> {
        // What it writes counts only for the upstream and the mode it begins with.
        let (store, settings) = store.for_upstream()?;
        let session = session(&around, &settings, &store, stop.clone())?;
        // What this run changes is put down to the upstream it began with.
        let source = settings.source.as_ref().map_or("", UpstreamSource::as_str);
        let store = store.by(Actor::upstream(source));
        Ok(Self {
            store,
            settings,
            around,
            session: Arc::new(session),
            progress,
            stop,
            number: 0,
            only_categories: false,
            rollup_configuration: None,
            replaced: false,
        })
    }

    /// The upstream it works for.
    pub(crate) fn generation(&self) -> Generation {
        self.store.works_for().unwrap_or_default()
    }

    /// The address it asks, whatever the settings call it.
    pub(crate) fn address(&self) -> String {
        self.session.base().to_string()
    }

    /// Does everything. Answers what was done, also when it failed.
    pub(crate) async fn carry_out(&mut self) -> (RunCounts, Result<(), SyncError>) {
        let mut outcome = self.phases().await;
        if matches!(&outcome, Err(SyncError::ServerChanged)) {
            // MS-WSUSSS 2.2.9.3: forget the anchors and go on. Once; a server that says so again is broken.
            tracing::info!("the upstream says that it has changed: anchors are forgotten");
            if !self.replaced {
                self.progress.warn(
                    "the upstream says that it is not in the state it was in, as after it was restored from a backup, so \
                     everything is asked for anew",
                );
            }
            outcome = match self.forget_anchors().await {
                Ok(()) => self.phases().await,
                Err(error) => Err(error),
            };
        }
        (self.progress.counts(), outcome)
    }

    async fn phases(&mut self) -> Result<(), SyncError> {
        self.begin(Phase::Authorization)?;
        self.session.authorize().await?;
        self.begin(Phase::Configuration)?;
        self.configuration().await?;
        self.who_answers().await?;
        self.begin(Phase::Categories)?;
        self.categories().await?;
        if self.only_categories {
            self.warn_of_missing().await?;
            (self.around.changed)();
            return Ok(());
        }
        self.begin(Phase::Updates)?;
        self.updates().await?;
        self.keys().await?;
        if self.settings.decided_by().is_some() {
            self.begin(Phase::Deployments)?;
            self.deployments().await?;
        }
        self.warn_of_missing().await?;
        let now = self.around.now();
        self.on_store(move |store| store.change_sync_state(|state| state.last_success = Some(now))).await?;
        (self.around.changed)();
        if self.settings.source != Some(UpstreamSource::MicrosoftUpdate) {
            self.begin(Phase::Rollup)?;
            self.tell_upstream().await?;
        }
        self.begin(Phase::Files)?;
        self.files().await?;
        Ok(())
    }

    fn begin(&mut self, phase: Phase) -> Result<(), SyncError> {
        self.check_stop()?;
        self.progress.begin(phase, self.around.now());
        Ok(())
    }

    pub(crate) fn check_stop(&self) -> Result<(), SyncError> {
        self.stop.check()
    }

    async fn forget_anchors(&self) -> Result<(), SyncError> {
        self.on_store(|store| {
            store.change_sync_state(SyncState::forget_anchors)?;
            // What was told by then may be lost as well.
            store.tell_computers_again()
        })
        .await
    }

    /// Runs something that blocks.
    pub(crate) async fn on_store<R: Send + 'static>(
        &self,
        work: impl FnOnce(Store) -> Result<R, sluicegate_store::StoreError> + Send + 'static,
    ) -> Result<R, SyncError> {
        let store = self.store.clone();
        // What is asked and answered may be of the whole catalog.
        Ok(tokio::task::spawn_blocking(move || sluicegate_allocator::bulk(|| work(store))).await??)
    }
}
