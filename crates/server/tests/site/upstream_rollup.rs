//! Rollup over HTTP: what downstream servers tell of themselves, of their computers and of the status of
//! those arrives, within the limits the configuration names (MS-WSUSSS 3.1.4.13 to 3.1.4.17).

use crate::support;

use sluicegate_policy::UpdateState;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_reporting::{
    ComputerChange, ComputerLastRollupNumber, ComputerRollupDetails, ComputerRollupInfo,
    ComputerStatusRollupInfo, ComputerStatusRollupUpdateStatus, DownstreamServerRollupClientSummary,
    DownstreamServerRollupInfo, DownstreamServerRollupServerSummary, GetOutOfSyncComputersRequest,
    GetOutOfSyncComputersResponse, GetRollupConfigurationRequest, GetRollupConfigurationResponse,
    RollupComputerStatusRequest, RollupComputerStatusResponse, RollupComputersRequest,
    RollupComputersResponse, RollupConfiguration, RollupDownstreamServersRequest,
};
use sluicegate_soap::simple_auth::PingRequest;
use sluicegate_soap::{Limits, ResponseMessage, SoapVersion};
use sluicegate_store::hierarchy::DownstreamComputerFilter;
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::{Guid, Timestamp};
use support::catalog::{PLAIN, update};
use support::{Downstream, Site, noon};

fn never() -> Timestamp {
    "1753-01-01T00:00:00Z".parse().unwrap()
}

async fn configuration(server: &Downstream<'_>) -> RollupConfiguration {
    let answer = server.call(&GetRollupConfigurationRequest::default()).await;
    GetRollupConfigurationResponse::decode(&answer.body, &Limits::ANSWER).unwrap().configuration
}

fn told(server: &Downstream<'_>, parent: Guid) -> DownstreamServerRollupInfo {
    DownstreamServerRollupInfo {
        server_id: server.id,
        full_domain_name: Some(server.name.clone()),
        parent,
        version: Some("10.0.26100.1".into()),
        is_replica: true,
        last_sync: noon(),
        last_rollup: never(),
        server_summary: Some(DownstreamServerRollupServerSummary { computers: 3, ..Default::default() }),
        ..Default::default()
    }
}

fn servers(list: Vec<DownstreamServerRollupInfo>) -> RollupDownstreamServersRequest {
    RollupDownstreamServersRequest { cookie: None, client_time: noon(), servers: Some(list) }
}

fn computers(list: Vec<ComputerRollupInfo>) -> RollupComputersRequest {
    RollupComputersRequest { cookie: None, client_time: noon(), computers: Some(list) }
}

fn computer(name: &str, parent: Guid, details: bool) -> ComputerRollupInfo {
    ComputerRollupInfo {
        computer_id: Some(name.into()),
        last_sync: noon(),
        last_sync_result: 1,
        last_reported_reboot: never(),
        last_reported_status: noon(),
        last_inventory: never(),
        parent,
        details: details.then(|| ComputerRollupDetails {
            full_domain_name: Some(format!("{name}.example.net")),
            os_build_number: 26_200,
            ..Default::default()
        }),
    }
}

