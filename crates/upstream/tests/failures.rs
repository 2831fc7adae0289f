//! Every failure of the way to an upstream, produced by a server of this process that misbehaves, and
//! reported under its code with what an administrator needs to know.

mod support;

use sluicegate_upstream::transport::{
    Answer, AnswerLimits, Failure, Step, Transport, TransportError, TransportSettings, Url, Waits, neighbours,
};
use std::time::Duration;
use support::{ENVELOPE, QUICK, Reply, Server, answer, settings, soap};

const SERVICE: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";
const ACTION: &str = "http://www.microsoft.com/SoftwareDistribution/Ping";
const LIMITS: AnswerLimits = AnswerLimits::of(1 << 20);

async fn call(settings: TransportSettings, url: &Url) -> Result<Answer, TransportError> {
    Transport::new(settings).unwrap().post(url, ACTION, "<request/>", LIMITS).await
}

/// Calls a server that gives this reply, and returns the failure and its text.
async fn failure(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (TransportError, String) {
    let server = Server::start(move |_, _| reply()).await;
    let error = call(settings(), &server.url(SERVICE)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(SERVICE) && text.contains("without a proxy"), "{text}");
    (error, text)
}

fn short(mut settings: TransportSettings) -> TransportSettings {
    settings.waits = Waits { silence: Duration::from_millis(150), ..settings.waits };
    settings
}

#[tokio::test]
async fn a_call_is_sent_as_the_classic_stack_sends_it() {
    let server = Server::start(|_, _| Reply::Send(soap())).await;
    let transport = Transport::new(settings()).unwrap();
    for _ in 0..3 {
        let answer = transport.post(&server.url(SERVICE), ACTION, "<request/>", LIMITS).await.unwrap();
        assert_eq!(answer.body, ENVELOPE.as_bytes());
    }
    let requests = server.requests();
    assert_eq!(requests[0].line(), format!("POST {SERVICE} HTTP/1.1"));
    assert_eq!(requests[0].field("SOAPAction"), Some(format!("\"{ACTION}\"").as_str()));
    assert_eq!(requests[0].field("Content-Type"), Some("text/xml; charset=utf-8"));
    assert_eq!(requests[0].field("Host"), Some(server.address.to_string().as_str()));
    assert_eq!(requests[0].body, b"<request/>");
    assert!(requests.iter().all(|r| r.connection == 0), "one connection serves all three");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    // Says keep-alive, closes all the same.
    let server = Server::start(|_, _| Reply::SendAndClose(soap())).await;
    let transport = Transport::new(settings()).unwrap();
    for _ in 0..5 {
        transport.post(&server.url(SERVICE), ACTION, "<request/>", LIMITS).await.unwrap();
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn compressed_answers_are_decoded_within_the_limit() {
    let long = ENVELOPE.replace("</soap:Body>", &format!("{}</soap:Body>", "<x/>".repeat(100_000)));
    for (encoding, body) in [
        ("xpress", sluicegate_soap::xpress::compress(long.as_bytes())),
        ("gzip", sluicegate_soap::gzip::encode(long.as_bytes())),
    ] {
        let fields = [("Content-Type", "text/xml"), ("Content-Encoding", encoding)];
        let bytes = answer("200 OK", &fields, &body);
        let server = Server::start(move |_, _| Reply::Send(bytes.clone())).await;
        let answer = call(settings(), &server.url(SERVICE)).await.unwrap();
        assert_eq!(answer.body, long.as_bytes(), "{encoding}");
        assert_eq!(answer.received, body.len() as u64);

        let limits = AnswerLimits::of(long.len() - 1);
        let transport = Transport::new(settings()).unwrap();
        let error = transport.post(&server.url(SERVICE), ACTION, "x", limits).await.unwrap_err();
        assert_eq!(error.code(), "UssCommunicationError/AnswerTooLarge", "{encoding}: {error}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_p11() {
    // RFC 6761 6.4: never resolved.
    let url = "http://no-such-host.invalid:8530/ServerSyncWebService/x.asmx".parse().unwrap();
    let error = call(settings(), &url).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/NameNotResolved");
    assert_eq!(error.problem(), Some("P-11"));
    let text = error.to_string();
    assert!(text.contains("`no-such-host.invalid` could not be resolved"), "{text}");
    assert!(text.contains("without a proxy") && text.contains("DNS"), "{text}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_p13() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = call(settings(), &format!("http://{free}/").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/ConnectionRefused");
    assert_eq!(error.problem(), Some("P-13"));
    assert!(error.is_transient());
    assert!(error.to_string().contains(&format!("{free} refused the connection")), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let server = Server::start(|_, _| Reply::SendAndStall(Vec::new())).await;
    let error = call(short(settings()), &server.url(SERVICE)).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/TimedOut");
    assert!(error.to_string().contains("0.15 s, waiting for its answer"), "{error}");
}

#[tokio::test]
async fn a_server_that_falls_silent_in_the_middle() {
    let half = || {
        let mut bytes = soap();
        bytes.truncate(bytes.len() - 20);
        Reply::SendAndStall(bytes)
    };
    let server = Server::start(move |_, _| half()).await;
    let error = call(short(settings()), &server.url(SERVICE)).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/TimedOut");
    assert!(error.to_string().contains("the rest of its answer"), "{error}");
}

#[tokio::test]
async fn an_answer_cut_in_its_body_and_in_its_head() {
    let whole = soap();
    let cut_body = whole[..whole.len() - 20].to_vec();
    let (error, text) = failure(move || Reply::SendAndClose(cut_body.clone())).await;
    assert_eq!(error.code(), "UssCommunicationError/AnswerTruncated", "{text}");
    assert!(text.contains(&format!("after {} bytes", ENVELOPE.len() - 20)), "{text}");
    assert!(error.is_transient());

    let cut_head = whole[..30].to_vec();
    let (error, text) = failure(move || Reply::SendAndClose(cut_head.clone())).await;
    assert_eq!(error.code(), "UssCommunicationError/ConnectionLost", "{text}");
    let (error, _) = failure(|| Reply::SendAndClose(Vec::new())).await;
    assert_eq!(error.code(), "UssCommunicationError/ConnectionLost");
}

#[tokio::test]
async fn a_length_that_is_wrong() {
    // Longer than announced: what is announced is the answer, and the rest spoils only the connection.
    let longer = [soap(), b"and more".to_vec()].concat();
    let server = Server::start(move |_, _| Reply::Send(longer.clone())).await;
    let transport = Transport::new(settings()).unwrap();
    for _ in 0..2 {
        let answer = transport.post(&server.url(SERVICE), ACTION, "x", LIMITS).await.unwrap();
        assert_eq!(answer.body, ENVELOPE.as_bytes());
    }
    // No number at all.
    let (error, text) =
        failure(|| Reply::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_vec())).await;
    assert_eq!(error.code(), "UssCommunicationError/NotSoap", "{text}");
}

#[tokio::test]
async fn more_than_is_taken_is_refused_before_it_is_read() {
    let announced = || Reply::SendAndStall(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n".to_vec());
    let (error, text) = failure(announced).await;
    assert_eq!(*error.failure(), Failure::TooLarge { limit: 1 << 20 }, "{text}");
    // In chunks, without an announcement.
    let mut chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..17 {
        chunks.extend_from_slice(b"10000\r\n");
        chunks.resize(chunks.len() + 0x10000, b'x');
        chunks.extend_from_slice(b"\r\n");
    }
    let (error, _) = failure(move || Reply::SendAndStall(chunks.clone())).await;
    assert_eq!(error.code(), "UssCommunicationError/AnswerTooLarge");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn the_page_of_a_guest_network_in_place_of_the_service() {
    let page = "<html><body>Welcome! Please accept the terms.</body></html>";
    let (error, text) =
        failure(move || Reply::Send(answer("200 OK", &[("Content-Type", "text/html")], page))).await;
    assert_eq!(error.code(), "UssCommunicationError/NotSoap");
    assert!(text.contains("text/html: `Welcome! Please accept the terms.`"), "{text}");
    assert!(text.contains("sign in"), "{text}");
    let moved = || Reply::Send(answer("302 Found", &[("Location", "http://login.example/")], ""));
    let (error, text) = failure(moved).await;
    assert_eq!(error.code(), "UssCommunicationError/NotSoap");
    assert!(text.contains("http://login.example/"), "{text}");
}

#[tokio::test]
async fn a_service_that_wants_authentication_is_at_fault_itself_p04_p14() {
    let server = Server::start(|_, _| Reply::Send(answer("401 Unauthorized", &[], ""))).await;
    let sync = call(settings(), &server.url(SERVICE)).await.unwrap_err();
    assert_eq!((sync.code(), sync.problem()), ("UssCommunicationError/Unauthorized", Some("P-04")));
    let url = server.url("/DssAuthWebService/DssAuthWebService.asmx");
    let auth = call(settings(), &url).await.unwrap_err();
    assert_eq!((auth.code(), auth.problem()), ("DssAuthenticationError/Unauthorized", Some("P-14")));
    let text = auth.to_string();
    assert!(text.contains(&url.to_string()) && text.contains("not with this one"), "{text}");
    assert!(!auth.is_transient());
}

#[tokio::test]
async fn a_server_that_does_not_allow_it() {
    let (error, _) = failure(|| Reply::Send(answer("403 Forbidden", &[], ""))).await;
    assert_eq!(error.code(), "UssCommunicationError/Forbidden");
    let (error, text) = failure(|| Reply::Send(answer("404 Not Found", &[], "no"))).await;
    assert_eq!(error.code(), "UssCommunicationError/NotFound");
    assert!(text.contains("without a path"), "{text}");
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let server = Server::start(|_, number| match number {
        0 => Reply::Send(answer("503 Service Unavailable", &[("Retry-After", "1")], "busy")),
        1 => Reply::Send(answer("500 Internal Server Error", &[], "oops")),
        _ => Reply::Send(soap()),
    })
    .await;
    let began = std::time::Instant::now();
    let settings = TransportSettings { retry: QUICK, ..settings() };
    call(settings.clone(), &server.url(SERVICE)).await.unwrap();
    assert_eq!(server.requests().len(), 3);
    assert!(began.elapsed() >= Duration::from_secs(1), "it was asked again too soon");

    // More than we have patience for.
    let server =
        Server::start(|_, _| Reply::Send(answer("503 Service Unavailable", &[("Retry-After", "3600")], "")))
            .await;
    let error = call(settings, &server.url(SERVICE)).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/ServerBusy");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_service_that_is_not_available_may_not_run_at_all() {
    let (error, text) = failure(|| Reply::Send(answer("503 Service Unavailable", &[], "<html>"))).await;
    assert_eq!((error.code(), error.is_transient()), ("UssCommunicationError/ServerBusy", true));
    assert!(
        text.contains("WsusPool") && text.contains("later") && !text.contains("nothing is wrong"),
        "{text}"
    );
    let (error, text) = failure(|| Reply::Send(answer("429 Too Many Requests", &[], ""))).await;
    assert_eq!(error.code(), "UssCommunicationError/ServerBusy");
    assert!(text.contains("nothing is wrong") && !text.contains("WsusPool"), "{text}");
}

#[tokio::test]
async fn a_proxy_on_the_way_that_nobody_set_is_not_answered_with_asking_for_a_password() {
    let fields = [("Proxy-Authenticate", "Basic realm=\"guests\"")];
    let bytes = answer("407 Proxy Authentication Required", &fields, "who?");
    let (error, text) = failure(move || Reply::Send(bytes.clone())).await;
    assert_eq!(error.code(), "UssCommunicationError/ProxyAuthenticationRequired");
    assert!(text.contains("a proxy that is not set here") && text.contains("--proxy,"), "{text}");
    assert!(!text.contains("give a user and password"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_refused_elsewhere_is_no_matter_of_anonymous_access() {
    let server = Server::start(|_, _| Reply::Send(answer("403 Forbidden", &[], ""))).await;
    let transport = Transport::new(settings()).unwrap();
    let said = async |path: &str| transport.get_range(&server.url(path), 0).await.unwrap_err().to_string();
    let text = said("/d/msdownload/update/software/secu/2026/01/fix.cab").await;
    assert!(
        text.contains("firewall") && text.contains("content add") && !text.contains("anonymous"),
        "{text}"
    );
    let text = said("/Content/AB/0123456789ABCDEF0123456789ABCDEF012345AB.cab").await;
    assert!(text.contains("anonymous"), "{text}");
}

#[tokio::test]
async fn a_port_for_https_that_is_asked_without_is_said_to_be_one_perhaps() {
    let (_, text) = failure(|| Reply::SendAndClose(Vec::new())).await;
    assert!(text.contains("port is one for https"), "{text}");
    // A fatal alert of TLS.
    let (error, text) = failure(|| Reply::SendAndClose(b"\x15\x03\x01\0\x02\x02\x46".to_vec())).await;
    assert_eq!(error.code(), "UssCommunicationError/NotSoap");
    assert!(text.contains("is to be https"), "{text}");
}

fn fault(code: &str) -> Vec<u8> {
    let body = format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
         <faultcode>soap:Server</faultcode><faultstring>Fault occurred</faultstring><detail><ErrorCode>{code}</ErrorCode>\
         <Message>why</Message><ID>c0a7445f-b989-43fa-ac20-11f8ca65fa8c</ID><Method>\"x\"</Method></detail>\
         </soap:Fault></soap:Body></soap:Envelope>"
    );
    answer("500 Internal Server Error", &[("Content-Type", "text/xml")], body)
}

#[tokio::test]
async fn faults_keep_their_code_id_and_message() {
    for (code, stable, transient) in [
        ("ServerBusy", "UssCommunicationError/ServerBusy", true),
        ("IncompatibleProtocolVersion", "UssCommunicationError/IncompatibleProtocolVersion", false),
        ("InvalidCookie", "UssFault/InvalidCookie", false),
        ("InternalServerError", "UssFault/InternalServerError", false),
        ("SomethingNew", "UssFault/Other", false),
    ] {
        let (error, text) = failure(move || Reply::Send(fault(code))).await;
        assert_eq!((error.code(), error.is_transient()), (stable, transient), "{text}");
        assert_eq!(text.contains("too busy") && text.contains("tried again"), code == "ServerBusy", "{text}");
        let kept = error.fault().unwrap();
        assert_eq!((kept.error_code_text.as_str(), kept.message.as_str()), (code, "why"));
        assert!(text.contains("c0a7445f-b989-43fa-ac20-11f8ca65fa8c"), "{text}");
    }
}

#[tokio::test]
async fn a_damaged_body_is_said_to_be_damaged() {
    let mut body = sluicegate_soap::gzip::encode(ENVELOPE.as_bytes());
    let middle = body.len() / 2;
    body[middle] ^= 0xff;
    let fields = [("Content-Type", "text/xml"), ("Content-Encoding", "gzip")];
    let bytes = answer("200 OK", &fields, &body);
    let (error, _) = failure(move || Reply::Send(bytes.clone())).await;
    assert_eq!(error.code(), "UssCommunicationError/AnswerDamaged");
    let odd = answer("200 OK", &[("Content-Encoding", "br")], "x");
    let (_, text) = failure(move || Reply::Send(odd.clone())).await;
    assert!(text.contains("`br`"), "{text}");
}

#[tokio::test]
async fn transient_failures_are_repeated_and_lasting_ones_are_not() {
    let settings = TransportSettings { retry: QUICK, ..settings() };
    for (status, requests) in [("500 Internal Server Error", 3), ("401 Unauthorized", 1)] {
        let server = Server::start(move |_, _| Reply::Send(answer(status, &[], ""))).await;
        call(settings.clone(), &server.url(SERVICE)).await.unwrap_err();
        assert_eq!(server.requests().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_is_never_taken_ends_after_the_wait_for_it() {
    // A listener whose queue is full answers no further attempt.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(100), tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 64, "the queue of the listener never fills");
    }
    let waits = Waits { connect: Duration::from_millis(200), ..settings().waits };
    let url = format!("http://{address}/").parse().unwrap();
    let error = call(TransportSettings { waits, ..settings() }, &url).await.unwrap_err();
    let Failure::TimedOut { stage, .. } = error.failure() else { panic!("{error}") };
    assert_eq!((*stage, error.step()), ("a connection", Step::Connection), "{error}");
    assert_eq!((error.problem(), error.is_transient()), (Some("P-13"), true));
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_ends_after_the_wait_for_a_connection() {
    let server = Server::start(|_, _| Reply::SendAndStall(Vec::new())).await;
    let waits = Waits { connect: Duration::from_millis(150), ..settings().waits };
    let url = format!("https://{}/", server.address).parse().unwrap();
    let error = call(TransportSettings { waits, ..settings() }, &url).await.unwrap_err();
    let Failure::TimedOut { stage, waited, .. } = error.failure() else { panic!("{error}") };
    assert_eq!((*stage, *waited), ("the TLS handshake", waits.connect), "{error}");
    assert_eq!(error.step(), Step::Tls);
}

#[tokio::test]
async fn an_answer_that_trickles_ends_after_the_wait_for_all_of_it() {
    let mut half = soap();
    half.truncate(half.len() - 20);
    let server = Server::start(move |_, _| Reply::SendAndStall(half.clone())).await;
    // Silence alone would be borne for much longer.
    let waits = Waits { call: Duration::from_millis(150), ..settings().waits };
    let error = call(TransportSettings { waits, ..settings() }, &server.url(SERVICE)).await.unwrap_err();
    let Failure::TimedOut { stage, waited, .. } = error.failure() else { panic!("{error}") };
    assert_eq!((*stage, *waited), ("its whole answer", waits.call), "{error}");
}

#[tokio::test]
async fn another_port_of_the_host_that_answers_is_found_p02() {
    // An address of this machine that nobody else uses; the ports to look at are fixed.
    let host = "127.83.21.7";
    let listener = tokio::net::TcpListener::bind((host, 8530)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &soap()).await;
        }
    });
    let wrong: Url = format!("http://{host}:8539").parse().unwrap();
    let error = call(settings(), &wrong).await.unwrap_err();
    assert!(error.may_be_the_port(), "{error}");
    let found = neighbours(&settings(), &wrong).await;
    assert_eq!(found, [format!("http://{host}:8530")]);
    let said = error.answering(&found).to_string();
    let wanted = format!("(configured: http://{host}:8539; answers: http://{host}:8530)");
    assert!(said.ends_with(&wanted), "{said}");
    let right: Url = format!("http://{host}:8530").parse().unwrap();
    assert!(neighbours(&settings(), &right).await.is_empty(), "what is configured is no news");
}

#[tokio::test]
async fn where_a_message_is_not_understood_the_address_may_be_that_of_another_service() {
    for line in ["400 Bad Request", "405 Method Not Allowed"] {
        let (error, text) = failure(move || Reply::Send(answer(line, &[], "no"))).await;
        assert_eq!(error.code(), "UssCommunicationError/UnexpectedStatus");
        assert!(text.contains("https") && text.contains("no path"), "{text}");
    }
}
