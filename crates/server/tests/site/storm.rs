//! Storms: more clients at once than there is room for. Refusals are 503 with Retry-After, memory stays
//! bounded, and everybody finishes after trying again.

use crate::support;

use sluicegate_server::Limits;
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use sluicegate_soap::{Limits as SoapLimits, RequestMessage as _, SoapVersion};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::agent::held;
use support::{Agent, Site, catalog, exchange};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_of_a_storm_finishes() {
    // Room for one answer and a handful of waiting requests.
    let limits = Limits {
        answers_in_flight: 1 << 20,
        waiting: 4,
        wait: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = Site::with_limits(limits).await;
    site.import(&catalog::small()).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let body: Arc<[u8]> = agent.sync_request(held(&[], &[])).encode(SoapVersion::V11).into();
    let refused = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (addr, body, refused) = (site.addr, Arc::clone(&body), Arc::clone(&refused));
        clients.spawn(async move {
            for _ in 0..500 {
                let headers = [("Content-Type", "text/xml"), ("Accept-Encoding", "identity")];
                let answer =
                    exchange(addr, "POST", "/ClientWebService/Client.asmx", &headers, &body).await.unwrap();
                if answer.status == 200 {
                    return true;
                }
                assert_eq!(answer.status, 503, "{}", answer.text());
                let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=150).contains(&wait), "{wait}");
                let fault = ReceivedFault::decode(&answer.body, &SoapLimits::ANSWER).unwrap().unwrap();
                assert_eq!(fault.error_code, Some(ErrorCode::ServerBusy));
                refused.fetch_add(1, Ordering::Relaxed);
                // The test does not have the seconds that agents have.
                tokio::time::sleep(Duration::from_millis(wait * 5)).await;
            }
            false
        });
    }
    let finished = clients.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(finished, 200, "{} refusals", refused.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_nobody_takes_gives_its_room_back() {
    let limits = Limits {
        answers_in_flight: 1 << 20,
        waiting: 0,
        stall_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let site = Site::with_limits(limits).await;
    // One answer of some megabytes: more than the socket buffers take.
    let filler = "x".repeat(4000);
    let many: Vec<_> = (0..400)
        .map(|n| {
            sluicegate_catalog::compose::Document::detectoid(
                catalog::identity(1000 + n, 1),
                "Long",
                &format!("<b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{n}{filler}\" />"),
            )
        })
        .collect();
    site.import(&many).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let body = agent.sync_request(held(&[], &[])).encode(SoapVersion::V11);
    let head = format!(
        "POST /ClientWebService/Client.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut silent = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(site.addr).await.unwrap();
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        silent.push(stream);
    }
    // The silent ones are given up, and then there is room again.
    for _ in 0..100 {
        let answer = agent.send(&agent.sync_request(held(&[], &[])), SoapVersion::V11).await;
        if answer.status == 200 {
            return;
        }
        assert_eq!(answer.status, 503);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the room was never given back");
}
