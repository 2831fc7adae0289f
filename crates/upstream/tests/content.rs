//! Files from an upstream: resumed after a break, verified, thrown away when they are not what was declared,
//! and never fetched twice.

mod support;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{FileEntry, Limits};
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, Sha256Digest, Timestamp, UpdateId, UpdateIdentity};
use sluicegate_upstream::content::{
    ContentError, ContentOptions, ContentReport, WantedFile, fetch_all, parent_address,
};
use sluicegate_upstream::intake::Intake;
use sluicegate_upstream::transport::{Transport, TransportSettings, Url};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{QUICK, Received, Reply, Server, answer, settings};

const SIZE: usize = 3_000_000;

fn bytes(seed: u8) -> Vec<u8> {
    (0..SIZE).map(|n| (n as u8).wrapping_mul(31).wrapping_add((n >> 8) as u8).wrapping_add(seed)).collect()
}

fn sha1(bytes: &[u8]) -> Sha1Digest {
    Sha1Digest(Sha1::digest(bytes).into())
}

fn open(dir: &Path) -> Store {
    Store::open(dir, StoreOptions::new(Timestamp::from_unix_seconds(1_790_000_000))).unwrap()
}

/// A store whose catalog declares these files.
fn store(dir: &Path, files: &[&[u8]]) -> Store {
    let store = open(dir);
    let identity =
        UpdateIdentity { update: UpdateId(Guid::from_u128(1)), revision: RevisionNumber::new(1).unwrap() };
    let mut document = Document::software(identity, "An update with files");
    for (number, bytes) in files.iter().enumerate() {
        document.files.push(FileEntry {
            name: format!("Patch{number}.CAB"),
            size: bytes.len() as u64,
            sha1: sha1(bytes),
            sha256: Some(Sha256Digest(Sha256::digest(bytes).into())),
            modified: None,
            patching: None,
        });
    }
    let xml = document.to_xml().into_bytes();
    let prepared = Intake::new(Limits::default()).bytes("test".to_owned(), &xml).unwrap();
    let mut importer = store.importer(Timestamp::from_unix_seconds(1_790_000_000)).unwrap();
    importer.add(prepared).unwrap();
    assert_eq!(importer.commit().unwrap().added, 1);
    store
}

/// Serves `bytes` as a server that knows ranges.
fn ranged(request: &Received, bytes: &[u8]) -> Vec<u8> {
    match from(request) {
        0 => answer("200 OK", &[], bytes),
        from if from >= bytes.len() => answer("416 Range Not Satisfiable", &[], ""),
        from => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            answer("206 Partial Content", &[("Content-Range", &range)], &bytes[from..])
        }
    }
}

