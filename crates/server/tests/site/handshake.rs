//! The handshake and every fault that belongs to it (MS-WUSP 3.1.5.2 to 3.1.5.5, 2.2.2.4).

use crate::support;

use serde_json::json;
use sluicegate_soap::client::sync_updates::{Device, SyncUpdateParameters, SyncUpdatesRequest};
use sluicegate_soap::client::{Base64, Cookie, GetConfigRequest, GetConfigResponse, RegisterComputerRequest};
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use sluicegate_soap::simple_auth::{GetAuthorizationCookieRequest, PingRequest};
use sluicegate_soap::{Limits, RequestMessage, ResponseMessage, SoapVersion};
use std::path::Path;
use support::agent::held;
use support::{Agent, Site, catalog};

#[tokio::test]
async fn an_agent_joins_and_scans_an_empty_catalog() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    assert_eq!(agent.config().await, (support::noon(), true));
    agent.join().await;
    assert_eq!(agent.cookie.expiration, support::noon().plus_seconds(3600));
    let scan = agent.sync(held(&[], &[])).await;
    assert!(scan.new.is_empty() && !scan.truncated);
}

#[tokio::test]
async fn get_config_says_what_real_servers_say() {
    let site = Site::start().await;
    let agent = Agent::new(&site, "pc-1");
    let answer = agent.call(&GetConfigRequest { protocol_version: Some("2.90".into()) }).await;
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(answer.header("server").is_none() && answer.header("transfer-encoding").is_none());
    let config = GetConfigResponse::decode(&answer.body, &Limits::ANSWER).unwrap().config;
    let names: Vec<_> = config.properties.iter().filter_map(|p| p.name.as_deref()).collect();
    assert_eq!(
        names,
        [
            "MaxExtendedUpdatesPerRequest",
            "PackageServerShare",
            "ProtocolVersion",
            "IsInventoryRequired",
            "ClientReportingLevel"
        ]
    );
    assert_eq!(config.properties[2].value.as_deref(), Some("3.2"));
    assert_eq!(config.auth_info[0].service_url.as_deref(), Some("SimpleAuthWebService/SimpleAuth.asmx"));
    assert!(config.allowed_event_ids.is_empty());
    let wrong = GetConfigRequest { protocol_version: Some("two".into()) };
    let fault = agent.fault(&wrong).await;
    assert_eq!(
        (fault.error_code, fault.message.as_str()),
        (Some(ErrorCode::InvalidParameters), "protocolVersion")
    );
}

#[tokio::test]
async fn soap_12_is_answered_in_soap_12() {
    let site = Site::start().await;
    let agent = Agent::new(&site, "pc-1");
    let answer =
        agent.send(&GetConfigRequest { protocol_version: Some("2.90".into()) }, SoapVersion::V12).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/soap+xml; charset=utf-8"));
    assert!(answer.text().contains("http://www.w3.org/2003/05/soap-envelope"));
    let refused = agent.send(&SyncUpdatesRequest::default(), SoapVersion::V12).await;
    assert_eq!(refused.status, 500);
    let fault = ReceivedFault::decode(&refused.body, &Limits::ANSWER).unwrap().unwrap();
    assert_eq!((fault.code.as_str(), fault.error_code), ("Sender", Some(ErrorCode::InvalidCookie)));
}

#[tokio::test]
async fn the_authorization_parameters_are_checked() {
    let site = Site::start().await;
    let agent = Agent::new(&site, "pc-1");
    let good = GetAuthorizationCookieRequest {
        client_id: Some("pc-1".into()),
        target_group_name: None,
        dns_name: Some("pc-1.example.net".into()),
    };
    for (request, name) in [
        (GetAuthorizationCookieRequest { client_id: None, ..good.clone() }, "clientId"),
        (GetAuthorizationCookieRequest { client_id: Some("a\u{85}b".into()), ..good.clone() }, "clientId"),
        (GetAuthorizationCookieRequest { dns_name: None, ..good.clone() }, "dnsName"),
    ] {
        let fault = agent.fault(&request).await;
        assert_eq!((fault.error_code, fault.message.as_str()), (Some(ErrorCode::InvalidParameters), name));
        assert!(fault.actor.ends_with("/SimpleAuthWebService/SimpleAuth.asmx"), "{}", fault.actor);
    }
    let pong = agent.call(&PingRequest { ping_level: 1 }).await;
    assert_eq!(pong.element("SuccessFlag").as_deref(), Some("true"));
    assert_eq!(pong.header("cache-control"), Some("private, max-age=0"));
}

#[tokio::test]
async fn a_cookie_needs_exactly_one_good_authorization() {
    let site = Site::start().await;
    let agent = Agent::new(&site, "pc-1");
    let good = agent.authorize().await;
    let mut request = agent.cookie_request(good.clone()).await;
    request.auth_cookies.clear();
    assert_eq!(agent.error_code(&request).await, ErrorCode::InvalidAuthorizationCookie);
    request.auth_cookies = vec![good.clone(), good.clone()];
    assert_eq!(agent.error_code(&request).await, ErrorCode::InvalidAuthorizationCookie);
    let mut broken = good.clone();
    broken.cookie_data.as_mut().unwrap().0[20] ^= 1;
    request.auth_cookies = vec![broken];
    assert_eq!(agent.error_code(&request).await, ErrorCode::InvalidAuthorizationCookie);
    request.auth_cookies = vec![good.clone()];
    request.protocol_version = None;
    assert_eq!(agent.fault(&request).await.message, "protocolVersion");
    request.protocol_version = Some("2.90".into());
    request.last_change = request.last_change.plus_seconds(-1);
    assert_eq!(agent.error_code(&request).await, ErrorCode::ConfigChanged);
    request.last_change = request.last_change.plus_seconds(1);
    request.old_cookie = Some(Cookie { encrypted_data: Some(Base64(vec![1; 80])), ..Cookie::default() });
    assert_eq!(agent.error_code(&request).await, ErrorCode::InvalidCookie);
}

