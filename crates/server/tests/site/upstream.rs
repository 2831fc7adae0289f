//! The upstream side over HTTP: how a downstream server gets in, and what it synchronizes (MS-WSUSSS 3.1.4,
//! observed-behaviour 8).

use crate::support;

use sluicegate_soap::client::{AuthorizationCookie, Base64, Cookie};
use sluicegate_soap::dss_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{
    GetAuthConfigRequest, GetAuthConfigResponse, GetConfigDataRequest, GetConfigDataResponse,
    GetCookieRequest, GetCookieResponse, GetDriverIdListRequest, GetDriverIdListResponse,
    GetDriverSetDataRequest, GetDriverSetDataResponse, GetRelatedRevisionsForUpdatesRequest,
    GetRelatedRevisionsForUpdatesResponse, GetRevisionIdListRequest, GetUpdateDataRequest,
    GetUpdateDataResponse, GetUpdateDecryptionDataRequest, GetUpdateDecryptionDataResponse,
    HardwareIdAndDelta, ServerSyncDriverFilter, ServerSyncFilter,
};
use sluicegate_soap::simple_auth::PingRequest;
use sluicegate_soap::{Limits, RequestMessage, ResponseMessage, SoapVersion, cabinet};
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::{Guid, UpdateIdentity};
use std::process::Command;
use support::catalog::{self, CLASSIFICATION, COMPANY, PLAIN, PRODUCT, identity, update};
use support::downstream::listed;
use support::{Downstream, Site};

#[tokio::test]
async fn a_downstream_server_gets_in_without_being_known_before() {
    let site = Site::start().await;
    let mut server = Downstream::new(&site, 1);
    let answer = server.call(&GetAuthConfigRequest {}).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=0"));
    let config = GetAuthConfigResponse::decode(&answer.body, &Limits::ANSWER).unwrap().config;
    assert_eq!(config.auth_info.len(), 1);
    assert_eq!(config.auth_info[0].plug_in_id.as_deref(), Some("DssTargeting"));
    let url = config.auth_info[0].service_url.clone().unwrap();
    assert_eq!(url, "DssAuthWebService/DssAuthWebService.asmx");
    server = Downstream::authorized(&site, 1).await;
    let expires = server.cookie.as_ref().unwrap().expiration;
    assert_eq!(expires, support::noon().plus_seconds(240 * 60), "four hours (observed)");
    // Paths in any letter case, and SOAP 1.2.
    let request = GetAuthConfigRequest {};
    let body = request.encode(SoapVersion::V11);
    let path = "/SERVERSYNCWEBSERVICE/serversyncwebservice.ASMX";
    assert_eq!(site.request("POST", path, &[("Content-Type", "text/xml")], &body).await.status, 200);
    let answer = server.send(&request, SoapVersion::V12).await;
    assert_eq!(answer.header("content-type"), Some("application/soap+xml; charset=utf-8"));
    for service in ["ServerSyncWebService", "DssAuthWebService"] {
        let described = site.get(&format!("/{service}/{service}.asmx?wsdl")).await;
        assert_eq!(described.status, 200);
        assert!(described.text().contains(&format!("http://{}/{service}/{service}.asmx", site.addr)));
    }
    assert_eq!(server.send(&PingRequest { ping_level: 0 }, SoapVersion::V11).await.status, 200);
}

