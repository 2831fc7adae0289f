//! Five years of a server that nobody looks after: releases every month that supersede each other, computers
//! that come and go, and their reports. Nobody reindexes, raises a limit or declines by hand; what the server
//! takes of disk and memory, and what a scan costs, are the same at the end as after two years.
//!
//! `SLUICEGATE_FIVE_YEARS=20` makes it twenty times as large (millions of events); the default ends in under a
//! minute.

#[path = "support/scans.rs"]
mod scans;
mod support;

use scans::{Agent, serve};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::ApprovalAction;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::{ApprovalOrder, Contact, EventBatch, ReportedEvent, Store, StoreError};
use sluicegate_terms::{ComputerId, GroupId, Guid, UpdateIdentity};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};
use support::{at, identity, import, needing, open, software, uid};

const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;

/// Updates of one month; each supersedes its predecessor of the month before.
const RELEASED: i64 = 12;

fn update(month: i64, n: i64) -> u128 {
    u128::try_from(month * 1_000 + n + 1).unwrap()
}

fn detectoid_of(month: i64) -> u128 {
    // A new generation every quarter.
    u128::try_from(1_000_000 + month / 3).unwrap()
}

/// Text that does not compress to nothing.
fn words(seed: u128) -> String {
    let mut state = u64::try_from(seed % 0xffff_ffff).unwrap() + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..300).map(|_| format!("{:016x} ", next())).collect()
}

fn release(month: i64) -> Vec<Document> {
    let mut documents =
        vec![Document::detectoid(identity(detectoid_of(month), 1), "Present", "<lar:True />")];
    for n in 0..RELEASED {
        let id = update(month, n);
        let mut first = needing(software(id, 1, "Monthly"), &[&[detectoid_of(month)]]);
        first.texts[0].description = words(id);
        if month > 0 {
            first.relationships.supersedes.push(uid(update(month - 1, n)));
        }
        let mut second = first.clone();
        second.identity = identity(id, 2);
        documents.push(first);
        if n % 3 == 0 {
            documents.push(second);
        }
    }
    documents
}

struct Fleet {
    size: i64,
    churn: i64,
    events: i64,
    instances: u128,
}

impl Fleet {
    fn computers(&self, month: i64) -> impl Iterator<Item = ComputerId> + use<> {
        let first = month * self.churn;
        (first..first + self.size).map(|n| format!("pc-{n}").parse().unwrap())
    }

    /// Every computer is there, needs this month's updates, and has installed those of the month before.
    fn report(&mut self, store: &Store, month: i64, now: i64) {
        let ids = |month: i64| {
            let all = (0..RELEASED).filter(|_| month >= 0).map(|n| uid(update(month, n)).to_string());
            all.collect::<Vec<_>>().join(";")
        };
        let misc = vec![format!("U={}", ids(month)), format!("V={}", ids(month - 1))];
        for computer in self.computers(month).collect::<Vec<_>>() {
            store.touch(Contact { synced: true, ..Contact::new(computer.clone(), at(now)) }).unwrap();
            let mut event = |id: u16, update: Option<UpdateIdentity>, misc: Vec<String>| {
                self.instances += 1;
                let instance = Guid::from_u128(self.instances);
                let details = "x".repeat(60);
                ReportedEvent {
                    instance,
                    namespace: 1,
                    id,
                    source: 101,
                    update,
                    at: at(now),
                    result: 0,
                    misc,
                    details,
                }
            };
            let mut events = vec![event(156, None, misc.clone())];
            for n in 0..self.events {
                events.push(event(147, Some(identity(update(month, n % RELEASED), 1)), vec![]));
            }
            store.record_events(EventBatch { computer, received: at(now), events }).unwrap();
        }
        store.flush_contacts().unwrap();
    }
}

/// What the server takes at some time.
#[derive(Debug)]
struct Taken {
    disk: u64,
    cores: usize,
    revisions: usize,
    snapshot: usize,
    delivered: usize,
    scan: Duration,
}

fn on_disk(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let sizes = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with("-wal"));
    sizes
        .map(|entry| {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() { on_disk(&entry.path()) } else { meta.blocks() * 512 }
        })
        .sum()
}

fn taken(store: &Store) -> Taken {
    let served = serve(store);
    let fresh = || {
        let mut agent = Agent::of(&[GroupId::ALL_COMPUTERS]);
        let start = Instant::now();
        agent.scan(&served);
        (start.elapsed(), agent.held.len())
    };
    // The shortest of many turns is the one that nothing else on the machine was in.
    let turns: Vec<_> = (0..200).map(|_| fresh()).collect();
    let mut revisions = 0;
    store
        .for_each_revision(|_| {
            revisions += 1;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    Taken {
        disk: on_disk(store.dir()),
        cores: store.cores().bytes_in_memory(),
        revisions,
        snapshot: served.snapshot.len(),
        delivered: turns[0].1,
        scan: turns.iter().map(|turn| turn.0).min().unwrap(),
    }
}

#[test]
fn after_five_years_without_care_disk_memory_and_scans_are_what_they_were_after_two() {
    let scale: i64 = std::env::var("SLUICEGATE_FIVE_YEARS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut fleet = Fleet { size: 20 * scale, churn: 2 * scale, events: 30, instances: 0 };
    let mut years = Vec::new();
    for month in 0..60 {
        let now = month * MONTH;
        import(&store, now, &release(month));
        for n in 0..RELEASED {
            let order = ApprovalOrder {
                update: uid(update(month, n)),
                group: GroupId::ALL_COMPUTERS,
                action: ApprovalAction::Install,
                deadline: None,
                by: "rule".to_owned(),
            };
            store.approve(order, at(now + 60)).unwrap();
        }
        fleet.report(&store, month, now + DAY);
        // Cleanup runs every day; these are days on which there is something to do.
        for day in [10, 12, 25, 27] {
            store.cleanup(&CleanupOrder::default(), at(now + day * DAY), &mut || true).unwrap();
        }
        if (month + 1) % 12 == 0 {
            years.push(taken(&store));
            println!("year {}: {:?}", years.len(), years.last().unwrap());
        }
    }
    let (second, fifth) = (&years[1], &years[4]);
    let flat = |what: &str, before: u64, after: u64, percent: u64| {
        assert!(after * 100 <= before * percent, "{what}: {before} after two years, {after} after five");
    };
    let count = |n: usize| u64::try_from(n).unwrap();
    flat("disk", second.disk, fifth.disk, 130);
    flat("memory for Core fragments", count(second.cores), count(fifth.cores), 105);
    flat("revisions", count(second.revisions), count(fifth.revisions), 105);
    flat("revisions in the snapshot", count(second.snapshot), count(fifth.snapshot), 105);
    flat("revisions an agent is told", count(second.delivered), count(fifth.delivered), 105);
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
    flat("a scan", nanos(second.scan), nanos(fifth.scan), 200);
    assert!(fifth.revisions > usize::try_from(2 * RELEASED).unwrap(), "and it is not empty");
    assert!(fleet.instances > 30_000);
    assert!(store.verify_audit().unwrap().is_whole());
}
