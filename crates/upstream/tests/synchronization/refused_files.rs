//! Files that a proxy does not let through: the way is refused, not the file.

use super::files::with_files;
use super::*;
use sluicegate_store::hierarchy::ProxyServer;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A proxy that refuses until it is told not to; then it answers in the place of whoever has the files.
struct Gate {
    port: u16,
    open: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

async fn gate(bytes: &'static [u8]) -> Gate {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (open, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_open, count) = (Arc::clone(&open), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = peer.read(&mut head).await;
            count.fetch_add(1, Ordering::SeqCst);
            let (status, body): (_, &[u8]) = match is_open.load(Ordering::SeqCst) {
                true => ("200 OK", bytes),
                false => ("403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0", b""),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = peer.write_all(&[head.as_bytes(), body].concat()).await;
        }
    });
    Gate { port, open, asked }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_proxy_refused_are_tried_with_the_next_run() {
    let (upstream, _dir, store) = with_files(1).await;
    let sha1 = Sha1Digest(Sha1::digest([0; 40]).into());
    {
        let mut state = upstream.state.lock();
        state.files.clear();
        state.urls = vec![(sha1, "http://files.example/a.cab".to_owned())];
    }
    let gate = gate(&[0; 40]).await;
    follow(&store, &upstream, |s| {
        s.content.when = ContentWhen::All;
        s.files_from_microsoft = true;
        s.proxy.http = Some(ProxyServer { host: "127.0.0.1".to_owned(), port: gate.port });
        s.proxy.bypass = vec!["127.0.0.1".to_owned()];
    });
    for asked in 1..=2 {
        let ended = run(&store).await;
        assert_eq!(ended.error_code, Some("UssCommunicationError/ProxyRefused"), "{ended:?}");
        assert_eq!((gate.asked.load(Ordering::SeqCst), ended.counts.files_failed), (asked, 1));
        assert_eq!(store.failed_files().unwrap(), [], "nothing is known of the file");
    }
    gate.open.store(true, Ordering::SeqCst);
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files, ended.counts.files_failed, ended.warning), (1, 0, None));
}