#[tokio::test]
async fn the_handshake_refuses_what_breaks_its_rules() {
    let site = Site::start().await;
    let server = Downstream::new(&site, 1);
    let with = |name: Option<&str>, guid: Option<&str>| GetAuthorizationCookieRequest {
        account_name: name.map(str::to_owned),
        account_guid: guid.map(str::to_owned),
        program_keys: None,
    };
    let guid = "6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12";
    let wrong = |name: &str| (ErrorCode::InvalidParameters, name.to_owned());
    for name in [None, Some(""), Some("a b"), Some("<x>")] {
        assert_eq!(server.refusal(&with(name, Some(guid))).await, wrong("accountName"), "{name:?}");
    }
    for guid in [None, Some(""), Some("x"), Some("00000000-0000-0000-0000-000000000000")] {
        assert_eq!(server.refusal(&with(Some("a.b"), guid)).await, wrong("accountGuid"), "{guid:?}");
    }
    let answer = server.call(&server.authorization()).await;
    let good = GetAuthorizationCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie;
    let ask = |cookies: Vec<AuthorizationCookie>, version: Option<&str>| GetCookieRequest {
        auth_cookies: cookies,
        protocol_version: version.map(str::to_owned),
        old_cookie: None,
    };
    assert_eq!(server.refusal(&ask(vec![], Some("1.20"))).await, wrong("authCookies"));
    let two = vec![good.clone(), good.clone()];
    assert_eq!(server.refusal(&ask(two, Some("1.20"))).await, wrong("authCookies"));
    assert_eq!(server.refusal(&ask(vec![good.clone()], Some("one"))).await, wrong("protocolVersion"));
    assert_eq!(server.refusal(&ask(vec![good.clone()], None)).await, wrong("protocolVersion"));
    let (code, _) = server.refusal(&ask(vec![good.clone()], Some("2.0"))).await;
    assert_eq!(code, ErrorCode::IncompatibleProtocolVersion);
    let mut bad = good.clone();
    bad.cookie_data.as_mut().unwrap().0[20] ^= 1;
    let (code, _) = server.refusal(&ask(vec![bad], Some("1.20"))).await;
    assert_eq!(code, ErrorCode::InvalidAuthorizationCookie);
    // An authorization cookie is no cookie, and the other way round.
    let as_cookie = Some(Cookie { encrypted_data: good.cookie_data.clone(), ..Cookie::default() });
    let request = GetConfigDataRequest { cookie: as_cookie, config_anchor: None };
    assert_eq!(server.refusal(&request).await.0, ErrorCode::InvalidCookie);
    // After four hours neither is good any more.
    let answer = server.call(&ask(vec![good.clone()], Some("1.8"))).await;
    let cookie = GetCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie;
    site.clock.advance_seconds(240 * 60);
    let (code, _) = server.refusal(&ask(vec![good], Some("1.20"))).await;
    assert_eq!(code, ErrorCode::InvalidAuthorizationCookie);
    let request = GetConfigDataRequest { cookie: Some(cookie), config_anchor: None };
    assert_eq!(server.refusal(&request).await, (ErrorCode::InvalidCookie, String::new()));
}

#[tokio::test]
async fn every_operation_that_needs_a_cookie_says_so() {
    let site = Site::start().await;
    let server = Downstream::new(&site, 1);
    macro_rules! refused {
        ($($request:expr),* $(,)?) => { $(
            let request = $request;
            assert_eq!(server.refusal(&request).await, (ErrorCode::InvalidCookie, String::new()), "{request:?}");
        )* };
    }
    use sluicegate_soap::server_sync as sync;
    refused!(
        GetConfigDataRequest::default(),
        GetRevisionIdListRequest { filter: Some(ServerSyncFilter::default()), cookie: None },
        GetUpdateDataRequest::default(),
        GetUpdateDecryptionDataRequest::default(),
        GetDriverIdListRequest::default(),
        GetDriverSetDataRequest::default(),
        GetRelatedRevisionsForUpdatesRequest::default(),
        sync::DownloadFilesRequest::default(),
        sync::GetDeploymentsRequest::default(),
    );
    let noise = Some(Cookie { encrypted_data: Some(Base64(vec![0; 208])), ..Cookie::default() });
    refused!(GetConfigDataRequest { cookie: noise, config_anchor: None });
}

