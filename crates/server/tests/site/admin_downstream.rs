//! The admin API about the servers below this one: their computers, which of them may synchronize, and forgetting one.

use crate::support;

use serde_json::json;
use sluicegate_soap::server_reporting::{
    ComputerRollupDetails, ComputerRollupInfo, DownstreamServerRollupInfo, RollupComputersRequest,
    RollupDownstreamServersRequest,
};
use sluicegate_terms::Guid;
use support::{Downstream, Site, noon};

fn server(of: &Downstream<'_>) -> DownstreamServerRollupInfo {
    DownstreamServerRollupInfo {
        server_id: of.id,
        full_domain_name: Some(of.name.clone()),
        parent: Guid::ZERO,
        last_sync: noon(),
        last_rollup: noon(),
        ..Default::default()
    }
}

fn computer(name: &str, of: &Downstream<'_>, build: i32, old_product_type: u8) -> ComputerRollupInfo {
    ComputerRollupInfo {
        computer_id: Some(name.into()),
        last_sync: noon(),
        last_sync_result: 1,
        last_reported_reboot: noon(),
        last_reported_status: noon(),
        last_inventory: noon(),
        parent: of.id,
        details: Some(ComputerRollupDetails {
            full_domain_name: Some(format!("{name}.example.net")),
            os_major_version: 10,
            os_build_number: build,
            os_description: Some("Windows 10 Pro".into()),
            old_product_type,
            ..Default::default()
        }),
    }
}

/// Tells of a server with two computers.
async fn told(of: &Downstream<'_>) {
    let servers = Some(vec![server(of)]);
    of.call(&RollupDownstreamServersRequest { cookie: None, client_time: noon(), servers }).await;
    let computers = Some(vec![computer("pc-10", of, 19_045, 1), computer("pc-11", of, 26_200, 1)]);
    of.call(&RollupComputersRequest { cookie: None, client_time: noon(), computers }).await;
}

#[tokio::test]
async fn computers_below_are_called_windows_11_by_their_build() {
    let site = Site::start().await;
    told(&Downstream::authorized(&site, 1).await).await;
    let listed = site.manage("GET", "downstream/computers", json!(null)).await;
    assert_eq!(listed["computers"][0]["os"], "Windows 10 Pro (10.0.19045)");
    assert_eq!(listed["computers"][1]["os"], "Windows 11 Pro (10.0.26200)");
}

#[tokio::test]
async fn names_that_were_never_here_are_told_apart_and_those_no_host_can_have_refused() {
    let site = Site::start().await;
    let server = Downstream::authorized(&site, 1).await;
    told(&server).await;
    let names = [server.name.to_uppercase(), "midle.".to_owned()];
    let set = site.manage("PUT", "downstream/allowed", json!({ "allowed": names })).await;
    assert_eq!((&set["allowed"], &set["never_seen"]), (&json!([server.name, "midle"]), &json!(["midle"])));
    let set = site.manage("PUT", "downstream/allowed", json!({ "allowed": [server.id.to_string()] })).await;
    assert_eq!(set["never_seen"], json!([]));
    for odd in ["a b", "", " ", "north,south", "caf\u{e9}"] {
        let (status, refused) = site.admin("PUT", "downstream/allowed", json!({ "allowed": [odd] })).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid")), "{odd}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("letters, digits"), "{refused}");
    }
    let kept = site.manage("GET", "downstream", json!(null)).await;
    assert_eq!(kept["allowed"], json!([server.id.to_string()]));
}

#[tokio::test]
async fn a_slip_of_the_keys_does_not_turn_the_list_on_and_who_turns_it_on_is_told() {
    let site = Site::start().await;
    let (north, south) = (Downstream::authorized(&site, 1).await, Downstream::authorized(&site, 2).await);
    for server in [&north, &south] {
        told(server).await;
    }
    let slip = json!({ "remove": [&north.name[1..]] });
    let (status, refused) = site.admin("POST", "downstream/allowed", slip).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")), "{refused}");
    let kept = site.manage("GET", "downstream", json!(null)).await;
    assert_eq!((&kept["everybody"], &kept["allowed"]), (&json!(true), &json!([])));
    let began = site.manage("POST", "downstream/allowed", json!({ "remove": [north.name] })).await;
    assert_eq!(
        (&began["everybody_before"], &began["everybody"], &began["allowed"]),
        (&json!(true), &json!(false), &json!([south.id.to_string()]))
    );
    let again = site.manage("POST", "downstream/allowed", json!({ "add": [north.name] })).await;
    assert_eq!(again["everybody_before"], json!(false));
}

#[tokio::test]
async fn a_server_that_is_forgotten_goes_with_its_computers_and_is_listed_again_when_it_comes_again() {
    let site = Site::start().await;
    let (north, south) = (Downstream::authorized(&site, 1).await, Downstream::authorized(&site, 2).await);
    told(&north).await;
    told(&south).await;
    // It synchronized just now, which is not written down at once.
    north.updates_since(None).await;
    let ids = async || {
        let listed = site.manage("GET", "downstream", json!(null)).await;
        let servers = listed["servers"].as_array().unwrap().clone();
        servers.iter().map(|server| server["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    site.manage("PUT", "downstream/allowed", json!({ "allowed": [north.name, south.name] })).await;
    let path = format!("downstream/{}", south.id);
    let gone = site.manage("DELETE", &path, json!(null)).await;
    assert_eq!(
        gone,
        json!({ "id": south.id.to_string(), "name": south.name, "computers": 2, "on_the_list": true })
    );
    assert_eq!(ids().await, [north.id.to_string()]);
    let gone = site.manage("DELETE", &format!("downstream/{}", north.id), json!(null)).await;
    assert_eq!(gone["computers"], 0, "the other one told of the same computers last");
    assert!(ids().await.is_empty(), "not brought back by what was heard of it");
    let computers = site.manage("GET", "downstream/computers", json!(null)).await;
    assert_eq!(computers["computers"], json!([]));
    let (status, refused) = site.admin("GET", "downstream/computers/nobody%3Fc%23d", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("`nobody?c#d`"), "{refused}");
    for unknown in [path.as_str(), "downstream/south"] {
        let (status, refused) = site.admin("DELETE", unknown, json!(null)).await;
        assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")), "{refused}");
    }
    let audit = site.manage("GET", "audit", json!(null)).await;
    assert!(audit.to_string().contains("forget-downstream"), "{audit}");
    told(&Downstream::authorized(&site, 2).await).await;
    assert_eq!(ids().await, [south.id.to_string()]);
    let computers = site.manage("GET", "downstream/computers", json!(null)).await;
    assert_eq!(computers["computers"].as_array().unwrap().len(), 2);
}
