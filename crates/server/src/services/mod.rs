//! The SOAP services: from a bounded request body to a typed request, to an answer or a fault, to the
//! encoded response. What each operation does is in the modules below.

mod category_scan;
mod config;
mod decryption;
mod describe;
mod extended;
mod failure;
mod locations;
mod printers;
mod refresh;
mod register;
mod reporting;
mod session;
mod simple_auth;
mod sync;
mod sync_answer;
pub(crate) mod upstream;

pub(crate) use failure::Failure;

use crate::admission::{Permit, Stage};
use crate::state::App;
use crate::telemetry::Outcome;
use crate::transport::body::{Body, text};
use crate::transport::coding::Coding;
use crate::transport::request::{self, BodyError};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, VARY,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use sluicegate_soap::fault::{ErrorCode, Fault, FaultCode};
use sluicegate_soap::xpress::{self, Effort};
use sluicegate_soap::{
    DecodeError, ResponseMessage, Service, SoapVersion, client, gzip, reporting as reports,
};
use sluicegate_soap::{Limits as SoapLimits, simple_auth as auth};
use sluicegate_terms::{ComputerId, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Answers longer than this are compressed away from the async workers.
const LONG_ANSWER: usize = 256 << 10;

/// What is known of the sender before its request is read.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) service: Service,
    pub(crate) peer: SocketAddr,
    pub(crate) now: Timestamp,
    /// The SOAPAction header as it came, or the `action` of a SOAP 1.2 content type.
    pub(crate) action: String,
    /// By the content type; the envelope decides when it can be read.
    pub(crate) version: SoapVersion,
    /// The Host header.
    pub(crate) host: String,
}

impl Caller {
    pub(crate) fn new(service: Service, headers: &HeaderMap, peer: SocketAddr, now: Timestamp) -> Self {
        let field = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let content_type = field(CONTENT_TYPE).unwrap_or_default();
        let version = match media_type(content_type) {
            "application/soap+xml" => SoapVersion::V12,
            _ => SoapVersion::V11,
        };
        let action = headers.get("soapaction").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            service,
            peer,
            now,
            action: action.or_else(|| action_parameter(content_type)).unwrap_or_default(),
            version,
            host: field(HOST).unwrap_or_default().to_owned(),
        }
    }
}

/// `text/xml; charset=utf-8` without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The `action` parameter of a SOAP 1.2 content type, with its quotes.
fn action_parameter(content_type: &str) -> Option<String> {
    content_type.split(';').map(str::trim).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("action").then(|| value.trim().to_owned())
    })
}

/// An answer on its way out.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// How the bytes are encoded already.
    coding: Coding,
    /// Compressing would make them hardly shorter.
    dense: bool,
    permit: Option<Permit>,
}

impl Reply {
    /// A message that is not encoded yet.
    pub(crate) fn message<'a>(message: &impl ResponseMessage<'a>, version: SoapVersion) -> Self {
        Self { bytes: message.encode(version), coding: Coding::Identity, dense: false, permit: None }
    }

    /// A long message, with room for about so many bytes from the start: growing would copy what is there.
    pub(crate) fn long_message<'a>(
        message: &impl ResponseMessage<'a>,
        version: SoapVersion,
        length: usize,
    ) -> Self {
        let bytes = message.encode_long(version, length);
        Self { bytes, coding: Coding::Identity, dense: false, permit: None }
    }

    /// Bytes that are encoded, and the room they hold.
    pub(crate) fn ready(bytes: Vec<u8>, coding: Coding, permit: Permit) -> Self {
        Self { bytes, coding, dense: false, permit: Some(permit) }
    }

    /// This answer, which is mostly compressed already and not worth doing it again.
    pub(crate) fn dense(self, dense: bool) -> Self {
        Self { dense, ..self }
    }

    /// Bytes of the message.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// This answer and the room it holds.
    pub(crate) fn holding(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }
}

/// What became of a request that could be read.
pub(crate) struct Done {
    pub(crate) operation: &'static str,
    pub(crate) version: SoapVersion,
    pub(crate) computer: Option<ComputerId>,
    pub(crate) result: Result<Reply, Failure>,
}