#[tokio::test]
async fn the_configuration_has_the_limits_and_languages_of_a_real_server() {
    let site = Site::start().await;
    let server = Downstream::authorized(&site, 1).await;
    let ask = |anchor: Option<String>| GetConfigDataRequest {
        cookie: server.cookie.clone(),
        config_anchor: anchor,
    };
    let answer = server.call(&ask(None)).await;
    let config = GetConfigDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().config;
    assert_eq!(config.max_updates_per_request, 100);
    assert_eq!(config.max_updates_in_decryption_data, Some(100));
    assert_eq!(config.protocol_version.as_deref(), Some("1.20"));
    assert_eq!((config.languages.len(), config.languages[0].language_id), (39, 0));
    assert!(!config.catalog_only_sync && config.lazy_sync);
    for anchor in [config.new_config_anchor.unwrap(), "9438,2026-10-04 16:09:27.167".into()] {
        let answer = server.call(&ask(Some(anchor))).await;
        assert!(answer.text().contains("<LanguageUpdateList />"), "{}", answer.text());
    }
    let refusal = server.refusal(&ask(Some("garbage".into()))).await;
    assert_eq!(refusal, (ErrorCode::InvalidParameters, "configAnchor".into()));
}

#[tokio::test]
async fn lists_follow_filter_and_anchor() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let server = Downstream::authorized(&site, 1).await;
    let config = ServerSyncFilter { get_config: true, ..ServerSyncFilter::default() };
    let categories = server.list(config.clone()).await;
    assert_eq!(categories.new_revisions.len(), 4, "company, product, classification, detectoid");
    let updates = server.updates_since(None).await;
    assert_eq!(updates.new_revisions.len(), 4, "bundle, members, plain update");
    let filter =
        |product: u128, classification: Option<u128>, anchor: Option<String>, delta| ServerSyncFilter {
            anchor,
            categories: listed(update(product), delta),
            classifications: classification.and_then(|id| listed(update(id), delta)),
            ..ServerSyncFilter::default()
        };
    let in_both = server.list(filter(PRODUCT, Some(CLASSIFICATION), None, false)).await;
    assert_eq!(in_both.new_revisions.len(), 2, "members are reached through their bundle (observed)");
    let of_company = server.list(filter(COMPANY, Some(CLASSIFICATION), None, false)).await;
    assert_eq!(of_company.new_revisions, in_both.new_revisions);
    assert!(server.list(filter(PRODUCT, None, None, false)).await.new_revisions.is_empty());
    assert!(
        server.list(filter(DETECTOID_, Some(CLASSIFICATION), None, false)).await.new_revisions.is_empty()
    );

    let anchor = updates.anchor;
    assert!(server.updates_since(anchor.as_deref()).await.new_revisions.is_empty());
    site.clock.advance_seconds(60);
    site.import(&[catalog::plain(PLAIN, 201, "Plain update, again")]).await;
    let news = server.updates_since(anchor.as_deref()).await;
    assert_eq!(news.new_revisions, [identity(PLAIN, 201)]);
    let changes = server.list(filter(PRODUCT, Some(CLASSIFICATION), anchor.clone(), true)).await;
    assert_eq!(changes.new_revisions, [identity(PLAIN, 201)]);
    let again = server.list(filter(PRODUCT, Some(CLASSIFICATION), anchor.clone(), false)).await;
    assert_eq!(again.new_revisions.len(), 2, "without Delta everything of it again (observed)");
    let no_config = ServerSyncFilter { anchor: anchor.clone(), ..config };
    assert!(server.list(no_config).await.new_revisions.is_empty());
    let future = server.updates_since(Some("1,2099-01-01 00:00:00.000")).await;
    assert!(future.new_revisions.is_empty());

    let with = |filter| GetRevisionIdListRequest { cookie: server.cookie.clone(), filter };
    let since =
        |anchor: &str| ServerSyncFilter { anchor: Some(anchor.into()), ..ServerSyncFilter::default() };
    // Of a server that had this one's name before: what it never had must be told too.
    let foreign = with(Some(since("9438,2020-02-02 02:02:02.222")));
    assert_eq!(server.refusal(&foreign).await.0, ErrorCode::ServerChanged);
    for bad in [None, Some(since("garbage"))] {
        assert_eq!(server.refusal(&with(bad)).await, (ErrorCode::InvalidParameters, "filter".into()));
    }
}