#[tokio::test]
async fn cookies_that_cannot_be_used_are_told_apart() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::InvalidCookie);
    agent.join().await;
    let good = agent.cookie.clone();
    agent.cookie.encrypted_data.as_mut().unwrap().0[30] ^= 1;
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::InvalidCookie);
    agent.cookie = Cookie { encrypted_data: agent.authorize().await.cookie_data, ..good.clone() };
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::InvalidCookie);
    agent.cookie = good;
    site.clock.advance_seconds(3599);
    agent.sync(held(&[], &[])).await;
    site.clock.advance_seconds(1);
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::CookieExpired);
    agent.shake_hands().await;
    agent.sync(held(&[], &[])).await;
}

#[tokio::test]
async fn another_server_with_the_same_key_says_server_changed() {
    let first = Site::start().await;
    let mut second = Site::start().await;
    let mut agent = Agent::new(&first, "pc-1");
    agent.join().await;
    second.stop().await;
    std::fs::copy(first.dir.path().join("cookie.key"), second.dir.path().join("cookie.key")).unwrap();
    second.restart().await;
    let stranger = Agent { cookie: agent.cookie.clone(), ..Agent::new(&second, &agent.id) };
    assert_eq!(stranger.error_code(&stranger.sync_request(held(&[], &[]))).await, ErrorCode::ServerChanged);
    let request = stranger.cookie_request(stranger.authorize().await).await;
    assert_eq!(stranger.error_code(&request).await, ErrorCode::ServerChanged, "as oldCookie too");
}

#[tokio::test]
async fn a_server_set_back_to_a_backup_says_server_changed_to_those_who_saw_more() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    let mut before = Agent::new(&site, "pc-1");
    before.join().await;
    before.scan().await;
    let before = (before.id.clone(), before.cookie.clone());
    site.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_folder(site.dir.path(), backup.path());
    site.restart().await;
    site.import(&[catalog::plain(90, 1, "Imported after the backup")]).await;
    let mut after = Agent::new(&site, "pc-2");
    after.join().await;
    after.scan().await;
    let after = (after.id.clone(), after.cookie.clone());
    site.stop().await;
    std::fs::remove_dir_all(site.dir.path()).unwrap();
    copy_folder(backup.path(), site.dir.path());
    site.restart().await;

    let mut agent = Agent { id: after.0, cookie: after.1, ..Agent::new(&site, "pc") };
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::ServerChanged);
    let request = agent.cookie_request(agent.authorize().await).await;
    assert_eq!(agent.error_code(&request).await, ErrorCode::ServerChanged, "as oldCookie too");
    // The client discards its cookie and begins anew (MS-WUSP 2.2.2.4).
    agent.cookie = Cookie::default();
    agent.join().await;
    assert_eq!(agent.scan().await.len(), 8);
    let mut agent = Agent { id: before.0, cookie: before.1, ..Agent::new(&site, "pc") };
    agent.sync(held(&[], &[])).await;
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[tokio::test]
async fn registration_is_asked_for_and_refused_as_configured() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.shake_hands().await;
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::RegistrationRequired);
    let empty = RegisterComputerRequest { cookie: Some(agent.cookie.clone()), computer_info: None };
    assert_eq!(agent.fault(&empty).await.message, "computerInfo");
    agent.call(&agent.registration()).await;
    agent.sync(held(&[], &[])).await;
    site.manage("PUT", "config", json!({ "registration_required": false })).await;
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::ConfigChanged);
    agent.shake_hands().await;
    assert!(!agent.config().await.1);
    assert_eq!(agent.error_code(&agent.registration()).await, ErrorCode::RegistrationNotRequired);
    let mut newcomer = Agent::new(&site, "pc-2");
    newcomer.shake_hands().await;
    newcomer.sync(held(&[], &[])).await;
}

#[tokio::test]
async fn the_parameters_of_a_scan_are_checked() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let none = SyncUpdatesRequest { cookie: Some(agent.cookie.clone()), parameters: None };
    assert_eq!(agent.fault(&none).await.message, "parameters");
    let devices = SyncUpdateParameters {
        system_spec: vec![Device { hardware_ids: vec!["pci\\ven_1".into()], ..Device::default() }],
        ..SyncUpdateParameters::default()
    };
    let fault = agent.fault(&agent.sync_request(devices)).await;
    assert_eq!((fault.code.as_str(), fault.message.as_str()), ("Client", "parameters.SystemSpec"));
    let body = String::from_utf8(agent.sync_request(held(&[1], &[])).encode(SoapVersion::V11)).unwrap();
    let body = body.replace("<int>1</int>", "<int>one</int>");
    let answer = site
        .request("POST", "/ClientWebService/Client.asmx", &[("Content-Type", "text/xml")], body.as_bytes())
        .await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.element("Message").as_deref(), Some("parameters.InstalledNonLeafUpdateIDs.int"));
}
