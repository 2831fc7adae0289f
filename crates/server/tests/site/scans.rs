//! Scans over a small catalog: delivery, deployments, what changed, encodings, extended information,
//! locations and the smaller questions (MS-WUSP 3.1.5.6 to 3.1.5.12).

use crate::support;

use serde_json::json;
use sluicegate_soap::client::sync_updates::{
    CategoryIdentifier, SyncPrinterCatalogRequest, SyncPrinterCatalogResponse, SyncUpdateParameters,
};
use sluicegate_soap::client::{
    CategoryRelationship, FragmentType, GetExtendedUpdateInfo2Request, GetExtendedUpdateInfo2Response,
    GetExtendedUpdateInfoRequest, GetExtendedUpdateInfoResponse, GetFileLocationsRequest,
    GetFileLocationsResponse, RefreshCacheRequest, RefreshCacheResponse, StartCategoryScanRequest,
    StartCategoryScanResponse,
};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::{Limits, ResponseMessage, SoapVersion};
use sluicegate_terms::Sha1Digest;
use std::collections::BTreeMap;
use support::agent::held;
use support::catalog::{self, BUNDLE, CLASSIFICATION, MEMBER_A, PLAIN, PRODUCT, identity, update};
use support::{Agent, Site};

async fn stocked() -> Site {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    site
}

