//! Starting, being looked at, and stopping.

use crate::support;

use serde_json::json;
use sluicegate_server::{Server, ServerOptions, StartError};
use sluicegate_soap::Service;
use sluicegate_soap::client::GetConfigRequest;
use sluicegate_soap::client::sync_updates::SyncUpdatesRequest;
use std::net::SocketAddr;
use std::time::Duration;
use support::agent::path_of;
use support::{Agent, Site, catalog};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn health_and_metrics_tell_what_is_served() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let health = site.get("/healthz").await.json();
    assert_eq!((health["status"].as_str(), health["snapshot"]["revisions"].as_u64()), (Some("ok"), Some(8)));
    assert_eq!(health["snapshot"]["anchor"], health["anchor"]);
    let agent = Agent::new(&site, "pc-1");
    agent.call(&GetConfigRequest { protocol_version: Some("2.90".into()) }).await;
    agent.fault(&SyncUpdatesRequest::default()).await;
    let metrics = site.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.text();
    for line in [
        "sluicegate_requests_total{service=\"Client\",operation=\"GetConfig\",outcome=\"ok\"} 1",
        "sluicegate_requests_total{service=\"Client\",operation=\"SyncUpdates\",outcome=\"fault\"} 1",
        "sluicegate_faults_total{code=\"InvalidCookie\"} 1",
        "sluicegate_snapshot_revisions 8",
        "sluicegate_publish_failing 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn a_revision_that_must_wait_is_named_and_enters_when_it_can() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let mut orphan = catalog::plain(90, 1, "Orphan");
    orphan.relationships.prerequisites.push(sluicegate_catalog::Clause::one(catalog::update(91)));
    let report = site.import_files(&[("orphan.xml", orphan.to_xml().as_bytes())]).await;
    let reason = report["report"]["quarantined"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(&catalog::update(91).to_string()), "{reason}");
    assert_eq!(site.get("/healthz").await.json()["snapshot"]["revisions"], 8);
    site.import(&[catalog::plain(91, 1, "Parent")]).await;
    let health = site.get("/healthz").await.json();
    assert_eq!((health["status"].as_str(), health["snapshot"]["revisions"].as_u64()), (Some("ok"), Some(10)));
}

#[tokio::test]
async fn every_service_describes_itself() {
    let site = Site::start().await;
    for service in Service::ALL {
        let path = path_of(service);
        for query in ["?wsdl", "?WSDL"] {
            let answer = site.get(&format!("{path}{query}")).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("text/xml; charset=utf-8"))
            );
            let text = answer.text();
            assert!(text.contains("definitions"));
            assert!(
                text.to_lowercase().contains(&format!("http://{}{}", site.addr, path).to_lowercase()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_does_not_start() {
    let site = Site::start().await;
    let options = ServerOptions::new(site.dir.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
    assert!(matches!(Server::start(options).await, Err(StartError::Store(_))));
    let other = tempfile::tempdir().unwrap();
    let taken = ServerOptions::new(other.path(), site.addr);
    assert!(matches!(Server::start(taken).await, Err(StartError::Listen { .. })));
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_under_way() {
    let mut site = Site::start().await;
    let agent_body = b"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetConfig xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\"><protocolVersion>2.90</protocolVersion></GetConfig></s:Body></s:Envelope>";
    let mut stream = TcpStream::connect(site.addr).await.unwrap();
    let head = format!(
        "POST /ClientWebService/Client.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        agent_body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (first, second) = agent_body.split_at(50);
    stream.write_all(first).await.unwrap();
    let addr = site.addr;
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(second).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let listen = site.dir.path().join("listen");
    assert!(listen.exists());
    site.stop().await;
    assert!(late.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
    assert!(!listen.exists());
}

#[tokio::test]
async fn answers_keep_the_connection_and_its_order() {
    let site = Site::start().await;
    let mut stream = TcpStream::connect(site.addr).await.unwrap();
    let one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{one}{one}{last}").as_bytes()).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    let all = String::from_utf8_lossy(&all).into_owned();
    let statuses: Vec<&str> = all.lines().filter(|l| l.starts_with("HTTP/1.1 ")).map(|l| &l[9..12]).collect();
    assert_eq!(statuses, ["200", "200", "404"]);
    assert_eq!(site.manage("GET", "config", json!(null)).await["targeting"], "server");
}
