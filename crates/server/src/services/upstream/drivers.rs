//! The driver calls (MS-WSUSSS 3.1.4.7, 3.1.4.8). They are for Microsoft Update as a caller; servers below an update
//! server get drivers with GetRevisionIdList like everything else, so GetConfigData names 0 as their limits as real
//! servers do (observed-behaviour 8). Who calls them all the same is answered, within the limits here.
//!
//! Driver sets are no part of any document: which drivers belong together on which computers stands in a targeting
//! XML of their own (3.1.4.8.3.2), and nothing by which a server below gets its catalog (3.2.4.2) carries one. So none
//! is here; computer ids that are in no driver set are to be ignored (3.1.4.7), and sets that are not found are left
//! out (3.1.4.8).

use super::{Caller, Failure, Reply, authorize, index};
use crate::hierarchy::anchor::SyncAnchor;
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_sync::{
    DriverSetAndRevisionIdList, GetDriverIdListRequest, GetDriverIdListResponse, GetDriverSetDataRequest,
    GetDriverSetDataResponse, IdAndDelta, ServerSyncDriverFilter,
};
use sluicegate_terms::UpdateId;
use std::collections::{BTreeSet, HashMap};

/// Most hardware ids, computers or driver sets in one request.
const MOST_IDS: usize = 1_000;

/// Answers GetDriverIdList: the newest revisions of drivers that fit any of the hardware ids. There are no
/// driver sets here, so none is new and none is gone; computer ids name driver sets only.
pub(super) fn get_list(
    app: &App,
    caller: &Caller,
    request: &GetDriverIdListRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let filter = request.filter.as_ref().ok_or_else(|| Failure::parameter("filter", "it is missing"))?;
    let since = SyncAnchor::optional(filter.anchor.as_deref())
        .map_err(|error| Failure::parameter("filter", error.to_string()))?
        .map(|since| app.lineage.take(since, app.store.anchor(), caller.now))
        .transpose()
        .map_err(Failure::OtherHistory)?;
    check_lengths(filter)?;
    let categories: Option<HashMap<UpdateId, bool>> = filter
        .categories
        .as_ref()
        .filter(|list| !list.is_empty())
        .map(|list| list.iter().map(|IdAndDelta { id, delta }| (UpdateId(*id), *delta)).collect());
    let index = index(app)?;
    let mut found = BTreeSet::new();
    for wanted in filter.pnp_hardware_ids.iter().flatten() {
        for driver in index.drivers_for(wanted.id.as_deref().unwrap_or_default()) {
            // Everything again unless both the hardware id and a category it is in ask for changes only.
            let delta = match &categories {
                None => wanted.delta,
                Some(categories) => {
                    let mut listed = driver.categories.iter().filter_map(|id| categories.get(id)).peekable();
                    if listed.peek().is_none() {
                        continue;
                    }
                    wanted.delta && listed.all(|delta| *delta)
                }
            };
            if !delta || since.is_none_or(|since| driver.arrived > since) {
                found.insert((driver.arrived, driver.identity.update, driver.identity.revision));
            }
        }
    }
    let identity = |(_, update, revision)| sluicegate_terms::UpdateIdentity { update, revision };
    let list = DriverSetAndRevisionIdList {
        anchor: Some(app.lineage.give(index.anchor()).to_string()),
        new_revisions: found.into_iter().map(identity).collect(),
        ..DriverSetAndRevisionIdList::default()
    };
    Ok(Reply::message(&GetDriverIdListResponse { list }, version))
}

fn check_lengths(filter: &ServerSyncDriverFilter) -> Result<(), Failure> {
    let lengths = [
        filter.computer_ids.as_ref().map_or(0, Vec::len),
        filter.pnp_hardware_ids.as_ref().map_or(0, Vec::len),
    ];
    match lengths.into_iter().max() {
        Some(length) if length > MOST_IDS => {
            let reason = format!("a list of it has {length} entries; at most {MOST_IDS} are taken at once");
            Err(Failure::parameter("filter", reason))
        }
        _ => Ok(()),
    }
}

/// Answers GetDriverSetData: none of any sets is here, and one that is not here is passed over.
pub(super) fn get_sets(
    app: &App,
    caller: &Caller,
    request: &GetDriverSetDataRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let Some(sets) = &request.driver_sets else {
        return Err(Failure::parameter("driverSets", "it is missing"));
    };
    if sets.len() > MOST_IDS {
        let reason = format!("it has {} entries; at most {MOST_IDS} are taken at once", sets.len());
        return Err(Failure::parameter("driverSets", reason));
    }
    Ok(Reply::message(&GetDriverSetDataResponse::default(), version))
}
