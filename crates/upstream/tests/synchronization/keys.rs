//! Keys of encrypted files: asked for where a document says that it has such files, once, and never in the way of
//! anything else.

use super::{ErrorCode, FileEntry, Sha1Digest, Trouble};
use super::{PRODUCT, follow, give, identity, open, parent, run, run_well, update};
use crate::upstream::Upstream;
use sha1::{Digest as _, Sha1};
use sluicegate_terms::UpdateIdentity;

fn digest(n: u128) -> Sha1Digest {
    Sha1Digest(Sha1::digest(n.to_le_bytes()).into())
}

/// Puts an update with an encrypted file and a plain one into the upstream, and the key of the first beside it.
fn encrypted(upstream: &Upstream, n: u128) -> UpdateIdentity {
    let mut document = update(n, 1, PRODUCT);
    let file = |sha1, name: &str| FileEntry {
        name: name.to_owned(),
        size: 9,
        sha1,
        sha256: None,
        modified: None,
        patching: None,
    };
    document.files = vec![file(digest(n), "install.esd")];
    let xml = document
        .to_xml()
        .replace("FileName=\"install.esd\"", "FileName=\"install.esd\" IsEncrypted=\"true\"");
    assert!(xml.contains("IsEncrypted"), "{xml}");
    upstream.add(document.identity, xml, false, &[super::uid(PRODUCT), super::uid(super::CLASS)]);
    upstream.state.lock().keys.insert(document.identity, vec![(digest(n), n.to_le_bytes().to_vec())]);
    document.identity
}

fn asked(upstream: &Upstream) -> usize {
    upstream.calls().iter().filter(|call| **call == "GetUpdateDecryptionData").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_encrypted_files_are_asked_for_once() {
    let upstream = parent(3).await;
    for n in 8_000..8_005 {
        encrypted(&upstream, n);
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    for n in 8_000..8_005 {
        assert_eq!(store.file_key(digest(n)).unwrap(), Some(n.to_le_bytes().to_vec()));
    }
    assert!(store.wanted_keys().unwrap().is_empty());
    assert!(asked(&upstream) > 1, "it takes three at once, so the five were asked for in parts");
    give(&upstream, &update(9_000, 1, PRODUCT), PRODUCT);
    run_well(&store).await;
    assert_eq!(asked(&upstream), 0, "nothing encrypted came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_whose_keys_are_refused_is_in_nobodys_way() {
    let upstream = parent(1).await;
    let all: Vec<UpdateIdentity> = (8_000..8_003).map(|n| encrypted(&upstream, n)).collect();
    upstream.state.lock().keys.remove(&all[1]);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let ended = run(&store).await;
    assert_eq!(ended.error, None);
    assert!(ended.warning.is_some_and(|text| text.contains(&upstream.url)));
    assert_eq!(store.wanted_keys().unwrap(), [identity(8_001, 1)]);
    assert!(
        store.file_key(digest(8_000)).unwrap().is_some() && store.file_key(digest(8_002)).unwrap().is_some()
    );
    upstream.state.lock().keys.insert(all[1], vec![(digest(8_001), vec![7; 32])]);
    run_well(&store).await;
    assert_eq!(store.file_key(digest(8_001)).unwrap(), Some(vec![7; 32]));
    assert!(store.wanted_keys().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_did_not_come_are_asked_for_in_the_next_run() {
    let upstream = parent(1).await;
    encrypted(&upstream, 8_000);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    // The run before said at which call they are asked for; another such upstream fails there.
    let at = upstream.calls().iter().position(|call| *call == "GetUpdateDecryptionData").unwrap();
    let failing = parent(1).await;
    encrypted(&failing, 8_000);
    failing.state.lock().trouble.insert(at, Trouble::Fault(ErrorCode::IncompatibleProtocolVersion));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &failing, |_| {});
    assert_eq!(run(&store).await.error_code, Some("UssCommunicationError/IncompatibleProtocolVersion"));
    assert_eq!(store.wanted_keys().unwrap(), [identity(8_000, 1)]);
    run_well(&store).await;
    assert!(store.file_key(digest(8_000)).unwrap().is_some());
}
