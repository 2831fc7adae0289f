//! Session: the operations of a scan, each as a function of what the agent knows. Large answers are
//! handed to a closure while they are borrowed from the body, so nothing is copied that nobody keeps.

use super::{CLIENT, REPORTING, Session, UsesIds, read};
use crate::cache::{Deployment, HeldIds};
use crate::error::AgentError;
use crate::profile::Profile;
use sluicegate_soap::client::sync_updates::{
    CategoryIdentifier, ComputerHardwareSpecification, Device, ProductsParameters,
};
use sluicegate_soap::client::{
    CategoryRelationship, Cookie, Deployment as WireDeployment, FileLocation, FragmentType,
    GetExtendedUpdateInfoRequest, GetExtendedUpdateInfoResponse, GetFileLocationsRequest,
    GetFileLocationsResponse, RefreshCacheRequest, RefreshCacheResponse, StartCategoryScanRequest,
    StartCategoryScanResponse, SyncInfo, SyncUpdateParameters, SyncUpdatesRequest, SyncUpdatesResponse,
    UpdateData,
};
use sluicegate_soap::reporting::{ReportEventBatchRequest, ReportEventBatchResponse, ReportingEvent};
use sluicegate_soap::text::Text;
use sluicegate_terms::{RevisionId, Sha1Digest, UpdateId, UpdateIdentity};

/// Identities of one RefreshCache call (observed-behaviour 4).
const REFRESH_AT_ONCE: usize = 200;
/// Digests of one GetFileLocations call (observed-behaviour 4).
const LOCATIONS_AT_ONCE: usize = 100;
/// Events of one ReportEventBatch call. 312 ids in one event were accepted; batches stay small.
const EVENTS_AT_ONCE: usize = 100;

/// What a SyncUpdates answer says beside its updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncFacts {
    /// Call again: there is more.
    pub truncated: bool,
    /// No driver pass is needed.
    pub driver_sync_not_needed: bool,
}

/// One revision that RefreshCache named: identity, number, deployment, leaf.
pub(crate) type Refreshed = (UpdateIdentity, RevisionId, Deployment, bool);

impl Session {
    /// Asks which categories to filter by (MS-WUSP 3.1.5.6). Needs no cookie (observed).
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn start_category_scan(
        &mut self,
        categories: &[UpdateId],
    ) -> Result<Vec<UpdateId>, AgentError> {
        let body = self
            .call(CLIENT, UsesIds::No, |_, _| StartCategoryScanRequest {
                requested_categories: categories
                    .iter()
                    .map(|id| CategoryRelationship { index_of_and_group: 0, category_id: *id })
                    .collect(),
            })
            .await?
            .body;
        let answer: StartCategoryScanResponse = read(&body, &self.limits)?;
        Ok(answer.preferred_category_ids.into_iter().map(UpdateId).collect())
    }