/// Revision ids by update number, from the admin API.
async fn ids(site: &Site) -> BTreeMap<u128, u32> {
    let list = site.manage("GET", "updates?everything=true", json!(null)).await;
    list["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let id: sluicegate_terms::UpdateId = row["update_id"].as_str().unwrap().parse().unwrap();
            (id.0.as_u128() & 0xffff, u32::try_from(row["revision_id"].as_u64().unwrap()).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_fresh_agent_gets_the_catalog_gate_by_gate() {
    let site = stocked().await;
    let ids = ids(&site).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let first = agent.sync(held(&[], &[])).await;
    let roots: Vec<u32> = first.new.iter().map(|(id, ..)| *id).collect();
    assert!(!roots.contains(&ids[&BUNDLE]), "its prerequisites are not installed yet: {roots:?}");
    let all: BTreeMap<u32, String> =
        agent.scan().await.into_iter().map(|(id, action, _)| (id, action)).collect();
    assert_eq!(all.len(), 8);
    assert_eq!(all[&ids[&PRODUCT]], "Evaluate");
    assert_eq!(all[&ids[&MEMBER_A]], "Bundle");
    assert_eq!(all[&ids[&BUNDLE]], "PreDeploymentCheck");
}

#[tokio::test]
async fn every_coding_and_soap_version_carries_the_same_answer() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let request = agent.sync_request(held(&[], &[]));
    let mut bodies = Vec::new();
    for accept in ["identity", "xpress", "gzip", "gzip;q=0.5, xpress", "br"] {
        agent.accept = accept;
        let answer = agent.send(&request, SoapVersion::V11).await;
        assert_eq!(answer.status, 200);
        let coded = answer.header("content-encoding");
        assert_eq!(coded.is_some(), answer.header("vary") == Some("Accept-Encoding"));
        let expected = match accept {
            "xpress" | "gzip;q=0.5, xpress" => Some("xpress"),
            "gzip" => Some("gzip"),
            _ => None,
        };
        assert_eq!(coded, expected, "{accept}");
        let text = answer.text();
        // Every answer has a cookie of its own.
        let (before, rest) = text.split_once("<EncryptedData>").unwrap();
        let (_, after) = rest.split_once("</EncryptedData>").unwrap();
        bodies.push(format!("{before}{after}"));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let soap12 = agent.send(&request, SoapVersion::V12).await;
    assert_eq!(soap12.status, 200);
    assert!(soap12.text().contains("UpdateInfo"));
}

#[tokio::test]
async fn compressed_requests_are_read() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let plain =
        sluicegate_soap::RequestMessage::encode(&agent.sync_request(held(&[], &[])), SoapVersion::V11);
    let mut xpress = Vec::new();
    sluicegate_soap::xpress::compress_into(&mut xpress, &plain, sluicegate_soap::xpress::Effort::Fast);
    for (coding, body) in [("xpress", xpress), ("gzip", sluicegate_soap::gzip::encode(&plain))] {
        let headers = [("Content-Type", "text/xml"), ("Content-Encoding", coding)];
        let answer = site.request("POST", "/ClientWebService/Client.asmx", &headers, &body).await;
        assert_eq!(answer.status, 200, "{coding}: {}", answer.text());
        let broken = site.request("POST", "/ClientWebService/Client.asmx", &headers, b"nonsense").await;
        assert_eq!(broken.status, 400, "{coding}");
    }
    let unknown = [("Content-Type", "text/xml"), ("Content-Encoding", "br")];
    assert_eq!(site.request("POST", "/ClientWebService/Client.asmx", &unknown, &plain).await.status, 415);
}

#[tokio::test]
async fn approvals_declines_and_moves_reach_the_next_scan() {
    let site = stocked().await;
    let ids = ids(&site).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let all = agent.scan().await;
    let (leaves, others): (Vec<_>, Vec<_>) = all.iter().partition(|(_, _, leaf)| *leaf);
    let installed: Vec<i32> = others.iter().map(|(id, ..)| i32::try_from(*id).unwrap()).collect();
    let other: Vec<i32> = leaves.iter().map(|(id, ..)| i32::try_from(*id).unwrap()).collect();
    let quiet = agent.sync(held(&installed, &other)).await;
    assert!(quiet.new.is_empty() && quiet.changed.is_empty() && quiet.out_of_scope.is_empty(), "{quiet:?}");

    site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    let path = format!("updates/{}/approve", update(BUNDLE));
    site.manage("POST", &path, json!({ "group": "Pilots", "action": "install" })).await;
    let elsewhere = agent.sync(held(&installed, &other)).await;
    assert!(elsewhere.changed.iter().all(|(_, action)| action != "Install"), "it is not in that group");

    site.manage("POST", "computers/PC-1/move", json!({ "group": "pilots" })).await;
    let moved = agent.sync(held(&installed, &other)).await;
    assert!(moved.changed.contains(&(ids[&BUNDLE], "Install".into())), "{moved:?}");
    assert!(agent.sync(held(&installed, &other)).await.changed.is_empty(), "told once");

    let path = format!("updates/{}/decline", update(PLAIN));
    site.manage("POST", &path, json!({})).await;
    let declined = agent.sync(held(&installed, &other)).await;
    assert_eq!(declined.out_of_scope, [i32::try_from(ids[&PLAIN]).unwrap()]);

    let path = format!("updates/{}/approve", update(PLAIN));
    let deadline = "2026-12-01T03:00:00Z";
    let body = json!({ "group": "All Computers", "action": "install", "deadline": deadline });
    site.manage("POST", &path, body).await;
    let answer = agent.call(&agent.sync_request(held(&installed, &[]))).await;
    assert!(answer.text().contains(&format!("<Deadline>{deadline}</Deadline>")));
}

#[tokio::test]
async fn a_new_revision_takes_the_place_of_the_old_one() {
    let site = stocked().await;
    let before = ids(&site).await[&PLAIN];
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let all = agent.scan().await;
    let installed: Vec<i32> =
        all.iter().filter(|(_, _, leaf)| !leaf).map(|(id, ..)| i32::try_from(*id).unwrap()).collect();
    site.import(&[catalog::plain(PLAIN, 201, "Plain update, corrected")]).await;
    let scan = agent.sync(held(&installed, &[i32::try_from(before).unwrap()])).await;
    assert_eq!(scan.out_of_scope, [i32::try_from(before).unwrap()]);
    let after = ids(&site).await[&PLAIN];
    assert_ne!(after, before);
    assert!(scan.new.iter().any(|(id, ..)| *id == after));
}

#[tokio::test]
async fn extended_information_has_fragments_and_locations() {
    let site = stocked().await;
    let ids = ids(&site).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let plain = i32::try_from(ids[&PLAIN]).unwrap();
    let request = GetExtendedUpdateInfoRequest {
        cookie: Some(agent.cookie.clone()),
        revision_ids: vec![plain, 999_999, i32::try_from(ids[&BUNDLE]).unwrap(), -3],
        info_types: vec![FragmentType::Extended, FragmentType::LocalizedProperties],
        locales: vec!["en-US".into(), "en".into()],
        ..GetExtendedUpdateInfoRequest::default()
    };
    let answer = agent.call(&request).await;
    let info = GetExtendedUpdateInfoResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    assert_eq!(info.out_of_scope, [999_999, -3]);
    let texts: Vec<String> =
        info.updates.iter().map(|u| u.xml.as_ref().unwrap().plain().into_owned()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts[0].starts_with("<ExtendedProperties") && texts[1].starts_with("<ExtendedProperties"));
    assert!(texts[2].starts_with("<LocalizedProperties") && texts[2].contains("Bundle of two"));
    assert!(!answer.text().contains("Einfache"), "German was not asked for");
    let location = &info.file_locations[0];
    assert_eq!(location.file_digest, Some(Sha1Digest::from_hex(catalog::FILE_SHA1).unwrap()));
    let url = format!("http://127.0.0.1:{}/Content/12/{}.exe", site.addr.port(), catalog::FILE_SHA1);
    assert_eq!(location.url.as_deref(), Some(url.as_str()), "given though the file is not held");

    let german = GetExtendedUpdateInfoRequest { locales: vec!["de".into()], ..request.clone() };
    let text = agent.call(&german).await.text();
    assert!(text.contains("Einfache") && text.contains("Plain update"), "English is always given");
    for (wrong, name) in [
        (GetExtendedUpdateInfoRequest { info_types: vec![], ..request.clone() }, "infoTypes"),
        (GetExtendedUpdateInfoRequest { locales: vec![], ..request.clone() }, "locales"),
        (GetExtendedUpdateInfoRequest { revision_ids: vec![1; 51], ..request.clone() }, "revisionIDs"),
        (GetExtendedUpdateInfoRequest { revision_ids: vec![], ..request.clone() }, "revisionIDs"),
    ] {
        assert_eq!(agent.fault(&wrong).await.message, name);
    }
    let core = GetExtendedUpdateInfoRequest { info_types: vec![FragmentType::Core], ..request };
    let answer = agent.call(&core).await;
    let info = GetExtendedUpdateInfoResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    assert!(info.updates[0].xml.as_ref().unwrap().plain().starts_with("<UpdateIdentity UpdateID="));
    assert!(info.file_locations.is_empty());
}

#[tokio::test]
async fn the_second_form_of_extended_information_goes_by_identity() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let request = GetExtendedUpdateInfo2Request {
        cookie: Some(agent.cookie.clone()),
        update_ids: vec![identity(PLAIN, 200), identity(PLAIN, 7)],
        info_types: vec![FragmentType::Extended, FragmentType::FileUrl, FragmentType::FileDecryption],
        ..GetExtendedUpdateInfo2Request::default()
    };
    let answer = agent.call(&request).await;
    let info = GetExtendedUpdateInfo2Response::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    assert_eq!((info.updates.len(), info.file_locations.len()), (1, 1));
    assert!(info.update_encryption_details.iter().all(|detail| !detail.has_encrypted_files));
    assert_eq!(info.update_encryption_details.len(), 1);
    let none = GetExtendedUpdateInfo2Request { update_ids: vec![], ..request };
    assert_eq!(agent.fault(&none).await.message, "updateIDs");
}

#[tokio::test]
async fn moved_content_is_noticed_and_located_anew() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    agent.sync(held(&[], &[])).await;
    let base = "https://files.example.net/updates";
    site.manage("PUT", "config", json!({ "content_base": base })).await;
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::FileLocationChanged);
    // A renewed cookie remembers that the client does not know yet.
    agent.shake_hands().await;
    assert_eq!(agent.error_code(&agent.sync_request(held(&[], &[]))).await, ErrorCode::FileLocationChanged);
    let unknown = Sha1Digest([7; 20]);
    let request = GetFileLocationsRequest {
        cookie: Some(agent.cookie.clone()),
        file_digests: vec![Sha1Digest::from_hex(catalog::FILE_SHA1).unwrap(), unknown],
    };
    let answer = agent.call(&request).await;
    let result = GetFileLocationsResponse::decode(&answer.body, &Limits::ANSWER).unwrap().result;
    let url = format!("{base}/12/{}.exe", catalog::FILE_SHA1);
    assert_eq!(result.file_locations.len(), 1);
    assert_eq!(result.file_locations[0].url.as_deref(), Some(url.as_str()));
    agent.cookie = result.new_cookie.unwrap();
    agent.sync(held(&[], &[])).await;
    let none = GetFileLocationsRequest { cookie: Some(agent.cookie.clone()), file_digests: vec![] };
    assert_eq!(agent.fault(&none).await.message, "fileDigests");
}

