//! Synchronization: the upstream's configuration, its categories, and the updates that the filter chooses
//! (MS-WSUSSS 3.2.4.2).

use super::listing::plan;
use super::session::{LARGEST_ANSWER, LARGEST_LIST, PROTOCOL, Session};
use super::unusable::is_given_up;
use super::{Run, SyncError};
use crate::transport::Failure;
use sluicegate_soap::server_sync::{
    GetConfigDataRequest, GetConfigDataResponse, GetRevisionIdListRequest, GetRevisionIdListResponse,
    ServerSyncConfigData, ServerSyncFilter,
};
use sluicegate_store::CategoryPlace;
use sluicegate_store::hierarchy::UpstreamFacts;
use sluicegate_terms::UpdateIdentity;
use std::collections::HashSet;

/// Bundles within bundles that are followed.
const DEEPEST_BUNDLE: usize = 32;

/// So many ids or titles are told; more fill a log and help nobody.
pub(super) const SHOWN: usize = 20;

impl Run {
    /// Asks for the configuration that governs the run.
    pub(super) async fn configuration(&mut self) -> Result<(), SyncError> {
        let state = self.on_store(|store| store.sync_state()).await?;
        let config = ask_configuration(&self.session, state.config_anchor).await?;
        let facts = UpstreamFacts {
            catalog_only: config.catalog_only_sync,
            lazy: config.lazy_sync,
            express: config.server_hosts_psf_files,
            updates_per_request: u32::try_from(config.max_updates_per_request).unwrap_or(0),
            protocol: config.protocol_version.unwrap_or_default(),
        };
        let anchor = config.new_config_anchor;
        self.on_store(move |store| {
            store.change_sync_state(|state| {
                state.facts = facts;
                state.config_anchor = anchor;
            })
        })
        .await
        .map(|_| ())
    }

    /// Fetches categories, classifications and detectoids. Real servers list several revisions of one
    /// (observed-behaviour 8); all are taken.
    pub(super) async fn categories(&mut self) -> Result<(), SyncError> {
        let anchor = self.on_store(|store| store.sync_state()).await?.categories_anchor;
        let filter = ServerSyncFilter {
            anchor,
            get_config: true,
            get_63_language_only: Some(false),
            ..ServerSyncFilter::default()
        };
        let (listed, anchor) = self.list(filter).await?;
        self.fetch_missing(listed).await?;
        self.on_store(move |store| store.change_sync_state(|state| state.categories_anchor = Some(anchor)))
            .await
            .map(|_| ())
    }

    /// Fetches the updates that the filter chooses, and what they bundle.
    pub(super) async fn updates(&mut self) -> Result<(), SyncError> {
        let (state, known) =
            self.on_store(|store| Ok((store.sync_state()?, store.category_places()?))).await?;
        self.warn_of_lost_categories(&known);
        let plan = plan(&self.settings.filter, &known, state.updates_anchor.as_deref(), &state.covered);
        if plan.filters.is_empty() {
            return Err(SyncError::Filter("it chooses no products or no classifications".to_owned()));
        }
        let mut listed = Vec::new();
        let mut kept = None;
        for filter in plan.filters {
            let (more, anchor) = self.list(filter).await?;
            kept.get_or_insert(anchor);
            listed.extend(more);
        }
        self.fetch_missing(listed).await?;
        self.fetch_members().await?;
        self.count_strays().await?;
        let covers = plan.covers;
        self.on_store(move |store| {
            store.change_sync_state(|state| {
                state.updates_anchor = kept;
                state.covered = covers;
            })
        })
        .await
        .map(|_| ())
    }

    /// Fetches what bundles need: what a filter does not list is reached through them (observed-behaviour 8).
    pub(super) async fn fetch_members(&mut self) -> Result<(), SyncError> {
        let mut asked = HashSet::new();
        for _ in 0..DEEPEST_BUNDLE {
            let mut members = self.on_store(|store| store.missing_members()).await?;
            members.retain(|member| asked.insert(*member));
            if members.is_empty() {
                break;
            }
            self.fetch_missing(members).await?;
        }
        Ok(())
    }

