//! GetConfigData (MS-WSUSSS 3.1.4.4): what governs a synchronization.

use super::{Caller, Failure, Reply, authorize, languages};
use crate::hierarchy::anchor::SyncAnchor;
use crate::state::App;
use sluicegate_policy::hierarchy::ContentWhen;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_sync::{GetConfigDataRequest, GetConfigDataResponse, ServerSyncConfigData};
use sluicegate_terms::Anchor;

/// The version of the protocol between servers that is spoken here (observed-behaviour 8).
pub(super) const PROTOCOL: &str = "1.20";

/// Most revisions in GetUpdateData and in GetUpdateDecryptionData (observed-behaviour 8).
pub(super) const MOST_UPDATES: usize = 100;

/// Our own configuration anchors count from here on; they tell which languages were enabled.
const OWN_ANCHORS: u64 = 1 << 40;

/// Answers GetConfigData.
pub(super) fn get(
    app: &App,
    caller: &Caller,
    request: &GetConfigDataRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let known = SyncAnchor::optional(request.config_anchor.as_deref())
        .map_err(|error| Failure::parameter("configAnchor", error.to_string()))?;
    let upstream = app.store.upstream_settings();
    let list = languages::list(&upstream.filter.languages);
    let number = OWN_ANCHORS + languages::fingerprint(&list) % OWN_ANCHORS;
    // Only languages whose setting changed are told. A real server told none to any anchor (observed); an
    // anchor of another server says nothing of ours, so it gets the same.
    let unchanged = known.is_some_and(|known| known.change.0 == number || known.change.0 < OWN_ANCHORS);
    let most = i32::try_from(MOST_UPDATES).unwrap_or(i32::MAX);
    let config = ServerSyncConfigData {
        // Without files of its own, only the addresses it passes on help a downstream server. A server
        // without an upstream has the files an administrator put there.
        catalog_only_sync: upstream.source.is_some() && upstream.content.when == ContentWhen::Never,
        lazy_sync: upstream.content.when != ContentWhen::All,
        server_hosts_psf_files: upstream.content.express,
        // As real servers do (observed): their drivers come with GetRevisionIdList.
        max_computer_ids: Some(0),
        max_driver_sets: Some(0),
        max_pnp_hardware_ids: Some(0),
        max_updates_per_request: most,
        new_config_anchor: Some(SyncAnchor::new(caller.now, Anchor(number)).to_string()),
        protocol_version: Some(PROTOCOL.into()),
        languages: if unchanged { Vec::new() } else { list },
        max_updates_in_decryption_data: Some(most),
    };
    Ok(Reply::message(&GetConfigDataResponse { config }, version))
}
