//! The process is killed at many points of its work and started again: what was acknowledged is there,
//! and nothing half-written is visible.

mod support;

use sha1::{Digest, Sha1};
use sluicegate_store::{EventBatch, ReportedEvent, Store, StoreError, StoredRevision};
use sluicegate_terms::{Guid, Sha1Digest};
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use support::child::{Kill, acknowledge, folder, run_and_kill};
use support::{at, core_bytes, file, identity, import, needing, open, prepared, software, uid};

/// How often each kind of work is killed.
const ROUNDS: u32 = 15;

/// Revisions of one import; an import is visible whole or not at all.
const BATCH: u128 = 40;

/// Spreads the kills over opening the folder and over the time a piece of work takes.
fn moment(round: u32) -> Kill {
    let delay = Duration::from_micros(u64::from(round) * 7_300 % 61_000);
    if round.is_multiple_of(3) { Kill::AfterStart(delay) } else { Kill::AfterFirst(delay) }
}

fn revisions(store: &Store) -> Vec<StoredRevision> {
    let mut all = Vec::new();
    let read = store.for_each_revision(|revision| {
        all.push(revision);
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    all
}

/// The documents of one import; each but the first needs the one before it.
fn batch(number: u128) -> Vec<sluicegate_catalog::compose::Document> {
    let document = |n: u128| {
        let plain = software(n, 1, &format!("Update {n}"));
        if n.is_multiple_of(BATCH) { plain } else { needing(plain, &[&[n - 1]]) }
    };
    (number * BATCH..(number + 1) * BATCH).map(document).collect()
}

#[test]
fn child_imports() {
    let Some(dir) = folder() else { return };
    let store = open(&dir);
    let done = revisions(&store).len() as u128 / BATCH;
    for number in done.. {
        let report = import(&store, 0, &batch(number));
        assert_eq!(u128::from(report.added), BATCH);
        acknowledge(number);
    }
}

#[test]
fn imports_are_whole_or_absent_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill("child_imports", dir.path(), moment(round));
        let store = open(dir.path());
        let all = revisions(&store);
        assert_eq!(all.len() as u128 % BATCH, 0, "half an import is visible");
        if let Some(last) = acknowledged.last() {
            assert!(
                all.len() as u128 / BATCH > last.parse().unwrap(),
                "import {last} was acknowledged and is gone"
            );
        }
        assert_eq!(store.anchor().0 as u128, all.len() as u128 / BATCH);
        let cores = store.cores();
        for revision in &all {
            let n = revision.record.identity.update.0.as_u128();
            assert_eq!(cores.core(revision.id).unwrap(), core_bytes(&software(n, 1, "")));
            assert!(cores.fragments(revision.id).unwrap().extended().contains("ExtendedProperties"));
        }
        if let Some(newest) = all.last() {
            assert!(store.document_bytes(newest.id).unwrap().starts_with(b"<upd:Update"));
        }
        assert!(store.quarantine().unwrap().is_empty());
    }
}

/// The content of file `n`: long enough that a kill hits the middle of it.
fn content(n: u32) -> Vec<u8> {
    (0..400_000_u32).flat_map(|i| i.wrapping_mul(n + 7).to_le_bytes()).take(900_000 + n as usize).collect()
}

const FILES: u32 = 30;

#[test]
fn child_takes_content_in() {
    let Some(dir) = folder() else { return };
    let store = open(&dir);
    loop {
        for n in 0..FILES {
            // Taking a held file in again is harmless and keeps the child busy.
            let held = store.add_content("x", &mut content(n).as_slice(), at(1), &mut |_| {}).unwrap();
            acknowledge(held.sha1);
        }
    }
}