#[tokio::test]
async fn refreshing_a_cache_gives_the_ids_of_this_server() {
    let site = stocked().await;
    let ids = ids(&site).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let request = RefreshCacheRequest {
        cookie: Some(agent.cookie.clone()),
        global_ids: vec![
            identity(BUNDLE, 200),
            identity(MEMBER_A, 200),
            identity(PLAIN, 199),
            identity(PRODUCT, 100),
        ],
    };
    let answer = agent.call(&request).await;
    let found = RefreshCacheResponse::decode(&answer.body, &Limits::ANSWER).unwrap().revisions;
    let revisions: Vec<u32> = found.iter().map(|r| r.revision.get()).collect();
    assert_eq!(revisions, [ids[&BUNDLE], ids[&PRODUCT]], "members of bundles are left out, as observed");
    assert!(found[0].is_leaf && !found[1].is_leaf);
    let none = RefreshCacheRequest { global_ids: vec![], ..request };
    assert_eq!(agent.fault(&none).await.message, "globalIDs");
}

#[tokio::test]
async fn category_scans_begin_without_a_cookie() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    let relation =
        |group, number| CategoryRelationship { index_of_and_group: group, category_id: update(number) };
    let request = StartCategoryScanRequest {
        requested_categories: vec![relation(0, PRODUCT), relation(0, CLASSIFICATION), relation(1, 99)],
    };
    let answer = agent.call(&request).await;
    let response = StartCategoryScanResponse::decode(&answer.body, &Limits::ANSWER).unwrap();
    assert_eq!(response.preferred_category_ids, [update(PRODUCT).0]);
    assert_eq!(response.requested_category_ids_in_error, [update(99).0]);
    for wrong in [vec![], (0..200).map(|n| relation(n, PRODUCT)).collect()] {
        let request = StartCategoryScanRequest { requested_categories: wrong };
        assert_eq!(agent.fault(&request).await.message, "requestedCategories");
    }
    agent.join().await;
    let scan = agent
        .sync(SyncUpdateParameters {
            filter_categories: vec![CategoryIdentifier { id: update(PRODUCT) }],
            ..held(&[], &[])
        })
        .await;
    assert!(!scan.new.is_empty());
}