    /// What the filter chooses and the catalog no longer has stays chosen: it may come back.
    fn warn_of_lost_categories(&self, known: &[CategoryPlace]) {
        let filter = &self.settings.filter;
        let chosen = filter.products.listed().into_iter().chain(filter.classifications.listed()).flatten();
        let lost: Vec<String> = chosen
            .filter(|id| !known.iter().any(|place| place.update == **id))
            .map(ToString::to_string)
            .collect();
        if !lost.is_empty() {
            let (count, lost) = (lost.len(), lost.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "));
            tracing::warn!(count, lost, "the filter chooses categories that the catalog does not have");
            let (categories, stay) = match count {
                1 => ("a category".to_owned(), "it stays"),
                _ => (format!("{count} categories"), "they stay"),
            };
            self.progress.warn(&format!(
                "the filter chooses {categories} that the catalog does not have, or no longer; {stay} chosen: {lost}"
            ));
        }
    }

    /// Counts what this run brought outside its filter (known problem P-20).
    async fn count_strays(&mut self) -> Result<(), SyncError> {
        let (filter, number) = (self.settings.filter.clone(), self.number);
        let strays = self.on_store(move |store| store.strays(&filter)).await?;
        let fresh: Vec<_> = strays.iter().filter(|stray| stray.run == number).collect();
        for stray in fresh.iter().take(SHOWN) {
            tracing::warn!(update = %stray.update, title = stray.title, "came outside the filter");
        }
        let count = fresh.len() as u64;
        self.progress.update(|p| p.counts.strays = count);
        Ok(())
    }

    async fn list(&mut self, filter: ServerSyncFilter) -> Result<(Vec<UpdateIdentity>, String), SyncError> {
        self.check_stop()?;
        let make = |cookie| GetRevisionIdListRequest { cookie: Some(cookie), filter: Some(filter.clone()) };
        let body = self.session.call(LARGEST_LIST, make).await?;
        self.progress.answered(body.len() as u64, self.around.now());
        let session = std::sync::Arc::clone(&self.session);
        let list = tokio::task::spawn_blocking(move || {
            let decode = || session.decode_list::<GetRevisionIdListResponse>(&body);
            sluicegate_allocator::bulk(decode).map(|answer| answer.list)
        })
        .await??;
        let anchor = list.anchor.filter(|anchor| !anchor.is_empty()).ok_or_else(|| SyncError::Answer {
            call: "GetRevisionIdList",
            reason: "it has no anchor to ask with next time".to_owned(),
        })?;
        Ok((list.new_revisions, anchor))
    }

    /// Fetches those of the revisions that are not here; what failed lately is left for later.
    async fn fetch_missing(&mut self, mut listed: Vec<UpdateIdentity>) -> Result<(), SyncError> {
        let now = self.around.now();
        let missing = self
            .on_store(move |store| {
                let (given_up, failed): (Vec<_>, Vec<_>) =
                    store.failed_revisions()?.into_iter().partition(|failed| is_given_up(failed, now));
                if !given_up.is_empty() {
                    let revisions = given_up.len();
                    tracing::info!(
                        revisions,
                        "the upstream has not given them for 90 days; they are not asked for again"
                    );
                    let given_up: Vec<_> = given_up.into_iter().map(|failed| failed.identity).collect();
                    store.forget_failed_revisions(&given_up)?;
                }
                // What failed is asked for again when its time has come, listed or not.
                listed.extend(failed.iter().filter(|f| !f.waits(now)).map(|f| f.identity));
                let later: HashSet<_> = failed.iter().filter(|f| f.waits(now)).map(|f| f.identity).collect();
                listed.retain(|identity| !later.contains(identity));
                keep_first_of_each(&mut listed);
                let missing = store.missing_revisions(&listed)?;
                if !failed.is_empty() {
                    let open: HashSet<_> = missing.iter().copied().collect();
                    let good: Vec<_> = failed
                        .iter()
                        .map(|f| f.identity)
                        .filter(|id| !open.contains(id) && !later.contains(id))
                        .collect();
                    store.forget_failed_revisions(&good)?;
                }
                Ok(missing)
            })
            .await?;
        self.fetch(missing).await
    }
}

/// Takes out what is in the list a second time. Lists of a whole catalog have nothing twice, and sorting a copy goes through
/// memory in order, where a table would be touched everywhere at once.
fn keep_first_of_each(listed: &mut Vec<UpdateIdentity>) {
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    if sorted.is_sorted_by(|one, next| one < next) {
        return;
    }
    drop(sorted);
    let mut seen = HashSet::with_capacity(listed.len());
    listed.retain(|identity| seen.insert(*identity));
}

/// Asks for the configuration, and refuses an upstream that speaks another protocol.
pub(super) async fn ask_configuration(
    session: &Session,
    config_anchor: Option<String>,
) -> Result<ServerSyncConfigData, SyncError> {
    let make = |cookie| GetConfigDataRequest { cookie: Some(cookie), config_anchor: config_anchor.clone() };
    let body = session.call(LARGEST_ANSWER, make).await?;
    let config = session.decode::<GetConfigDataResponse>(&body)?.config;
    let protocol = config.protocol_version.clone().unwrap_or_default();
    if speaks(&protocol) {
        tracing::info!(
            upstream = %session.base(),
            its_protocol = if protocol.is_empty() { "not said" } else { protocol.as_str() },
            our_protocol = PROTOCOL,
            "the upstream lets this server in"
        );
        return Ok(config);
    }
    let failure = Failure::IncompatibleVersion { said: protocol, ours: PROTOCOL };
    Err(session.transport().error(session.base(), failure).into())
}

/// Whether we can talk with an upstream of this protocol version: major version 1 (MS-WSUSSS 1.7). Microsoft's own
/// service and old servers say nothing.
fn speaks(protocol: &str) -> bool {
    let major = protocol.trim().split('.').next().unwrap_or_default();
    major.is_empty() || major == "1"
}

#[cfg(test)]
mod tests {
    use super::{keep_first_of_each, speaks};
    use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

    #[test]
    fn what_is_listed_twice_stays_where_it_was_first() {
        let identity = |n: u128, revision: i64| UpdateIdentity {
            update: UpdateId(Guid::from_u128(n)),
            revision: RevisionNumber::new(revision).unwrap(),
        };
        let once = vec![identity(3, 1), identity(1, 2), identity(1, 1), identity(2, 1)];
        let mut listed = once.clone();
        keep_first_of_each(&mut listed);
        assert_eq!(listed, once);
        listed.extend([identity(1, 2), identity(4, 1), identity(3, 1)]);
        keep_first_of_each(&mut listed);
        assert_eq!(listed, [once, vec![identity(4, 1)]].concat());
    }

    #[test]
    fn another_major_version_is_not_spoken() {
        assert!(speaks("1.20") && speaks("1.8") && speaks("") && speaks("1"));
        assert!(!speaks("2.0") && !speaks("10.1"));
    }
}
