//! Reporting: what agents report is durable, and a computer's status follows from it (observed-behaviour 6).

use crate::support;

use serde_json::json;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::reporting::{
    BasicData, ExtendedData, GetRequiredInventoryTypeRequest, ReportEventBatch2Request,
    ReportEventBatchRequest, ReportInventoryRequest, ReportingEvent, ReportingInventory,
    UpdateRevisionIdentifier,
};
use sluicegate_terms::{Guid, UpdateId};
use support::catalog::{self, BUNDLE, PLAIN, update};
use support::{Agent, Site, noon};

fn event(instance: u128, id: i32, update: Option<UpdateId>, misc: Vec<String>) -> ReportingEvent {
    ReportingEvent {
        basic: Some(BasicData {
            time_at_target: noon(),
            event_instance_id: Guid::from_u128(instance),
            namespace_id: 1,
            event_id: id,
            source_id: 101,
            update: Some(UpdateRevisionIdentifier {
                update: update.map_or(Guid::ZERO, |u| u.0),
                revision: 200,
            }),
            win32_hresult: if id == 182 { -2_145_116_147 } else { 0 },
            ..BasicData::default()
        }),
        extended: Some(ExtendedData { misc_data: misc, ..ExtendedData::default() }),
        private: None,
    }
}

fn status(instance: u128) -> ReportingEvent {
    let needed = format!("U={}", update(BUNDLE).to_string().to_uppercase());
    let installed = format!("V={}", update(PLAIN).to_string().to_uppercase());
    event(instance, 156, None, vec![needed, installed])
}

fn batch(agent: &Agent<'_>, events: Vec<ReportingEvent>) -> ReportEventBatchRequest {
    ReportEventBatchRequest { cookie: Some(agent.cookie.clone()), client_time: noon(), events }
}

#[tokio::test]
async fn a_status_event_becomes_the_computers_status_and_survives_a_restart() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    {
        let mut agent = Agent::new(&site, "pc-1");
        agent.join().await;
        let answer = agent.call(&batch(&agent, vec![event(1, 147, None, vec![]), status(2)])).await;
        assert_eq!(answer.element("ReportEventBatchResult").as_deref(), Some("true"));
        agent.call(&batch(&agent, vec![event(3, 182, Some(update(BUNDLE)), vec![])])).await;
    }
    site.restart().await;
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!((shown["failed"].as_u64(), shown["installed"].as_u64()), (Some(1), Some(1)), "{shown}");
    let states: Vec<(&str, &str)> = shown["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| (u["title"].as_str().unwrap(), u["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("Bundle of two (KB5000001)", "failed"), ("Plain update (KB5000002)", "installed")]);
    assert_eq!(shown["updates"][0]["error"], "0x8024200D");
    let listed = site.manage("GET", "updates?search=5000002", json!(null)).await;
    assert_eq!(listed["updates"][0]["installed"], 1);
}

#[tokio::test]
async fn a_repeated_event_is_accepted_and_kept_once() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    for _ in 0..3 {
        agent.call(&batch(&agent, vec![event(9, 162, Some(update(PLAIN)), vec!["B=5".into()])])).await;
    }
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!(shown["events"].as_array().unwrap().len(), 1, "{shown}");
    agent.call(&batch(&agent, vec![])).await;
}

#[tokio::test]
async fn reports_are_checked() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    assert_eq!(agent.error_code(&batch(&agent, vec![])).await, ErrorCode::InvalidCookie);
    agent.join().await;
    let fault = agent.fault(&batch(&agent, vec![ReportingEvent::default()])).await;
    assert_eq!(fault.message, "eventBatch");
    assert!(fault.actor.ends_with("/ReportingWebService/ReportingWebService.asmx"));
    site.clock.advance_seconds(3600);
    assert_eq!(agent.error_code(&batch(&agent, vec![])).await, ErrorCode::CookieExpired);
}

#[tokio::test]
async fn reports_without_a_cookie_are_for_known_computers() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let mut agent = Agent::new(&site, "pc-1");
    let request = ReportEventBatch2Request {
        computer_id: Some("pc-1".into()),
        client_time: noon(),
        events: vec![status(5)],
    };
    assert_eq!(agent.fault(&request).await.message, "computerId");
    agent.join().await;
    agent.call(&request).await;
    let nobody = ReportEventBatch2Request { computer_id: None, ..request };
    assert_eq!(agent.fault(&nobody).await.message, "computerId");
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!((shown["needed"].as_u64(), shown["installed"].as_u64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn inventories_are_not_wanted_and_kept_all_the_same() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let wanted = GetRequiredInventoryTypeRequest {
        cookie: Some(agent.cookie.clone()),
        ..GetRequiredInventoryTypeRequest::default()
    };
    let answer = agent.call(&wanted).await;
    assert_eq!(answer.element("GetRequiredInventoryTypeResult").as_deref(), Some("0"));
    let inventory =
        ReportingInventory { raw_xml: Some("<Inventory/>".into()), ..ReportingInventory::default() };
    let report = ReportInventoryRequest {
        cookie: Some(agent.cookie.clone()),
        client_time: noon(),
        inventory: Some(inventory),
    };
    let answer = agent.call(&report).await;
    assert_eq!(answer.element("ReportInventoryResult").as_deref(), Some("true"));
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!(shown["events"][0]["event"], 126);
    let none = ReportInventoryRequest { inventory: None, ..report };
    assert_eq!(agent.fault(&none).await.message, "inventory");
}
