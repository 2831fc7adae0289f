//! Synchronization: calls to one upstream with the cookie they need. A cookie that is no longer good is
//! replaced and the call repeated (MS-WSUSSS 2.2.9.3 and 3.2.4.1).

use super::{Clock, Stop, SyncError};
use crate::transport::{AnswerLimits, Failure, RetryPolicy, Transport, TransportError, Url, neighbours};
use bytes::Bytes;
use sluicegate_soap::client::Cookie;
use sluicegate_soap::dss_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{
    GetAuthConfigRequest, GetAuthConfigResponse, GetCookieRequest, GetCookieResponse,
};
use sluicegate_soap::{AnswerError, Limits, RequestMessage, ResponseMessage, SoapVersion};
use sluicegate_terms::Guid;
use tokio::sync::Mutex;

/// The protocol version this program speaks; what real servers answer with (observed).
pub(crate) const PROTOCOL: &str = "1.20";

/// How often in a row one call gets a fresh cookie before its fault is believed.
const FRESH_COOKIES: u32 = 2;

/// A cookie is replaced so many seconds before it expires.
const AHEAD: i64 = 60;

/// Most bytes of an ordinary answer; lists of revisions and documents have their own bound.
pub(crate) const LARGEST_ANSWER: usize = 64 << 20;

/// Most bytes of a list of revisions, some 4 million of them.
pub(crate) const LARGEST_LIST: usize = 512 << 20;

#[derive(Debug, Default)]
struct Held {
    cookie: Option<Cookie>,
    /// Counts the cookies, so that several calls that fail together fetch one new cookie.
    number: u64,
}

/// Calls to one upstream.
#[derive(Debug)]
pub(crate) struct Session {
    transport: Transport,
    base: Url,
    sync: Url,
    reporting: Url,
    account_name: String,
    account: Guid,
    clock: Clock_,
    stop: Stop,
    held: Mutex<Held>,
}

/// A clock that `Debug` can pass over.
struct Clock_(Clock);

impl std::fmt::Debug for Clock_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(clock)")
    }
}

