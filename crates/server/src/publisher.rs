//! The publisher: whenever catalog or decisions change, it compiles a snapshot away from the async workers
//! and puts it in the place of the last one. A scan that has begun keeps the snapshot it began with; a
//! snapshot that cannot be compiled is never published.

use crate::hierarchy::index::{IndexBuilder, RevisionIndex};
use crate::state::App;
use serde::Serialize;
use sluicegate_catalog::ScanRecord;
use sluicegate_scan::{CompileError, LeftOutReason, RevisionInput, Snapshot, SnapshotBuilder};
use sluicegate_store::{Cores, DamagedRevision, Store, StoreError};
use sluicegate_terms::{Anchor, Timestamp, UpdateKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Changes are looked for at least this often, should a ring have been missed.
const POLL: Duration = Duration::from_secs(5);

/// After a failure it is tried again so often; the cause may be a passing one.
const RETRY: Duration = Duration::from_secs(30);

/// Between two snapshots lies at least so many times what the last one took to compile: however fast decisions
/// come, compiling them leaves most of the processor to scans.
const REST: u32 = 2;

/// While a synchronization brings revisions by the thousand and no decision changed, they are served together
/// when it has ended, or after so many times what the last snapshot took, but at least [`LEAST_GATHERING`].
const GATHERING: u32 = 40;
const LEAST_GATHERING: Duration = Duration::from_secs(300);

/// From so many revisions on memory is given back between the parts of compiling, which takes milliseconds.
const LARGE: usize = 100_000;

/// How often it is looked whether the time to publish has come.
const LOOK: Duration = Duration::from_millis(200);

/// A snapshot in service, with the bytes that belong to it.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) snapshot: Snapshot,
    pub(crate) cores: Arc<Cores>,
    /// The same revisions as downstream servers ask for them.
    pub(crate) index: Arc<RevisionIndex>,
    /// The change of the catalog that it has seen.
    catalog: Anchor,
    /// How many revisions were known to have damaged bytes.
    damage: usize,
    /// Rows that could not even be named.
    nameless: usize,
    /// When it was compiled.
    pub(crate) at: Timestamp,
    /// How long compiling its catalog took.
    pub(crate) took: Duration,
}

impl Published {
    /// Whether bytes turned out to be damaged that this snapshot relies on.
    pub(crate) fn found_damage(&self) -> bool {
        self.cores.damaged_count() != self.damage
    }

    /// How many revisions are damaged: those that clients do without, and documents.
    pub(crate) fn damaged(&self) -> usize {
        let left_out = self.snapshot.left_out().iter();
        let left_out = left_out.filter(|left| left.reason == LeftOutReason::Damaged).count();
        left_out + self.nameless + self.cores.damaged_documents()
    }
}

/// How publishing goes, for `/healthz`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PublisherHealth {
    /// Why the newest state is not in service, if it is not.
    pub(crate) failure: Option<String>,
    /// Since which moment.
    pub(crate) failing_since: Option<String>,
    /// Snapshots published since the start.
    pub(crate) published: u64,
}

/// Why a snapshot could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data contradicts itself.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The task itself failed.
    #[error("compiling the snapshot failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Compiles the present state. Much of what that needs, and of what comes of it, there is one of for each revision.
pub(crate) fn compile(store: &Store, now: Timestamp) -> Result<Published, PublishError> {
    sluicegate_allocator::bulk(|| compile_all(store, now))
}

