//! The protocol half of the test server: good answers to every operation, faults and other answers put in
//! by the test.

use super::{Answer, FakeServer, Seen, answer};
use sluicegate_soap::client::{
    AuthPlugInInfo, AuthorizationCookie, Config, ConfigurationProperty, Cookie, Deployment,
    GetConfigResponse, GetCookieResponse, GetExtendedUpdateInfoResponse, GetFileLocationsResponse,
    GetFileLocationsResults, RefreshCacheResponse, RegisterComputerResponse, StartCategoryScanResponse,
    SyncInfo, SyncUpdatesResponse, UpdateInfo,
};
use sluicegate_soap::fault::{ErrorCode, Fault, FaultCode};
use sluicegate_soap::reporting::ReportEventBatchResponse;
use sluicegate_soap::simple_auth::GetAuthorizationCookieResponse;
use sluicegate_soap::text::Text;
use sluicegate_soap::{ResponseMessage, Service, SoapVersion, xpress};
use sluicegate_terms::{DeploymentAction, DeploymentId, Guid, RevisionId, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// Answers put in by a test, by operation, first to last; then the good answers.
#[derive(Default)]
pub struct Script(Mutex<HashMap<String, VecDeque<Answer>>>);

impl Script {
    pub fn then(self, operation: &str, answer: Answer) -> Self {
        self.0.lock().unwrap().entry(operation.to_owned()).or_default().push_back(answer);
        self
    }

    pub async fn serve(self) -> FakeServer {
        FakeServer::start(move |seen| self.respond(seen)).await
    }

    pub fn respond(&self, seen: &Seen) -> Answer {
        let scripted = self.0.lock().unwrap().get_mut(&seen.operation).and_then(VecDeque::pop_front);
        scripted.unwrap_or_else(|| good(seen))
    }
}

/// What a healthy server without updates answers.
pub fn good(seen: &Seen) -> Answer {
    match seen.operation.as_str() {
        "GetConfig" => message(&GetConfigResponse { config: config() }),
        "GetAuthorizationCookie" => message(&GetAuthorizationCookieResponse {
            cookie: AuthorizationCookie {
                plug_in_id: Some("SimpleTargeting".to_owned()),
                cookie_data: Some(vec![1; 8].into()),
            },
        }),
        "GetCookie" => message(&GetCookieResponse { cookie: cookie(1) }),
        "RegisterComputer" => message(&RegisterComputerResponse {}),
        "StartCategoryScan" => message(&StartCategoryScanResponse {
            preferred_category_ids: vec![Guid::from_u128(5)],
            requested_category_ids_in_error: Vec::new(),
        }),
        "SyncUpdates" => sync(SyncInfo::default()),
        "RefreshCache" => message(&RefreshCacheResponse::default()),
        "GetExtendedUpdateInfo" => message(&GetExtendedUpdateInfoResponse::default()),
        "GetFileLocations" => message(&GetFileLocationsResponse {
            result: GetFileLocationsResults { file_locations: Vec::new(), new_cookie: Some(cookie(3)) },
        }),
        "ReportEventBatch" => message(&ReportEventBatchResponse { received: true }),
        other => answer(404, format!("no operation {other} at {}", seen.path)),
    }
}

pub fn message<'a, M: ResponseMessage<'a>>(message: &M) -> Answer {
    answer(200, message.encode(SoapVersion::V11))
}

/// The same compressed, as servers answer agents.
pub fn compressed(plain: Answer) -> Answer {
    let mut compressed = plain.map(|body| xpress::compress(&body).into());
    compressed.headers_mut().insert("content-encoding", "xpress".parse().unwrap());
    compressed
}

pub fn sync(info: SyncInfo<'_>) -> Answer {
    message(&SyncUpdatesResponse { info })
}

/// A page of revisions, each with a cookie of its own.
pub fn page(new_updates: Vec<UpdateInfo<'static>>, truncated: bool) -> Answer {
    sync(SyncInfo { new_updates, truncated, new_cookie: Some(cookie(2)), ..SyncInfo::default() })
}

pub fn fault(code: ErrorCode) -> Answer {
    let fault = Fault {
        code: FaultCode::Client,
        error_code: code,
        message: String::new(),
        id: Guid::from_u128(0xfa),
        method: String::new(),
        actor: None,
    };
    answer(500, fault.encode(Service::Client, SoapVersion::V11))
}

pub fn config() -> Config {
    Config {
        last_change: "2026-10-04T13:17:07.59Z".parse().unwrap(),
        is_registration_required: true,
        auth_info: vec![AuthPlugInInfo {
            plug_in_id: Some("SimpleTargeting".to_owned()),
            service_url: Some("SimpleAuthWebService/SimpleAuth.asmx".to_owned()),
            parameter: None,
        }],
        allowed_event_ids: Vec::new(),
        properties: vec![ConfigurationProperty {
            name: Some("MaxExtendedUpdatesPerRequest".to_owned()),
            value: Some("2".to_owned()),
        }],
    }
}

/// A cookie that never expires; its data tells cookies apart.
pub fn cookie(data: u8) -> Cookie {
    Cookie { expiration: Timestamp::MAX, encrypted_data: Some(vec![data; 3].into()) }
}

/// A delivered revision with this Core fragment.
pub fn update(id: i64, action: DeploymentAction, is_leaf: bool, core: &str) -> UpdateInfo<'static> {
    let id = RevisionId::new(id).unwrap();
    UpdateInfo { id, deployment: Some(deployment(id, action)), is_leaf, xml: Some(Text::new(core)) }
}

pub fn deployment(id: RevisionId, action: DeploymentAction) -> Deployment {
    Deployment::plain(DeploymentId::implicit(id), action, Timestamp::UNIX_EPOCH)
}

/// A Core fragment of an update whose id is this number.
pub fn core(number: u128, kind: &str, rest: &str) -> String {
    let id = Guid::from_u128(number);
    format!(
        r#"<UpdateIdentity UpdateID="{id}" RevisionNumber="1" /><Properties UpdateType="{kind}" />{rest}"#
    )
}
