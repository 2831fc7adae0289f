//! SyncUpdates (MS-WUSP 3.1.5.7): the request's checks, the query for the scan engine, and the cookie that
//! remembers what the client has been told. No SQL, and no lock held while the answer is made.

use super::{Caller, Failure, Reply, session, sync_answer};
use crate::admission::{Permit, Stage};
use crate::cookie::CategorySet;
use crate::publisher::Published;
use crate::state::App;
use crate::transport::coding::Coding;
use sluicegate_scan::{self as scan, PageBudget, ProtocolVersion, SyncQuery};
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::sync_updates::{SyncUpdateParameters, SyncUpdatesRequest};
use sluicegate_terms::{ComputerId, UpdateId};
use std::sync::Arc;

/// Escaped Core fragments take about this many times the room of their Xpress blocks (2.2 measured on
/// synthetic catalogs: each fragment is compressed by itself); how much room an answer needs is guessed
/// with it before it is made.
const XPRESS_RATIO: u64 = 2;

/// Answers SyncUpdates.
pub(super) async fn sync_updates(
    app: &Arc<App>,
    caller: &Caller,
    request: &SyncUpdatesRequest<'_>,
    version: SoapVersion,
    wanted: Coding,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let mut cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    let Some(parameters) = &request.parameters else {
        return Err(Failure::parameter("parameters", "it is missing"));
    };
    if !parameters.system_spec.is_empty() && !parameters.skip_software_sync {
        let reason = "it is given though the software pass is asked for";
        return Err(Failure::parameter("parameters.SystemSpec", reason));
    }
    let groups = session::check_for_sync(app, &cookie).await?;
    session::set_groups(&mut cookie, &groups);
    let held = parameters.installed_non_leaf.len() + parameters.other_cached.len();
    let stage = if held == 0 { Stage::Begins } else { Stage::Continues };
    let budget = PageBudget::default();
    let permit = room(app, budget.bytes(held), wanted, stage).await?;
    let published = published(app)?;
    let devices = devices(parameters);
    let categories: Vec<UpdateId> = parameters.filter_categories.iter().map(|category| category.id).collect();
    let (also_regular, drivers) =
        (parameters.also_perform_regular_sync.unwrap_or(false), parameters.skip_software_sync);
    // A scan of some categories says nothing about changes in the others, so the cookie keeps apart what it
    // has told.
    let partial =
        !categories.is_empty() && !also_regular && cookie.protocol >= ProtocolVersion::CATEGORY_SCAN;
    let partial = partial.then(|| CategorySet::of(&categories));
    let damaged = if published.found_damage() { published.cores.damaged() } else { Vec::new() };
    let query = SyncQuery {
        installed_non_leaf: &parameters.installed_non_leaf,
        other_cached: &parameters.other_cached,
        cached_drivers: &parameters.cached_drivers,
        system_spec: &devices,
        computer_hardware_ids: parameters.computer_spec.as_ref().map_or(&[], |spec| &spec.hardware_ids),
        feature_score_key: parameters.feature_score_matching_key.as_deref(),
        filter_categories: &categories,
        skip_software: drivers,
        also_regular,
        two_groups: parameters.need_two_group_out_of_scope.unwrap_or(false),
        groups: &groups,
        seen: cookie.seen(partial, drivers),
        protocol: cookie.protocol,
        budget,
        without: &damaged,
    };
    let mut scratch = app.scratches.take();
    let answer = scan::answer(&published.snapshot, &query, &mut scratch);
    app.scratches.give_back(scratch);
    cookie.note_seen(partial, drivers, answer.anchor);
    let cookie = session::seal(app, &cookie)?;
    let form = sync_answer::Form { printers: false, version, wanted };
    sync_answer::write(app, &published, answer, cookie, form, permit).await
}

/// The snapshot to answer from.
pub(super) fn published(app: &App) -> Result<Arc<Published>, Failure> {
    app.published.load_full().ok_or_else(|| Failure::Busy(crate::admission::Busy { retry_after: 5 }))
}

/// Room for an answer whose Core fragments may add up to `page` bytes, escaped.
pub(super) async fn room(app: &App, page: u64, wanted: Coding, stage: Stage) -> Result<Permit, Failure> {
    let bytes = if wanted == Coding::Xpress { page / XPRESS_RATIO } else { page };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(app.answers.admit(bytes, stage, || app.jitter()).await?)
}

/// The devices of a driver pass, as the engine takes them.
fn devices<'a>(parameters: &'a SyncUpdateParameters<'_>) -> Vec<scan::Device<'a>> {
    let texts = |list: &'a [String]| list.iter().map(String::as_str).collect::<Vec<_>>();
    parameters
        .system_spec
        .iter()
        .map(|device| scan::Device {
            hardware_ids: texts(&device.hardware_ids),
            compatible_ids: texts(&device.compatible_ids),
            installed: device.installed_driver.as_ref().map(|driver| scan::InstalledDriver {
                matching_id: driver.matching_id.as_deref(),
                ver_date: driver.driver_ver_date,
                ver_version: driver.driver_ver_version.0,
                class: driver.class.as_deref(),
                manufacturer: driver.manufacturer.as_deref(),
                provider: driver.provider.as_deref(),
                matching_computer_id: driver.matching_computer_hwid,
                rank: driver.driver_rank,
                skip_provider_filtering: driver.skip_provider_filtering.unwrap_or(false),
            }),
            extensions: device
                .extension_drivers
                .iter()
                .map(|driver| scan::ExtensionDriver {
                    extension_id: driver.extension_id.as_deref().unwrap_or_default(),
                    ver_date: driver.driver_ver_date,
                    ver_version: driver.driver_ver_version.0,
                    rank: driver.driver_rank,
                    matching_computer_id: driver.matching_computer_hwid,
                })
                .collect(),
            recovery_ids: texts(&device.driver_recovery_ids),
            flags: device.device_flags.unwrap_or(0),
        })
        .collect()
}
