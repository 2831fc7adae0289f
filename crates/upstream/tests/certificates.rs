//! TLS to an upstream: which certificates are trusted, and how those that are not are described.

mod support;

use sluicegate_upstream::transport::{
    Answer, AnswerLimits, Step, Transport, TransportError, TransportSettings, Url,
};
use support::{Authority, Reply, Server, self_signed, settings, soap};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn call<C: AsRef<[u8]> + ?Sized>(server: &Server, ca: Option<&C>) -> Result<Answer, TransportError> {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings();
    if let Some(pem) = ca {
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        settings.ca_file = Some(path);
    }
    let url: Url = format!("https://localhost:{}/x.asmx", server.address.port()).parse().unwrap();
    Transport::new(settings)?.post(&url, "x", "<x/>", AnswerLimits::of(1 << 16)).await
}

#[tokio::test]
async fn an_authority_given_as_a_file_is_trusted() {
    let authority = Authority::new("Our own authority");
    let server = Server::start_tls(authority.server("localhost", |_| {}), |_, _| Reply::Send(soap())).await;
    call(&server, Some(authority.pem().as_str())).await.unwrap();

    let error = call::<str>(&server, None).await.unwrap_err();
    assert_eq!(
        (error.code(), error.problem()),
        ("UssCommunicationError/CertificateNotTrusted", Some("P-13"))
    );
    let text = error.to_string();
    assert!(text.contains("`server localhost` is signed by `Our own authority`"), "{text}");
    assert!(text.contains("--ca"), "{text}");
    let other = Authority::new("Another authority");
    let error = call(&server, Some(other.pem().as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateNotTrusted");
}

#[tokio::test]
async fn of_an_authority_that_was_renewed_with_another_key_the_present_certificate_is_asked_for() {
    let [old, new] = [Authority::new("Contoso Root CA"), Authority::new("Contoso Root CA")];
    let server = Server::start_tls(new.server("localhost", |_| {}), |_, _| Reply::Send(soap())).await;
    let error = call(&server, Some(old.pem().as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateNotTrusted");
    let text = error.to_string();
    assert!(text.contains("signed by `Contoso Root CA`") && text.contains("another key"), "{text}");
    assert!(text.contains("give its present certificate as a PEM file with --ca"), "{text}");
    call(&server, Some(&format!("{}{}", old.pem(), new.pem()))).await.unwrap();
}

#[tokio::test]
async fn a_server_that_signed_itself_is_trusted_when_its_certificate_is_given() {
    for authority in [false, true] {
        let (config, pem) = self_signed("localhost", authority);
        let server = Server::start_tls(config, |_, _| Reply::Send(soap())).await;
        call(&server, Some(pem.as_str())).await.unwrap();
        let error = call::<str>(&server, None).await.unwrap_err();
        assert_eq!(error.code(), "UssCommunicationError/CertificateNotTrusted", "{error}");
        assert!(error.to_string().contains("signed by `signed by itself`"), "{error}");
    }
    let (config, pem) = self_signed("elsewhere.example", false);
    let server = Server::start_tls(config, |_, _| Reply::Send(soap())).await;
    let error = call(&server, Some(pem.as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateWrongName", "{error}");
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_or_has_not_come() {
    let authority = Authority::new("Our own authority");
    let over = authority.server("localhost", |params| params.not_after = rcgen::date_time_ymd(2020, 5, 6));
    let server = Server::start_tls(over, |_, _| Reply::Send(soap())).await;
    let error = call(&server, Some(authority.pem().as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateExpired");
    let text = error.to_string();
    assert!(text.contains("`server localhost` was good until 2020-05-06 00:00 UTC"), "{text}");

    let ahead = authority.server("localhost", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    let server = Server::start_tls(ahead, |_, _| Reply::Send(soap())).await;
    let error = call(&server, Some(authority.pem().as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateNotYetValid");
    assert!(error.to_string().contains("clock"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let authority = Authority::new("Our own authority");
    let server =
        Server::start_tls(authority.server("other.example", |_| {}), |_, _| Reply::Send(soap())).await;
    let error = call(&server, Some(authority.pem().as_str())).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/CertificateWrongName");
    assert!(error.to_string().contains("names other.example;"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_of_its_clients_is_named() {
    let authority = Authority::new("Our own authority");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = authority.server_for_known_clients("localhost", version);
        let server = Server::start_tls(config, |_, _| Reply::Send(soap())).await;
        let error = call(&server, Some(authority.pem().as_str())).await.unwrap_err();
        assert_eq!(
            (error.code(), error.problem()),
            ("UssCommunicationError/TlsFailed", Some("P-13")),
            "{error}"
        );
        let text = error.to_string();
        assert!(text.contains("client certificates are not supported here"), "{text}");
        assert!(text.contains("without one") && !text.contains("firewall"), "{text}");
        assert_eq!((error.step(), error.is_transient()), (Step::Tls, false));
    }
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls() {
    let server = Server::start(|_, _| Reply::SendAndClose(soap())).await;
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = call::<str>(&Server { address, ..server }, None).await.unwrap_err();
    assert_eq!(error.code(), "UssCommunicationError/TlsFailed");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_agrees_to_nothing_may_do_so_for_its_key_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // handshake_failure (RFC 8446 6), the answer to a hello without the curve of the server's key.
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await;
        }
    });
    let url: Url = format!("https://localhost:{port}/x.asmx").parse().unwrap();
    let asked = Transport::new(settings()).unwrap().post(&url, "x", "<x/>", AnswerLimits::of(1 << 16)).await;
    let text = asked.unwrap_err().to_string();
    for cause in ["HandshakeFailure", "TLS 1.2 with ECDHE", "certificate of its clients", "P-521"] {
        assert!(text.contains(cause), "{cause}: {text}");
    }
}

#[tokio::test]
async fn a_file_of_certificates_without_any_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    for (text, said) in [
        ("", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----", "cannot be read"),
    ] {
        std::fs::write(&path, text).unwrap();
        let settings = TransportSettings { ca_file: Some(path.clone()), ..settings() };
        let error = Transport::new(settings).unwrap_err();
        assert_eq!(error.code(), "LocalError/TransportSettings");
        assert!(error.to_string().contains(said) && error.to_string().contains("ca.pem"), "{error}");
    }
    let settings = TransportSettings { ca_file: Some(dir.path().join("none.pem")), ..settings() };
    assert!(Transport::new(settings).unwrap_err().to_string().contains("none.pem"));
}

#[tokio::test]
async fn a_file_of_certificates_is_read_as_windows_saves_it() {
    let (authority, other) = (Authority::new("Our own authority"), Authority::new("Another authority"));
    let server = Server::start_tls(authority.server("localhost", |_| {}), |_, _| Reply::Send(soap())).await;
    let marked = format!("\u{feff}{}", authority.pem());
    // Each with a mark of its own, put together.
    let two = format!("\u{feff}{}{marked}", other.pem());
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for file in [
        marked.clone().into_bytes(),
        two.clone().into_bytes(),
        marked.replace('\n', "\r\n").into_bytes(),
        wide(&marked, u16::to_le_bytes),
        wide(&two, u16::to_be_bytes),
        wide(&authority.pem(), u16::to_le_bytes),
    ] {
        call(&server, Some(&file)).await.unwrap();
    }
    let mut odd = wide(&marked, u16::to_le_bytes);
    odd.pop();
    let said = call(&server, Some(&odd)).await.unwrap_err().to_string();
    assert!(said.contains("begins as UTF-16 and is damaged"), "{said}");
}
