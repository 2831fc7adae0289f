//! An update agent reduced to its messages: it says what a test wants said and keeps nothing but its
//! cookie.

use super::{Answer, Site};
use sluicegate_soap::client::sync_updates::{
    SyncInfo, SyncUpdateParameters, SyncUpdatesRequest, SyncUpdatesResponse,
};
use sluicegate_soap::client::{
    AuthorizationCookie, ComputerInfo, Cookie, GetConfigRequest, GetConfigResponse, GetCookieRequest,
    GetCookieResponse, RegisterComputerRequest,
};
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use sluicegate_soap::simple_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::{Limits, RequestMessage, ResponseMessage, Service, SoapVersion};
use sluicegate_terms::{RevisionId, Timestamp};

pub struct Agent<'a> {
    pub site: &'a Site,
    pub id: String,
    pub dns_name: String,
    pub group: Option<String>,
    pub cookie: Cookie,
    /// `Accept-Encoding`.
    pub accept: &'static str,
}

/// What a scan brought, without the borrowed texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub new: Vec<(u32, String, bool)>,
    pub changed: Vec<(u32, String)>,
    pub out_of_scope: Vec<i32>,
    pub truncated: bool,
    pub driver_sync_not_needed: Option<String>,
}

pub fn path_of(service: Service) -> &'static str {
    match service {
        Service::SimpleAuth => "/SimpleAuthWebService/SimpleAuth.asmx",
        Service::Client => "/ClientWebService/client.asmx",
        Service::Reporting => "/ReportingWebService/ReportingWebService.asmx",
        Service::DssAuth => "/DssAuthWebService/DssAuthWebService.asmx",
        Service::ServerSync => "/ServerSyncWebService/ServerSyncWebService.asmx",
    }
}

impl<'a> Agent<'a> {
    pub fn new(site: &'a Site, id: &str) -> Self {
        let dns_name = format!("{id}.example.net");
        Self { site, id: id.to_owned(), dns_name, group: None, cookie: Cookie::default(), accept: "identity" }
    }

    /// Sends a request and answers what came, decompressed.
    pub async fn send<R: RequestMessage>(&self, request: &R, version: SoapVersion) -> Answer {
        let action = format!("\"{}\"", R::OPERATION.soap_action());
        let soap12 = format!("application/soap+xml; charset=utf-8; action={action}");
        let headers = match version {
            SoapVersion::V11 => vec![
                ("Content-Type", "text/xml; charset=utf-8"),
                ("SOAPAction", action.as_str()),
                ("Accept-Encoding", self.accept),
            ],
            SoapVersion::V12 => vec![("Content-Type", soap12.as_str()), ("Accept-Encoding", self.accept)],
        };
        let body = request.encode(version);
        let mut answer = self.site.request("POST", path_of(R::OPERATION.service), &headers, &body).await;
        answer.body = match answer.header("content-encoding") {
            Some("xpress") => sluicegate_soap::xpress::decompress(&answer.body, 1 << 30).unwrap(),
            Some("gzip") => sluicegate_soap::gzip::decode(&answer.body, 1 << 30).unwrap(),
            Some(other) => panic!("unexpected coding {other}"),
            None => answer.body,
        };
        answer
    }