fn compile_all(store: &Store, now: Timestamp) -> Result<Published, PublishError> {
    let started = Instant::now();
    let catalog = store.catalog_anchor();
    // The anchor is read first: what is committed while we read is at worst in the snapshot before
    // clients are told of its anchor, and then told again.
    let anchor = store.anchor();
    let room = usize::try_from(store.catalog_size()?.revisions).unwrap_or(0);
    let mut builder = SnapshotBuilder::new(anchor).with_room(room);
    let mut index = IndexBuilder::with_room(room);
    let mut nameless = 0;
    store.for_each_row(|row| {
        let revision = match row {
            Ok(revision) => revision,
            Err(damaged) => {
                nameless += usize::from(!leave_out(&mut builder, &damaged));
                return Ok(());
            }
        };
        index.revision(revision.id, &revision.record, revision.arrived, revision.arrived_at);
        if revision.retiring {
            index.not_listed();
        }
        builder.revision(RevisionInput {
            id: revision.id,
            record: revision.record,
            core_escaped_len: revision.core_escaped_len,
            arrived: revision.arrived,
            arrived_at: revision.arrived_at,
            leaf_changed: revision.leaf_changed,
        });
        Ok::<_, StoreError>(())
    })?;
    // Before the snapshot is compiled: both need more memory while they are made than afterwards.
    let index = Arc::new(index.finish(anchor));
    // What that needed, and reading the rows, goes back before more is needed.
    if room >= LARGE
        && let Err(error) = store.rest()
    {
        tracing::debug!(%error, "memory that served reading is not given back yet");
    }
    // After the revisions: every one that was read has its bytes here.
    let cores = store.cores();
    let damage = cores.damaged_count();
    for revision in cores.damaged() {
        builder.damaged(revision);
    }
    // And decisions after them too: a revision that is held must not be served for want of its hold.
    builder.shared_decisions(store.decisions());
    let snapshot = builder.finish()?;
    Ok(Published { snapshot, cores, index, catalog, damage, nameless, at: now, took: started.elapsed() })
}

/// Leaves a revision out whose row is damaged; `false` when not even its name can be read.
fn leave_out(builder: &mut SnapshotBuilder, damaged: &DamagedRevision) -> bool {
    let (Some(id), Some(identity)) = (damaged.id, damaged.identity) else {
        tracing::error!(revision = ?damaged.id, cause = %damaged.cause, "a row of the catalog cannot be read");
        return false;
    };
    builder.revision(RevisionInput {
        id,
        record: ScanRecord::new(identity, UpdateKind::Detectoid),
        core_escaped_len: 0,
        arrived: Anchor::START,
        arrived_at: Timestamp::MIN,
        leaf_changed: Anchor::START,
    });
    builder.damaged(id);
    true
}

/// What is served with the present decisions, if nothing else changed and they leave every revision where it is:
/// an approval reaches clients at the cost of the decisions, however large the catalog.
fn redecide(store: &Store, served: &Published, now: Timestamp) -> Option<Published> {
    let anchor = store.anchor();
    // After the anchor: a change of the catalog that it counts is seen here.
    if store.catalog_anchor() != served.catalog {
        return None;
    }
    let snapshot = served.snapshot.with_decisions(store.decisions(), anchor)?;
    Some(Published {
        snapshot,
        cores: Arc::clone(&served.cores),
        index: Arc::clone(&served.index),
        catalog: served.catalog,
        damage: served.damage,
        nameless: served.nameless,
        at: now,
        took: served.took,
    })
}

/// Publishes changes until told to stop.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut wait = POLL;
    let mut last = Instant::now();
    let mut decided_until = last;
    let mut waiting_since = None;
    loop {
        let served = app.published.load_full();
        let anchor = served.as_ref().map(|published| published.snapshot.anchor());
        let whole = served.as_ref().is_none_or(|served| !served.found_damage());
        if anchor == Some(app.store.anchor()) && whole {
            waiting_since = None;
        } else {
            let since = *waiting_since.get_or_insert_with(Instant::now);
            let mut due = served.as_ref().map_or(last, |served| due(&app, served, last, since));
            if let Some(served) = served.as_ref().filter(|served| is_same_catalog(&app, served)) {
                if decided_until > Instant::now() {
                    due = due.min(decided_until);
                } else {
                    let started = Instant::now();
                    let done = publish_decisions(&app, served).await;
                    decided_until = Instant::now() + started.elapsed() * REST;
                    if done {
                        waiting_since = None;
                        continue;
                    }
                }
            }
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                tokio::select! {
                    _ = stop.wait_for(|stopping| *stopping) => return,
                    // Not the ring: it would only say again what is known. But the synchronization may end.
                    () = tokio::time::sleep(early.min(LOOK)) => continue,
                }
            }
            // Nobody needs the old one while the new one is made, except the scans that have it.
            drop(served);
            wait = if publish(&app, anchor, compile).await { POLL } else { RETRY };
            (last, waiting_since) = (Instant::now(), None);
        }
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            () = app.changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn is_same_catalog(app: &App, served: &Published) -> bool {
    app.store.catalog_anchor() == served.catalog && !served.found_damage()
}