/// What a native agent asks when one category is scanned.
fn of_category(number: u128, installed: &[i32], other: &[i32]) -> SyncUpdateParameters<'static> {
    SyncUpdateParameters {
        filter_categories: vec![CategoryIdentifier { id: update(number) }],
        also_perform_regular_sync: Some(false),
        ..held(installed, other)
    }
}

#[tokio::test]
async fn what_a_category_scan_delivered_has_not_changed_in_its_next_round() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let (mut installed, mut other) = (Vec::new(), Vec::new());
    let mut rounds = 0;
    loop {
        let scan = agent.sync(of_category(PRODUCT, &installed, &other)).await;
        assert!(scan.changed.is_empty(), "round {rounds}: {scan:?}");
        for (id, _, leaf) in &scan.new {
            let id = i32::try_from(*id).unwrap();
            if *leaf { other.push(id) } else { installed.push(id) }
        }
        rounds += 1;
        if scan.new.is_empty() {
            break;
        }
    }
    assert!(rounds > 2, "the category tree comes level by level");
    let elsewhere = agent.sync(of_category(CLASSIFICATION, &installed, &other)).await;
    assert!(!elsewhere.changed.is_empty(), "a scan of others has not been told: {elsewhere:?}");
}

#[tokio::test]
async fn a_category_scan_keeps_no_change_from_the_regular_one() {
    let site = stocked().await;
    let ids = ids(&site).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let (leaves, others): (Vec<_>, Vec<_>) = agent.scan().await.into_iter().partition(|(.., leaf)| *leaf);
    let numbers = |list: &[(u32, String, bool)]| {
        list.iter().map(|(id, ..)| i32::try_from(*id).unwrap()).collect::<Vec<_>>()
    };
    let (installed, other) = (numbers(&others), numbers(&leaves));
    let path = format!("updates/{}/approve", update(BUNDLE));
    site.manage("POST", &path, json!({ "group": "All Computers" })).await;
    let change = (ids[&BUNDLE], "Install".to_owned());
    let scan = agent.sync(of_category(PRODUCT, &installed, &other)).await;
    assert!(scan.changed.contains(&change), "{scan:?}");
    let again = agent.sync(of_category(PRODUCT, &installed, &other)).await;
    assert!(again.changed.is_empty(), "told once: {again:?}");
    let regular = agent.sync(held(&installed, &other)).await;
    assert!(regular.changed.contains(&change), "{regular:?}");
    assert!(agent.sync(held(&installed, &other)).await.changed.is_empty());
}

