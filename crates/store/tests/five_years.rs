//! Five years of a server that nobody looks after: releases every month that supersede each other, bundles with
//! files, updates that their publisher withdraws, computers that come and go, and their reports. The default rule
//! approves; nobody reindexes, raises a limit or declines by hand. What the server takes of disk and memory, how many
//! rows it has, and what a scan costs, are the same at the end as after two years.
//!
//! `SLUICEGATE_FIVE_YEARS=30` makes the fleet thirty times as large (600 computers, over a million events); the
//! default ends in under a minute.

#[path = "support/scans.rs"]
mod scans;
mod support;

use rusqlite::Connection;
use scans::{Agent, serve};
use sluicegate_catalog::Clause;
use sluicegate_catalog::compose::Document;
use sluicegate_policy::rules::{Rule, RuleId};
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::{Contact, EventBatch, ReportedEvent, Store, StoreError};
use sluicegate_terms::{CategoryKind, ComputerId, GroupId, Guid, UpdateIdentity};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{at, category, file, identity, import, needing, open, software, uid};

const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;

/// Content files have the time of this machine, which has to lie before all of it.
const START: i64 = 30 * 365 * DAY;

/// Updates of one month; each supersedes its predecessor of the month before. The last is a bundle of two.
const RELEASED: i64 = 12;

/// The one of each month that its publisher withdraws a month later.
const WITHDRAWN: i64 = 10;

/// Events that are kept, times the size of the fleet: fewer than come in six months, so that the cap bites too.
const MOST_EVENTS: i64 = 2_500;

/// One of the two classifications that the default rule is about.
fn classification() -> u128 {
    Rule::default_rule().terms().classifications.first().unwrap().0.as_u128()
}

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

/// The content of an update's file.
fn content(id: u128) -> Vec<u8> {
    words(id).into_bytes()
}

fn with_file(mut document: Document, id: u128) -> Document {
    document.files.push(file(&format!("{id}.cab"), &content(id)));
    document
}

fn release(month: i64) -> Vec<Document> {
    let mut documents =
        vec![Document::detectoid(identity(detectoid_of(month), 1), "Present", "<lar:True />")];
    for n in 0..RELEASED {
        let id = update(month, n);
        let mut first = needing(software(id, 1, "Monthly"), &[&[detectoid_of(month)]]);
        first.relationships.prerequisites.push(Clause::category(uid(classification())));
        first.texts[0].description = words(id);
        if month > 0 {
            first.relationships.supersedes.push(uid(update(month - 1, n)));
        }
        if n + 1 == RELEASED {
            for part in [id + 100, id + 200] {
                let mut member = with_file(software(part, 1, "Part"), part);
                member.properties.explicitly_deployable = false;
                documents.push(member);
                first.relationships.bundles.push(vec![identity(part, 1)]);
            }
        } else {
            first = with_file(first, id);
        }
        let mut second = first.clone();
        second.identity = identity(id, 2);
        documents.push(first);
        if n % 3 == 0 {
            documents.push(second);
        }
    }
    if month > 0 {
        let gone = update(month - 1, WITHDRAWN);
        let mut expired = needing(software(gone, 9, "Withdrawn"), &[&[detectoid_of(month - 1)]]);
        expired.properties.expired = true;
        documents.push(expired);
    }
    documents
}

fn fetch(store: &Store, documents: &[Document], now: i64) {
    for document in documents.iter().filter(|document| !document.files.is_empty()) {
        let id = document.identity.update.0.as_u128();
        let bytes = content(id);
        store.add_content(&format!("{id}.cab"), &mut bytes.as_slice(), at(now), &mut |_| {}).unwrap();
    }
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
    memory: u64,
    rows: BTreeMap<&'static str, u64>,
    cores: usize,
    revisions: usize,
    files: usize,
    snapshot: usize,
    delivered: usize,
    scan: Duration,
}

/// What is resident of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1_024
}

fn rows(dir: &Path) -> BTreeMap<&'static str, u64> {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    let count = |table| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    ["event", "computer", "update_status", "audit", "file"]
        .into_iter()
        .map(|table| (table, count(table)))
        .collect()
}

fn on_disk(dir: &Path) -> u64 {
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
        memory: resident(),
        rows: rows(store.dir()),
        files: store.content().list().len(),
        cores: store.cores().bytes_in_memory(),
        revisions,
        snapshot: served.snapshot.len(),
        delivered: turns[0].1,
        scan: turns.iter().map(|turn| turn.0).min().unwrap(),
    }
}

/// A computer scans and reports, as it may at any time, and gets what it needs.
fn meanwhile(store: &Store, fleet: &mut Fleet, month: i64, now: i64) {
    let mut agent = Agent::of(&[GroupId::ALL_COMPUTERS]);
    agent.scan(&serve(store));
    assert!(agent.held.len() >= usize::try_from(RELEASED).unwrap());
    let computer = fleet.computers(month).next().unwrap();
    let before = rows(store.dir())["event"];
    fleet.instances += 1;
    let event = ReportedEvent {
        instance: Guid::from_u128(fleet.instances),
        namespace: 1,
        id: 147,
        source: 101,
        update: Some(identity(update(month, 0), 1)),
        at: at(now),
        result: 0,
        misc: vec![],
        details: String::new(),
    };
    store.record_events(EventBatch { computer, received: at(now), events: vec![event] }).unwrap();
    assert_eq!(rows(store.dir())["event"], before + 1);
}

