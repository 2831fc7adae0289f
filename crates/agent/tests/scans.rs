//! Scans: paging, what is sent back, refreshed ids, the limit of round trips (MS-WUSP 3.1.5.7).

mod support;

use sluicegate_agent::cache::{HeldIds, Verdict};
use sluicegate_agent::fleet::{Installed, LightHolder};
use sluicegate_agent::scan::{Holder as _, MOST_TRIPS, ScanPlan, scan};
use sluicegate_agent::{AgentError, HResult};
use sluicegate_soap::client::SyncInfo;
use sluicegate_soap::client::sync_updates::Device;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_terms::{DeploymentAction, Guid, UpdateId};
use std::sync::Arc;
use support::protocol::{Script, compressed, core, fault, good, page, sync, update};
use support::{FakeServer, Seen};

/// Installed: every update with an even number.
fn holder() -> LightHolder {
    let installed: Arc<Installed> =
        Arc::new(
            |_, update| {
                if update.0.as_u128() % 2 == 0 { Verdict::Installed } else { Verdict::NotApplicable }
            },
        );
    LightHolder::new(0, installed)
}

fn category(id: i64, number: u128) -> sluicegate_soap::client::UpdateInfo<'static> {
    update(id, DeploymentAction::Evaluate, false, &core(number, "Category", ""))
}

fn leaf(id: i64) -> sluicegate_soap::client::UpdateInfo<'static> {
    update(id, DeploymentAction::PreDeploymentCheck, true, &core(101, "Software", ""))
}

fn syncs(server: &FakeServer) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.operation == "SyncUpdates").collect()
}

/// The numbers in an array of a request.
fn ids(seen: &Seen, array: &str) -> Vec<i32> {
    let open = format!("<{array}>");
    let Some((_, rest)) = seen.body.split_once(&open) else { return Vec::new() };
    let (inside, _) = rest.split_once(&format!("</{array}>")).unwrap();
    inside.split("<int>").filter_map(|part| part.split('<').next()?.parse().ok()).collect()
}

#[tokio::test]
async fn pages_are_fetched_until_one_brings_no_non_leaf_and_is_not_truncated() {
    let script = Script::default()
        .then("SyncUpdates", compressed(page(vec![category(9, 2), category(4, 3)], false)))
        .then("SyncUpdates", compressed(page(vec![leaf(7)], true)))
        .then("SyncUpdates", compressed(page(vec![leaf(6)], false)));
    let server = script.serve().await;
    let mut holder = holder();
    let summary = scan(&mut server.session(), &mut holder, ScanPlan::default()).await.unwrap();
    assert_eq!((summary.trips, summary.new_updates, summary.refreshes), (3, 4, 0));
    let syncs = syncs(&server);
    assert_eq!(syncs.len(), 3);
    assert!(!syncs[0].body.contains("InstalledNonLeafUpdateIDs"), "a fresh client leaves the arrays out");
    assert!(!syncs[0].body.contains("OtherCachedUpdateIDs"));
    assert_eq!(ids(&syncs[2], "InstalledNonLeafUpdateIDs"), [9]);
    assert_eq!(ids(&syncs[2], "OtherCachedUpdateIDs"), [4, 7]);
    // Each NewCookie replaces the cookie: AQEB is three times 1, AgIC three times 2.
    assert!(syncs[0].body.contains("<EncryptedData>AQEB</EncryptedData>"));
    assert!(syncs[1].body.contains("<EncryptedData>AgIC</EncryptedData>"));
    for part in [
        "<ExpressQuery>false</ExpressQuery>",
        "<SkipSoftwareSync>false</SkipSoftwareSync>",
        "<NeedTwoGroupOutOfScopeUpdates>true</NeedTwoGroupOutOfScopeUpdates>",
        "<AlsoPerformRegularSync>true</AlsoPerformRegularSync>",
        "<ProductsParameters>",
    ] {
        assert!(syncs[0].body.contains(part), "{part}");
    }
    assert!(!syncs[0].body.contains("SystemSpec"));
    assert_eq!(holder.ids(), HeldIds { installed_non_leaf: vec![9], other: vec![4, 6, 7] });
}

