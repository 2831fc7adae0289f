//! What clients may not do: each attack gets an answer with a sentence, and the server goes on.

use crate::support;

use sluicegate_server::Limits;
use sluicegate_soap::{RequestMessage as _, SoapVersion};
use std::time::Duration;
use support::agent::held;
use support::http::raw;
use support::{Agent, Answer, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CLIENT: &str = "/ClientWebService/Client.asmx";

async fn post(site: &Site, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut all = vec![("Content-Type", "text/xml; charset=utf-8")];
    all.extend_from_slice(headers);
    site.request("POST", CLIENT, &all, body).await
}

async fn still_there(site: &Site) {
    let mut agent = Agent::new(site, "pc-after");
    agent.join().await;
    agent.sync(held(&[], &[])).await;
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_a_sentence() {
    let site = Site::start().await;
    let deep = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{}",
        "<a>".repeat(5000)
    );
    for body in [
        &b""[..],
        b"hello",
        b"\xff\xfe\x00",
        b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>",
        b"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><Burn xmlns=\"http://x\"/></s:Body></s:Envelope>",
        deep.as_bytes(),
    ] {
        let answer = post(&site, &[], body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().len() > 20, "a sentence: {}", answer.text());
    }
    still_there(&site).await;
}

#[tokio::test]
async fn bodies_are_bounded_before_they_are_read() {
    let site = Site::with_limits(Limits { client_body: 64 << 10, expansion: 4, ..Limits::default() }).await;
    assert_eq!(post(&site, &[], &vec![b' '; (64 << 10) + 1]).await.status, 413);
    let announced = format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    assert_eq!(raw(site.addr, announced.as_bytes(), false).await.unwrap().status, 413);
    let chunk = "10000\r\n".to_owned() + &" ".repeat(0x10000) + "\r\n";
    let chunked = format!(
        "POST {CLIENT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    assert_eq!(raw(site.addr, chunked.as_bytes(), false).await.unwrap().status, 413);
    let bomb = sluicegate_soap::gzip::encode(&vec![b' '; 16 << 20]);
    assert!(bomb.len() < 64 << 10);
    assert_eq!(post(&site, &[("Content-Encoding", "gzip")], &bomb).await.status, 413);
    let mut xpress = Vec::new();
    sluicegate_soap::xpress::compress_into(
        &mut xpress,
        &vec![b' '; 1 << 20],
        sluicegate_soap::xpress::Effort::Best,
    );
    assert!(xpress.len() < 64 << 10);
    let answer = post(&site, &[("Content-Encoding", "xpress")], &xpress).await;
    assert!(answer.status == 413 || answer.status == 400, "{}", answer.status);
    still_there(&site).await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let site = Site::start().await;
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_eq!(raw(site.addr, request.as_bytes(), false).await.unwrap().status, 431);
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(200 << 10));
    assert_eq!(raw(site.addr, long.as_bytes(), false).await.unwrap().status, 431);
    let nonsense = raw(site.addr, b"NONSENSE\r\n\r\n", false).await.unwrap();
    assert_eq!(nonsense.status, 400);
    still_there(&site).await;
}

#[tokio::test]
async fn slow_senders_are_not_waited_for() {
    let limits = Limits {
        head_time: Duration::from_millis(200),
        body_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let site = Site::with_limits(limits).await;
    let slow_body = format!(
        "POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 50\r\nConnection: close\r\n\r\nabc"
    );
    assert_eq!(raw(site.addr, slow_body.as_bytes(), false).await.unwrap().status, 408);
    let mut slow_head = TcpStream::connect(site.addr).await.unwrap();
    slow_head.write_all(b"GET /healthz HTT").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), slow_head.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection must be closed");
}

#[tokio::test]
async fn methods_and_paths_that_are_not_ours() {
    let site = Site::start().await;
    let answer = site.request("PUT", CLIENT, &[], b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")));
    assert_eq!(site.get("/nothing").await.status, 404);
    assert_eq!(site.request("POST", "/healthz", &[], b"").await.status, 405);
    let help = site.get("/clientwebservice/CLIENT.ASMX").await;
    assert_eq!(help.status, 200);
    assert!(help.text().contains("?wsdl"));
    assert_eq!(site.get("/").await.status, 200);
}

#[tokio::test]
async fn an_action_that_contradicts_the_body_is_refused() {
    let site = Site::start().await;
    let agent = Agent::new(&site, "pc-1");
    let body = agent.sync_request(held(&[], &[])).encode(SoapVersion::V11);
    let answer = post(&site, &[("SOAPAction", "\"http://x/GetConfig\"")], &body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("SOAPAction"));
}
