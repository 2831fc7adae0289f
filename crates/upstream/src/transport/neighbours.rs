//! Transport: looking at the other usual ports of a host whose configured one does not answer as an update
//! server does (known problem P-02). Short waits: it only makes an error say more.

use super::answer::AnswerLimits;
use super::client::Transport;
use super::error::{Failure, TransportError};
use super::retry::RetryPolicy;
use super::settings::{TransportSettings, Waits};
use super::url::Url;
use sluicegate_soap::server_sync::GetAuthConfigRequest;
use sluicegate_soap::{RequestMessage as _, SoapVersion};
use std::time::Duration;

/// Where update servers listen, in the order in which they are told.
const USUAL: [(&str, u16); 4] = [("http", 8530), ("https", 8531), ("http", 80), ("https", 443)];

/// How long each of them has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most bytes of an answer that are read.
const LARGEST: usize = 64 << 10;

/// The service that every upstream has; it is asked for what needs no cookie.
const SERVICE: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";

impl TransportError {
    /// Whether another port of the host may be the right one.
    #[must_use]
    pub fn may_be_the_port(&self) -> bool {
        match self.failure() {
            Failure::Refused { whose } => *whose == super::Peer::Server,
            Failure::Tls { .. } | Failure::NotFound | Failure::NotSoap { .. } => true,
            _ => false,
        }
    }
}

/// The addresses among the usual ones of `base`'s host at which an update server answers, `base` left out. Takes
/// a few seconds at most, and goes the same way as every other request.
pub async fn neighbours(settings: &TransportSettings, base: &Url) -> Vec<String> {
    let settings = TransportSettings {
        waits: Waits { connect: PATIENCE, silence: PATIENCE, person: PATIENCE, call: PATIENCE },
        retry: RetryPolicy::NEVER,
        ..settings.clone()
    };
    let Ok(transport) = Transport::new(settings) else { return Vec::new() };
    let host = match base.host().contains(':') && !base.host().starts_with('[') {
        true => format!("[{}]", base.host()),
        false => base.host().to_owned(),
    };
    let asked: Vec<_> = USUAL
        .iter()
        .filter(|(scheme, port)| (*scheme == "https", *port) != (base.is_tls(), base.port()))
        .map(|(scheme, port)| format!("{scheme}://{host}:{port}"))
        .map(|address| tokio::spawn(answers(transport.clone(), address)))
        .collect();
    let mut found = Vec::new();
    for one in asked {
        found.extend(one.await.ok().flatten());
    }
    found
}

/// The address, with a remark where there is one, if something of an update server answers there.
async fn answers(transport: Transport, address: String) -> Option<String> {
    let url: Url = format!("{address}{SERVICE}").parse().ok()?;
    let question = GetAuthConfigRequest {}.encode(SoapVersion::V11);
    let action = GetAuthConfigRequest::OPERATION.soap_action();
    match transport.post(&url, &action, question, AnswerLimits::of(LARGEST)).await {
        Ok(_) => Some(address),
        Err(error) => match error.failure() {
            Failure::Fault(_) => Some(address),
            Failure::Certificate(_) => {
                Some(format!("{address} (with a certificate that is not trusted here)"))
            }
            _ => None,
        },
    }
}
