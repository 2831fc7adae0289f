//! Downloads against servers that behave, and servers that do not (observed-behaviour 5).

mod support;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_agent::download::{Contents, Download, DownloadError, DownloadOptions, Place};
use sluicegate_agent::fragments::FileSpec;
use sluicegate_agent::http::Address;
use sluicegate_agent::{HResult, Random};
use sluicegate_terms::{Sha1Digest, Sha256Digest};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::{Answer, FakeServer, Seen, answer};

const MIB: usize = 1 << 20;

fn content(length: usize) -> Vec<u8> {
    let mut random = Random::seeded(length as u64);
    (0..length).map(|_| random.next_u64().to_le_bytes()[0]).collect()
}

fn spec(content: &[u8]) -> FileSpec {
    FileSpec {
        name: "tool.exe".to_owned(),
        size: content.len() as u64,
        sha1: Sha1Digest(Sha1::digest(content).into()),
        sha256: Some(Sha256Digest(Sha256::digest(content).into())),
    }
}

/// First and last byte asked for.
fn range(seen: &Seen) -> (usize, usize) {
    let (first, last) = seen.header("range").strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap())
}

fn partial(content: &[u8], seen: &Seen) -> Answer {
    let (first, last) = range(seen);
    let mut answer = answer(206, content[first..=last].to_vec());
    let range = format!("bytes {first}-{last}/{}", content.len());
    answer.headers_mut().insert("content-range", range.parse().unwrap());
    answer
}

async fn fetch(server: &FakeServer, file: &FileSpec, place: &Place) -> Result<Contents, DownloadError> {
    let location: Address = format!("{}/Content/AB/X.exe", server.address).parse().unwrap();
    let pool = server.pool();
    let options = DownloadOptions { attempts_per_piece: 3, retry_delay: Duration::from_millis(5) };
    Download { pool: &pool, location: &location, file, options }.fetch(place, &mut Random::seeded(3)).await
}

const MEMORY: Place = Place::Memory { limit: 64 << 20 };

fn bytes(contents: &Contents) -> Vec<u8> {
    match contents {
        Contents::Memory(bytes) => bytes.to_vec(),
        Contents::File(path) => std::fs::read(path).unwrap(),
    }
}

#[tokio::test]
async fn a_file_comes_in_aligned_pieces_in_shuffled_order_over_three_connections() {
    let whole = content(12 * MIB + 777);
    let served = whole.clone();
    let server = FakeServer::start(move |seen| partial(&served, seen)).await;
    let pool = server.pool();
    let location: Address = format!("{}/Content/AB/X.exe", server.address).parse().unwrap();
    let file = spec(&whole);
    let download =
        Download { pool: &pool, location: &location, file: &file, options: DownloadOptions::default() };
    let contents = download.fetch(&MEMORY, &mut Random::seeded(3)).await.unwrap();
    assert!(bytes(&contents) == whole);
    assert_eq!(pool.connections_opened(), 3);
    let ranges: Vec<(usize, usize)> = server.seen().iter().map(range).collect();
    let mut sorted = ranges.clone();
    sorted.sort_unstable();
    assert_ne!(ranges, sorted, "pieces are asked for in shuffled order");
    let expected: Vec<_> =
        (0..13).map(|n| (n * MIB, if n == 12 { whole.len() - 1 } else { (n + 1) * MIB - 1 })).collect();
    assert_eq!(sorted, expected);
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/Content/AB/X.exe");
    assert_eq!(seen.header("user-agent"), "Microsoft-Delivery-Optimization/10.1");
    assert!(!seen.header("ms-cv").is_empty());
}

#[tokio::test]
async fn a_folder_gets_the_file_under_its_digest_and_nothing_else() {
    let whole = content(2 * MIB + 1);
    let served = whole.clone();
    let server = FakeServer::start(move |seen| partial(&served, seen)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = spec(&whole);
    let contents = fetch(&server, &file, &Place::Folder(folder.path().to_owned())).await.unwrap();
    assert!(bytes(&contents) == whole);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [file.sha1.to_hex_upper().as_str()]);
}