/// A detectoid is no category that anything stands in.
const DETECTOID_: u128 = catalog::DETECTOID;

#[tokio::test]
async fn documents_come_plain_or_as_cabinets_that_other_programs_read() {
    let mut site = Site::start().await;
    let mut long = catalog::plain(50, 200, "A long one");
    let text = long.texts.first_mut().unwrap();
    text.description = "Words of no meaning. ".repeat(400);
    let mut documents = catalog::small();
    documents.push(long.clone());
    site.import(&documents).await;
    let url = "http://download.windowsupdate.com/c/msdownload/update/software/defu/2026/10/fox.exe";
    site.stop().await;
    {
        let store = Store::open(site.dir.path(), StoreOptions::new(support::noon())).unwrap();
        store.record_file_urls(&[(catalog::file().sha1, url.to_owned())]).unwrap();
    }
    site.restart().await;
    let server = Downstream::authorized(&site, 1).await;
    let ask = |ids: &[UpdateIdentity]| GetUpdateDataRequest {
        cookie: server.cookie.clone(),
        update_ids: Some(ids.to_vec()),
    };
    let answer = server.call(&ask(&[identity(PLAIN, 200), identity(50, 200), identity(PLAIN, 200)])).await;
    let data = GetUpdateDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data;
    let ids: Vec<_> = data.updates.iter().map(|update| update.id).collect();
    assert_eq!(ids, [identity(PLAIN, 200), identity(50, 200), identity(PLAIN, 200)], "twice is twice");
    assert_eq!(data.updates[0], data.updates[2]);
    let plain = &data.updates[0];
    assert!(plain.xml.as_ref().unwrap().plain().contains("Plain update (KB5000002)"));
    assert_eq!(plain.file_digests.as_deref(), Some(&[catalog::file().sha1][..]));
    assert_eq!(data.file_urls.len(), 1);
    assert_eq!(data.file_urls[0].mu_url.as_deref(), Some(url));
    assert_eq!(data.file_urls[0].file_digest, Some(catalog::file().sha1));
    let blob = data.updates[1].compressed.clone().unwrap();
    assert!(data.updates[1].xml.is_none() && data.updates[1].file_digests.is_none());
    let members = cabinet::read(&blob.0, &cabinet::Limits::default()).unwrap();
    let wide: Vec<u16> =
        members[0].data.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&wide).unwrap();
    assert_eq!((members.len(), members[0].name.as_str()), (1, "blob"));
    assert!(text.starts_with("<upd:Update") && text.contains("A long one"), "no mark, no declaration");
    extracted_by_cabextract(&blob.0, &members[0].data);
}

