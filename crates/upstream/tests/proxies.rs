//! The way through proxies: plain requests and tunnels, with and without proof of who we are.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluicegate_upstream::transport::{
    Answer, AnswerLimits, NoProxy, ProxyCredentials, ProxySettings, Schemes, Transport, TransportError,
    TransportSettings, Url,
};
use support::{Authority, Received, Reply, Server, answer, settings, soap};

const LIMITS: AnswerLimits = AnswerLimits::of(1 << 16);

fn through(proxy: &Server, credentials: Option<(&str, &str)>) -> TransportSettings {
    let credentials = credentials.map(|(user, password)| ProxyCredentials {
        user: user.to_owned(),
        password: password.to_owned(),
        schemes: Schemes::Any,
    });
    let proxy = ProxySettings { address: proxy.url("/"), credentials };
    TransportSettings { proxy: Some(proxy), ..settings() }
}

async fn call(transport: &Transport, url: &str) -> Result<Answer, TransportError> {
    let url: Url = url.parse().unwrap();
    transport.post(&url, "x", "<request/>", LIMITS).await
}

fn wants(schemes: &[&str]) -> Reply {
    let fields: Vec<_> = schemes.iter().map(|scheme| ("Proxy-Authenticate", *scheme)).collect();
    Reply::Send(answer("407 Proxy Authentication Required", &fields, "<html>who?</html>"))
}

#[tokio::test]
async fn plain_requests_name_the_whole_address_to_the_proxy() {
    let proxy = Server::start(|_, _| Reply::Send(soap())).await;
    let transport = Transport::new(through(&proxy, None)).unwrap();
    call(&transport, "http://parent.example:8530/x.asmx").await.unwrap();
    call(&transport, "http://other.example/y.asmx").await.unwrap();
    let requests = proxy.requests();
    assert_eq!(requests[0].line(), "POST http://parent.example:8530/x.asmx HTTP/1.1");
    assert_eq!(requests[0].field("Host"), Some("parent.example:8530"));
    assert_eq!(requests[1].line(), "POST http://other.example/y.asmx HTTP/1.1");
    assert_eq!(requests[1].connection, 0, "the connection to the proxy serves both");
}