#[tokio::test]
async fn an_empty_file_needs_no_request() {
    let server = FakeServer::start(|_| answer(500, "")).await;
    let contents = fetch(&server, &spec(b""), &MEMORY).await.unwrap();
    assert!(bytes(&contents).is_empty());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_server_without_ranges_may_send_a_small_file_whole_but_not_a_large_one() {
    let small = content(1000);
    let served = small.clone();
    let server = FakeServer::start(move |_| answer(200, served.clone())).await;
    assert!(bytes(&fetch(&server, &spec(&small), &MEMORY).await.unwrap()) == small);
    let large = content(2 * MIB);
    let served = large.clone();
    let server = FakeServer::start(move |_| answer(200, served.clone())).await;
    let error = fetch(&server, &spec(&large), &MEMORY).await.unwrap_err();
    assert!(matches!(error, DownloadError::Http { .. }), "{error}");
}

#[tokio::test]
async fn one_flipped_bit_is_found_and_nothing_is_kept() {
    let whole = content(MIB + 5);
    let mut served = whole.clone();
    served[MIB] ^= 1;
    let server = FakeServer::start(move |seen| partial(&served, seen)).await;
    let folder = tempfile::tempdir().unwrap();
    for place in [MEMORY, Place::Folder(folder.path().to_owned())] {
        let error = fetch(&server, &spec(&whole), &place).await.unwrap_err();
        assert!(matches!(error, DownloadError::Digest { algorithm: "SHA-1", .. }), "{error}");
        assert_eq!(error.hresult(), HResult::INCORRECT_FILE_HASH);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_matching_sha1_is_not_enough_when_sha256_is_declared() {
    let whole = content(10);
    let served = whole.clone();
    let server = FakeServer::start(move |seen| partial(&served, seen)).await;
    let file = FileSpec { sha256: Some(Sha256Digest([7; 32])), ..spec(&whole) };
    let error = fetch(&server, &file, &MEMORY).await.unwrap_err();
    assert!(matches!(error, DownloadError::Digest { algorithm: "SHA-256", .. }), "{error}");
}

#[tokio::test]
async fn truncated_and_misplaced_pieces_are_asked_for_again_and_then_given_up() {
    let whole = content(100);
    let served = whole.clone();
    let server = FakeServer::start(move |seen| {
        let good = partial(&served, seen);
        let headers = good.headers().clone();
        let mut short = answer(206, served[..50].to_vec());
        *short.headers_mut() = headers;
        short
    })
    .await;
    let error = fetch(&server, &spec(&whole), &MEMORY).await.unwrap_err();
    assert!(matches!(error, DownloadError::WrongPiece { first: 0, last: 99, .. }), "{error}");
    assert!(error.to_string().contains("50 bytes"), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_broken_connection_costs_one_piece_only() {
    let whole = content(3 * MIB);
    let served = whole.clone();
    let failures = Mutex::new(HashMap::new());
    let server = FakeServer::start(move |seen| {
        let mut failures = failures.lock().unwrap();
        let times = failures.entry(range(seen)).or_insert(0);
        *times += 1;
        if *times == 1 { answer(500, "not now") } else { partial(&served, seen) }
    })
    .await;
    assert!(bytes(&fetch(&server, &spec(&whole), &MEMORY).await.unwrap()) == whole);
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_busy_content_server_is_given_the_time_it_asks_for() {
    let whole = content(10);
    let served = whole.clone();
    let asked = Mutex::new(false);
    let server = FakeServer::start(move |seen| {
        if std::mem::replace(&mut *asked.lock().unwrap(), true) {
            return partial(&served, seen);
        }
        let mut busy = answer(503, "");
        busy.headers_mut().insert("retry-after", "1".parse().unwrap());
        busy
    })
    .await;
    let begun = Instant::now();
    assert!(bytes(&fetch(&server, &spec(&whole), &MEMORY).await.unwrap()) == whole);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_file_the_server_does_not_hold_is_not_asked_for_again() {
    let server = FakeServer::start(|_| answer(404, "")).await;
    let error = fetch(&server, &spec(&content(10)), &MEMORY).await.unwrap_err();
    assert_eq!(error.hresult(), HResult(0x8019_0194), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn memory_is_bounded() {
    let server = FakeServer::start(|_| answer(404, "")).await;
    let error = fetch(&server, &spec(&content(1000)), &Place::Memory { limit: 999 }).await.unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { size: 1000, limit: 999, .. }), "{error}");
    assert!(server.seen().is_empty());
}