fn from(request: &Received) -> usize {
    let range = request.field("Range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
    range.map_or(0, |n| n.parse().unwrap())
}

fn wanted(bytes: &[u8], sources: &[Url]) -> WantedFile {
    WantedFile { sha1: sha1(bytes), size: bytes.len() as u64, sources: sources.to_vec() }
}

async fn fetch(store: &Store, wanted: Vec<WantedFile>) -> ContentReport {
    let transport = Transport::new(TransportSettings { retry: QUICK, ..settings() }).unwrap();
    let mut report = ContentReport::default();
    fetch_all(store, &transport, wanted, &ContentOptions::default(), &mut report).await;
    report
}

fn held(store: &Store, bytes: &[u8]) -> bool {
    use std::io::Read as _;
    let Some(mut open) = store.content().open(sha1(bytes)).unwrap() else { return false };
    let mut read = Vec::new();
    open.file.read_to_end(&mut read).unwrap();
    assert!(read == bytes, "a held file is what was declared");
    true
}

#[tokio::test]
async fn files_come_from_the_parents_folder_once_and_progress_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<Vec<u8>> = (0..6).map(bytes).collect();
    let store = store(dir.path(), &all.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let known: Vec<(String, Vec<u8>)> = all
        .iter()
        .map(|bytes| {
            let hex = sha1(bytes).to_hex_upper();
            (format!("GET /Content/{}/{hex}.CAB HTTP/1.1", &hex[38..]), bytes.clone())
        })
        .collect();
    let server = Server::start(move |request, _| {
        let (_, bytes) = known.iter().find(|(line, _)| line == request.line()).unwrap();
        Reply::Send(ranged(request, bytes))
    })
    .await;
    let parent = server.url("/");
    let list = || -> Vec<WantedFile> {
        let one = |b: &Vec<u8>| wanted(b, &[parent_address(&parent, sha1(b), "x.CAB").unwrap()]);
        all.iter().map(one).chain(all.iter().map(one)).collect()
    };
    let (bytes, files) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (b, f) = (Arc::clone(&bytes), Arc::clone(&files));
    let options = ContentOptions {
        parallel: 3,
        failed: Arc::new(|error| panic!("{error}")),
        progress: Arc::new(move |p| {
            assert_eq!((p.files_total, p.bytes_total), (6, 6 * SIZE as u64));
            b.fetch_max(p.bytes, Ordering::SeqCst);
            f.fetch_max(p.files, Ordering::SeqCst);
        }),
    };
    let transport = Transport::new(settings()).unwrap();
    let mut report = ContentReport::default();
    fetch_all(&store, &transport, list(), &options, &mut report).await;
    assert_eq!((report.fetched.len(), report.already_held), (6, 6), "{report:?}");
    assert_eq!((bytes.load(Ordering::SeqCst), files.load(Ordering::SeqCst)), (6 * SIZE as u64, 6));
    assert!(all.iter().all(|bytes| held(&store, bytes)));
    let again = fetch(&store, list()).await;
    assert_eq!((again.fetched.len(), again.already_held, again.bytes), (0, 12, 0));
    assert_eq!(server.requests().len(), 6, "a verified file is never fetched twice");
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(1);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    // Each request brings another million bytes and breaks.
    let server = Server::start(move |request, _| {
        let mut whole = ranged(request, &content);
        let body = content.len() - from(request);
        whole.truncate(whole.len() - body + body.min(1_000_000));
        Reply::SendAndClose(whole)
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!(report.fetched, [sha1(&file)], "{report:?}");
    assert!(held(&store, &file));
    assert_eq!(report.bytes, SIZE as u64, "nothing came twice");
    let starts: Vec<usize> = server.requests().iter().map(from).collect();
    assert_eq!(starts, [0, 1_000_000, 2_000_000]);
}

#[tokio::test]
async fn what_came_before_the_program_ended_is_not_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(2);
    let content = file.clone();
    let server = Server::start(move |request, number| {
        let whole = ranged(request, &content);
        match number {
            0 => Reply::SendAndStall(whole[..whole.len() - SIZE / 2].to_vec()),
            _ => Reply::Send(whole),
        }
    })
    .await;
    let url = server.url("/f");
    {
        let store = store(dir.path(), &[&file]);
        let half = (SIZE / 2) as u64;
        let came = || store.content().partials().unwrap().first().is_some_and(|(_, n)| *n == half);
        tokio::select! {
            report = fetch(&store, vec![wanted(&file, std::slice::from_ref(&url))]) => panic!("{report:?}"),
            () = async { while !came() { tokio::time::sleep(std::time::Duration::from_millis(5)).await } } => {}
        }
        assert!(!held(&store, &file));
        // The writer lets go of the file, and with it of the folder.
        while !matches!(
            store.begin_content(sha1(&file)).unwrap(),
            sluicegate_store::content::ContentTurn::Yours(_)
        ) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    let store = open(dir.path());
    let report = fetch(&store, vec![wanted(&file, &[url])]).await;
    assert_eq!(report.fetched.len(), 1, "{report:?}");
    assert!(held(&store, &file));
    assert_eq!(from(&server.requests()[1]), SIZE / 2);
    assert!(store.content().partials().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_came_whole_before_the_program_ended_needs_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(3);
    let store = store(dir.path(), &[&file]);
    std::fs::write(dir.path().join("Content/.partial").join(sha1(&file).to_hex_upper()), &file).unwrap();
    let report = fetch(&store, vec![wanted(&file, &[])]).await;
    assert_eq!((report.fetched.len(), report.bytes), (1, 0), "{report:?}");
    assert!(held(&store, &file));
}

#[tokio::test]
async fn a_corrupt_file_is_fetched_once_from_another_source_and_then_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (bytes(4), {
        let mut bad = bytes(4);
        bad[SIZE / 2] ^= 1;
        bad
    });
    let store = store(dir.path(), &[&good]);
    let (b, g) = (bad.clone(), good.clone());
    let spoiled = Server::start(move |r, _| Reply::Send(ranged(r, &b))).await;
    let sound = Server::start(move |r, _| Reply::Send(ranged(r, &g))).await;
    let alone = fetch(&store, vec![wanted(&good, &[spoiled.url("/f")])]).await;
    assert_eq!(spoiled.requests().len(), 2, "the only source is asked once more");
    let error = &alone.failed[0].error;
    assert!(matches!(error, ContentError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("Patch0.CAB") && error.to_string().contains("SHA-256"), "{error}");
    assert!(error.to_string().contains(&spoiled.url("/f").to_string()), "{error}");
    assert!(store.content().partials().unwrap().is_empty(), "it is thrown away");

    let both = vec![wanted(&good, &[spoiled.url("/f"), spoiled.url("/g"), sound.url("/f")])];
    let report = fetch(&store, both).await;
    assert_eq!((report.failed.len(), sound.requests().len()), (1, 0), "another source is tried once");
    let report = fetch(&store, vec![wanted(&good, &[spoiled.url("/f"), sound.url("/f")])]).await;
    assert_eq!(report.fetched.len(), 1, "{report:?}");
    assert!(held(&store, &good));
}

#[tokio::test]
async fn a_file_that_came_damaged_once_from_its_only_source_comes_in_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(8);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    let server = Server::start(move |request, number| {
        let mut whole = ranged(request, &content);
        if number == 0 {
            *whole.last_mut().unwrap() ^= 1;
        }
        Reply::Send(whole)
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!((report.fetched.len(), report.failed.len()), (1, 0), "{report:?}");
    assert!(held(&store, &file));
}

/// Large enough to be written past the system's cache, in blocks, where the file system can do that.
#[tokio::test]
async fn a_large_file_that_breaks_at_odd_places_goes_on_there_and_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file: Vec<u8> = bytes(9).repeat(4);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    let breaks = [1, 4_095, 1_048_577, 5_000_003];
    let server = Server::start(move |request, number| {
        let mut whole = ranged(request, &content);
        let body = content.len() - from(request);
        let sent = breaks.get(number).map_or(body, |at| at - from(request));
        whole.truncate(whole.len() - body + sent);
        Reply::SendAndClose(whole)
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!(report.fetched, [sha1(&file)], "{report:?}");
    assert!(held(&store, &file));
    assert_eq!(report.bytes, file.len() as u64, "nothing came twice");
    let starts: Vec<usize> = server.requests().iter().map(from).collect();
    assert_eq!(starts, [0, 1, 4_095, 1_048_577, 5_000_003]);
}

#[tokio::test]
async fn a_large_file_that_was_given_up_anywhere_is_gone_on_with_there() {
    use sluicegate_store::content::ContentTurn;
    let dir = tempfile::tempdir().unwrap();
    let file: Vec<u8> = bytes(10).repeat(4);
    let store = store(dir.path(), &[&file]);
    let mut at = 0;
    for end in [3_000_001, 3_000_002, 3_004_096, 9_999_999, file.len()] {
        let ContentTurn::Yours(mut partial) = store.begin_content(sha1(&file)).unwrap() else {
            panic!("{at}")
        };
        assert_eq!(partial.length(), at as u64);
        partial.write(&file[at..end]).unwrap();
        assert_eq!(partial.length(), end as u64);
        at = end;
        if end == file.len() {
            partial.finish(Timestamp::from_unix_seconds(1_790_000_000)).unwrap();
        }
    }
    assert!(held(&store, &file));
}

#[tokio::test]
async fn a_spoiled_part_of_an_earlier_run_is_not_blamed_on_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(5);
    let store = store(dir.path(), &[&file]);
    // As a power cut leaves it: the length was written, the bytes were not.
    let part = dir.path().join("Content/.partial").join(sha1(&file).to_hex_upper());
    std::fs::write(part, vec![0; 1_000_000]).unwrap();
    let content = file.clone();
    let server = Server::start(move |r, _| Reply::Send(ranged(r, &content))).await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!(report.fetched.len(), 1, "{report:?}");
    assert!(held(&store, &file));
    assert_eq!(server.requests().iter().map(from).collect::<Vec<_>>(), [1_000_000, 0]);
}

#[tokio::test]
async fn files_of_another_length_are_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(6);
    let store = store(dir.path(), &[&file]);
    let (short, long) = (file[..SIZE - 1].to_vec(), [file.as_slice(), b"x"].concat());
    for content in [short, long] {
        let server = Server::start(move |r, _| Reply::Send(ranged(r, &content))).await;
        let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
        let error = report.failed[0].error.to_string();
        assert!(error.contains(&format!("declared are {SIZE}")), "{error}");
    }
    // Endless, without an announced length.
    let chunk = [b"100000\r\n".as_slice(), &[b'x'; 0x10_0000], b"\r\n"].concat();
    let endless =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &chunk.repeat(5)].concat();
    let server = Server::start(move |_, _| Reply::SendAndStall(endless.clone())).await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    let error = report.failed[0].error.to_string();
    assert!(error.contains(&format!("more than the declared {SIZE} bytes")), "{error}");
    assert!(!held(&store, &file));
}

#[tokio::test]
async fn files_are_asked_for_as_they_are_and_compressed_ones_are_named_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(8);
    let store = store(dir.path(), &[&file]);
    let server = Server::start(|request, _| {
        assert_eq!(request.field("Accept-Encoding"), Some("identity"));
        Reply::Send(answer("200 OK", &[("Content-Encoding", "gzip")], "packed"))
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    let error = report.failed[0].error.to_string();
    assert!(error.contains("Content-Encoding: gzip") && error.contains("switch off compression"), "{error}");
    assert_eq!(report.failed[0].error.code(), "UssCommunicationError/AnswerDamaged");
    assert!(!held(&store, &file));
}

#[tokio::test]
async fn a_server_that_ignores_ranges_sends_all_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(7);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    let server = Server::start(move |_, number| {
        let whole = answer("200 OK", &[], &content);
        match number {
            0 => Reply::SendAndClose(whole[..SIZE / 2].to_vec()),
            _ => Reply::Send(whole),
        }
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!(report.fetched.len(), 1, "{report:?}");
    assert!(held(&store, &file));
}

/// Answers that are called a part and are none, or another one.
fn wrong_parts(whole: &[u8]) -> [Vec<u8>; 3] {
    let last = whole.len() - 1;
    let all = format!("bytes 0-{last}/{}", whole.len());
    let inner = format!("--x\r\nContent-Range: {all}\r\n\r\n");
    let parts = [inner.as_bytes(), whole, b"\r\n--x--\r\n"].concat();
    let multipart = [("Content-Type", "multipart/byteranges; boundary=x")];
    [
        answer("206 Partial Content", &[("Content-Range", &all)], whole),
        answer("206 Partial Content", &[], whole),
        answer("206 Partial Content", &multipart, &parts),
    ]
}

#[tokio::test]
async fn where_ranges_are_answered_wrongly_the_whole_is_asked_for_once_more() {
    let file = bytes(7);
    for wrong in wrong_parts(&file) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), &[&file]);
        let (content, asked) = (file.clone(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&asked);
        let server = Server::start(move |request, number| {
            seen.lock().unwrap().push(from(request));
            let whole = answer("200 OK", &[], &content);
            match (number, from(request)) {
                (0, _) => Reply::SendAndClose(whole[..SIZE / 2].to_vec()),
                (_, 0) => Reply::Send(whole),
                _ => Reply::Send(wrong.clone()),
            }
        })
        .await;
        let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
        assert_eq!(report.fetched.len(), 1, "{report:?}");
        assert!(held(&store, &file));
        let asked = asked.lock().unwrap().clone();
        assert!(asked.len() == 3 && asked[0] == 0 && asked[1] > 0 && asked[2] == 0, "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_here_stays_where_the_whole_cannot_be_had_either() {
    let (dir, file) = (tempfile::tempdir().unwrap(), bytes(7));
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    let [wrong, ..] = wrong_parts(&file);
    let server = Server::start(move |request, number| match (number, from(request)) {
        (0, _) => Reply::SendAndClose(answer("200 OK", &[], &content)[..SIZE / 2].to_vec()),
        (_, 0) => Reply::Send(answer("500 Internal Server Error", &[], "")),
        _ => Reply::Send(wrong.clone()),
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!(report.failed.len(), 1, "{report:?}");
    let [(_, kept)] = store.content().partials().unwrap()[..] else { panic!("a partial file") };
    assert!(kept > SIZE as u64 / 3, "{kept}");
    let whole = file.clone();
    let server = Server::start(move |request, _| Reply::Send(ranged(request, &whole))).await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/f")])]).await;
    assert_eq!((report.fetched.len(), report.bytes), (1, SIZE as u64 - kept), "where ranges work");
    assert!(held(&store, &file));
}

#[tokio::test]
async fn a_server_that_cuts_every_answer_and_ignores_ranges_is_given_up_and_what_it_repeats_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(7);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    // Each answer ends somewhere else, and none goes on where one before ended.
    let server = Server::start(move |_, number| {
        let whole = answer("200 OK", &[], &content);
        Reply::SendAndClose(whole[..1_000_000 + number * 37 % 5 * 100_000].to_vec())
    })
    .await;
    let fetching = fetch(&store, vec![wanted(&file, &[server.url("/f")])]);
    let report = tokio::time::timeout(Duration::from_secs(60), fetching).await.expect("it ends");
    assert!(report.fetched.is_empty() && !held(&store, &file));
    assert!(report.bytes < 1_500_000, "{} bytes count", report.bytes);
    let [failed] = report.failed.as_slice() else { panic!("{report:?}") };
    let error = failed.error.to_string();
    assert!(error.contains("cut short") && error.contains("Range"), "{error}");
    assert!(error.contains(&SIZE.to_string()), "{error}");
}

#[tokio::test]
async fn a_parent_without_the_file_may_have_it_later() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(8);
    let store = store(dir.path(), &[&file]);
    let there = Arc::new(Mutex::new(false));
    let (content, flag) = (file.clone(), Arc::clone(&there));
    let server = Server::start(move |r, _| {
        Reply::Send(match *flag.lock().unwrap() {
            false => answer("404 Not Found", &[], "nothing"),
            true => ranged(r, &content),
        })
    })
    .await;
    let list = || vec![wanted(&file, &[server.url("/a"), server.url("/b")])];
    let report = fetch(&store, list()).await;
    assert_eq!((report.not_there.len(), report.failed.len()), (1, 0), "{report:?}");
    assert_eq!(server.requests().len(), 2, "each source is asked once");
    *there.lock().unwrap() = true;
    assert_eq!(fetch(&store, list()).await.fetched.len(), 1);
}

#[tokio::test]
async fn a_redirection_is_followed_and_an_endless_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = bytes(9);
    let store = store(dir.path(), &[&file]);
    let content = file.clone();
    let server = Server::start(move |r, _| {
        Reply::Send(match r.line().split(' ').nth(1).unwrap() {
            "/old" => answer("302 Found", &[("Location", "/new")], ""),
            "/new" => ranged(r, &content),
            "/nowhere" => answer("302 Found", &[], ""),
            _ => answer("302 Found", &[("Location", "/round")], ""),
        })
    })
    .await;
    let report = fetch(&store, vec![wanted(&file, &[server.url("/round")])]).await;
    assert_eq!(report.failed.len(), 1, "{report:?}");
    let report = fetch(&store, vec![wanted(&file, &[server.url("/nowhere")])]).await;
    let said = report.failed[0].error.to_string();
    assert!(said.contains("a redirection (HTTP status 302) that leads nowhere"), "{said}");
    let report = fetch(&store, vec![wanted(&file, &[server.url("/old")])]).await;
    assert_eq!(report.fetched.len(), 1, "{report:?}");
}

#[tokio::test]
async fn a_file_that_no_update_declares_is_not_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &[&bytes(10)]);
    let server = Server::start(|_, _| Reply::Send(answer("200 OK", &[], "x"))).await;
    let report = fetch(&store, vec![wanted(&bytes(11), &[server.url("/f")])]).await;
    assert_eq!((report.failed.len(), server.requests().len()), (1, 0));
    let nowhere = fetch(&store, vec![wanted(&bytes(10), &[])]).await;
    assert_eq!(nowhere.failed[0].error.code(), "ContentError/NoSource");
}