fn files_under(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn content_is_whole_or_absent_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut document = software(1, 1, "Many files");
        document.files = (0..FILES).map(|n| file(&format!("{n}.cab"), &content(n))).collect();
        import(&open(dir.path()), 0, &[document]);
    }
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill("child_takes_content_in", dir.path(), moment(round));
        let store = open(dir.path());
        for sha1 in acknowledged {
            let sha1 = Sha1Digest::from_hex(&sha1).unwrap();
            assert!(store.content().has(sha1), "{sha1} was acknowledged and is gone");
        }
        let present = files_under(&dir.path().join("Content"));
        assert_eq!(present.len(), store.content().totals().0, "something unfinished lies about");
        for sha1 in store.content().list() {
            let mut bytes = Vec::new();
            store.content().open(sha1).unwrap().unwrap().file.read_to_end(&mut bytes).unwrap();
            assert_eq!(Sha1Digest(Sha1::digest(&bytes).into()), sha1, "a half-written file is visible");
        }
    }
}

/// Events of one report; they are kept all or not at all.
const EVENTS: u128 = 5;

#[test]
fn child_records_events() {
    let Some(dir) = folder() else { return };
    let store = open(&dir);
    let start = u128::from(std::process::id()) << 40;
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let store = &store;
            scope.spawn(move || {
                for n in 0_u128.. {
                    let first = start + (thread << 32) + n * EVENTS;
                    let event = |instance| ReportedEvent {
                        instance: Guid::from_u128(instance),
                        namespace: 1,
                        id: 162,
                        source: 101,
                        update: Some(identity(1, 1)),
                        at: at(1),
                        result: 0,
                        misc: Vec::new(),
                        details: String::new(),
                    };
                    let events = (first..first + EVENTS).map(event).collect();
                    let computer = format!("pc-{first}").parse().unwrap();
                    store.record_events(EventBatch { computer, received: at(2), events }).unwrap();
                    acknowledge(first);
                }
            });
        }
    });
}

#[test]
fn reports_are_whole_or_absent_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill("child_records_events", dir.path(), moment(round));
        let store = open(dir.path());
        for first in acknowledged {
            let computer = format!("pc-{first}").parse().unwrap();
            let first: u128 = first.parse().unwrap();
            let mut kept: Vec<u128> =
                store.events_of(&computer, 99).unwrap().iter().map(|e| e.instance.as_u128()).collect();
            kept.sort_unstable();
            assert_eq!(kept, (first..first + EVENTS).collect::<Vec<_>>());
        }
        let filter = sluicegate_store::ComputerFilter { limit: 10_000, ..Default::default() };
        for computer in store.computers(&filter).unwrap().rows {
            let kept = store.events_of(&computer.id, 99).unwrap().len() as u128;
            assert_eq!(kept, EVENTS, "half a report of {} is visible", computer.id);
        }
    }
}

#[test]
fn child_quarantines_and_releases() {
    let Some(dir) = folder() else { return };
    let store = open(&dir);
    for n in revisions(&store).len() as u128.. {
        let waiting = needing(software(1_000 + n, 1, "Waits"), &[&[5_000 + n]]);
        let mut importer = store.importer(at(0)).unwrap();
        importer.add(prepared("waiting.xml", &waiting)).unwrap();
        importer.commit().unwrap();
        acknowledge(format!("waits {}", 1_000 + n));
        import(&store, 1, &[software(5_000 + n, 1, "Releases")]);
        acknowledge(format!("enters {}", 1_000 + n));
    }
}

#[test]
fn what_waits_in_quarantine_is_neither_lost_nor_there_twice_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill("child_quarantines_and_releases", dir.path(), moment(round));
        let store = open(dir.path());
        let entered: Vec<_> = revisions(&store).iter().map(|r| r.record.identity.update).collect();
        let waiting: Vec<_> = store.quarantine().unwrap().iter().filter_map(|q| q.entry.update).collect();
        for line in acknowledged {
            let (what, n) = line.split_once(' ').unwrap();
            let update = uid(n.parse().unwrap());
            let (enters, waits) = (entered.contains(&update), waiting.contains(&update));
            assert!(enters != waits, "{update} must be in exactly one place: {enters} {waits}");
            assert!(enters || what == "waits", "{update} was released and waits again");
        }
    }
}
