//! The server asks itself: every endpoint, through the address it really listens on, as a client would (known
//! problems P-04 and P-13). What a firewall or a certificate on the way does to others is not seen from here.

use crate::content::files;
use crate::routes::path_of;
use crate::state::App;
use http::Request;
use serde_json::{Value, json};
use sluicegate_soap::simple_auth::PingRequest;
use sluicegate_soap::{RequestMessage as _, Service, SoapVersion};
use sluicegate_terms::{Guid, Sha1Digest, Timestamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one endpoint has for its whole answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most bytes of an answer that are read; descriptions of services are the longest.
const LONGEST: u64 = 256 << 10;

/// The header field of the server's own mark.
const MARK: &str = "x-sluicegate-own";

/// A service that lost its way answers with another status or without this.
const PONG: &str = "<SuccessFlag>true</SuccessFlag>";

/// What the endpoint of content files is called.
const CONTENT: &str = "Content";

/// What one endpoint did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Probed {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
    pub(crate) fine: bool,
}

/// What all of them did, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SelfTest {
    pub(crate) at: Timestamp,
    pub(crate) address: SocketAddr,
    pub(crate) endpoints: Vec<Probed>,
}

impl SelfTest {
    /// Those that did not answer as they must.
    pub(crate) fn failing(&self) -> impl Iterator<Item = &Probed> {
        self.endpoints.iter().filter(|endpoint| !endpoint.fine)
    }

    /// Whether all that fails is that a file could not be read: the endpoint answers, and says so.
    pub(crate) fn cannot_read_files(&self) -> bool {
        let unread = |one: &Probed| one.name == CONTENT && one.found == "500";
        self.failing().next().is_some() && self.failing().all(unread)
    }

    /// A sentence about those, the same as long as they fail in the same way; `None` when all is well.
    pub(crate) fn trouble(&self) -> Option<String> {
        let list: Vec<String> = self
            .failing()
            .map(|one| format!("{} ({}): expected {}, found {}", one.name, one.path, one.expected, one.found))
            .collect();
        (!list.is_empty()).then(|| {
            format!(
                "asked at its own address {}, this server does not answer as it must: {}; its log says why",
                self.address,
                list.join("; ")
            )
        })
    }

    /// As `/healthz` and the admin API show it.
    pub(crate) fn to_json(&self) -> Value {
        let endpoints: Vec<Value> = self
            .endpoints
            .iter()
            .map(|one| {
                json!({
                    "name": one.name,
                    "path": one.path,
                    "expected": one.expected,
                    "found": one.found,
                    "fine": one.fine,
                })
            })
            .collect();
        json!({
            "at": self.at.iso(),
            "address": self.address.to_string(),
            "fine": self.failing().next().is_none(),
            "endpoints": endpoints,
        })
    }
}

/// A question and what its answer must be.
struct Question {
    name: &'static str,
    path: String,
    /// The request line's method, header fields and body.
    method: &'static str,
    fields: &'static str,
    body: Vec<u8>,
    status: u16,
    /// What must be in the answer.
    within: &'static str,
    expected: &'static str,
}

/// Whether a request is one of this server's own questions to itself: nobody else knows the mark.
pub(crate) fn is_own<B>(app: &App, request: &Request<B>) -> bool {
    request
        .headers()
        .get(MARK)
        .is_some_and(|given| bool::from(given.as_bytes().ct_eq(app.watch.own_mark.to_string().as_bytes())))
}

/// Asks every endpoint, one after the other.
pub(crate) async fn run(app: &App) -> SelfTest {
    let address = own_address(app.ip, app.port);
    let mut endpoints = Vec::new();
    for question in
        questions(whole_file(app).await, |sha1| app.store.content().held(sha1).map(|held| held.extension))
    {
        let found = match timeout(PATIENCE, ask(address, &question, app.watch.own_mark)).await {
            Ok(Ok(answer)) => judge(&answer, &question),
            Ok(Err(error)) => Err(format!("no answer: {error}")),
            Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        let fine = found.is_ok();
        let found = found.unwrap_or_else(|found| found);
        let Question { name, path, expected, .. } = question;
        endpoints.push(Probed { name, path, expected, found, fine });
    }
    SelfTest { at: app.clock.now(), address, endpoints }
}

/// So many held files are looked at for one that is there.
const LOOKED_AT: usize = 16;

/// A held file that lies on the disk: one that does not is not the endpoint's fault, and is not held any more.
async fn whole_file(app: &App) -> Option<Sha1Digest> {
    let store = app.store.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let content = store.content();
        let some = content.list().into_iter().take(LOOKED_AT);
        // One that cannot be looked at is asked for all the same, and the answer says so.
        some.map(|sha1| (sha1, content.lose_if_damaged(sha1)))
            .find(|(_, looked)| !matches!(looked, Ok(Some(_))))
            .map(|(sha1, _)| sha1)
    });
    let found = looked.await.ok().flatten();
    if app.store.content().has_lost() {
        app.watch.files_seen_to();
    }
    found
}

/// Where a server that listens on this address and port reaches itself.
pub(crate) fn own_address(ip: IpAddr, port: u16) -> SocketAddr {
    let ip = match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, port)
}

