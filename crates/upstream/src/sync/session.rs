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
use sluicegate_soap::{
    AnswerError, DecodeError, Limits, Problem, RequestMessage, ResponseMessage, SoapVersion,
};
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

/// Most bytes of a list of revisions, 4 million of them.
pub(crate) const LARGEST_LIST: usize = Limits::REVISION_LIST.bytes;

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
        self.decode_from(&self.sync, body, &Limits::ANSWER)
    }

    /// Reads a list of revisions.
    pub(crate) fn decode_list<'a, R: ResponseMessage<'a>>(&self, body: &'a [u8]) -> Result<R, SyncError> {
        self.decode_from(&self.sync, body, &Limits::REVISION_LIST)
    }

    /// Reads an answer of the reporting service.
    pub(crate) fn decode_report<'a, R: ResponseMessage<'a>>(&self, body: &'a [u8]) -> Result<R, SyncError> {
        self.decode_from(&self.reporting, body, &Limits::ANSWER)
    }

    /// Reads an answer that came from `url`.
    fn decode_from<'a, R: ResponseMessage<'a>>(
        &self,
        url: &Url,
        body: &'a [u8],
        limits: &Limits,
    ) -> Result<R, SyncError> {
        decode::<R>(body, limits).map_err(|failure| SyncError::Transport(self.transport.error(url, failure)))
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
        let answer: GetAuthorizationCookieResponse = self.decode_from(&url, &body, &Limits::ANSWER)?;
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

/// Reads an answer. One that is whole and has too much in it was not damaged on the way.
fn decode<'a, R: ResponseMessage<'a>>(body: &'a [u8], limits: &Limits) -> Result<R, Failure> {
    R::decode(body, limits).map_err(|error| match error {
        AnswerError::Fault(fault) => Failure::Fault(fault),
        AnswerError::Unreadable(error) => {
            let call = R::OPERATION.name;
            let reason = error.to_string();
            match error {
                DecodeError::TooManyElements { .. }
                | DecodeError::Parameter { problem: Problem::TooMany(_), .. } => {
                    Failure::TooMany { call, reason }
                }
                _ => Failure::Damaged { reason: format!("{call}: {reason}") },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportError;
    use sluicegate_soap::server_sync::{GetRevisionIdListResponse, RevisionListWriter};
    use sluicegate_terms::{RevisionNumber, UpdateId, UpdateIdentity};

    fn list(count: u32) -> Vec<u8> {
        let mut writer = RevisionListWriter::new(SoapVersion::V11, "1", count as usize);
        for number in 1..=count {
            let update = UpdateId(Guid::from_u128(u128::from(number)));
            writer.push(UpdateIdentity { update, revision: RevisionNumber::new(200).unwrap() });
        }
        writer.finish()
    }

    #[test]
    fn a_list_of_more_than_a_million_revisions_is_read_and_four_million_have_room() {
        let read: GetRevisionIdListResponse = decode(&list(1_000_001), &Limits::REVISION_LIST).unwrap();
        assert_eq!(read.list.new_revisions.len(), 1_000_001);
        let Limits { bytes, elements, records, .. } = Limits::REVISION_LIST;
        assert!(records >= 4_000_000);
        assert!(records * RevisionListWriter::MOST_PER_REVISION + 100_000 <= bytes.min(LARGEST_LIST));
        assert!(records * 3 + 1_000 <= elements);
    }

    #[test]
    fn too_many_revisions_are_said_to_be_too_many_and_nothing_on_the_way_is_blamed() {
        let few = [
            Limits { records: 3, ..Limits::REVISION_LIST },
            Limits { elements: 12, ..Limits::REVISION_LIST },
        ];
        for limits in few {
            let Err(failure) = decode::<GetRevisionIdListResponse>(&list(4), &limits) else {
                panic!("more is read than the limit");
            };
            let error = TransportError::new(&"http://parent:8530".parse().unwrap(), None, failure);
            let said = error.to_string();
            assert_eq!(error.code(), "UssCommunicationError/AnswerTooLarge");
            assert!(said.contains("GetRevisionIdList") && said.contains("more than"), "{said}");
            assert!(said.contains("products") && said.contains("sync filter set"), "{said}");
            assert!(!said.contains("look at proxies") && !said.contains("damaged"), "{said}");
            assert!(!error.is_transient(), "it is as long in an hour");
        }
        let Err(cut) = decode::<GetRevisionIdListResponse>(&list(4)[..300], &Limits::REVISION_LIST) else {
            panic!("half a list is read");
        };
        assert!(matches!(cut, Failure::Damaged { .. }), "{cut:?}");
    }
}
