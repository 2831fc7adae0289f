//! Transport: one request on one connection, and the conversation that a proxy may want before it lets
//! the request through.

use super::client::Inner;
use super::connect::{self, Sender};
use super::error::{Failure, NOT_HTTP, Peer};
use super::proxy_auth::{self, Scheme};
use super::settings::{ProxyCredentials, ProxySettings};
use super::url::Url;
use crate::ntlm::{self, Challenge, Identity, Nonce};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::timeout;

/// Most bytes of a refusal that are read to keep its connection.
const LARGEST_REFUSAL: usize = 256 << 10;

/// How often one request is repeated because the proxy or an old connection wants it.
const MOST_ROUNDS: u32 = 12;

/// Seconds from 1601 to 1970.
const FILETIME_EPOCH: u64 = 11_644_473_600;

/// What is asked for.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An open connection that can take a request.
pub(super) struct Link {
    pub(super) sender: Sender,
    /// Plain HTTP by way of a proxy: requests name the whole address.
    absolute: bool,
    /// NTLM proves who we are to a connection, not to a request (MS-NTHT 1.3).
    proven: bool,
    pub(super) last_used: Instant,
}

/// Where connections to an address may be shared.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Route {
    proxy: Option<String>,
    server: Option<(bool, String)>,
}

impl Inner {
    pub(super) fn route(&self, url: &Url) -> Route {
        let proxy = self.settings.proxy_for(url).map(|proxy| proxy.address.authority());
        let shared = proxy.is_some() && !url.is_tls();
        Route { proxy, server: (!shared).then(|| (url.is_tls(), url.authority())) }
    }