/// Publishes the present decisions with the catalog in service; `false` when it has to be compiled anew.
async fn publish_decisions(app: &Arc<App>, served: &Arc<Published>) -> bool {
    let now = app.clock.now();
    let (store, served) = (app.store.clone(), Arc::clone(served));
    let started = Instant::now();
    match tokio::task::spawn_blocking(move || redecide(&store, &served, now)).await {
        Ok(Some(published)) => {
            let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(anchor = %published.snapshot.anchor(), millis, "decisions published");
            put_in_service(app, published);
            true
        }
        // A panic in there is one of the full way too, which tells of it.
        Ok(None) | Err(_) => false,
    }
}

fn put_in_service(app: &App, published: Published) {
    app.published.store(Some(Arc::new(published)));
    let mut health = app.publisher.lock();
    *health = PublisherHealth { published: health.published + 1, ..PublisherHealth::default() };
}

/// When what has waited since `since` is to be published; the last one was at `last`. What a synchronization brings is
/// gathered, unless somebody decided meanwhile or waits for what he brought himself.
fn due(app: &App, served: &Published, last: Instant, since: Instant) -> Instant {
    let rested = last + served.took * REST;
    let decided = !Arc::ptr_eq(served.snapshot.decisions(), &app.store.decisions());
    let awaited = Anchor(app.awaited.load(Ordering::Acquire)) > served.snapshot.anchor();
    if decided || awaited || !app.synchronizer.status().running {
        return rested;
    }
    let gathering = (served.took * GATHERING).max(LEAST_GATHERING);
    rested.max(since + gathering)
}

/// Publishes the present state, as `compile` makes it; `false` when it cannot be compiled.
async fn publish<F>(app: &Arc<App>, served: Option<Anchor>, compile: F) -> bool
where
    F: FnOnce(&Store, Timestamp) -> Result<Published, PublishError> + Send + 'static,
{
    let now = app.clock.now();
    let store = app.store.clone();
    let compiled = tokio::task::spawn_blocking(move || compile(&store, now)).await;
    match compiled.map_err(PublishError::from).and_then(|outcome| outcome) {
        Ok(published) => {
            tell_of_left_out(app, &published);
            tracing::info!(
                anchor = %published.snapshot.anchor(),
                revisions = published.snapshot.len(),
                millis = u64::try_from(published.took.as_millis()).unwrap_or(u64::MAX),
                "snapshot published"
            );
            put_in_service(app, published);
            true
        }
        Err(error) => {
            let serving = served.map_or_else(|| "none".to_owned(), |anchor| anchor.to_string());
            tracing::error!(cause = %error, serving, "the newest state cannot be published; the last good one serves on");
            let mut health = app.publisher.lock();
            health.failure = Some(error.to_string());
            health.failing_since.get_or_insert_with(|| now.iso());
            false
        }
    }
}