/// Answers one request to a service.
pub(crate) async fn answer(app: &Arc<App>, caller: &Caller, request: Request<Incoming>) -> Response<Body> {
    match *request.method() {
        Method::POST => {}
        Method::GET | Method::HEAD => return describe::answer(caller, request.uri().query()),
        _ => {
            let mut response = text(
                StatusCode::METHOD_NOT_ALLOWED,
                "Services are called with POST; GET with ?wsdl describes them.\n",
            );
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            return response;
        }
    }
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let wanted = Coding::for_answer(&parts.headers);
    let received = receive(app, caller, &parts.headers, body).await;
    let (response, operation, outcome) = match received {
        Ok((body, room)) => {
            let done = match caller.service {
                // Boxed but for scans, so that a scan under way does not hold room for all that others do.
                Service::SimpleAuth => Box::pin(on_simple_auth(app, caller, &body)).await,
                Service::Client => on_client(app, caller, &body, wanted).await,
                Service::Reporting => Box::pin(on_reporting(app, caller, &body)).await,
                Service::DssAuth => Box::pin(upstream::on_dss_auth(app, caller, &body)).await,
                Service::ServerSync => Box::pin(upstream::on_server_sync(app, caller, &body)).await,
            };
            drop(room);
            finish(app, caller, done, wanted).await
        }
        Err(Unreceived::Body(error)) => {
            tracing::info!(peer = %caller.peer, service = ?caller.service, status = error.status().as_u16(), cause = %error, "request refused");
            (text(error.status(), format!("{error}\n")), "", Outcome::Refused)
        }
        Err(Unreceived::Failure(failure)) => {
            let response = fault(app, caller, caller.version, "", None, &failure);
            (response, "", Outcome::Busy)
        }
    };
    let bytes = http_body::Body::size_hint(response.body()).exact().unwrap_or(0);
    app.telemetry.request(name_of(caller.service), operation, outcome, started.elapsed(), bytes);
    response
}

/// The name of a service in metrics.
const fn name_of(service: Service) -> &'static str {
    match service {
        Service::SimpleAuth => "SimpleAuth",
        Service::Client => "Client",
        Service::Reporting => "Reporting",
        Service::DssAuth => "DssAuth",
        Service::ServerSync => "ServerSync",
    }
}

enum Unreceived {
    Body(BodyError),
    Failure(Failure),
}