    /// One page of the software pass (MS-WUSP 3.1.5.7), limited to `categories` unless that is empty.
    ///
    /// # Errors
    /// [`AgentError::RefreshRequired`] when held ids went stale; other [`AgentError`]s.
    pub async fn sync_software<T>(
        &mut self,
        held: &HeldIds,
        categories: &[UpdateId],
        take: impl FnOnce(&SyncInfo<'_>) -> Result<T, AgentError>,
    ) -> Result<(T, SyncFacts), AgentError> {
        self.sync(take, |profile| SyncUpdateParameters {
            installed_non_leaf: held.installed_non_leaf.clone(),
            other_cached: held.other.clone(),
            filter_categories: categories.iter().map(|id| CategoryIdentifier { id: *id }).collect(),
            also_perform_regular_sync: Some(categories.is_empty()),
            computer_spec: Some(ComputerHardwareSpecification::default()),
            ..common(profile)
        })
        .await
    }

    /// The driver pass: one call with every device (observed-behaviour 3.1).
    ///
    /// # Errors
    /// As [`Self::sync_software`].
    pub async fn sync_drivers<T>(
        &mut self,
        held: &HeldIds,
        devices: &[Device],
        take: impl FnOnce(&SyncInfo<'_>) -> Result<T, AgentError>,
    ) -> Result<(T, SyncFacts), AgentError> {
        self.sync(take, |profile| SyncUpdateParameters {
            installed_non_leaf: held.installed_non_leaf.clone(),
            system_spec: devices.to_vec(),
            skip_software_sync: true,
            also_perform_regular_sync: Some(true),
            computer_spec: Some(ComputerHardwareSpecification { hardware_ids: profile.hardware_ids.clone() }),
            feature_score_matching_key: Some(profile.feature_score_key()),
            ..common(profile)
        })
        .await
    }

    async fn sync<T>(
        &mut self,
        take: impl FnOnce(&SyncInfo<'_>) -> Result<T, AgentError>,
        parameters: impl Fn(&Profile) -> SyncUpdateParameters<'static>,
    ) -> Result<(T, SyncFacts), AgentError> {
        let reply = self
            .call(CLIENT, UsesIds::Yes, |profile, cookie| SyncUpdatesRequest {
                cookie,
                parameters: Some(parameters(profile)),
            })
            .await?;
        let (result, facts, cookie) = {
            let info = read::<SyncUpdatesResponse<'_>>(&reply.body, &self.limits)?.info;
            let not_needed = info.driver_sync_not_needed.as_deref();
            let facts = SyncFacts {
                truncated: info.truncated,
                driver_sync_not_needed: not_needed.is_some_and(|text| text.eq_ignore_ascii_case("true")),
            };
            let page = reply.page.as_ref().map_or(&info, |page| &page.info);
            (take(page)?, facts, info.new_cookie)
        };
        self.take_cookie(cookie);
        Ok((result, facts))
    }

    /// Extended and localized fragments of revisions (MS-WUSP 3.1.5.9), at most as many as the server
    /// takes at once. File locations that come along are kept, see [`Self::location`].
    ///
    /// # Errors
    /// As [`Self::sync_software`].
    pub async fn extended_info<T>(
        &mut self,
        revisions: &[RevisionId],
        take: impl FnOnce(&[UpdateData<'_>]) -> Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        let body = self
            .call(CLIENT, UsesIds::Yes, |profile, cookie| GetExtendedUpdateInfoRequest {
                cookie,
                // A RevisionId fits the wire type by its own rule.
                revision_ids: revisions.iter().map(|id| id.get().cast_signed()).collect(),
                info_types: vec![FragmentType::Extended, FragmentType::LocalizedProperties],
                locales: profile.locales.clone(),
                device_attributes: Some(Text::new(&profile.device_attributes())),
                geo_id: Some(profile.geo_id.clone()),
                caller_attributes: Some(Text::new(&profile.caller_attributes())),
            })
            .await?
            .body;
        let (result, locations) = {
            let info = read::<GetExtendedUpdateInfoResponse<'_>>(&body, &self.limits)?.info;
            (take(&info.updates)?, info.file_locations)
        };
        self.keep_locations(locations);
        Ok(result)
    }

    /// How many revisions one [`Self::extended_info`] may ask for (`MaxExtendedUpdatesPerRequest`).
    /// Real servers say 50 and take 50, though the specification wants fewer than it (observed).
    #[must_use]
    pub fn extended_at_once(&self) -> usize {
        self.property("MaxExtendedUpdatesPerRequest")
            .and_then(|n| n.parse().ok())
            .unwrap_or(50)
            .clamp(1, 1000)
    }

    /// Where a file is, as the server last said.
    #[must_use]
    pub fn location(&self, sha1: Sha1Digest) -> Option<&str> {
        self.locations.get(&sha1).map(AsRef::as_ref)
    }

    /// Asks again where files are. A step of getting ready after the fault FileLocationChanged; the
    /// cookie that comes along ends that fault (MS-WUSP 3.1.5.10).
    pub(super) async fn relocate(&mut self) -> Result<(), AgentError> {
        let known: Vec<Sha1Digest> = self.locations.keys().copied().collect();
        let path = self.caller.pool.address().join(CLIENT);
        for digests in known.chunks(LOCATIONS_AT_ONCE) {
            let request =
                GetFileLocationsRequest { cookie: self.cookie.clone(), file_digests: digests.to_vec() };
            let body = self.caller.call(&path, &request).await?.body;
            let result = read::<GetFileLocationsResponse>(&body, &self.limits)?.result;
            self.keep_locations(result.file_locations);
            self.take_cookie(result.new_cookie);
        }
        if known.is_empty() {
            // Nothing to ask for; a new cookie is made for the current locations.
            self.old_cookie = self.cookie.take();
        }
        self.relocate_due = false;
        Ok(())
    }

    fn keep_locations(&mut self, locations: Vec<FileLocation>) {
        for location in locations {
            if let (Some(digest), Some(url)) = (location.file_digest, location.url) {
                self.locations.insert(digest, url.into_boxed_str());
            }
        }
    }

    /// Asks for this server's numbers of held revisions (MS-WUSP 3.1.5.8). After it, ids may be used.
    ///
    /// # Errors
    /// [`AgentError`].
    pub(crate) async fn refresh_cache(
        &mut self,
        held: &[UpdateIdentity],
    ) -> Result<Vec<Refreshed>, AgentError> {
        let mut refreshed = Vec::with_capacity(held.len());
        for identities in held.chunks(REFRESH_AT_ONCE) {
            let body = self
                .call(CLIENT, UsesIds::No, |_, cookie| RefreshCacheRequest {
                    cookie,
                    global_ids: identities.to_vec(),
                })
                .await?
                .body;
            let answer: RefreshCacheResponse = read(&body, &self.limits)?;
            refreshed.extend(answer.revisions.into_iter().filter_map(|revision| {
                let deployment = deployment(revision.deployment.as_ref()?);
                Some((revision.identity?, revision.revision, deployment, revision.is_leaf))
            }));
        }
        self.refresh_due = false;
        Ok(refreshed)
    }

    /// Reports events, in batches.
    ///
    /// # Errors
    /// [`AgentError`]; events of batches before the failing one have arrived.
    pub async fn report(&mut self, events: &[ReportingEvent]) -> Result<(), AgentError> {
        for batch in events.chunks(EVENTS_AT_ONCE) {
            let now = self.clock.now();
            let body = self
                .call(REPORTING, UsesIds::No, |_, cookie: Option<Cookie>| ReportEventBatchRequest {
                    cookie,
                    client_time: now,
                    events: batch.to_vec(),
                })
                .await?
                .body;
            if !read::<ReportEventBatchResponse>(&body, &self.limits)?.received {
                return Err(AgentError::EventsRefused { events: batch.len() });
            }
        }
        Ok(())
    }
}

/// How a revision is deployed, as far as an agent cares.
pub(crate) fn deployment(wire: &WireDeployment) -> Deployment {
    Deployment { id: wire.id, action: wire.action, deadline: wire.deadline }
}

/// The same of a delivered revision, where it must be: a real agent fails without it
/// (observed-behaviour 3.2).
pub(crate) fn deployment_of(
    revision: RevisionId,
    wire: Option<&WireDeployment>,
) -> Result<Deployment, AgentError> {
    wire.map(deployment).ok_or(AgentError::NoDeployment { revision: revision.get() })
}

/// What every SyncUpdates request has in common (observed-behaviour 3.1).
fn common(profile: &Profile) -> SyncUpdateParameters<'static> {
    SyncUpdateParameters {
        express_query: Some(false),
        need_two_group_out_of_scope: Some(true),
        products_parameters: Some(ProductsParameters {
            sync_current_version_only: Some(false),
            device_attributes: Some(Text::new(&profile.device_attributes())),
            caller_attributes: Some(Text::new(&profile.caller_attributes())),
            products: Some(Text::new("")),
        }),
        ..SyncUpdateParameters::default()
    }
}