/// Tells of what is left out and was not before.
fn tell_of_left_out(app: &App, published: &Published) {
    let before = app.published.load();
    let known = before.as_ref().map_or(&[][..], |before| before.snapshot.left_out());
    for left_out in published.snapshot.left_out().iter().filter(|left_out| !known.contains(left_out)) {
        let (revision, cause) = (left_out.revision, left_out);
        if left_out.reason == LeftOutReason::Damaged {
            tracing::error!(%revision, %cause, "a damaged revision is left out of scans");
        } else {
            tracing::warn!(%revision, %cause, "a revision is left out of scans");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::testing;
    use sluicegate_catalog::Limits;
    use sluicegate_catalog::compose::Document;
    use sluicegate_terms::{CategoryKind, RevisionNumber, UpdateId, UpdateIdentity};
    use sluicegate_upstream::intake::Intake;

    fn contradiction() -> PublishError {
        let what = "listing of update 6f1c24fe-3c5d-4d0a-8b6e-4c8f0d1b2a30".to_owned();
        StoreError::Unreadable { what, reason: "its layout is not known".to_owned() }.into()
    }

    #[tokio::test]
    async fn while_the_newest_state_cannot_be_compiled_the_last_good_one_serves_and_health_names_the_cause() {
        let (_dir, app) = testing::app().await;
        let addr = testing::serve(&app, Endpoint(Arc::clone(&app))).await;
        let health = || testing::get(addr, "/healthz");

        assert!(!publish(&app, None, |_, _| Err(contradiction())).await);
        let answer = health().await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"failing\""), "{answer}");
        assert!(publish(&app, None, compile).await);
        let answer = health().await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ok\""), "{answer}");

        let good = app.published.load_full().unwrap();
        let served = Some(good.snapshot.anchor());
        assert!(!publish(&app, served, |_, _| Err(contradiction())).await);
        assert!(Arc::ptr_eq(&good, &app.published.load_full().unwrap()), "scans use what they used before");
        let answer = health().await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"degraded\""), "{answer}");
        assert!(answer.contains("6f1c24fe-3c5d-4d0a-8b6e-4c8f0d1b2a30"), "{answer}");
        assert!(testing::get(addr, "/metrics").await.contains("\nsluicegate_publish_failing 1\n"));

        assert!(!publish(&app, served, |_, _| panic!("a defect of the compiler")).await);
        assert!(health().await.contains("a defect of the compiler"));

        assert!(publish(&app, served, compile).await);
        let answer = health().await;
        assert!(answer.contains("\"ok\"") && answer.contains("\"failure\": null"), "{answer}");
    }

    #[tokio::test]
    async fn decisions_are_published_without_compiling_the_catalog_anew_unless_it_changed() {
        let (_dir, app) = testing::app().await;
        assert!(publish(&app, None, compile).await);
        let served = app.published.load_full().unwrap();
        app.store.create_group("Pilots".parse().unwrap(), None, app.clock.now()).unwrap();

        let decided = redecide(&app.store, &served, app.clock.now()).expect("a group puts nothing in scope");
        assert_eq!(decided.snapshot.anchor(), app.store.anchor());
        assert!(decided.snapshot.anchor() > served.snapshot.anchor());
        assert!(Arc::ptr_eq(decided.snapshot.decisions(), &app.store.decisions()));
        assert!(Arc::ptr_eq(&decided.index, &served.index) && Arc::ptr_eq(&decided.cores, &served.cores));

        let update = UpdateId("6f1c24fe-3c5d-4d0a-8b6e-4c8f0d1b2a31".parse().unwrap());
        let identity = UpdateIdentity { update, revision: RevisionNumber::new(1).unwrap() };
        let xml = Document::category(identity, CategoryKind::Company, "Company", None).to_xml();
        let mut importer = app.store.importer(app.clock.now()).unwrap();
        let revision = Intake::new(Limits::default()).bytes("one.xml".to_owned(), xml.as_bytes());
        importer.add(revision.unwrap()).unwrap();
        importer.commit().unwrap();
        assert!(redecide(&app.store, &decided, app.clock.now()).is_none(), "there is an update more");
    }
}