fn questions(held: Option<Sha1Digest>, ending: impl Fn(Sha1Digest) -> Option<Box<str>>) -> Vec<Question> {
    let ping = |name, service| Question {
        name,
        path: path_of(service).to_owned(),
        method: "POST",
        fields: "Content-Type: text/xml; charset=utf-8\r\n",
        body: PingRequest { ping_level: 0 }.encode(SoapVersion::V11),
        status: 200,
        within: PONG,
        expected: "200 and an answer to Ping",
    };
    let plain = |name, method, path: String, status, within, expected| Question {
        name,
        path,
        method,
        fields: "",
        body: Vec::new(),
        status,
        within,
        expected,
    };
    // A name without an ending that no declared file has is refused by the content service itself; nothing else would
    // answer 403.
    let nothing = files::path_of(&Sha1Digest([0; 20]), "");
    let file = held.and_then(|sha1| Some((sha1, ending(sha1).filter(|ending| !ending.is_empty())?)));
    let content = match file {
        Some((sha1, ending)) => {
            let path = format!("/Content/{}", files::path_of(&sha1, &ending));
            plain(CONTENT, "HEAD", path, 200, "", "200 for a file that is held")
        }
        None => {
            plain(CONTENT, "HEAD", format!("/Content/{nothing}"), 403, "", "403 for a name without an ending")
        }
    };
    let described = format!("{}?wsdl", path_of(Service::Client));
    vec![
        ping("SimpleAuthWebService", Service::SimpleAuth),
        plain("ClientWebService", "GET", described, 200, "GetExtendedUpdateInfo", "200 and its description"),
        ping("ReportingWebService", Service::Reporting),
        ping("DssAuthWebService", Service::DssAuth),
        ping("ServerSyncWebService", Service::ServerSync),
        content,
        plain("Admin API", "GET", "/api/v1/status".to_owned(), 401, "unauthorized", "401 without a token"),
    ]
}

/// The start of an answer, head and body.
async fn ask(address: SocketAddr, question: &Question, mark: Guid) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let action = match question.method {
        "POST" => format!("SOAPAction: \"{}\"\r\n", PingRequest::OPERATION.soap_action()),
        _ => String::new(),
    };
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Sluicegate-SelfTest\r\n{MARK}: {mark}\r\n\
         Connection: close\r\nContent-Length: {}\r\n{action}{}\r\n",
        question.method,
        question.path,
        question.body.len(),
        question.fields
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&question.body).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn judge(answer: &[u8], question: &Question) -> Result<String, String> {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
    match status {
        Some(status) if status == question.status && text.contains(question.within) => Ok(status.to_string()),
        Some(status) if status == question.status => Err(format!("{status} with something else")),
        Some(status) => Err(status.to_string()),
        None => Err("something that is no answer of HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::testing;
    use crate::transport::body::{Body, text};
    use crate::transport::listen::Handler;
    use http::{Response, StatusCode};
    use hyper::body::Incoming;
    use std::sync::Arc;

    async fn tested<H: Handler + Sync>(app: &Arc<App>, handler: H) -> Vec<Probed> {
        let address = testing::serve(app, handler).await;
        let mut endpoints = Vec::new();
        for question in questions(None, |_| None) {
            let answer = ask(address, &question, app.watch.own_mark).await.unwrap();
            let found = judge(&answer, &question);
            let (name, path, expected, fine) =
                (question.name, question.path, question.expected, found.is_ok());
            endpoints.push(Probed { name, path, expected, found: found.unwrap_or_else(|f| f), fine });
        }
        endpoints
    }

    #[tokio::test]
    async fn every_endpoint_of_a_server_answers_itself() {
        let (_dir, app) = testing::app().await;
        let endpoints = tested(&app, Endpoint(Arc::clone(&app))).await;
        assert_eq!(endpoints.len(), 7);
        for one in endpoints {
            assert!(one.fine, "{one:?}");
        }
    }

    /// Answers everything alike, as a stranger on the port would.
    #[derive(Clone)]
    struct Stranger(StatusCode);

    impl Handler for Stranger {
        async fn answer(&self, _: Request<Incoming>, _: SocketAddr) -> Response<Body> {
            text(self.0, "<html>It works!</html>")
        }
    }

    #[tokio::test]
    async fn a_stranger_on_the_port_is_not_taken_for_this_server() {
        let (_dir, app) = testing::app().await;
        for status in [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
            let endpoints = tested(&app, Stranger(status)).await;
            assert!(endpoints.iter().all(|one| !one.fine), "{status}: {endpoints:?}");
            let said =
                SelfTest { at: app.clock.now(), address: own_address(app.ip, app.port), endpoints }.trouble();
            assert!(said.unwrap().contains("ClientWebService"));
        }
    }

    #[tokio::test]
    async fn nobody_on_the_port_is_said() {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let question = questions(None, |_| None).remove(0);
        assert!(ask(gone, &question, Guid::from_u128(1)).await.is_err());
    }

    #[test]
    fn a_server_that_listens_everywhere_asks_itself_by_loopback() {
        assert_eq!(own_address("0.0.0.0".parse().unwrap(), 8530).to_string(), "127.0.0.1:8530");
        assert_eq!(own_address("::".parse().unwrap(), 80).to_string(), "[::1]:80");
        assert_eq!(own_address("192.0.2.7".parse().unwrap(), 80).to_string(), "192.0.2.7:80");
    }
}