#[tokio::test]
async fn exempt_hosts_are_reached_directly() {
    let proxy = Server::start(|_, _| Reply::Send(answer("500 No", &[], ""))).await;
    let server = Server::start(|_, _| Reply::Send(soap())).await;
    let settings = TransportSettings { no_proxy: NoProxy::from_list("127.0.0.1"), ..through(&proxy, None) };
    call(&Transport::new(settings).unwrap(), &server.url("/x").to_string()).await.unwrap();
    assert_eq!((proxy.requests().len(), server.requests().len()), (0, 1));
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_nobody_set_p03() {
    let proxy = Server::start(|_, _| wants(&["NTLM", "Basic realm=\"corp\""])).await;
    let transport = Transport::new(through(&proxy, None)).unwrap();
    for url in ["http://parent.example/x", "https://parent.example/x"] {
        let error = call(&transport, url).await.unwrap_err();
        assert_eq!(error.code(), "UssCommunicationError/ProxyAuthenticationRequired");
        assert_eq!(error.problem(), Some("P-03"));
        let text = error.to_string();
        assert!(text.contains(&format!("through the proxy {}", proxy.address)), "{text}");
        assert!(text.contains("it offers: NTLM, Basic"), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_without_a_scheme_that_is_allowed_is_not_answered_with_asking_for_a_password() {
    let proxy = Server::start(|_, _| wants(&["Basic realm=\"corp\""])).await;
    let mut settings = through(&proxy, Some(("sync", "hunter2")));
    let credentials = settings.proxy.as_mut().unwrap().credentials.as_mut().unwrap();
    credentials.schemes = Schemes::NtlmOnly;
    let transport = Transport::new(settings).unwrap();
    for url in ["http://parent.example/x", "https://parent.example/x"] {
        let error = call(&transport, url).await.unwrap_err();
        assert_eq!(error.code(), "UssCommunicationError/ProxyAuthenticationRequired");
        let text = error.to_string();
        assert!(text.contains("--proxy-ntlm-only") && text.contains("--proxy-basic"), "{text}");
        assert!(!text.contains("give a user"), "{text}");
    }
    assert!(proxy.requests().iter().all(|request| basic(request).is_none()), "never readable");

    let strange = Server::start(|_, _| wants(&["Negotiate"])).await;
    let transport = Transport::new(through(&strange, Some(("sync", "hunter2")))).unwrap();
    let text = call(&transport, "http://parent.example/x").await.unwrap_err().to_string();
    assert!(text.contains("offer NTLM or Basic") && !text.contains("give a user"), "{text}");
}

fn basic(request: &Received) -> Option<String> {
    let token = request.field("Proxy-Authorization")?.strip_prefix("Basic ")?;
    String::from_utf8(STANDARD.decode(token).unwrap()).ok()
}

#[tokio::test]
async fn basic_proof_is_given_where_it_is_asked_for_and_then_at_once() {
    let proxy = Server::start(|request, _| match basic(request).as_deref() {
        Some("sync:good") => Reply::Send(soap()),
        _ => wants(&["Basic realm=\"corp\""]),
    })
    .await;
    let transport = Transport::new(through(&proxy, Some(("sync", "good")))).unwrap();
    for _ in 0..3 {
        call(&transport, "http://parent.example/x").await.unwrap();
    }
    assert_eq!(proxy.requests().len(), 4, "only the first call is asked who it is");

    let transport = Transport::new(through(&proxy, Some(("sync", "wrong-hunter2")))).unwrap();
    let error = call(&transport, "http://parent.example/x").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("did not accept the user and password given by Basic"), "{text}");
    assert!(!text.contains("hunter2") && !format!("{error:?} {transport:?}").contains("hunter2"));
}

/// Checks an NTLM conversation on one connection as a proxy does; the proofs themselves are checked
/// against the specification's vectors where they are made.
fn ntlm(request: &Received, granted: impl FnOnce() -> Reply) -> Reply {
    let token = request.field("Proxy-Authorization").and_then(|t| t.strip_prefix("NTLM "));
    let Some(message) = token.map(|token| STANDARD.decode(token).unwrap()) else { return wants(&["NTLM"]) };
    assert_eq!(&message[..8], b"NTLMSSP\0");
    match message[8] {
        1 => {
            assert!(request.body.is_empty(), "no body before the proof");
            // Unicode, NTLM and extended security; target information with the time.
            let mut challenge = b"NTLMSSP\0\x02\0\0\0\0\0\0\0\x38\0\0\0".to_vec();
            challenge.extend_from_slice(&0x0088_0201_u32.to_le_bytes());
            challenge
                .extend_from_slice(b"\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\0\x10\0\x10\0\x38\0\0\0");
            challenge.extend_from_slice(&[0; 8]);
            challenge.extend_from_slice(b"\x07\0\x08\0\x10\x20\x30\x40\x50\x60\xd0\x01\0\0\0\0");
            wants(&[&format!("NTLM {}", STANDARD.encode(challenge))])
        }
        3 => {
            let user: Vec<u8> = "sync".encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(message.windows(user.len()).any(|w| w == user));
            granted()
        }
        other => panic!("message {other}"),
    }
}

#[tokio::test]
async fn ntlm_is_proven_once_for_each_connection() {
    let proven = std::sync::Mutex::new(std::collections::HashSet::new());
    let proxy = Server::start(move |request, _| {
        let mut proven = proven.lock().unwrap();
        if proven.contains(&request.connection) {
            assert_eq!(request.body, b"<request/>");
            return Reply::Send(soap());
        }
        ntlm(request, || {
            assert_eq!(request.body, b"<request/>", "the proof brings the body");
            proven.insert(request.connection);
            Reply::Send(soap())
        })
    })
    .await;
    let transport = Transport::new(through(&proxy, Some(("CORP\\sync", "good")))).unwrap();
    for _ in 0..3 {
        call(&transport, "http://parent.example/x").await.unwrap();
    }
    // Asked without; offered and proven; two more without.
    assert_eq!(proxy.requests().len(), 5);
}

#[tokio::test]
async fn a_proof_that_is_not_accepted_is_not_given_again_and_again() {
    let proxy = Server::start(|request, _| ntlm(request, || wants(&["NTLM"]))).await;
    let transport = Transport::new(through(&proxy, Some(("CORP\\sync", "old")))).unwrap();
    for url in ["http://parent.example/x", "https://parent.example/x"] {
        let before = proxy.requests().len();
        let error = call(&transport, url).await.unwrap_err();
        assert!(error.to_string().contains("given by NTLM"), "{error}");
        assert!(proxy.requests().len() - before <= 3, "an account is soon locked");
    }
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_also_where_the_proxy_wants_proof() {
    let authority = Authority::new("Our own authority");
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let tls = authority.server("parent.example", |_| {});
    let server = Server::start_tls(tls, |_, _| Reply::Send(soap())).await;
    let to = server.address;
    let open = Server::start(move |_, _| Reply::Tunnel(to)).await;
    let basic_one = Server::start(move |request, _| match basic(request).as_deref() {
        Some("CORP\\sync:good") => Reply::Tunnel(to),
        _ => wants(&["Basic realm=\"corp\""]),
    })
    .await;
    let ntlm_one = Server::start(move |request, _| ntlm(request, || Reply::Tunnel(to))).await;
    for proxy in [&open, &basic_one, &ntlm_one] {
        let settings =
            TransportSettings { ca_file: Some(ca.clone()), ..through(proxy, Some(("CORP\\sync", "good"))) };
        let transport = Transport::new(settings).unwrap();
        for _ in 0..2 {
            call(&transport, "https://parent.example:8531/x.asmx").await.unwrap();
        }
        let requests = proxy.requests();
        assert!(requests.iter().all(|r| r.line() == "CONNECT parent.example:8531 HTTP/1.1"), "{requests:?}");
    }
    let inside = server.requests();
    assert_eq!(inside.len(), 6);
    assert!(inside.iter().all(|r| r.line() == "POST /x.asmx HTTP/1.1"));
    assert!(
        inside.iter().all(|r| r.field("Proxy-Authorization").is_none()),
        "proofs are for the proxy alone"
    );
}

#[tokio::test]
async fn a_proxy_that_does_not_reach_the_server_or_does_not_want_to() {
    for (reply, code) in [
        (
            answer("503 Unavailable", &[("X-Squid-Error", "ERR_DNS_FAIL 0")], ""),
            "UssCommunicationError/NameNotResolved",
        ),
        (
            answer("403 Forbidden", &[("X-Squid-Error", "ERR_ACCESS_DENIED 0")], ""),
            "UssCommunicationError/ProxyRefused",
        ),
        (answer("502 Bad Gateway", &[], ""), "UssCommunicationError/ProxyRefused"),
    ] {
        let proxy = Server::start(move |_, _| Reply::Send(reply.clone())).await;
        let transport = Transport::new(through(&proxy, None)).unwrap();
        for url in ["http://parent.example/x", "https://parent.example/x"] {
            let error = call(&transport, url).await.unwrap_err();
            assert_eq!(error.code(), code, "{url}: {error}");
            assert!(error.to_string().contains("through the proxy"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_fails_on_the_way_is_taken_to_not_reach_the_server() {
    for status in ["502 Bad Gateway", "504 Gateway Timeout"] {
        let bytes = answer(status, &[], "<html>");
        let proxy = Server::start(move |_, _| Reply::Send(bytes.clone())).await;
        let transport = Transport::new(through(&proxy, None)).unwrap();
        for url in ["http://parent.example/x", "https://parent.example/x"] {
            let text = call(&transport, url).await.unwrap_err().to_string();
            assert!(text.contains("mostly since it cannot reach parent.example itself"), "{text}");
            assert!(text.contains("whether parent.example runs"), "{text}");
            assert!(!text.contains("let this server reach"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_a_proxy_may_have_said_itself_is_not_laid_to_the_server_alone() {
    for (status, code, theirs) in [
        ("403 Forbidden", "UssCommunicationError/Forbidden", "anonymous access"),
        ("503 Service Unavailable", "UssCommunicationError/ServerBusy", "WsusPool"),
        ("500 Internal Server Error", "UssCommunicationError/UnexpectedStatus", "that server's log"),
    ] {
        let page = "<html><title>Blocked by policy</title></html>";
        let bytes = answer(status, &[("Content-Type", "text/html"), ("Via", "1.1 gate")], page);
        let proxy = Server::start(move |_, _| Reply::Send(bytes.clone())).await;
        let transport = Transport::new(through(&proxy, None)).unwrap();
        let error = call(&transport, "http://parent.example:8530/x.asmx").await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), code, "{text}");
        let (_, sentence) = text.split_once("): ").unwrap();
        assert!(sentence.contains("proxy") && sentence.contains(theirs), "{text}");
        assert!(!text.contains("the fault lies") && !text.contains("nothing is wrong"), "{text}");
    }
}

#[tokio::test]
async fn what_comes_through_a_tunnel_is_said_by_the_server() {
    let authority = Authority::new("Our own authority");
    let refuse = |_: &Received, _: usize| Reply::Send(answer("403 Forbidden", &[], "<html>"));
    let server = Server::start_tls(authority.server("parent.example", |_| {}), refuse).await;
    let to = server.address;
    let proxy = Server::start(move |_, _| Reply::Tunnel(to)).await;
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let settings = TransportSettings { ca_file: Some(ca_file), ..through(&proxy, None) };
    let error = call(&Transport::new(settings).unwrap(), "https://parent.example/x.asmx").await.unwrap_err();
    assert!(error.to_string().contains("the fault lies with the server"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Server { address: free, received: Default::default() };
    let error =
        call(&Transport::new(through(&gone, None)).unwrap(), "http://parent.example/x").await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/ConnectionRefused");
    assert!(error.to_string().contains(&format!("the proxy {free} refused the connection")), "{error}");
    let mut settings = through(&gone, None);
    settings.proxy.as_mut().unwrap().address = "http://no-such-proxy.invalid:3128".parse().unwrap();
    let error = call(&Transport::new(settings).unwrap(), "http://parent.example/x").await.unwrap_err();
    assert!(error.to_string().contains("check the proxy's name"), "{error}");
}
