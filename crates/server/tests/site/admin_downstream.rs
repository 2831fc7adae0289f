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