fn status(name: &str, number: i32, states: &[(u128, i32)]) -> ComputerStatusRollupInfo {
    let updates = states.iter().map(|(id, state)| ComputerStatusRollupUpdateStatus {
        update: update(*id),
        state: *state,
        last_change: noon(),
    });
    ComputerStatusRollupInfo {
        computer_id: Some(name.into()),
        effective_last_detection: noon(),
        rollup_number: number,
        is_full: true,
        updates: updates.collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_configuration_has_the_limits_of_real_servers() {
    let site = Site::start().await;
    let server = Downstream::new(&site, 1);
    let told = configuration(&server).await;
    let limits = [told.max_downstream_servers, told.max_computers, told.max_out_of_sync, told.max_status];
    assert_eq!(limits, [5_000, 1_500, 20_000, 500]);
    assert!(told.do_detailed_rollup && told.server_id != Guid::ZERO);
    assert_eq!(configuration(&server).await, told, "the same mark while it is the same server");
    assert_eq!(server.send(&PingRequest { ping_level: 0 }, SoapVersion::V12).await.status, 200);
}

#[tokio::test]
async fn servers_computers_and_status_of_a_tree_arrive() {
    let mut site = Site::start().await;
    let (child_id, grandchild_id) = {
        let child = Downstream::authorized(&site, 1).await;
        let grandchild = Downstream::new(&site, 2);
        let list = vec![told(&child, Guid::ZERO), told(&grandchild, child.id)];
        child.call(&servers(list)).await;

        let list = vec![computer("pc-1", child.id, true), computer("pc-2", grandchild.id, false)];
        let answer = child.call(&computers(list)).await;
        let changed = RollupComputersResponse::decode(&answer.body, &Limits::ANSWER).unwrap().changed;
        assert_eq!(changed.len(), 1, "whose details are not known");
        assert_eq!(changed[0].computer_id.as_deref(), Some("pc-2"));
        assert_eq!(changed[0].change, ComputerChange::NewParent);
        let answer = child.call(&computers(vec![computer("pc-2", grandchild.id, true)])).await;
        assert!(RollupComputersResponse::decode(&answer.body, &Limits::ANSWER).unwrap().changed.is_empty());

        let out_of_sync = |numbers: &[(&str, i32)]| GetOutOfSyncComputersRequest {
            cookie: None,
            parent: child.id,
            last_rollup_numbers: Some(
                numbers
                    .iter()
                    .map(|(name, number)| ComputerLastRollupNumber {
                        computer_id: Some((*name).into()),
                        rollup_number: *number,
                    })
                    .collect(),
            ),
        };
        let behind = async |numbers: &[(&str, i32)]| {
            let answer = child.call(&out_of_sync(numbers)).await;
            GetOutOfSyncComputersResponse::decode(&answer.body, &Limits::ANSWER).unwrap().computers
        };
        let numbers = [("pc-1", 1), ("pc-2", 4), ("nobody", 1)];
        assert_eq!(behind(&numbers).await, ["pc-1", "pc-2", "nobody"], "what is not known is to be told too");
        assert_eq!(behind(&[("PC-1", 1), ("Pc-2", 4)]).await, ["PC-1", "Pc-2"], "as they were told");
        let request = RollupComputerStatusRequest {
            cookie: None,
            client_time: noon(),
            parent: child.id,
            computers: Some(vec![
                status("pc-1", 1, &[(PLAIN, 2)]),
                status("pc-2", 4, &[(PLAIN, 4)]),
                status("nobody", 1, &[(PLAIN, 5)]),
            ]),
        };
        let answer = child.call(&request).await;
        assert!(RollupComputerStatusResponse::decode(&answer.body, &Limits::ANSWER).unwrap().taken);
        assert_eq!(behind(&numbers).await, ["nobody"]);
        (child.id, grandchild.id)
    };
    site.stop().await;
    let store = Store::open(site.dir.path(), StoreOptions::new(noon())).unwrap();
    let known = store.downstream_servers().unwrap();
    let parents: Vec<_> = known.iter().map(|server| (server.told.id, server.told.parent)).collect();
    assert_eq!(parents, [(child_id, None), (grandchild_id, Some(child_id))]);
    assert_eq!(known[0].told.summary.computer_target_count, 3);
    let filter = DownstreamComputerFilter { limit: 10, ..Default::default() };
    let listed = store.downstream_computers(&filter).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].server_name, "child-1.example.net");
    assert_eq!(listed[0].states, [(UpdateState::NotInstalled, 1)]);
    assert_eq!(listed[1].states, [(UpdateState::Installed, 1)]);
    assert_eq!(listed[1].told.last_reboot, None, "1753 is never");
}

#[tokio::test]
async fn a_computer_that_went_to_a_server_that_is_refused_does_not_keep_others_from_being_told() {
    let site = Site::start().await;
    let (north, south) = (Downstream::authorized(&site, 1).await, Downstream::authorized(&site, 2).await);
    let on = |name: &str, server: Guid, seconds: i64| ComputerRollupInfo {
        last_sync: noon().plus_seconds(seconds),
        ..computer(name, server, true)
    };
    north.call(&servers(vec![told(&north, Guid::ZERO)])).await;
    south.call(&servers(vec![told(&south, Guid::ZERO)])).await;
    north.call(&computers(vec![on("moved", north.id, 0), on("stayed", north.id, 0)])).await;
    south.call(&computers(vec![on("moved", south.id, 10)])).await;
    let tell = |server: &Downstream<'_>, list| RollupComputerStatusRequest {
        cookie: None,
        client_time: noon(),
        parent: server.id,
        computers: Some(list),
    };
    south.call(&tell(&south, vec![status("moved", 1, &[(PLAIN, 4)])])).await;
    site.manage("PUT", "downstream/allowed", serde_json::json!({ "allowed": [north.name] })).await;
    let both = vec![status("moved", 1, &[(PLAIN, 2)]), status("stayed", 1, &[(PLAIN, 2)])];
    north.call(&tell(&north, both)).await;
    let state = async |name: &str| {
        let shown =
            site.manage("GET", &format!("downstream/computers/{name}"), serde_json::Value::Null).await;
        shown["updates"][0]["state"].clone()
    };
    assert_eq!((state("moved").await, state("stayed").await), ("installed".into(), "needed".into()));
    assert_eq!(south.refusal(&tell(&south, Vec::new())).await.0, ErrorCode::InvalidParameters);
}

