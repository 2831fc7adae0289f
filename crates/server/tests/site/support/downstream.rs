//! A downstream server reduced to its messages: the handshake, and whatever a test wants said after it.

use super::agent::path_of;
use super::{Answer, Site};
use sluicegate_soap::client::Cookie;
use sluicegate_soap::dss_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use sluicegate_soap::server_sync::{
    GetCookieRequest, GetCookieResponse, GetRevisionIdListRequest, GetRevisionIdListResponse, IdAndDelta,
    RevisionIdList, ServerSyncFilter,
};
use sluicegate_soap::{Limits, RequestMessage, ResponseMessage, SoapVersion};
use sluicegate_terms::{Guid, UpdateId};

pub struct Downstream<'a> {
    pub site: &'a Site,
    pub id: Guid,
    pub name: String,
    pub cookie: Option<Cookie>,
}

impl<'a> Downstream<'a> {
    /// A server that has not said anything yet.
    pub fn new(site: &'a Site, number: u128) -> Self {
        let name = format!("child-{number}.example.net");
        Self { site, id: Guid::from_u128(0xd000 + number), name, cookie: None }
    }

    /// A server with a cookie.
    pub async fn authorized(site: &'a Site, number: u128) -> Self {
        let mut server = Self::new(site, number);
        let answer = server.call(&server.authorization()).await;
        let cookie = GetAuthorizationCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie;
        let request = GetCookieRequest {
            auth_cookies: vec![cookie],
            protocol_version: Some("1.20".into()),
            ..GetCookieRequest::default()
        };
        let answer = server.call(&request).await;
        server.cookie = Some(GetCookieResponse::decode(&answer.body, &Limits::ANSWER).unwrap().cookie);
        server
    }

    pub fn authorization(&self) -> GetAuthorizationCookieRequest {
        GetAuthorizationCookieRequest {
            account_name: Some(self.name.clone()),
            account_guid: Some(self.id.to_string()),
            program_keys: None,
        }
    }

    pub async fn send<R: RequestMessage>(&self, request: &R, version: SoapVersion) -> Answer {
        let action = format!("\"{}\"", R::OPERATION.soap_action());
        let soap12 = format!("application/soap+xml; charset=utf-8; action={action}");
        let headers = match version {
            SoapVersion::V11 => vec![("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", &*action)],
            SoapVersion::V12 => vec![("Content-Type", &*soap12)],
        };
        let body = request.encode(version);
        self.site.request("POST", path_of(R::OPERATION.service), &headers, &body).await
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
        assert_eq!(answer.status, 500, "{}", answer.text());
        let fault = ReceivedFault::decode(&answer.body, &Limits::ANSWER).unwrap().unwrap();
        let path = path_of(R::OPERATION.service);
        assert_eq!(fault.actor, format!("http://{}{path}", self.site.addr), "real servers name the service");
        assert_eq!(fault.method, format!("\"{}\"", R::OPERATION.soap_action()));
        fault
    }

    /// The code and the message of a fault.
    pub async fn refusal<R: RequestMessage>(&self, request: &R) -> (ErrorCode, String) {
        let fault = self.fault(request).await;
        (fault.error_code.unwrap(), fault.message)
    }

    pub async fn list(&self, filter: ServerSyncFilter) -> RevisionIdList {
        let request = GetRevisionIdListRequest { cookie: self.cookie.clone(), filter: Some(filter) };
        let answer = self.call(&request).await;
        GetRevisionIdListResponse::decode(&answer.body, &Limits::ANSWER).unwrap().list
    }

    /// What is new among the updates since an anchor.
    pub async fn updates_since(&self, anchor: Option<&str>) -> RevisionIdList {
        self.list(ServerSyncFilter { anchor: anchor.map(str::to_owned), ..ServerSyncFilter::default() }).await
    }
}

/// One entry of a filter.
pub fn listed(id: UpdateId, delta: bool) -> Option<Vec<IdAndDelta>> {
    Some(vec![IdAndDelta { id: id.0, delta }])
}
