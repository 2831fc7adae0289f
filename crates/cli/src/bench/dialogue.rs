//! Bench: one client's conversation with a server, kept byte by byte, so that the same requests can
//! be sent again by the load generator and the same answers by the baseline.

use super::load::{Connection, RawRequest, post};
use anyhow::{Context as _, bail};
use sluicegate_agent::cache::HeldIds;
use sluicegate_agent::fleet::{Installed, LightHolder};
use sluicegate_agent::scan::Holder as _;
use sluicegate_soap::client::sync_updates::{SyncUpdateParameters, SyncUpdatesRequest};
use sluicegate_soap::client::{
    ComputerInfo, Config, Cookie, GetConfigRequest, GetConfigResponse, GetCookieRequest, GetCookieResponse,
    RegisterComputerRequest, SyncUpdatesResponse,
};
use sluicegate_soap::simple_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::{Limits, RequestMessage, ResponseMessage, SoapVersion, xpress};
use sluicegate_terms::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;

const CLIENT: &str = "/ClientWebService/client.asmx";
const LONGEST_ANSWER: usize = 256 << 20;

/// A request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// As it was sent.
    pub(crate) request: RawRequest,
    /// The body that came back, as on the wire.
    pub(crate) answer: Vec<u8>,
}

/// What a first scan was.
#[derive(Debug, Clone)]
pub(crate) struct FirstScan {
    /// The SyncUpdates calls.
    pub(crate) calls: Vec<Exchange>,
    /// Revisions delivered.
    pub(crate) delivered: usize,
    /// What the client holds at the end.
    pub(crate) held: HeldIds,
    /// Answers after decompression, in bytes.
    pub(crate) decoded: usize,
}

/// A client with a cookie.
pub(crate) struct Client {
    connection: Connection,
    cookie: Cookie,
}

impl Client {
    /// GetConfig, GetAuthorizationCookie, GetCookie, RegisterComputer.
    pub(crate) async fn sign_on(addr: SocketAddr, name: &str) -> anyhow::Result<Self> {
        let mut connection = Connection::open(addr).await?;
        let config =
            call(&mut connection, CLIENT, &GetConfigRequest { protocol_version: Some("2.90".to_owned()) })
                .await?;
        let config: Config = GetConfigResponse::decode(&config, &Limits::ANSWER)?.config;
        let request = GetAuthorizationCookieRequest {
            client_id: Some(name.to_owned()),
            dns_name: Some(format!("{name}.bench.invalid")),
            ..GetAuthorizationCookieRequest::default()
        };
        let answer = call(&mut connection, "/SimpleAuthWebService/SimpleAuth.asmx", &request).await?;
        let authorization = GetAuthorizationCookieResponse::decode(&answer, &Limits::ANSWER)?;
        let request = GetCookieRequest {
            auth_cookies: vec![authorization.cookie],
            last_change: config.last_change,
            current_time: Timestamp::UNIX_EPOCH,
            protocol_version: Some("2.90".to_owned()),
            ..GetCookieRequest::default()
        };
        let answer = call(&mut connection, CLIENT, &request).await?;
        let cookie = GetCookieResponse::decode(&answer, &Limits::ANSWER)?.cookie;
        let request = RegisterComputerRequest {
            cookie: Some(cookie.clone()),
            computer_info: Some(ComputerInfo {
                dns_name: Some(format!("{name}.bench.invalid")),
                ..ComputerInfo::default()
            }),
        };
        call(&mut connection, CLIENT, &request).await?;
        Ok(Self { connection, cookie })
    }

    /// The request of a client that holds `held`.
    pub(crate) fn request(&self, held: &HeldIds) -> RawRequest {
        let request = SyncUpdatesRequest {
            cookie: Some(self.cookie.clone()),
            parameters: Some(SyncUpdateParameters {
                express_query: Some(false),
                installed_non_leaf: held.installed_non_leaf.clone(),
                other_cached: held.other.clone(),
                need_two_group_out_of_scope: Some(true),
                also_perform_regular_sync: Some(true),
                ..SyncUpdateParameters::default()
            }),
        };
        raw(CLIENT, &request)
    }

    /// Sends a request for SyncUpdates; takes the new cookie.
    pub(crate) async fn sync(&mut self, held: &HeldIds) -> anyhow::Result<Exchange> {
        let request = self.request(held);
        let mut answer = Vec::new();
        let (status, _) = self.connection.exchange(&request, Some(&mut answer)).await?;
        if status != 200 {
            bail!("SyncUpdates was answered with HTTP {status}");
        }
        Ok(Exchange { request, answer })
    }

    /// The whole software pass of a client that holds nothing.
    pub(crate) async fn first_scan(&mut self, installed: &Arc<Installed>) -> anyhow::Result<FirstScan> {
        let mut holder = LightHolder::new(0, Arc::clone(installed));
        let mut calls = Vec::new();
        let mut decoded = 0;
        for _ in 0..200 {
            let exchange = self.sync(&holder.ids()).await?;
            let body =
                xpress::decompress(&exchange.answer, LONGEST_ANSWER).context("the answer is not Xpress")?;
            decoded += body.len();
            let limits = Limits { bytes: LONGEST_ANSWER, ..Limits::ANSWER };
            let info = SyncUpdatesResponse::decode(&body, &limits)?.info;
            if let Some(cookie) = &info.new_cookie {
                self.cookie = cookie.clone();
            }
            holder.absorb(&info)?;
            calls.push(exchange);
            if !info.truncated && info.new_updates.iter().all(|update| update.is_leaf) {
                return Ok(FirstScan { calls, delivered: holder.delivered(), held: holder.ids(), decoded });
            }
        }
        bail!("the scan had not ended after 200 calls, where agents give up")
    }
}

fn raw<R: RequestMessage>(path: &str, request: &R) -> RawRequest {
    let action = format!("\"{}\"", R::OPERATION.soap_action());
    let headers = [
        ("Content-Type", "text/xml; charset=utf-8"),
        ("Accept-Encoding", "xpress"),
        ("SOAPAction", action.as_str()),
    ];
    post(path, &headers, &request.encode(SoapVersion::V11))
}

async fn call<R: RequestMessage>(
    connection: &mut Connection,
    path: &str,
    request: &R,
) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let (status, _) = connection.exchange(&raw(path, request), Some(&mut answer)).await?;
    let body = xpress::decompress(&answer, LONGEST_ANSWER).unwrap_or(answer);
    if status != 200 {
        bail!("{} was answered with HTTP {status}: {}", R::OPERATION.name, String::from_utf8_lossy(&body));
    }
    Ok(body)
}