#[tokio::test]
async fn the_driver_pass_and_the_printer_catalog_answer() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let scan = agent.sync(SyncUpdateParameters { skip_software_sync: true, ..held(&[], &[]) }).await;
    assert!(scan.new.is_empty());
    assert_eq!(scan.driver_sync_not_needed.as_deref(), Some("true"));
    let request = SyncPrinterCatalogRequest {
        cookie: Some(agent.cookie.clone()),
        ..SyncPrinterCatalogRequest::default()
    };
    let answer = agent.call(&request).await;
    let info = SyncPrinterCatalogResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    assert!(info.new_updates.is_empty() && info.new_cookie.is_some());
}

#[tokio::test]
async fn client_side_targeting_follows_the_names_computers_give() {
    let site = stocked().await;
    site.manage("PUT", "config", json!({ "targeting": "client" })).await;
    site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    let path = format!("updates/{}/approve", update(BUNDLE));
    site.manage("POST", &path, json!({ "group": "Pilots" })).await;
    let bundle = ids(&site).await[&BUNDLE];
    for (id, group, expected) in [
        ("pc-1", Some("nobody; PILOTS"), "Install"),
        ("pc-2", Some("nobody"), "PreDeploymentCheck"),
        ("pc-3", None, "PreDeploymentCheck"),
    ] {
        let mut agent = Agent::new(&site, id);
        agent.group = group.map(str::to_owned);
        agent.join().await;
        let all = agent.scan().await;
        let action = &all.iter().find(|(id, ..)| *id == bundle).unwrap().1;
        assert_eq!(action, expected, "{id}");
    }
    let (status, refused) = site.admin("POST", "computers/pc-1/move", json!({ "group": "Pilots" })).await;
    assert_eq!(status, 400, "{refused}");
    // A group made later takes in those who asked for it before.
    site.manage("POST", "groups", json!({ "name": "Nobody" })).await;
    let list = site.manage("GET", "computers?group=Nobody", json!(null)).await;
    assert_eq!(list["total"], 2, "{list}");
}

#[tokio::test]
async fn a_restart_keeps_ids_cookies_and_groups() {
    let mut site = stocked().await;
    let before = ids(&site).await;
    let cookie = {
        let mut agent = Agent::new(&site, "pc-1");
        agent.join().await;
        agent.cookie
    };
    site.restart().await;
    assert_eq!(ids(&site).await, before);
    let mut agent = Agent::new(&site, "pc-1");
    agent.cookie = cookie;
    agent.sync(held(&[], &[])).await;
}