#[tokio::test]
async fn servers_below_tell_everything_again_once_one_was_forgotten() {
    let site = Site::start().await;
    let child = Downstream::authorized(&site, 1).await;
    child.call(&servers(vec![told(&child, Guid::ZERO)])).await;
    let before = configuration(&child).await;
    site.manage("DELETE", &format!("downstream/{}", child.id), serde_json::Value::Null).await;
    let after = configuration(&child).await;
    assert_eq!(after.server_id, before.server_id);
    assert_ne!(after.rollup_reset, before.rollup_reset);
    assert_eq!(configuration(&child).await, after, "the same until the next is forgotten");
}

#[tokio::test]
async fn what_is_below_an_unknown_server_is_refused() {
    let site = Site::start().await;
    let child = Downstream::authorized(&site, 1).await;
    let stranger = Guid::from_u128(77);
    let server = servers(vec![told(&child, stranger)]);
    assert_eq!(child.refusal(&server).await.0, ErrorCode::InternalServerError);
    let list = computers(vec![computer("pc-1", stranger, true)]);
    assert_eq!(child.refusal(&list).await.0, ErrorCode::InternalServerError);
    let own = configuration(&child).await.server_id;
    let mut itself = told(&child, Guid::ZERO);
    itself.server_id = own;
    let wrong = (ErrorCode::InvalidParameters, "downstreamServers".to_owned());
    assert_eq!(child.refusal(&servers(vec![itself])).await, wrong);
}

#[tokio::test]
async fn lists_are_there_and_no_longer_than_the_configuration_says() {
    let site = Site::start().await;
    let child = Downstream::authorized(&site, 1).await;
    let wrong = |name: &str| (ErrorCode::InvalidParameters, name.to_owned());
    let none = RollupDownstreamServersRequest::default();
    assert_eq!(child.refusal(&none).await, wrong("downstreamServers"));
    let mut many = told(&child, Guid::ZERO);
    many.client_summaries = vec![DownstreamServerRollupClientSummary::default(); 5_001];
    assert_eq!(child.refusal(&servers(vec![many])).await, wrong("downstreamServers"));
    assert_eq!(child.refusal(&RollupComputersRequest::default()).await, wrong("computers"));
    let many = computers(vec![computer("pc", child.id, false); 1_501]);
    assert_eq!(child.refusal(&many).await, wrong("computers"));
    child.call(&computers(vec![computer("pc", child.id, false); 1_500])).await;
    assert_eq!(child.refusal(&computers(vec![computer("", child.id, false)])).await, wrong("computers"));
    assert_eq!(child.refusal(&GetOutOfSyncComputersRequest::default()).await, wrong("lastRollupNumbers"));
    let number = ComputerLastRollupNumber { computer_id: Some("pc".into()), rollup_number: 1 };
    let many = GetOutOfSyncComputersRequest {
        last_rollup_numbers: Some(vec![number; 20_001]),
        ..GetOutOfSyncComputersRequest::default()
    };
    assert_eq!(child.refusal(&many).await, wrong("lastRollupNumbers"));
    let tell = |list| RollupComputerStatusRequest { computers: list, ..Default::default() };
    assert_eq!(child.refusal(&tell(None)).await, wrong("computers"));
    let many = vec![status("pc", 1, &[]); 501];
    assert_eq!(child.refusal(&tell(Some(many))).await, wrong("computers"));
    let odd = vec![status("pc", 1, &[(PLAIN, 9)])];
    assert_eq!(child.refusal(&tell(Some(odd))).await, wrong("computers"));
    // 500 computers with 300 updates each are more than an agent may send, and are taken.
    let states: Vec<(u128, i32)> = (0..300).map(|id| (id, 4)).collect();
    child.call(&tell(Some(vec![status("pc", 2, &states); 500]))).await;
}

#[tokio::test]
async fn times_of_a_server_whose_clock_is_ahead_are_taken_by_the_clock_here() {
    const AHEAD: i64 = 3 * 3_600;
    let site = Site::start().await;
    let child = Downstream::authorized(&site, 1).await;
    child.call(&servers(vec![told(&child, Guid::ZERO)])).await;
    let asked = computer("pc-1", child.id, true);
    let asked = ComputerRollupInfo { last_sync: noon().plus_seconds(AHEAD - 600), ..asked };
    let message = computers(vec![asked]);
    child.call(&RollupComputersRequest { client_time: noon().plus_seconds(AHEAD), ..message }).await;
    let listed = site.manage("GET", "downstream/computers", serde_json::Value::Null).await;
    assert_eq!(listed["computers"][0]["last_sync"], noon().plus_seconds(-600).iso());
}
