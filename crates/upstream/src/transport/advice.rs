//! Transport: what to do about a failure on the way to an upstream, in a sentence for an administrator.

use super::error::{Failure, NOT_HTTP, Peer, TransportError};
use super::settings::Schemes;
use sluicegate_soap::fault::ErrorCode;

/// What to do about a server that has too much to do, however it says so.
const BUSY: &str = "nothing is wrong here: try again later (`sluicegate sync now`); where a schedule is set, a \
                    synchronization is tried again soon without that";

/// What to do about an answer with too much in it.
const FEWER: &str = "choose fewer products and classifications: `sluicegate sync filter set --product … \
                     --classification …`";

/// What a service of authorization names when the id of the server that asks is of no use to it (MS-WSUSSS 3.1.4.2).
const ACCOUNT: &str = "accountGuid";

impl TransportError {
    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        let own_side = "check the upstream's address with `sluicegate upstream show`";
        match self.failure() {
            Failure::NameNotResolved { whose: Peer::Proxy, .. } => {
                "check the proxy's name in the upstream settings, and this machine's DNS".to_owned()
            }
            Failure::NameNotResolved { .. } if self.via().is_some() => {
                "the proxy resolves names for this server: check the upstream's name and the proxy's DNS".to_owned()
            }
            Failure::NameNotResolved { .. } => format!(
                "{own_side} and this machine's DNS; where only a proxy knows names outside, set it with --proxy"
            ),
            Failure::Refused { whose: Peer::Proxy } => {
                "check that the proxy is running and that its port is right".to_owned()
            }
            Failure::Refused { .. } => {
                "check that the server is running and the port is right (8530 for http, 8531 for https is usual)"
                    .to_owned()
            }
            Failure::TimedOut { .. } | Failure::Unreachable { .. } => match self.via() {
                Some(_) => "check the way to the proxy and from there to the server".to_owned(),
                None => "check the network and firewalls on the way; where a proxy is needed, set it with --proxy"
                    .to_owned(),
            },
            Failure::ConnectionLost { whose: Peer::Server, .. } if self.is_plain() => format!(
                "a synchronization goes on where it was; if this repeats, look whether the port is one for https \
                 ({own_side}), and at the network and at firewalls that inspect traffic"
            ),
            Failure::ConnectionLost { .. } | Failure::Truncated { .. } => {
                "a synchronization goes on where it was; if this repeats, look at the network and at firewalls that inspect traffic"
                    .to_owned()
            }
            Failure::NotContinued { .. } => format!(
                "find out what cuts long answers short, and have requests with Range answered: the server itself{}, \
                 or whatever inspects traffic on the way",
                if self.via().is_some() { ", the proxy" } else { "" }
            ),
            Failure::ProxyAuthentication { .. } if self.via().is_none() => format!(
                "{own_side}; where that is right, something on the way acts as a proxy: set it with --proxy, with \
                 --proxy-user and --proxy-password-file, or have it let this server through without asking"
            ),
            Failure::ProxyAuthentication { tried: None, allowed: Some(Schemes::NtlmOnly), .. } => {
                "have the proxy offer NTLM, or allow Basic, which shows the password to whoever listens on the way to \
                 the proxy (`sluicegate upstream set` with --proxy-basic)"
                    .to_owned()
            }
            Failure::ProxyAuthentication { tried: None, allowed: Some(_), .. } => {
                "have the proxy offer NTLM or Basic; other schemes are not known here".to_owned()
            }
            Failure::ProxyAuthentication { tried: None, .. } => {
                "give a user and password for the proxy, for a scheme that it offers (basic and NTLM are known here)"
                    .to_owned()
            }
            Failure::ProxyAuthentication { .. } => {
                "check the proxy user's name, domain and password, and whether the password has expired".to_owned()
            }
            Failure::ProxyRefused { status: 502 | 504, .. } => format!(
                "look whether {} runs, and have whoever runs the proxy look whether the proxy can reach it (name, port, \
                 a firewall between the two) and may",
                self.host()
            ),
            Failure::ProxyRefused { .. } => {
                "ask whoever runs the proxy to let this server reach that address".to_owned()
            }
            Failure::Certificate(rejected) => rejected.advice(self.host()),
            // One alert for whatever the other side could not agree on; it does not say which (RFC 8446 6.2).
            Failure::Tls { reason } if reason.contains("HandshakeFailure") => format!(
                "{} accepted nothing of what this server offers, and does not say why: it may allow neither TLS 1.2 with \
                 ECDHE nor 1.3, want a certificate of its clients (in IIS: SSL Settings, Client certificates: Ignore), or \
                 have a certificate whose key is none of RSA, P-256 and P-384, such as one on the curve P-521",
                self.host()
            ),
            Failure::Tls { .. } => {
                "check that the port speaks TLS (8531 and 443 are usual), and that the server allows TLS 1.2 or 1.3 and \
                 wants no certificate of its clients"
                    .to_owned()
            }
            Failure::WantsCertificate => format!(
                "the administrator of {} must let this server in without one (in IIS: SSL Settings, Client \
                 certificates: Ignore)",
                self.host()
            ),
            Failure::Forbidden if self.is_file_elsewhere() => {
                let asked = match self.via() {
                    Some(proxy) => format!("the proxy {proxy} or a firewall"),
                    None => "a proxy or a firewall on the way".to_owned(),
                };
                format!(
                    "have {asked} let this server fetch files from {}; if that is so already, the file is no longer \
                     given out there: `sluicegate content add` takes one that was brought by hand",
                    self.host()
                )
            }
            Failure::Unauthorized | Failure::Forbidden => {
                let theirs = format!(
                    "its administrator must allow anonymous access to this path{}{}",
                    if self.is_dss_auth() { " and check its list of allowed downstream servers" } else { "" },
                    if self.is_plain() { "" } else { ", without a certificate of the client" }
                );
                match self.answering_proxy().filter(|_| *self.failure() == Failure::Forbidden) {
                    Some(proxy) => format!(
                        "when it is the proxy {proxy}, ask whoever runs it to let this server reach that address; when \
                         it is the server at {}, {theirs}",
                        self.url()
                    ),
                    None => {
                        format!("the fault lies with the server at {}, not with this one: {theirs}", self.url())
                    }
                }
            }
            Failure::NotFound => format!("{own_side}; it must be that of an update server, without a path"),
            Failure::Busy { .. } => BUSY.to_owned(),
            Failure::Unavailable { .. } => {
                let reached = match self.answering_proxy() {
                    Some(_) => ", or the proxy cannot reach it",
                    None => "",
                };
                format!(
                    "it has too much to do, or the service there does not run{reached}: on WSUS the application pool \
                     WsusPool is stopped then, often for want of memory, and its administrator starts it again in IIS; \
                     otherwise try again later (`sluicegate sync now`; where a schedule is set, that happens by itself)"
                )
            }
            // What a listener for TLS, and one for pages, answer to a message they do not understand.
            Failure::Status { status: 400 | 405 } => format!(
                "{own_side}: whether it is to be https (8531 and 443 are usual), and that it has no path; otherwise \
                 look in that server's log for this time"
            ),
            Failure::Status { .. } => format!(
                "look in that server's log for this time{}",
                if self.answering_proxy().is_some() { ", and in the proxy's" } else { "" }
            ),
            Failure::TooLarge { .. } => {
                format!("{FEWER}; or check that the address is that of an update server")
            }
            Failure::TooMany { call: "GetRevisionIdList", .. } => FEWER.to_owned(),
            Failure::TooMany { .. } => "clean up there what is no longer needed".to_owned(),
            Failure::NotSoap { what, .. } if what == NOT_HTTP && self.is_plain() => {
                format!("{own_side}: whether it is to be https (8531 and 443 are usual)")
            }
            Failure::NotSoap { .. } => format!(
                "{own_side}; a proxy's or a guest network's page in place of the service means that this machine \
                 must sign in there first or be exempted"
            ),
            Failure::WantsTls { base, .. } => format!("set {base} as the upstream (`sluicegate upstream set`)"),
            Failure::Encoded { .. } => format!(
                "switch off compression of /Content at {} and at proxies before it (in IIS dynamic and static \
                 compression, in a reverse proxy gzip): a compressed file has another length and other ranges than \
                 its update declares",
                self.host()
            ),
            Failure::Damaged { .. } | Failure::WrongRange { .. } => "something on the way changes answers: look at proxies that inspect traffic".to_owned(),
            Failure::IncompatibleVersion { .. } => {
                "update the older of the two servers".to_owned()
            }
            Failure::Fault(fault) if fault.error_code == Some(ErrorCode::IncompatibleProtocolVersion) => {
                format!(
                    "this server speaks version {} of the protocol; update the older of the two servers",
                    crate::sync::PROTOCOL
                )
            }
            Failure::Fault(fault) if self.is_refusal() && fault.message == ACCOUNT => format!(
                "if {} is this server itself, name another: a server cannot be its own upstream; if one of the two is a \
                 copy of the other, as when a machine or a data folder was copied, they have one id: stop the copy, run \
                 `sluicegate repair identity --data DIR` there and start it; otherwise the administrator of {} must let \
                 this server synchronize (`sluicegate downstream allow` there)",
                self.host(),
                self.host()
            ),
            Failure::Fault(_) if self.is_refusal() => {
                format!(
                    "the administrator of {} must let this server synchronize (`sluicegate downstream allow` there, by \
                     the name that --account-name of `sluicegate upstream set` gives it here, else that of its machine)",
                    self.host()
                )
            }
            Failure::Fault(fault) if fault.error_code == Some(ErrorCode::ServerBusy) => BUSY.to_owned(),
            Failure::Fault(fault) => match fault.id {
                Some(id) => format!("look for the id {id} in the log of {}", self.host()),
                None => format!("look in the log of {} for this time", self.host()),
            },
            Failure::DiskFull { .. } => "free some space; what is already fetched is kept".to_owned(),
            Failure::Settings { .. } => "change it with `sluicegate upstream set`".to_owned(),
        }
    }

    /// Whether it was asked without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.url().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    }

    /// Whether it is a file that lies elsewhere than at an update server: neither a service nor content of one.
    pub(super) fn is_file_elsewhere(&self) -> bool {
        let url = self.url().to_ascii_lowercase();
        let path =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        !path.is_empty() && !path.contains(".asmx") && !path.starts_with("content/")
    }
}