/// Cleans up while computers scan and report between its transactions. Answers how many events are left.
fn clean(store: &Store, fleet: &mut Fleet, month: i64, now: i64) -> u64 {
    let mut asked = 0;
    let mut go_on = || {
        asked += 1;
        if asked == 4 {
            meanwhile(store, fleet, month, now);
        }
        true
    };
    store.cleanup(&CleanupOrder::default(), at(now), &mut go_on).unwrap();
    assert!(asked >= 4, "cleanup lets others have the writer");
    rows(store.dir())["event"]
}

#[test]
fn after_five_years_without_care_disk_memory_rows_and_scans_are_what_they_were_after_two() {
    let scale: i64 = std::env::var("SLUICEGATE_FIVE_YEARS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut settings = store.cleanup_settings().unwrap();
    settings.set("most-events", &(MOST_EVENTS * scale).to_string()).unwrap();
    store.set_cleanup_settings(&settings, at(START)).unwrap();
    let mut rule = Rule::default_rule();
    rule.set_enabled(true).unwrap();
    store.save_rule(Some(RuleId::DEFAULT), rule, at(START)).unwrap();
    let kind = category(classification(), CategoryKind::UpdateClassification, "Security Updates", None);
    import(&store, START, &[kind]);
    let mut fleet = Fleet { size: 20 * scale, churn: 2 * scale, events: 30, instances: 0 };
    let most = u64::try_from(MOST_EVENTS * scale).unwrap();
    let (mut years, mut capped) = (Vec::new(), 0);
    for month in 0..60 {
        let now = START + month * MONTH;
        let documents = release(month);
        import(&store, now, &documents);
        fetch(&store, &documents, now);
        assert!(
            (0..RELEASED).all(|n| store.decisions().approvals_of(uid(update(month, n))).next().is_some()),
            "the rule approves what comes"
        );
        fleet.report(&store, month, now + DAY);
        // Cleanup runs every day; these are days on which there is something to do.
        for day in [10, 12, 25, 27] {
            let events = clean(&store, &mut fleet, month, now + day * DAY);
            assert!(events <= most + 1, "{events} events; one came meanwhile");
            capped += u64::from(events >= most);
        }
        if (month + 1) % 12 == 0 {
            years.push(taken(&store));
            println!("year {}: {:?}", years.len(), years.last().unwrap());
        }
    }
    println!("{} events in all", fleet.instances);
    let (first, second, fifth) = (&years[0], &years[1], &years[4]);
    let flat = |what: &str, before: u64, after: u64, percent: u64| {
        assert!(after * 100 <= before * percent, "{what}: {before} after two years, {after} after five");
    };
    let count = |n: usize| u64::try_from(n).unwrap();
    // Segments are compacted when a mebibyte is dead, so what they take goes up and down within a year or two.
    let peak = |of: &dyn Fn(&Taken) -> u64, years: &[Taken]| years.iter().map(of).max().unwrap();
    let compare = |what: &str, of: &dyn Fn(&Taken) -> u64, percent| {
        flat(what, peak(of, &years[..3]), peak(of, &years[3..]), percent);
    };
    // The audit log, which is kept for ever, is part of it.
    compare("disk", &|taken| taken.disk, 130);
    compare("memory for Core fragments", &|taken| count(taken.cores), 105);
    // Allocators keep what they had at the busiest moment; what would grow for five years is more than this.
    flat("memory of the process", first.memory + (24 << 20), fifth.memory, 150);
    flat("revisions", count(second.revisions), count(fifth.revisions), 105);
    flat("content files", count(second.files), count(fifth.files), 105);
    flat("revisions in the snapshot", count(second.snapshot), count(fifth.snapshot), 105);
    flat("revisions an agent is told", count(second.delivered), count(fifth.delivered), 105);
    for table in ["event", "computer", "update_status", "file"] {
        assert!(second.rows[table] > 0, "{table} is used");
        flat(table, second.rows[table], fifth.rows[table], 105);
    }
    let audit = |year: usize| years[year].rows["audit"] - years[year - 1].rows["audit"];
    flat("what the audit log grows by in a year", audit(1), audit(4), 110);
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
    flat("a scan", nanos(second.scan), nanos(fifth.scan), 200);
    // And it is neither empty nor idle.
    assert!(fifth.revisions > usize::try_from(2 * RELEASED).unwrap());
    assert!(fleet.instances > 30_000 * u128::try_from(scale).unwrap());
    assert!(capped > 60, "the cap on events bites in most months: {capped}");
    assert!(store.verify_audit().unwrap().is_whole());
}