impl Session {
    pub(crate) fn new(
        transport: Transport,
        base: Url,
        account_name: String,
        account: Guid,
        clock: Clock,
        stop: Stop,
    ) -> Result<Self, SyncError> {
        let below = |path: &str| {
            base.join(path).map_err(|error| SyncError::from(TransportError::settings(error.to_string())))
        };
        Ok(Self {
            sync: below("ServerSyncWebService/ServerSyncWebService.asmx")?,
            reporting: below("ReportingWebService/ReportingWebService.asmx")?,
            transport,
            base,
            account_name,
            account,
            clock: Clock_(clock),
            stop,
            held: Mutex::default(),
        })
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn account_name(&self) -> &str {
        &self.account_name
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Gives up when it is to stop, also while it waits for an answer or before it asks again.
    async fn post<Q: RequestMessage>(
        &self,
        url: &Url,
        request: &Q,
        bytes: usize,
    ) -> Result<Bytes, SyncError> {
        self.post_by(&self.transport, url, request, bytes).await
    }

    async fn post_by<Q: RequestMessage>(
        &self,
        transport: &Transport,
        url: &Url,
        request: &Q,
        bytes: usize,
    ) -> Result<Bytes, SyncError> {
        let body = request.encode(SoapVersion::V11);
        let action = Q::OPERATION.soap_action();
        tokio::select! {
            answer = transport.post(url, &action, body, AnswerLimits::of(bytes)) => Ok(answer?.body),
            why = self.stop.asked() => Err(why),
        }
    }

    /// Reads an answer of the synchronization service. What cannot be read is a failure of the way to the upstream.
    pub(crate) fn decode<'a, R: ResponseMessage<'a>>(&self, body: &'a [u8]) -> Result<R, SyncError> {
        self.decode_from(&self.sync, body)
    }

    /// Reads an answer of the reporting service.
    pub(crate) fn decode_report<'a, R: ResponseMessage<'a>>(&self, body: &'a [u8]) -> Result<R, SyncError> {
        self.decode_from(&self.reporting, body)
    }

    /// Reads an answer that came from `url`.
    fn decode_from<'a, R: ResponseMessage<'a>>(&self, url: &Url, body: &'a [u8]) -> Result<R, SyncError> {
        R::decode(body, &Limits::ANSWER).map_err(|error| {
            let failure = match error {
                AnswerError::Fault(fault) => Failure::Fault(fault),
                AnswerError::Unreadable(error) => {
                    Failure::Damaged { reason: format!("{}: {error}", R::OPERATION.name) }
                }
            };
            SyncError::Transport(self.transport.error(url, failure))
        })
    }

    /// Gets a fresh cookie.
    pub(crate) async fn authorize(&self) -> Result<(), SyncError> {
        let number = self.held.lock().await.number;
        self.cookie_after(Some(number)).await.map(|_| ())
    }

    /// The cookie, a new one when there is none, when it is about to expire or when it is the one with the
    /// number `bad`.
    async fn cookie_after(&self, bad: Option<u64>) -> Result<(Cookie, u64), SyncError> {
        let mut held = self.held.lock().await;
        let fresh_until = (self.clock.0)().plus_seconds(AHEAD);
        if let Some(cookie) = &held.cookie
            && bad != Some(held.number)
            && cookie.expiration > fresh_until
        {
            return Ok((cookie.clone(), held.number));
        }
        let cookie = match self.fetch_cookie(held.cookie.take()).await {
            Ok(cookie) => cookie,
            Err(error) => return Err(self.explained(error).await),
        };
        held.number += 1;
        held.cookie = Some(cookie.clone());
        Ok((cookie, held.number))
    }

    /// The failure of a handshake, with what answers at the other usual ports of the upstream when it may be the port
    /// that is wrong (known problem P-02).
    async fn explained(&self, error: SyncError) -> SyncError {
        match error {
            SyncError::Transport(error) if error.may_be_the_port() && !self.is_microsofts() => {
                let settings = self.transport.settings();
                let found = tokio::select! {
                    found = neighbours(settings, &self.base) => found,
                    why = self.stop.asked() => return why,
                };
                SyncError::Transport(error.answering(&found))
            }
            other => other,
        }
    }

    /// Whether the upstream is Microsoft's own service, whose ports are known.
    fn is_microsofts(&self) -> bool {
        self.base.host().to_ascii_lowercase().ends_with(".microsoft.com")
    }

    async fn fetch_cookie(&self, old_cookie: Option<Cookie>) -> Result<Cookie, SyncError> {
        let body = self.post(&self.sync, &GetAuthConfigRequest {}, LARGEST_ANSWER).await?;
        let answer: GetAuthConfigResponse = self.decode(&body)?;
        // Relative on real servers (observed-behaviour 8).
        let service = answer.config.auth_info.into_iter().find_map(|plug_in| plug_in.service_url);
        let service = service.as_deref().unwrap_or("DssAuthWebService/DssAuthWebService.asmx");
        let url = self
            .base
            .join(service)
            .map_err(|error| SyncError::Answer { call: "GetAuthConfig", reason: error.to_string() })?;
        let request = GetAuthorizationCookieRequest {
            account_name: Some(self.account_name.clone()),
            account_guid: Some(self.account.to_string()),
            program_keys: None,
        };
        let body = self.post(&url, &request, LARGEST_ANSWER).await?;
        let answer: GetAuthorizationCookieResponse = self.decode_from(&url, &body)?;
        let request = GetCookieRequest {
            auth_cookies: vec![answer.cookie],
            old_cookie,
            protocol_version: Some(PROTOCOL.to_owned()),
        };
        let body = match self.post(&self.sync, &request, LARGEST_ANSWER).await {
            // An old cookie that the upstream cannot read must not keep us out.
            Err(error) if request.old_cookie.is_some() && error.fault().is_some() => {
                self.post(&self.sync, &GetCookieRequest { old_cookie: None, ..request }, LARGEST_ANSWER)
                    .await?
            }
            other => other?,
        };
        let answer: GetCookieResponse = self.decode(&body)?;
        Ok(answer.cookie)
    }

    /// Calls an operation of the synchronization service.
    pub(crate) async fn call<Q: RequestMessage>(
        &self,
        bytes: usize,
        make: impl Fn(Cookie) -> Q,
    ) -> Result<Bytes, SyncError> {
        let mut bad = None;
        let mut tries = 0;
        loop {
            let (cookie, number) = self.cookie_after(bad).await?;
            let error = match self.post(&self.sync, &make(cookie), bytes).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            match error.fault() {
                Some(ErrorCode::ServerChanged) => return Err(SyncError::ServerChanged),
                Some(
                    ErrorCode::InvalidCookie
                    | ErrorCode::CookieExpired
                    | ErrorCode::InvalidAuthorizationCookie
                    | ErrorCode::ConfigChanged,
                ) if tries < FRESH_COOKIES => {
                    tries += 1;
                    bad = Some(number);
                }
                _ => return Err(error),
            }
        }
    }

    /// Calls an operation of the reporting service, whose cookie is empty and never expires (MS-WSUSSS 3.2.4.5).
    pub(crate) async fn report<Q: RequestMessage>(&self, request: &Q) -> Result<Bytes, SyncError> {
        self.post(&self.reporting, request, LARGEST_ANSWER).await
    }

    /// Calls such an operation and does not ask again when it fails: nothing waits for the answer.
    pub(crate) async fn report_once<Q: RequestMessage>(&self, request: &Q) -> Result<Bytes, SyncError> {
        let transport = self.transport.with_retry(RetryPolicy::NEVER);
        self.post_by(&transport, &self.reporting, request, LARGEST_ANSWER).await
    }
}