    /// Sends `ask` and returns the head of the answer. A kept connection that the other side has closed in
    /// the meantime is replaced; every operation of the protocol may be repeated.
    pub(super) async fn open(&self, url: &Url, ask: &Ask) -> Result<(Link, Response<Incoming>), Failure> {
        let route = self.route(url);
        let proxy = self.settings.proxy_for(url);
        for _ in 0..MOST_ROUNDS {
            let (mut link, kept) = match self.take(&route) {
                Some(link) => (link, true),
                None => (self.connect(url, proxy).await?, false),
            };
            let plain_proxy = proxy.filter(|_| link.absolute);
            let tried = plain_proxy.and_then(|proxy| self.scheme(proxy));
            let answer = match self.exchange(&mut link, url, ask, plain_proxy, tried).await {
                Err(Trouble::Stale) if kept => continue,
                Err(Trouble::Stale) => {
                    let whose = if link.absolute { Peer::Proxy } else { Peer::Server };
                    let reason = "it was closed without an answer".to_owned();
                    return Err(Failure::ConnectionLost { whose, reason });
                }
                Err(Trouble::Failed(failure)) => return Err(failure),
                Ok(answer) => answer,
            };
            match plain_proxy {
                Some(proxy) if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    self.learn(proxy, &answer, tried.filter(|_| !kept), kept)?;
                }
                _ => return Ok((link, answer)),
            }
        }
        Err(Failure::ConnectionLost {
            whose: Peer::Server,
            reason: "it is closed again and again".to_owned(),
        })
    }

    /// A connection on which `url` can be asked for.
    async fn connect(&self, url: &Url, proxy: Option<&ProxySettings>) -> Result<Link, Failure> {
        let waits = &self.settings.waits;
        let link = |sender, absolute| Link { sender, absolute, proven: false, last_used: Instant::now() };
        match (proxy, url.is_tls()) {
            (None, false) => {
                let tcp = connect::dial(url, Peer::Server, waits).await?;
                Ok(link(connect::speak(tcp, Peer::Server).await?, false))
            }
            (None, true) => {
                let tcp = connect::dial(url, Peer::Server, waits).await?;
                let tls = connect::secure(tcp, url, self.tls()?, waits).await?;
                Ok(link(connect::speak(tls, Peer::Server).await?, false))
            }
            (Some(proxy), false) => {
                let tcp = connect::dial(&proxy.address, Peer::Proxy, waits).await?;
                Ok(link(connect::speak(tcp, Peer::Proxy).await?, true))
            }
            (Some(proxy), true) => {
                let tunnel = self.tunnel(url, proxy).await?;
                let tls = connect::secure(tunnel, url, self.tls()?, waits).await?;
                Ok(link(connect::speak(tls, Peer::Server).await?, false))
            }
        }
    }

    /// Has the proxy connect us to `url` (RFC 9110 9.3.6).
    async fn tunnel(
        &self,
        url: &Url,
        proxy: &ProxySettings,
    ) -> Result<hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>, Failure> {
        let mut headers = HeaderMap::new();
        if let Ok(agent) = HeaderValue::from_str(&self.settings.user_agent) {
            headers.insert(header::USER_AGENT, agent);
        }
        headers.insert("proxy-connection", HeaderValue::from_static("Keep-Alive"));
        let ask = Ask { method: Method::CONNECT, headers, body: Bytes::new() };
        for _ in 0..MOST_ROUNDS {
            let tcp = connect::dial(&proxy.address, Peer::Proxy, &self.settings.waits).await?;
            let sender = connect::speak(tcp, Peer::Proxy).await?;
            let mut link = Link { sender, absolute: true, proven: false, last_used: Instant::now() };
            let tried = self.scheme(proxy);
            let answer = match self.exchange(&mut link, url, &ask, Some(proxy), tried).await {
                Ok(answer) => answer,
                Err(Trouble::Failed(failure)) => return Err(failure),
                Err(Trouble::Stale) => {
                    let reason = "it was closed without an answer".to_owned();
                    return Err(Failure::ConnectionLost { whose: Peer::Proxy, reason });
                }
            };
            match answer.status() {
                status if status.is_success() => {
                    let upgraded = hyper::upgrade::on(answer).await;
                    return upgraded.map(hyper_util::rt::TokioIo::new).map_err(|error| {
                        Failure::ConnectionLost { whose: Peer::Proxy, reason: error.to_string() }
                    });
                }
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => self.learn(proxy, &answer, tried, false)?,
                status => {
                    return Err(super::verdict::proxy_failure(url, status, answer.headers()).unwrap_or(
                        Failure::ProxyRefused {
                            status: status.as_u16(),
                            reason: status.canonical_reason().unwrap_or("no reason given").to_owned(),
                        },
                    ));
                }
            }
        }
        Err(Failure::ConnectionLost { whose: Peer::Proxy, reason: "it is closed again and again".to_owned() })
    }

    /// Remembers what the proxy wants, or says that we cannot give it. `kept`: the answer came on an old
    /// connection, whose proof the proxy may have forgotten; a new one is tried first.
    fn learn(
        &self,
        proxy: &ProxySettings,
        answer: &Response<Incoming>,
        tried: Option<Scheme>,
        kept: bool,
    ) -> Result<(), Failure> {
        let offered = proxy_auth::offered(answer.headers());
        let chosen = proxy.credentials.as_ref().and_then(|known| proxy_auth::choose(&offered, known));
        match (chosen, tried) {
            (Some(scheme), None) => {
                self.remember(proxy, scheme);
                Ok(())
            }
            _ if kept => Ok(()),
            _ => Err(Failure::ProxyAuthentication {
                offered,
                tried: tried.map(Scheme::name),
                allowed: proxy.credentials.as_ref().map(|known| known.schemes),
            }),
        }
    }

    /// One request, with the proof that the proxy wants of it.
    async fn exchange(
        &self,
        link: &mut Link,
        url: &Url,
        ask: &Ask,
        proxy: Option<&ProxySettings>,
        scheme: Option<Scheme>,
    ) -> Result<Response<Incoming>, Trouble> {
        let credentials = proxy.and_then(|proxy| proxy.credentials.as_ref());
        match (scheme, credentials) {
            (Some(Scheme::Basic), Some(known)) => {
                self.send(link, url, ask, Some(proxy_auth::basic_header(known)), &ask.body).await
            }
            (Some(Scheme::Ntlm), Some(known)) if !link.proven => self.prove(link, url, ask, known).await,
            _ => self.send(link, url, ask, None, &ask.body).await,
        }
    }

    /// The NTLM conversation: our offer without a body, the proxy's challenge, our proof with the body.
    async fn prove(
        &self,
        link: &mut Link,
        url: &Url,
        ask: &Ask,
        known: &ProxyCredentials,
    ) -> Result<Response<Incoming>, Trouble> {
        let first = ntlm::negotiate();
        let answer = self.send(link, url, ask, Some(proxy_auth::ntlm_header(&first)), &Bytes::new()).await?;
        if answer.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            link.proven = true;
            if ask.body.is_empty() {
                return Ok(answer);
            }
            // It does not want to know who we are after all; only the body was missing.
            self.pass_over(answer).await?;
            return self.send(link, url, ask, None, &ask.body).await;
        }
        let Some(message) = proxy_auth::ntlm_challenge(answer.headers()) else {
            return Ok(answer); // A plain refusal.
        };
        let challenge = Challenge::parse(&message).map_err(|error| {
            Trouble::Failed(Failure::ProxyRefused { status: 407, reason: error.to_string() })
        })?;
        self.pass_over(answer).await?;
        let identity = Identity::new(&known.user, &known.password);
        let proof = ntlm::authenticate(&first, &challenge, &identity, "", &self.nonce());
        let answer = self.send(link, url, ask, Some(proxy_auth::ntlm_header(&proof)), &ask.body).await?;
        link.proven = answer.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        Ok(answer)
    }

    fn nonce(&self) -> Nonce {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let filetime = FILETIME_EPOCH
            .saturating_add(since.as_secs())
            .saturating_mul(10_000_000)
            .saturating_add(u64::from(since.subsec_nanos() / 100));
        Nonce { client: self.random(), filetime }
    }

    /// Reads an answer that nobody needs, so that its connection can go on.
    async fn pass_over(&self, answer: Response<Incoming>) -> Result<(), Trouble> {
        let reading = http_body_util::Limited::new(answer.into_body(), LARGEST_REFUSAL).collect();
        match timeout(self.settings.waits.connect, reading).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Trouble::Failed(Failure::ConnectionLost {
                whose: Peer::Proxy,
                reason: error.to_string(),
            })),
            Err(_) => Err(Trouble::Failed(Failure::TimedOut {
                whose: Peer::Proxy,
                stage: "the rest of its question",
                waited: self.settings.waits.connect,
            })),
        }
    }

    async fn send(
        &self,
        link: &mut Link,
        url: &Url,
        ask: &Ask,
        proof: Option<HeaderValue>,
        body: &Bytes,
    ) -> Result<Response<Incoming>, Trouble> {
        let whose = if link.absolute { Peer::Proxy } else { Peer::Server };
        let target = match (&ask.method, link.absolute) {
            (&Method::CONNECT, _) => url.authority(),
            (_, true) => url.to_string(),
            (_, false) => url.path().to_owned(),
        };
        let uri = Uri::try_from(target).map_err(|error| {
            Trouble::Failed(Failure::Settings { reason: format!("`{url}` is not a usable address: {error}") })
        })?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = ask.headers.clone();
        let host = if ask.method == Method::CONNECT { url.authority() } else { url.host_header() };
        if let Ok(host) = HeaderValue::from_str(&host) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Some(proof) = proof {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, proof);
        }
        let waited = self.settings.waits.silence;
        let sending = async {
            link.sender.ready().await?;
            link.sender.send_request(request).await
        };
        match timeout(waited, sending).await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(Trouble::Failed(Failure::TimedOut { whose, stage: "its answer", waited })),
            Ok(Err(error)) if super::tls::wants_certificate(&error) => {
                Err(Trouble::Failed(Failure::WantsCertificate))
            }
            Ok(Err(error)) if is_closed(&error) => Err(Trouble::Stale),
            Ok(Err(error)) if error.is_parse() => Err(Trouble::Failed(Failure::NotSoap {
                what: NOT_HTTP.to_owned(),
                excerpt: super::verdict::root_cause(&error),
            })),
            Ok(Err(error)) => Err(Trouble::Failed(Failure::ConnectionLost {
                whose,
                reason: super::verdict::root_cause(&error),
            })),
        }
    }
}

/// Why there is no answer on this connection.
enum Trouble {
    /// It was closed before an answer began; a kept connection may be.
    Stale,
    Failed(Failure),
}

fn is_closed(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || io.is_some_and(|io| {
            use std::io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
            };
            matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            )
        })
}
