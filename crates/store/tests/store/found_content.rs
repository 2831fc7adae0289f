//! What lies in the content folder at a start: a file is held when its length is the declared one, and what lay there before
//! its catalog came only when its digests are.

use crate::support;

use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::content::ContentTurn;
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::Sha1Digest;
use std::path::{Path, PathBuf};
use support::{at, file, import, software};

const FILES: [(&str, &[u8]); 4] = [
    ("one.exe", b"bytes of one"),
    ("two.exe", b"bytes of two"),
    ("three.exe", b"bytes of three"),
    ("four.exe", b""),
];

fn serving(dir: &Path) -> Store {
    Store::open(dir, StoreOptions { serving: true, ..StoreOptions::new(at(0)) }).unwrap()
}

fn place(dir: &Path, bytes: &[u8]) -> (Sha1Digest, PathBuf) {
    let sha1 = file("x", bytes).sha1;
    let hex = sha1.to_hex_upper();
    (sha1, dir.join("Content").join(&hex[38..]).join(format!("{hex}.exe")))
}

fn declare(store: &Store) {
    let mut update = software(1, 1, "One");
    update.files.extend(FILES.map(|(name, bytes)| file(name, bytes)));
    import(store, 0, &[update]);
}

/// A content folder that somebody filled: one file is good, one has other bytes, one is empty.
fn filled(dir: &Path) -> [(Sha1Digest, PathBuf); 3] {
    let [one, two, three, _] = FILES.map(|(_, bytes)| place(dir, bytes));
    for ((_, path), bytes) in [(&one, FILES[0].1), (&two, b"Bytes of two"), (&three, b"")] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    [one, two, three]
}

fn held(store: &Store) -> [bool; 3] {
    let [one, two, three, _] = FILES.map(|(_, bytes)| store.content().has(file("x", bytes).sha1));
    [one, two, three]
}

fn verify(store: &Store) -> u64 {
    store.verify_found(at(5), &mut || true).unwrap()
}

#[test]
fn a_file_that_was_cut_off_while_the_server_was_away_is_not_held_after_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = serving(dir.path());
    declare(&store);
    for (name, mut bytes) in FILES {
        store.add_content(name, &mut bytes, at(1), &mut |_| {}).unwrap();
    }
    drop(store);
    let ((sha1, path), (_, empty)) = (place(dir.path(), FILES[0].1), place(dir.path(), b""));
    std::fs::write(&path, b"byte").unwrap();
    assert!(
        !support::open(dir.path()).content().has(sha1) && path.exists(),
        "only a server changes anything"
    );
    let store = serving(dir.path());
    assert_eq!((held(&store), path.exists(), empty.exists()), ([false, true, true], false, true));
    let lost = store.lost_files().unwrap();
    assert_eq!((lost.len(), lost[0].damage.to_string().as_str()), (1, "has 4 bytes instead of 12"));
    assert!(matches!(store.begin_content(sha1).unwrap(), ContentTurn::Yours(_)), "it can be fetched");
}

#[test]
fn what_lay_there_before_the_catalog_came_is_held_only_when_its_digests_match() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, three] = filled(dir.path());
    let store = serving(dir.path());
    assert_eq!((held(&store), verify(&store)), ([false; 3], 0));
    declare(&store);
    assert_eq!((held(&store), verify(&store), verify(&store)), ([false; 3], 1, 0));
    assert_eq!(held(&store), [true, false, false]);
    assert_eq!(std::fs::read(&one.1).unwrap(), FILES[0].1);
    assert!(!two.1.exists() && !three.1.exists() && !store.content().has_unverified());
    drop(store);
    assert_eq!(held(&serving(dir.path())), [true, false, false], "nothing comes back");
}

#[test]
fn a_start_between_the_catalog_and_the_verification_takes_nothing_on_trust() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    declare(&serving(dir.path()));
    let store = serving(dir.path());
    assert_eq!(held(&store), [false; 3], "though two of them have the declared length");
    assert_eq!((verify(&store), held(&store)), (1, [true, false, false]));
}

#[test]
fn whoever_is_about_to_fetch_such_a_file_takes_it_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, _] = filled(dir.path());
    let store = serving(dir.path());
    declare(&store);
    assert!(matches!(store.begin_content(one.0).unwrap(), ContentTurn::Held(_)));
    assert!(matches!(store.begin_content(two.0).unwrap(), ContentTurn::Yours(_)));
    assert_eq!((held(&store), verify(&store)), ([true, false, false], 0));
}

#[test]
fn cleanup_removes_such_files_a_day_later_when_no_update_came_for_them() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let store = serving(dir.path());
    let now = sluicegate_terms::Timestamp::from_unix_seconds(
        std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap(),
    );
    for (later, left) in [(3_600, true), (2 * 86_400, false)] {
        store.cleanup(&CleanupOrder::default(), now.plus_seconds(later), &mut || true).unwrap();
        assert_eq!(store.content().has_unverified(), left, "{later}");
    }
}