#[tokio::test]
async fn the_driver_pass_is_one_call_with_devices_and_without_other_ids() {
    let script = Script::default().then("SyncUpdates", page(vec![leaf(7)], false));
    let server = script.serve().await;
    let device = Device { hardware_ids: vec!["PCI\\VEN_1AF4".to_owned()], ..Device::default() };
    let plan = ScanPlan { devices: &[device], ..ScanPlan::default() };
    scan(&mut server.session(), &mut holder(), plan).await.unwrap();
    let syncs = syncs(&server);
    assert_eq!(syncs.len(), 2);
    assert!(syncs[1].body.contains("<SkipSoftwareSync>true</SkipSoftwareSync>"));
    assert!(syncs[1].body.contains("<SystemSpec><Device><HardwareIDs><string>PCI\\VEN_1AF4</string>"));
    assert!(syncs[1].body.contains("<FeatureScoreMatchingKey>AMD64.10.0</FeatureScoreMatchingKey>"));
    assert!(!syncs[1].body.contains("OtherCachedUpdateIDs"));
}

#[tokio::test]
async fn no_driver_pass_when_the_server_says_none_is_needed() {
    let done = SyncInfo { driver_sync_not_needed: Some("true".to_owned()), ..SyncInfo::default() };
    let server = Script::default().then("SyncUpdates", sync(done)).serve().await;
    let plan = ScanPlan { devices: &[Device::default()], ..ScanPlan::default() };
    assert_eq!(scan(&mut server.session(), &mut holder(), plan).await.unwrap().trips, 1);
}

#[tokio::test]
async fn a_category_scan_filters_by_what_the_server_prefers() {
    let server = Script::default().serve().await;
    let categories = [UpdateId(Guid::from_u128(1))];
    let plan = ScanPlan { categories: &categories, ..ScanPlan::default() };
    scan(&mut server.session(), &mut holder(), plan).await.unwrap();
    let seen = server.seen();
    let start = seen.iter().find(|seen| seen.operation == "StartCategoryScan").unwrap();
    assert!(!start.body.contains("cookie"), "StartCategoryScan has no cookie");
    let sync = &syncs(&server)[0].body;
    assert!(sync.contains("<Id>00000000-0000-0000-0000-000000000005</Id>"), "{sync}");
    assert!(sync.contains("<AlsoPerformRegularSync>false</AlsoPerformRegularSync>"));
}

#[tokio::test]
async fn another_server_means_refreshed_ids_and_the_scan_goes_on() {
    let script = Script::default()
        .then("SyncUpdates", page(vec![category(9, 2)], false))
        .then("SyncUpdates", fault(ErrorCode::ServerChanged))
        .then("SyncUpdates", page(vec![leaf(7)], false));
    let server = script.serve().await;
    let summary = scan(&mut server.session(), &mut holder(), ScanPlan::default()).await.unwrap();
    assert_eq!((summary.trips, summary.refreshes), (3, 1));
    // A light agent knows no identities, so it starts from nothing instead of asking RefreshCache.
    let expected = ["SyncUpdates", "GetConfig", "GetAuthorizationCookie", "GetCookie", "RegisterComputer"];
    let operations = server.operations();
    assert!(operations.windows(5).any(|window| window == expected), "{operations:?}");
    assert!(ids(&syncs(&server)[2], "InstalledNonLeafUpdateIDs").is_empty());
}

#[tokio::test]
async fn two_hundred_round_trips_are_enough_for_any_agent() {
    let server = FakeServer::start(|seen| match seen.operation.as_str() {
        "SyncUpdates" => page(Vec::new(), true),
        _ => good(seen),
    })
    .await;
    let error = scan(&mut server.session(), &mut holder(), ScanPlan::default()).await.unwrap_err();
    assert!(matches!(error, AgentError::TooManyTrips { trips: MOST_TRIPS }), "{error}");
    assert_eq!(error.hresult(), HResult::EXCEEDED_MAX_SERVER_TRIPS);
    assert_eq!(error.hresult().to_string(), "0x80244010");
    assert_eq!(syncs(&server).len(), 200);
}

#[tokio::test]
async fn a_broken_compressed_answer_is_an_error_and_not_a_crash() {
    let mut broken = compressed(page(vec![leaf(7)], false));
    let cut = broken.body().slice(..broken.body().len() - 3);
    *broken.body_mut() = cut;
    let server = Script::default().then("SyncUpdates", broken).serve().await;
    let error = scan(&mut server.session(), &mut holder(), ScanPlan::default()).await.unwrap_err();
    assert!(matches!(error, AgentError::Encoding { .. }), "{error}");
}