/// The same bytes by an independent reader, when it is installed.
fn extracted_by_cabextract(cabinet: &[u8], expected: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("document.cab");
    std::fs::write(&file, cabinet).unwrap();
    match Command::new("cabextract").arg("-q").arg("-d").arg(dir.path()).arg(&file).output() {
        Err(error) => println!("skipped: cabextract is not installed ({error})"),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(std::fs::read(dir.path().join("blob")).unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn requests_for_documents_have_limits_and_an_unknown_one_spoils_the_call() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let server = Downstream::authorized(&site, 1).await;
    let data = |ids: Option<Vec<UpdateIdentity>>| GetUpdateDataRequest {
        cookie: server.cookie.clone(),
        update_ids: ids,
    };
    let keys = |ids: Option<Vec<UpdateIdentity>>| GetUpdateDecryptionDataRequest {
        cookie: server.cookie.clone(),
        update_ids: ids,
    };
    let wrong = (ErrorCode::InvalidParameters, "updateIds".to_owned());
    let good = identity(PLAIN, 200);
    for ids in [None, Some(vec![good; 101])] {
        assert_eq!(server.refusal(&data(ids.clone())).await, wrong);
        assert_eq!(server.refusal(&keys(ids)).await, wrong);
    }
    let answer = server.call(&data(Some(vec![good; 100]))).await;
    assert_eq!(GetUpdateDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data.updates.len(), 100);
    let answer = server.call(&data(Some(Vec::new()))).await;
    assert!(answer.text().contains("<updates /><fileUrls />"), "{}", answer.text());
    for unknown in [identity(PLAIN, 1), identity(999, 200)] {
        let fault = server.fault(&data(Some(vec![good, unknown]))).await;
        assert_eq!(
            (fault.code.as_str(), fault.message.as_str()),
            ("Server", ""),
            "as real servers (observed)"
        );
        assert_eq!(fault.error_code, Some(ErrorCode::InternalServerError));
        assert_eq!(server.refusal(&keys(Some(vec![unknown]))).await.0, ErrorCode::InternalServerError);
    }
    let answer = server.call(&keys(Some(vec![good]))).await;
    let none = GetUpdateDecryptionDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap();
    assert!(none.data.updates.is_empty());
}

#[tokio::test]
async fn an_answer_that_would_be_too_long_is_short_and_the_rest_can_be_asked_for() {
    let site = Site::start().await;
    let mut documents = catalog::small();
    // Noise, so that the cabinets stay long.
    let mut seed = 1_u64;
    let mut noise = || {
        let letters = (0..700_000).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(
                b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"[(seed >> 58) as usize],
            )
        });
        letters.collect::<String>()
    };
    for number in 60..66 {
        let mut long = catalog::plain(number, 200, "Noise");
        long.texts.first_mut().unwrap().description = noise();
        documents.push(long);
    }
    site.import(&documents).await;
    let server = Downstream::authorized(&site, 1).await;
    let mut open: Vec<UpdateIdentity> = (60..66).map(|number| identity(number, 200)).collect();
    let mut calls = 0;
    while !open.is_empty() {
        let request = GetUpdateDataRequest { cookie: server.cookie.clone(), update_ids: Some(open.clone()) };
        let answer = server.call(&request).await;
        let got = GetUpdateDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data.updates;
        let bytes: usize = got.iter().map(|update| update.compressed.as_ref().unwrap().0.len()).sum();
        assert!(!got.is_empty() && bytes <= 2_000_000, "{bytes} bytes in {} documents", got.len());
        assert_eq!(got.iter().map(|update| update.id).collect::<Vec<_>>(), open[..got.len()]);
        open.drain(..got.len());
        calls += 1;
    }
    assert!(calls > 1, "six documents of half a megabyte fit no one answer");
}

#[tokio::test]
async fn driver_calls_and_related_revisions_are_answered() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let server = Downstream::authorized(&site, 1).await;
    let ask = |ids: usize| GetDriverIdListRequest {
        cookie: server.cookie.clone(),
        filter: Some(ServerSyncDriverFilter {
            pnp_hardware_ids: Some(vec![HardwareIdAndDelta { id: Some("PCI\\X".into()), delta: false }; ids]),
            ..ServerSyncDriverFilter::default()
        }),
    };
    let answer = server.call(&ask(1)).await;
    let list = GetDriverIdListResponse::decode(&answer.body, &Limits::ANSWER).unwrap().list;
    assert!(list.new_revisions.is_empty() && list.anchor.is_some());
    assert_eq!(server.refusal(&ask(1001)).await, (ErrorCode::InvalidParameters, "filter".into()));
    let sets = |sets| GetDriverSetDataRequest { cookie: server.cookie.clone(), driver_sets: sets };
    let answer = server.call(&sets(Some(vec![Guid::from_u128(1)]))).await;
    assert!(
        GetDriverSetDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data.driver_sets.is_empty()
    );
    assert_eq!(server.refusal(&sets(None)).await, (ErrorCode::InvalidParameters, "driverSets".into()));
    let related = GetRelatedRevisionsForUpdatesRequest {
        cookie: server.cookie.clone(),
        update_ids: Some(vec![update(PLAIN).0]),
    };
    let answer = server.call(&related).await;
    let related = GetRelatedRevisionsForUpdatesResponse::decode(&answer.body, &Limits::ANSWER).unwrap();
    assert!(related.revisions.is_empty(), "the protocol has no use for it");
}
