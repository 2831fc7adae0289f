//! The disk is full: a clear error, nothing half-written, reading goes on, and all is well again once
//! there is room. The child works in a small file system of its own, or, where none can be mounted,
//! under a limit on the size of files.

mod support;

use sluicegate_store::{Contact, EventBatch, ReportedEvent, Store, StoreError, UpdateQuery};
use sluicegate_terms::{Anchor, Guid};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use support::child::{command, folder};
use support::{at, core_bytes, file, identity, import, open, prepared, software};

/// Mounts a small file system on the folder, visible to the child only, and runs the rest in it.
const IN_SMALL_DISK: &str = "mount -t tmpfs -o size=12m none \"$STORE_TEST_CHILD_FOLDER\" && exec \"$@\"";

/// Files end at 4,096 blocks of half a KiB or of one, above what a new database's log has and below what is imported; a
/// write beyond is an error instead of a signal.
const IN_SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 4096; exec \"$@\"";

fn content() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(4_000_000).collect()
}

/// Puts a catalog of ten updates into the folder, one of which has a large file.
fn fill_catalog(store: &Store) {
    let mut documents: Vec<_> = (1..=10).map(|n| software(n, 1, "Small")).collect();
    documents[0].files.push(file("large.cab", &content()));
    assert_eq!(import(store, 0, &documents).added, 10);
    store.touch(Contact::new("pc-1".parse().unwrap(), at(0))).unwrap();
    store.flush_contacts().unwrap();
}

/// Everything that was there is still there and can be read.
fn assert_readable(store: &Store, revisions: usize) {
    let mut seen = 0;
    let cores = store.cores();
    let read = store.for_each_revision(|revision| {
        seen += 1;
        let n = revision.record.identity.update.0.as_u128();
        if n <= 10 {
            assert_eq!(cores.core(revision.id)?, core_bytes(&software(n, 1, "")));
        }
        cores.fragments(revision.id)?;
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    assert_eq!(seen, revisions);
    assert_eq!(
        store.updates(&UpdateQuery { limit: 99, ..UpdateQuery::default() }).unwrap().total,
        seen as u64
    );
    assert_eq!(store.computer(&"pc-1".parse().unwrap()).unwrap().id.as_str(), "pc-1");
}

fn import_large(store: &Store, n: u128) -> Result<u64, StoreError> {
    let mut importer = store.importer(at(1))?;
    for n in n..n + 4 {
        let mut revision = prepared("large.xml", &software(n, 1, "Large"));
        revision.core_ready = vec![n as u8; 1_100_000];
        importer.add(revision)?;
    }
    importer.commit().map(|report| report.added)
}

fn report(store: &Store, n: u128) -> Result<u32, StoreError> {
    let event = ReportedEvent {
        instance: Guid::from_u128(n),
        namespace: 1,
        id: 162,
        source: 101,
        update: Some(identity(1, 1)),
        at: at(1),
        result: 0,
        misc: Vec::new(),
        details: "x".repeat(2_000),
    };
    let batch = EventBatch { computer: "pc-1".parse().unwrap(), received: at(2), events: vec![event] };
    store.record_events(batch).map(|recorded| recorded.new)
}

fn fill_disk(path: &Path) {
    let mut filler = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for chunk in [vec![0_u8; 1 << 20], vec![0_u8; 1 << 12]] {
        while filler.write_all(&chunk).is_ok() {}
    }
}

#[test]
fn child_in_a_small_file_system() {
    let Some(dir) = folder() else { return };
    let data = dir.join("data");
    let filler = dir.join("filler");
    let store = open(&data);
    fill_catalog(&store);

    fill_disk(&filler);
    let refused = import_large(&store, 100).unwrap_err();
    assert!(refused.is_disk_full(), "{refused}");
    assert!(refused.to_string().contains("free some space"), "{refused}");
    let refused = store.add_content("large.cab", &mut content().as_slice(), at(1), &mut |_| {}).unwrap_err();
    assert!(refused.is_disk_full(), "{refused}");
    let mut accepted = 0_u128;
    let refused = loop {
        match report(&store, accepted + 1) {
            Ok(new) => accepted += u128::from(new),
            Err(refused) => break refused,
        }
        assert!(accepted < 10_000, "the disk never got full");
    };
    assert!(refused.is_disk_full(), "{refused}");
    store.touch(Contact::new("pc-1".parse().unwrap(), at(9))).unwrap();
    assert_readable(&store, 10);
    assert_eq!(store.anchor(), Anchor(1));
    assert_eq!(store.content().totals(), (0, 0));

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(import_large(&store, 100).unwrap(), 4);
    assert!(store.add_content("large.cab", &mut content().as_slice(), at(1), &mut |_| {}).is_ok());
    assert_eq!(report(&store, accepted + 1).unwrap(), 1);
    drop(store);
    let store = open(&data);
    assert_readable(&store, 14);
    assert_eq!(
        store.events_of(&"pc-1".parse().unwrap(), 10_000).unwrap().len() as u128,
        accepted.min(999) + 1
    );
    File::create(dir.join("finished")).unwrap();
    println!("CHILD FINISHED");
}

#[test]
fn child_under_a_limit_of_file_size() {
    let Some(dir) = folder() else { return };
    let store = open(&dir);
    let refused = import_large(&store, 100).unwrap_err();
    assert!(refused.is_disk_full(), "{refused}");
    let refused = store.add_content("large.cab", &mut content().as_slice(), at(1), &mut |_| {}).unwrap_err();
    assert!(refused.is_disk_full(), "{refused}");
    assert_readable(&store, 10);
    assert_eq!(import(&store, 2, &[software(50, 1, "Small")]).added, 1);
    println!("CHILD FINISHED");
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("CHILD FINISHED"), "{text}");
}

#[test]
fn a_full_disk_is_a_clear_error_and_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m none \"$0\""];
    let mounts = Command::new(probe[0]).args(&probe[1..]).arg(dir.path()).output();
    if !mounts.is_ok_and(|output| output.status.success()) {
        println!("no small file system can be mounted here; the limit on file sizes must do");
        return;
    }
    let wrapper = ["unshare", "-rm", "sh", "-c", IN_SMALL_DISK, "sh"];
    run(command(&wrapper, "child_in_a_small_file_system", dir.path()));
}

#[test]
fn files_that_cannot_grow_are_a_full_disk_too() {
    let dir = tempfile::tempdir().unwrap();
    fill_catalog(&open(dir.path()));
    let wrapper = ["sh", "-c", IN_SMALL_FILES, "sh"];
    run(command(&wrapper, "child_under_a_limit_of_file_size", dir.path()));
    // Without the limit the same folder goes on.
    let store = open(dir.path());
    assert_eq!(import_large(&store, 100).unwrap(), 4);
    assert_readable(&store, 15);
}
