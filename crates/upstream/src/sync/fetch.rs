//! Synchronization: fetching documents. Several requests are under way at once, each answer is unpacked and
//! parsed at one of a few desks, and one more thread puts the revisions into the store in batches. The queues
//! between them are short, so memory does not grow with the catalog.

use super::desks::{Desks, on_its_own};
use super::session::LARGEST_ANSWER;
use super::unusable::NOT_GIVEN;
use super::{Run, SyncError};
use crate::intake::Intake;
use bytes::Bytes;
use sluicegate_catalog::Limits as DocumentLimits;
use sluicegate_policy::hierarchy::SyncFilter;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{GetUpdateDataRequest, GetUpdateDataResponse};
use sluicegate_soap::{AnswerError, Limits, ResponseMessage};
use sluicegate_store::{Document, Importer, PackedRevision, PreparedRevision, Store, StoreError};
use sluicegate_terms::{Sha1Digest, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// Answers between the parsing threads and the storing thread, and the bytes of all that stand in one or are on
/// their way there. While a commit waits for the disk, parsing goes on until one of the two is reached.
const QUEUE: usize = 64;
const QUEUE_BYTES: usize = 40 << 20;

/// What has come is committed when nothing more came for so long, and after so long in any case: a run that is killed
/// begins again behind it, and nobody waits longer for a turn at the catalog.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_GATHERING: Duration = Duration::from_secs(10);

/// After so many revisions the memory that served them is given back at once: the next snapshot needs it.
const LARGE: usize = 20_000;

/// From so many revisions on memory matters more than the few parts of a hundred that taking it anew costs.
const LARGE_CATALOG: usize = 250_000;

/// So many single revisions in a row that the upstream lists and cannot give mean that it gives nothing.
const MOST_REFUSALS: u32 = 25;

/// Revisions that a real server answers at once; used until the upstream has said its own number.
const USUAL_BATCH: u32 = 100;

/// Some revisions to be asked for together.
#[derive(Debug)]
struct Batch {
    ids: Vec<UpdateIdentity>,
    /// They came damaged before.
    again: bool,
}

/// What is to be asked for: all revisions of a run in one list, since there is no bound on how many they are, and what
/// has to be asked for again.
struct Queue {
    ids: Vec<UpdateIdentity>,
    /// Where of `ids` the next batch begins, and how many it has.
    next: usize,
    size: usize,
    /// Before the next and after the last of them.
    first: Vec<Batch>,
    last: VecDeque<Batch>,
}

impl Queue {
    fn new(ids: Vec<UpdateIdentity>, size: usize) -> Self {
        Self { ids, next: 0, size: size.max(1), first: Vec::new(), last: VecDeque::new() }
    }

    fn next(&mut self) -> Option<Batch> {
        if let Some(batch) = self.first.pop() {
            return Some(batch);
        }
        match self.ids.get(self.next..).and_then(|rest| rest.chunks(self.size).next()) {
            Some(ids) => {
                self.next += ids.len();
                Some(Batch { ids: ids.to_vec(), again: false })
            }
            None => self.last.pop_front(),
        }
    }
}

/// What came of a batch.
#[derive(Debug, Default)]
struct Answered {
    packed: Vec<PackedRevision>,
    /// Of them, those whose documents name nothing of what the filter chooses.
    outside: Vec<UpdateId>,
    refused: Vec<(UpdateIdentity, String)>,
    /// Not answered this time.
    rest: Vec<UpdateIdentity>,
    urls: Vec<(Sha1Digest, String)>,
}

/// What goes to the storing thread.
#[derive(Debug, Default)]
struct Delivery {
    /// Its room in the queue.
    room: Option<OwnedSemaphorePermit>,
    packed: Vec<PackedRevision>,
    outside: Vec<UpdateId>,
    /// For the quarantine.
    refused: Vec<(UpdateIdentity, String)>,
    urls: Vec<(Sha1Digest, String)>,
}

impl Run {
    /// The name a revision of this upstream has in messages and in the quarantine.
    fn source_of(&self, identity: UpdateIdentity) -> String {
        let source = self.settings.source.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{source}: {identity}")
    }

    /// Fetches the documents of revisions and puts them into the store. What is in the store when this ends early
    /// stays there.
    pub(super) async fn fetch(&mut self, ids: Vec<UpdateIdentity>) -> Result<(), SyncError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.progress.update(|p| p.total += ids.len() as u64);
        let (to_store, from_fetch) = mpsc::channel(QUEUE);
        let storing = Storing {
            store: self.store.clone(),
            progress: self.progress.clone(),
            clock: Arc::clone(&self.around.clock),
            batch: self.around.batch.max(1),
            run: self.number,
            coming: ids.len(),
            runtime: Handle::current(),
        };
        let names = self.settings.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let stored = tokio::task::spawn_blocking(move || on_its_own(|| storing.run(from_fetch, &names)));
        let fetched = self.fetch_batches(ids, &to_store).await;
        drop(to_store);
        // What was delivered is committed even when fetching ended early.
        let stored = stored.await?;
        match (fetched, stored) {
            // When storing failed, fetching only saw that nobody listens any more.
            (_, Err(error)) => Err(error.into()),
            (fetched, Ok(())) => fetched,
        }
    }

    async fn fetch_batches(
        &mut self,
        ids: Vec<UpdateIdentity>,
        to_store: &mpsc::Sender<Delivery>,
    ) -> Result<(), SyncError> {
        let size = match self.on_store(|store| store.sync_state()).await?.facts.updates_per_request {
            0 => USUAL_BATCH,
            said => said,
        };
        let size = usize::try_from(size).unwrap_or(1);
        let mut queue = Queue::new(ids, size);
        let limits = DocumentLimits { max_bytes: self.around.largest_document, ..DocumentLimits::default() };
        let mut desks = Desks::open(limits);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let mut running = JoinSet::new();
        let mut refusals = 0;
        loop {
            while running.len() < self.around.requests.max(1)
                && let Some(batch) = queue.next()
            {
                let source = self.settings.source.as_ref().map(ToString::to_string).unwrap_or_default();
                let (session, door) = (Arc::clone(&self.session), desks.door());
                let settings = Arc::clone(&self.settings);
                let (progress, clock) = (self.progress.clone(), Arc::clone(&self.around.clock));
                running.spawn(async move {
                    let asked = batch.ids.clone();
                    let make = |cookie| GetUpdateDataRequest {
                        cookie: Some(cookie),
                        update_ids: Some(asked.clone()),
                    };
                    let body = match session.call(LARGEST_ANSWER * 4, make).await {
                        Ok(body) => body,
                        Err(error) => return (batch, Ok(Err(error))),
                    };
                    progress.answered(body.len() as u64, clock());
                    let ids = batch.ids.clone();
                    let work = move |intake: &mut Intake| read(&body, ids, &source, intake, &settings.filter);
                    let answered = door.run(work).await.map(|answered| {
                        answered.map_err(|reason| SyncError::Answer { call: "GetUpdateData", reason })
                    });
                    (batch, answered)
                });
            }
            let ended = tokio::select! {
                ended = running.join_next() => ended,
                why = self.stop.asked() => return Err(why),
            };
            let Some(ended) = ended else { return Ok(()) };
            let (batch, answered) = ended?;
            let Ok(answered) = answered else {
                return Err(desks.reason().await.map_or(SyncError::Cancelled, SyncError::Task));
            };
            let mut delivery = Delivery::default();
            match answered {
                Ok(answered) => {
                    refusals = 0;
                    let came = answered.packed.len() + answered.refused.len();
                    if came == 0 && !answered.rest.is_empty() {
                        if let [only] = batch.ids.as_slice() {
                            delivery.refused.push((*only, NOT_GIVEN.to_owned()));
                        } else {
                            queue.last.extend(halves(batch.ids, batch.again));
                        }
                    } else if !answered.rest.is_empty() {
                        // Short answers are lawful (MS-WSUSSS 3.1.4.6): ask for the rest.
                        queue.first.push(Batch { ids: answered.rest, again: batch.again });
                    }
                    if batch.again {
                        delivery.refused.extend(answered.refused);
                    } else if !answered.refused.is_empty() {
                        let ids = answered.refused.into_iter().map(|(id, _)| id).collect();
                        queue.last.push_back(Batch { ids, again: true });
                    }
                    delivery.packed = answered.packed;
                    delivery.outside = answered.outside;
                    delivery.urls = answered.urls;
                }
                Err(error) if spoils_a_batch(&error) => {
                    // One id that the upstream cannot give fails the whole call (observed-behaviour 8).
                    if let [only] = batch.ids.as_slice() {
                        refusals += 1;
                        if refusals > MOST_REFUSALS {
                            return Err(error);
                        }
                        delivery.refused.push((*only, format!("{NOT_GIVEN} ({error})")));
                    } else {
                        queue.last.extend(halves(batch.ids, batch.again));
                    }
                }
                Err(error) => return Err(error),
            }
            for (id, _) in &delivery.refused {
                tracing::warn!(revision = %self.source_of(*id), "a revision of the upstream cannot be used");
            }
            let bytes = delivery.packed.iter().map(PackedRevision::weight).sum::<usize>().min(QUEUE_BYTES);
            let wanted = Arc::clone(&room).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
            // Nobody closes it; and without the room the delivery is only not counted.
            delivery.room = wanted.await.ok();
            if to_store.send(delivery).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn halves(mut ids: Vec<UpdateIdentity>, again: bool) -> [Batch; 2] {
    let rest = ids.split_off(ids.len() / 2);
    [Batch { ids, again }, Batch { ids: rest, again }]
}

/// Whether a document names no product or no classification that the filter chooses. No filter is about
/// categories and detectoids.
fn is_outside(prepared: &PreparedRevision, filter: &SyncFilter) -> bool {
    let names = |chosen: Option<&BTreeSet<UpdateId>>| {
        chosen.is_none_or(|chosen| prepared.categories().iter().any(|id| chosen.contains(id)))
    };
    if matches!(prepared.record.kind, UpdateKind::Category | UpdateKind::Detectoid) {
        return false;
    }
    !names(filter.products.listed()) || !names(filter.classifications.listed())
}

/// Whether one revision can be to blame for the failure of a whole batch.
pub(super) fn spoils_a_batch(error: &SyncError) -> bool {
    // A server that is no longer let in must not blame the revisions it asked for.
    !error.is_refusal()
        && matches!(error.fault(), Some(ErrorCode::InternalServerError | ErrorCode::InvalidParameters))
        || matches!(error, SyncError::Answer { call: "GetUpdateData", .. })
}

/// Unpacks and parses an answer.
fn read(
    body: &Bytes,
    asked: Vec<UpdateIdentity>,
    source: &str,
    intake: &mut Intake,
    filter: &SyncFilter,
) -> Result<Answered, String> {
    let answer = GetUpdateDataResponse::decode(body, &Limits::ANSWER).map_err(|error| match error {
        AnswerError::Fault(fault) => fault.to_string(),
        AnswerError::Unreadable(error) => error.to_string(),
    })?;
    let mut open: HashSet<UpdateIdentity> = asked.iter().copied().collect();
    let mut answered = Answered::default();
    for update in answer.data.updates {
        // A revision asked for twice is answered twice (observed); what was not asked for is nobody's.
        if !open.remove(&update.id) {
            continue;
        }
        let name = format!("{source}: {}", update.id);
        let prepared = match (update.compressed, update.xml) {
            (Some(blob), _) => intake.served(name, Document::Cabinet(blob.0)),
            (None, Some(text)) => intake.bytes(name, text.plain().as_bytes()),
            (None, None) => {
                answered.refused.push((update.id, NOT_GIVEN.to_owned()));
                continue;
            }
        };
        match prepared {
            Ok(prepared) if prepared.record.identity == update.id => {
                if is_outside(&prepared, filter) {
                    answered.outside.push(update.id.update);
                }
                answered.packed.push(prepared.pack());
            }
            Ok(other) => {
                let reason = format!("the upstream gave the document of {} instead", other.record.identity);
                answered.refused.push((update.id, reason));
            }
            Err(refused) => answered.refused.push((update.id, refused.reason)),
        }
    }
    let urls = answer.data.file_urls.into_iter();
    answered.urls =
        urls.filter_map(|u| Some((u.file_digest?, u.mu_url.filter(|url| !url.is_empty())?))).collect();
    answered.rest = asked.into_iter().filter(|id| open.contains(id)).collect();
    Ok(answered)
}

/// The storing thread.
struct Storing {
    store: Store,
    progress: super::progress::Watched,
    clock: super::Clock,
    batch: usize,
    /// The run's number.
    run: u64,
    /// How many revisions are to come.
    coming: usize,
    /// Where the lists are fed meanwhile, and deliveries waited for.
    runtime: Handle,
}

impl Storing {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn run(&self, mut deliveries: mpsc::Receiver<Delivery>, upstream: &str) -> Result<(), StoreError> {
        let mut reading: Option<JoinHandle<()>> = None;
        let mut left = self.coming;
        let mut stored = usize::try_from(self.store.catalog_size()?.revisions).unwrap_or(usize::MAX);
        while let Some(first) = deliveries.blocking_recv() {
            let batch = self.batch_of(stored, left);
            if stored >= LARGE_CATALOG {
                self.store.is_large();
            }
            let mut importer = self.store.importer(self.now())?;
            importer.expect_missing();
            let mut urls = Vec::new();
            let mut failed = Vec::new();
            let mut good = Vec::new();
            let mut outside = Vec::new();
            let mut expired = 0;
            let mut next = Some(first);
            let begun = Instant::now();
            while let Some(mut delivery) = next {
                outside.append(&mut delivery.outside);
                self.take(
                    &mut importer,
                    delivery,
                    &mut urls,
                    &mut failed,
                    &mut good,
                    &mut expired,
                    upstream,
                )?;
                if importer.staged() >= batch {
                    break;
                }
                next = self.one_more(&mut deliveries, begun);
            }
            self.store.record_file_urls(&urls)?;
            // Before the revisions: noted twice is harmless, and after a kill nobody would know.
            self.store.note_outside_filter(&outside, self.run)?;
            let report = importer.commit()?;
            if !failed.is_empty() {
                self.store.note_failed_revisions(&failed, self.now())?;
            }
            if let Some(said) = kept_for_removal(&report.decisions.for_removal) {
                self.progress.warn(&said);
            }
            for update in &report.decisions.revived {
                tracing::info!(%update, "its publisher withdrew this update and gives it again; it is no longer declined");
            }
            self.progress.update(|p| {
                p.counts.new += report.added;
                p.counts.revised += report.revised + report.older;
                p.counts.expired += expired;
                p.counts.quarantined += failed.len() as u64;
            });
            left = left.saturating_sub(good.len() + failed.len());
            stored = stored.saturating_add(good.len());
            self.progress.done(good.len() as u64 + failed.len() as u64, self.now());
            if reading.as_ref().is_none_or(JoinHandle::is_finished) {
                let store = self.store.clone();
                reading = Some(self.runtime.spawn_blocking(move || {
                    if let Err(error) = store.read_arrivals() {
                        tracing::warn!(%error, "what came is not in the lists yet; it is read when somebody looks");
                    }
                }));
            }
        }
        // Everything is committed; a run must not fail for this.
        if self.coming >= LARGE
            && let Err(error) = self.store.rest()
        {
            tracing::warn!(%error, "memory that served the synchronization is not given back yet");
        }
        Ok(())
    }

    /// The next delivery, if it comes soon enough to go into the commit that was begun.
    fn one_more(&self, deliveries: &mut mpsc::Receiver<Delivery>, begun: Instant) -> Option<Delivery> {
        if let Ok(delivery) = deliveries.try_recv() {
            return Some(delivery);
        }
        let wait = PAUSE.min(LONGEST_GATHERING.saturating_sub(begun.elapsed()));
        self.runtime.block_on(async { tokio::time::timeout(wait, deliveries.recv()).await.ok().flatten() })
    }

    /// How many revisions the next commit is to have. In a large catalog each commit writes most pages of the tables
    /// whose keys come in no order, so there should be few; towards the end nothing goes on beside the last one.
    fn batch_of(&self, stored: usize, left: usize) -> usize {
        (stored / 8).min(left / 2).clamp(self.batch, self.batch.saturating_mul(8))
    }

    #[allow(clippy::too_many_arguments)] // The gathering vectors of one commit.
    fn take(
        &self,
        importer: &mut Importer<'_>,
        delivery: Delivery,
        urls: &mut Vec<(Sha1Digest, String)>,
        failed: &mut Vec<(UpdateIdentity, String)>,
        good: &mut Vec<UpdateIdentity>,
        expired: &mut u64,
        upstream: &str,
    ) -> Result<(), StoreError> {
        urls.extend(delivery.urls);
        for revision in delivery.packed {
            good.push(revision.identity());
            *expired += u64::from(revision.expired());
            importer.add_packed(&revision)?;
        }
        for (identity, reason) in delivery.refused {
            importer.reject(format!("{upstream}: {identity}"), Some(identity.update), reason.clone());
            failed.push((identity, reason));
        }
        Ok(())
    }
}

/// Updates that expired with a revision that cannot be removed, though some group is to remove them.
fn kept_for_removal(updates: &BTreeSet<UpdateId>) -> Option<String> {
    let first = updates.first()?;
    let (which, its) = match updates.len() {
        1 => (format!("the update {first} expired"), "its"),
        count => (format!("{count} updates expired, {first} among them,"), "their"),
    };
    Some(format!(
        "{which} with a revision that computers cannot remove, though a group is to remove what it has: the revision before \
         stays in service for that, {its} approvals for installation are withdrawn, and `sluicegate updates show` says what \
         waits; decline it once nothing has to be removed any more"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::{Guid, RevisionNumber};

    #[test]
    fn batches_come_in_the_order_of_the_list_between_what_is_urgent_and_what_can_wait() {
        let id = |n: u128| UpdateIdentity {
            update: UpdateId(Guid::from_u128(n)),
            revision: RevisionNumber::new(1).unwrap(),
        };
        let batch = |n: u128, again| Batch { ids: vec![id(n)], again };
        let mut queue = Queue::new((0..5).map(id).collect(), 2);
        assert_eq!(queue.next().map(|batch| batch.ids), Some(vec![id(0), id(1)]));
        queue.last.push_back(batch(20, true));
        queue.first.push(batch(10, false));
        let order: Vec<_> =
            std::iter::from_fn(|| queue.next().map(|batch| (batch.ids, batch.again))).collect();
        let rest =
            [(vec![id(10)], false), (vec![id(2), id(3)], false), (vec![id(4)], false), (vec![id(20)], true)];
        assert_eq!(order, rest);
        assert!(Queue::new(Vec::new(), 0).next().is_none());
    }
}