    /// Sends a request that must succeed.
    pub async fn call<R: RequestMessage>(&self, request: &R) -> Answer {
        let answer = self.send(request, SoapVersion::V11).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// Sends a request that must fail, and answers the fault.
    pub async fn fault<R: RequestMessage>(&self, request: &R) -> ReceivedFault {
        let answer = self.send(request, SoapVersion::V11).await;
        assert!(answer.status == 500 || answer.status == 503, "{} {}", answer.status, answer.text());
        let fault = ReceivedFault::decode(&answer.body, &Limits::ANSWER).unwrap().unwrap();
        assert!(fault.id.is_some(), "every fault has an id");
        assert_eq!(fault.text, "Fault occurred");
        assert_eq!(fault.method, format!("\"{}\"", R::OPERATION.soap_action()));
        fault
    }

    pub async fn error_code<R: RequestMessage>(&self, request: &R) -> ErrorCode {
        self.fault(request).await.error_code.unwrap()
    }

    pub async fn config(&self) -> (Timestamp, bool) {
        let request = GetConfigRequest { protocol_version: Some("2.90".into()) };
        let answer = self.call(&request).await;
        let config = GetConfigResponse::decode(&answer.body, &Limits::ANSWER).unwrap().config;
        (config.last_change, config.is_registration_required)
    }

    pub async fn authorize(&self) -> AuthorizationCookie {
        let request = GetAuthorizationCookieRequest {
            client_id: Some(self.id.clone()),
            target_group_name: self.group.clone(),
            dns_name: Some(self.dns_name.clone()),
        };
        let answer = self.call(&request).await;
        GetAuthorizationCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie
    }

    pub async fn cookie_request(&self, authorization: AuthorizationCookie) -> GetCookieRequest {
        GetCookieRequest {
            auth_cookies: vec![authorization],
            // With nothing but an expiration on the first call (observed-behaviour 2).
            old_cookie: Some(self.cookie.clone()),
            last_change: self.config().await.0,
            current_time: super::noon(),
            protocol_version: Some("2.90".into()),
        }
    }

    /// The handshake up to the cookie.
    pub async fn shake_hands(&mut self) {
        let request = self.cookie_request(self.authorize().await).await;
        let answer = self.call(&request).await;
        self.cookie = GetCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie;
    }

    pub fn registration(&self) -> RegisterComputerRequest {
        RegisterComputerRequest {
            cookie: Some(self.cookie.clone()),
            computer_info: Some(ComputerInfo {
                dns_name: Some(self.dns_name.clone()),
                os_major_version: 10,
                os_build_number: 26_200,
                old_product_type: 1,
                os_description: Some("Windows 10 Pro".into()),
                computer_manufacturer: Some("Contoso".into()),
                client_version_major_number: 1507,
                ..ComputerInfo::default()
            }),
        }
    }

    /// Handshake and registration: ready to scan.
    pub async fn join(&mut self) {
        self.shake_hands().await;
        self.call(&self.registration()).await;
    }

    pub fn sync_request(&self, parameters: SyncUpdateParameters<'static>) -> SyncUpdatesRequest<'static> {
        SyncUpdatesRequest { cookie: Some(self.cookie.clone()), parameters: Some(parameters) }
    }

    /// One SyncUpdates that must succeed; takes the new cookie.
    pub async fn sync(&mut self, parameters: SyncUpdateParameters<'static>) -> Scan {
        let answer = self.call(&self.sync_request(parameters)).await;
        let info: SyncInfo<'_> = SyncUpdatesResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
        let scan = Scan {
            new: info
                .new_updates
                .iter()
                .map(|u| {
                    assert!(
                        u.xml.as_ref().is_some_and(|xml| !xml.is_empty()),
                        "new updates have a Core fragment"
                    );
                    let action = u.deployment.as_ref().unwrap().action.as_str().to_owned();
                    (u.id.get(), action, u.is_leaf)
                })
                .collect(),
            changed: info
                .changed_updates
                .iter()
                .map(|u| (u.id.get(), u.deployment.as_ref().unwrap().action.as_str().to_owned()))
                .collect(),
            out_of_scope: info.out_of_scope.clone(),
            truncated: info.truncated,
            driver_sync_not_needed: info.driver_sync_not_needed.clone(),
        };
        let expiration = self.cookie.expiration;
        self.cookie = info.new_cookie.unwrap();
        assert_eq!(self.cookie.expiration, expiration, "a replaced cookie expires when the first one did");
        scan
    }

    /// Scans to the end, taking every revision that is no leaf for installed. Answers all that was new.
    pub async fn scan(&mut self) -> Vec<(u32, String, bool)> {
        let mut installed = Vec::new();
        let mut other = Vec::new();
        let mut all = Vec::new();
        for _ in 0..200 {
            let scan = self.sync(held(&installed, &other)).await;
            assert!(scan.out_of_scope.is_empty(), "{scan:?}");
            for (id, _, leaf) in &scan.new {
                let id = i32::try_from(*id).unwrap();
                if *leaf { other.push(id) } else { installed.push(id) }
            }
            let done = scan.new.is_empty();
            all.extend(scan.new);
            if done {
                return all;
            }
        }
        panic!("an agent gives up after 200 round trips");
    }
}

pub fn held(installed: &[i32], other: &[i32]) -> SyncUpdateParameters<'static> {
    SyncUpdateParameters {
        installed_non_leaf: installed.to_vec(),
        other_cached: other.to_vec(),
        also_perform_regular_sync: Some(true),
        need_two_group_out_of_scope: Some(true),
        ..SyncUpdateParameters::default()
    }
}

pub fn revision(id: u32) -> RevisionId {
    RevisionId::new(i64::from(id)).unwrap()
}