impl From<BodyError> for Unreceived {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// The longest body taken, as sent. Servers tell of 500 computers at once, with every update on each
/// (observed-behaviour 8), which is several times what an agent has to say.
fn body_limit(app: &App, caller: &Caller) -> usize {
    match caller.service {
        Service::Reporting if caller.action.contains("Rollup") => app.limits.reporting_body.saturating_mul(4),
        Service::Reporting => app.limits.reporting_body,
        _ => app.limits.client_body,
    }
}

/// Reads the body within the bounds, holding room for it.
async fn receive(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(bytes::Bytes, Permit), Unreceived> {
    let limit = body_limit(app, caller);
    let coding = Coding::of_request(headers).map_err(BodyError::UnknownCoding)?;
    let announced = request::announced(headers, limit)?;
    let expanded =
        if coding == Coding::Identity { limit } else { limit.saturating_mul(app.limits.expansion) };
    let wanted = match (announced, coding) {
        (Some(len), Coding::Identity) => len,
        (Some(len), _) => len.saturating_mul(app.limits.expansion),
        // Nothing is known of a chunked body; most are small.
        (None, _) => limit / 16,
    };
    let room = app
        .bodies
        .admit(wanted, Stage::Continues, || app.jitter())
        .await
        .map_err(|busy| Unreceived::Failure(busy.into()))?;
    let raw = request::read(body, announced, limit, app.limits.body_time).await?;
    Ok((request::decode(raw, coding, expanded)?, room))
}

/// A request that is no message at all.
fn unreadable(caller: &Caller, error: DecodeError) -> Done {
    Done { operation: "", version: caller.version, computer: None, result: Err(Failure::Unreadable(error)) }
}

fn soap_limits(app: &App, caller: &Caller) -> SoapLimits {
    let sent = body_limit(app, caller);
    SoapLimits { bytes: sent.saturating_mul(app.limits.expansion), ..SoapLimits::REQUEST }
}

async fn on_simple_auth(app: &Arc<App>, caller: &Caller, body: &[u8]) -> Done {
    let decoded = auth::Request::decode(body, Some(&caller.action), &soap_limits(app, caller));
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let (result, computer) = match request {
        auth::Request::GetAuthorizationCookie(request) => {
            simple_auth::get_authorization_cookie(app, caller, request, version).await
        }
        auth::Request::Ping(_) => (Ok(simple_auth::ping(caller, "SimpleAuth", version)), None),
    };
    Done { operation, version, computer, result }
}

async fn on_client(app: &Arc<App>, caller: &Caller, body: &[u8], wanted: Coding) -> Done {
    let decoded = client::Request::decode(body, Some(&caller.action), &soap_limits(app, caller));
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let mut computer = None;
    let result = match &request {
        client::Request::GetConfig(request) => config::get_config(app, request, version),
        client::Request::GetCookie(request) => {
            config::get_cookie(app, caller, request, version, &mut computer)
        }
        client::Request::RegisterComputer(request) => {
            Box::pin(register::register_computer(app, caller, request, version, &mut computer)).await
        }
        client::Request::StartCategoryScan(request) => category_scan::start(app, request, version),
        client::Request::SyncUpdates(request) => {
            sync::sync_updates(app, caller, request, version, wanted, &mut computer).await
        }
        client::Request::SyncPrinterCatalog(request) => {
            Box::pin(printers::sync_printer_catalog(app, caller, request, version, wanted, &mut computer))
                .await
        }
        client::Request::RefreshCache(request) => {
            Box::pin(refresh::refresh_cache(app, caller, request, version, &mut computer)).await
        }
        client::Request::GetExtendedUpdateInfo(request) => {
            Box::pin(extended::get_extended_update_info(app, caller, request, version, &mut computer)).await
        }
        client::Request::GetExtendedUpdateInfo2(request) => {
            Box::pin(extended::get_extended_update_info2(app, caller, request, version, &mut computer)).await
        }
        client::Request::GetFileLocations(request) => {
            locations::get_file_locations(app, caller, request, version, &mut computer)
        }
    };
    Done { operation, version, computer, result }
}

async fn on_reporting(app: &Arc<App>, caller: &Caller, body: &[u8]) -> Done {
    let decoded = reports::Request::decode(body, Some(&caller.action), &soap_limits(app, caller));
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(DecodeError::UnknownOperation { expected, .. }) => {
            return upstream::on_rollup(app, caller, body, &expected).await;
        }
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let mut computer = None;
    let result = match request {
        reports::Request::ReportEventBatch(request) => {
            reporting::report_event_batch(app, caller, request, version, &mut computer).await
        }
        reports::Request::ReportEventBatch2(request) => {
            reporting::report_event_batch2(app, caller, request, version, &mut computer).await
        }
        reports::Request::GetRequiredInventoryType(request) => {
            reporting::get_required_inventory_type(app, caller, &request, version, &mut computer)
        }
        reports::Request::ReportInventory(request) => {
            reporting::report_inventory(app, caller, request, version, &mut computer).await
        }
    };
    Done { operation, version, computer, result }
}

async fn finish(
    app: &App,
    caller: &Caller,
    done: Done,
    wanted: Coding,
) -> (Response<Body>, &'static str, Outcome) {
    let Done { operation, version, computer, result } = done;
    let failure = match result {
        Ok(reply) => match encoded(reply, wanted).await {
            Ok((body, coding)) => {
                if let Some(computer) = &computer {
                    app.directory.heard(computer, caller.now, operation == "SyncUpdates");
                }
                return (success(caller.service, version, body, coding), operation, Outcome::Ok);
            }
            Err(failure) => failure,
        },
        // The message as a whole is no request: HTTP says so, in a sentence.
        Err(Failure::Unreadable(error)) if !error.is_parameter() => {
            tracing::info!(peer = %caller.peer, service = ?caller.service, action = caller.action, cause = %error, "request refused");
            let status = match error {
                DecodeError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            return (text(status, format!("{error}\n")), operation, Outcome::Refused);
        }
        Err(failure) => failure,
    };
    let outcome = match failure.fault() {
        (_, ErrorCode::ServerBusy, _) => Outcome::Busy,
        (FaultCode::Server, ..) => Outcome::Error,
        (FaultCode::Client, ..) => Outcome::Fault,
    };
    (fault(app, caller, version, operation, computer.as_ref(), &failure), operation, outcome)
}

/// The reply's bytes in the coding the client wants.
async fn encoded(reply: Reply, wanted: Coding) -> Result<(Body, Coding), Failure> {
    let Reply { bytes, coding, dense, permit } = reply;
    let (bytes, coding) = if dense || coding != Coding::Identity || wanted == Coding::Identity {
        (bytes, coding)
    } else if bytes.len() > LONG_ANSWER {
        let compressed = tokio::task::spawn_blocking(move || compress(&bytes, wanted)).await;
        (
            compressed
                .map_err(|error| Failure::Internal(format!("compressing an answer failed: {error}")))?,
            wanted,
        )
    } else {
        (compress(&bytes, wanted), wanted)
    };
    let body = match permit {
        Some(mut permit) => {
            permit.shrink_to(bytes.len());
            Body::holding(bytes, permit)
        }
        None => Body::bytes(bytes),
    };
    Ok((body, coding))
}

fn compress(bytes: &[u8], coding: Coding) -> Vec<u8> {
    match coding {
        Coding::Identity => bytes.to_vec(),
        Coding::Gzip => gzip::encode(bytes),
        Coding::Xpress => {
            let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
            xpress::compress_into(&mut out, bytes, Effort::Fast);
            out
        }
    }
}

/// The header fields that answers and faults have in common (observed-behaviour 1.2).
fn common_headers(response: &mut Response<Body>, service: Service, version: SoapVersion) {
    let cache = match service {
        Service::Client => "private",
        Service::SimpleAuth | Service::Reporting | Service::DssAuth | Service::ServerSync => {
            "private, max-age=0"
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(version.content_type()));
}

fn success(service: Service, version: SoapVersion, body: Body, coding: Coding) -> Response<Body> {
    let mut response = Response::new(body);
    common_headers(&mut response, service, version);
    if coding != Coding::Identity {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

/// Makes a failure's fault and logs it under the same id (MS-WUSP 2.2.2.4).
pub(crate) fn fault(
    app: &App,
    caller: &Caller,
    version: SoapVersion,
    operation: &str,
    computer: Option<&ComputerId>,
    failure: &Failure,
) -> Response<Body> {
    let (code, error_code, message) = failure.fault();
    let id = app.random.guid();
    let client = computer.map(ComputerId::as_str).unwrap_or_default();
    let service = caller.service;
    let actor = format!("http://{}{}", app.authority(&caller.host), crate::routes::path_of(service));
    match code {
        FaultCode::Server if error_code != ErrorCode::ServerBusy => {
            tracing::error!(%id, service = name_of(service), %error_code, operation, action = caller.action, client, peer = %caller.peer, actor, fault_message = message, cause = %failure, "fault");
        }
        _ => {
            tracing::info!(%id, service = name_of(service), %error_code, operation, action = caller.action, client, peer = %caller.peer, actor, fault_message = message, cause = %failure, "fault");
        }
    }
    app.telemetry.fault(error_code);
    let fault = Fault { code, error_code, message, id, method: caller.action.clone(), actor: Some(actor) };
    let mut response = Response::new(Body::bytes(fault.encode(service, version)));
    common_headers(&mut response, service, version);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    if let Some(seconds) = failure.retry_after() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soap_12_carries_its_action_in_the_content_type() {
        let content_type = "application/soap+xml; charset=utf-8; action=\"http://x/GetConfig\"";
        assert_eq!(action_parameter(content_type).as_deref(), Some("\"http://x/GetConfig\""));
        assert_eq!(media_type(content_type), "application/soap+xml");
        assert_eq!(action_parameter("text/xml; charset=utf-8"), None);
    }
}
