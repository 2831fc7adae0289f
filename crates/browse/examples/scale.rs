//! How fast lists and counts are at the size of a large fleet, how much memory the index takes, and how both
//! compare with one plain pass over the same facts in the same process.
//!
//! `cargo run -p sluicegate-browse --example scale [REVISIONS [COMPUTERS [STATES]]]`
#![allow(missing_docs)]

use sluicegate_browse::{
    ApprovalFilter, ComputerFacts, ComputerQuery, ComputersOfUpdate, Index, Membership, Reboot, Scope,
    Severity, StatusFilter, UpdateFacts, UpdateQuery, UpdateSort,
};
use sluicegate_catalog::{Limits, parse};
use sluicegate_policy::{ApprovalAction, Change, Decisions, Order, Stamp, Subject, UpdateState};
use sluicegate_synth::{Catalog, Shape};
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, RevisionId, Timestamp, UpdateId, UpdateKind};
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

const GROUPS: u64 = 60;
/// Computers of one kind report nearly the same.
const KINDS: u64 = 200;
/// Updates that any computer has something to say about.
const SPOKEN_OF: usize = 8_000;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct Pc {
    facts: ComputerFacts,
    states: Vec<(UpdateId, UpdateState)>,
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The updates of a synthetic catalog by their newest revisions.
fn catalog(revisions: usize) -> Vec<UpdateFacts> {
    let catalog = Catalog::new(Shape::new(revisions, 7));
    let mut newest: HashMap<UpdateId, UpdateFacts> = HashMap::new();
    for (number, revision) in (1_i64..).zip(catalog.revisions()) {
        let document = revision.document();
        let Ok(parsed) = parse(document.as_bytes(), &Limits::default()) else { continue };
        let (listing, record) = (parsed.listing(), revision.record());
        let arrived = Timestamp::from_unix_seconds(1_700_000_000 + number);
        let id = record.identity.update;
        let first_arrived = newest.get(&id).map_or(arrived, |known| known.first_arrived);
        let mut search = listing.title.to_lowercase();
        listing.kb.iter().for_each(|kb| search.push_str(&format!("\nkb{kb}")));
        listing.cves.iter().for_each(|cve| search.push_str(&format!("\n{}", cve.to_lowercase())));
        let facts = UpdateFacts {
            update: id,
            newest: RevisionId::new(number).unwrap(),
            kind: record.kind,
            category_kind: record.category_kind,
            deployable: record.explicitly_deployable,
            expired: record.expired,
            search,
            severity: Severity::of_document(listing.severity.as_deref()),
            reboot: Reboot::of_document(listing.reboot.as_deref()),
            eula: None,
            members: record.bundles.iter().flatten().map(|member| member.update).collect(),
            supersedes: record.supersedes,
            categories: listing.categories,
            created: listing.created,
            arrived,
            first_arrived,
        };
        newest.insert(id, facts);
    }
    newest.into_values().collect()
}

fn fleet(computers: i64, states: usize, spoken_of: &[UpdateId], groups: &[GroupId]) -> Vec<Pc> {
    let mut dice = Dice(3);
    let kinds: Vec<Vec<UpdateId>> = (0..KINDS)
        .map(|_| (0..states).map(|_| spoken_of[dice.below(spoken_of.len() as u64) as usize]).collect())
        .collect();
    let one = |key: i64| {
        let mut states: Vec<(UpdateId, UpdateState)> = Vec::with_capacity(states);
        for update in &kinds[dice.below(KINDS) as usize] {
            let update = match dice.below(10) {
                0 => spoken_of[dice.below(spoken_of.len() as u64) as usize],
                _ => *update,
            };
            let state = match dice.below(100) {
                0 => UpdateState::Failed,
                1..20 => UpdateState::NotInstalled,
                _ => UpdateState::Installed,
            };
            states.push((update, state));
        }
        let group = groups[dice.below(groups.len() as u64) as usize];
        let reported = (dice.below(50) > 0)
            .then(|| Timestamp::from_unix_seconds(1_800_000_000 - dice.below(200_000_000) as i64));
        Pc {
            facts: ComputerFacts {
                key,
                id: format!("{:032x}", key).parse().unwrap(),
                name: Some(format!("ws-{key:06}.example")),
                membership: Membership { assigned: vec![group], requested: Vec::new() },
                reported,
            },
            states,
        }
    };
    (0..computers).map(one).collect()
}

fn decide(updates: &[UpdateFacts]) -> (Decisions, Vec<GroupId>) {
    let mut decisions = Decisions::default();
    let mut groups = vec![GroupId::ALL_COMPUTERS];
    for n in 0..GROUPS {
        let id = GroupId(Guid::from_u128(u128::from(n) + 1));
        let parent = groups[(n / 2) as usize];
        decisions.groups.create(id, format!("Group {n}").parse().unwrap(), Some(parent)).unwrap();
        groups.push(id);
    }
    let change = Change { anchor: Anchor(1), at: Timestamp::from_unix_seconds(1_700_000_000) };
    let mut stamp = Stamp::new(change, i64::from(DeploymentId::FIRST_EXPLICIT));
    let software = updates.iter().filter(|u| u.kind == UpdateKind::Software && u.deployable);
    for (n, facts) in software.enumerate() {
        let subject = Subject::software(facts.update);
        if n % 5 == 0 {
            let _ = decisions.decline(&subject, change);
        } else if n % 7 == 0 {
            for group in &groups[..groups.len().min(5)] {
                let order = Order {
                    group: *group,
                    action: ApprovalAction::Install,
                    deadline: None,
                    by: String::new(),
                };
                let _ = decisions.approve(&subject, order, &mut stamp);
            }
        }
    }
    (decisions, groups)
}

/// The best of some runs, in milliseconds, and what it answered.
fn time<T>(runs: u32, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut best = f64::MAX;
    let mut answer = None;
    for _ in 0..runs {
        let started = Instant::now();
        answer = Some(run());
        best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
    }
    (best, answer.unwrap())
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<usize>().unwrap());
    let revisions = arguments.next().unwrap_or(250_000);
    let computers = arguments.next().unwrap_or(100_000);
    let states = arguments.next().unwrap_or(300);

    let updates = catalog(revisions);
    let (decisions, groups) = decide(&updates);
    let spoken_of: Vec<UpdateId> = updates
        .iter()
        .filter(|u| matches!(u.kind, UpdateKind::Software | UpdateKind::Driver))
        .map(|u| u.update)
        .take(SPOKEN_OF)
        .collect();
    let pcs = fleet(computers as i64, states, &spoken_of, &groups);

    let before = resident();
    let mut index = Index::default();
    let (put_updates, ()) = time(1, || updates.iter().for_each(|facts| index.put_update(facts)));
    let catalog_bytes = resident() - before;
    let (settle, ()) = time(1, || index.settle(&decisions));
    let (put_computers, ()) = time(1, || {
        for pc in &pcs {
            index.put_computer(pc.facts.clone(), Some(pc.states.iter().copied()));
        }
    });
    let all_bytes = resident() - before;
    println!(
        "{} updates of {revisions} revisions, {computers} computers with {states} states",
        updates.len()
    );
    println!("memory: {:.0} MiB, of them {:.0} MiB for the catalog", mib(all_bytes), mib(catalog_bytes));
    let (of_updates, of_computers) = index.heap_bytes();
    let texts: usize = updates.iter().map(|facts| facts.search.len()).sum();
    println!(
        "bytes: {} an update, of them {} of text; {} a computer",
        of_updates / updates.len(),
        texts / updates.len(),
        of_computers / computers
    );
    println!(
        "built in {put_updates:.0} ms (updates) + {settle:.0} ms (decisions) + {put_computers:.0} ms (computers)"
    );
    let (again, ()) = time(5, || index.settle(&decisions));
    // One that computers spoke of is declined and taken back: the figures of all of them change.
    let (mut other, subject) = (decisions.clone(), Subject::software(spoken_of[5]));
    let change = Change { anchor: Anchor(2), at: Timestamp::from_unix_seconds(1_750_000_000) };
    if decisions.declined.contains_key(&subject.update) {
        other.restore(subject.update, change).unwrap();
    } else {
        other.decline(&subject, change).unwrap();
    }
    let (one_update, ()) = time(5, || {
        index.settle(&other);
        index.settle(&decisions);
    });
    let all = Decisions { groups: decisions.groups.clone(), ..Decisions::default() };
    let (all_updates, ()) = time(5, || {
        index.settle(&all);
        index.settle(&decisions);
    });
    let one = &pcs[computers / 2];
    let (report, ()) =
        time(100, || index.put_computer(one.facts.clone(), Some(one.states[1..].iter().copied())));
    println!(
        "decisions: settled {again:.1} ms, with one decline {:.1} ms, with {} declines {:.1} ms; a report: {report:.3} ms\n",
        one_update / 2.0,
        decisions.declined.len(),
        all_updates / 2.0
    );

    let group = groups[3];
    let inside: BTreeSet<GroupId> = decisions
        .groups
        .iter()
        .map(|g| g.id)
        .filter(|id| decisions.groups.path(*id).any(|above| above == group))
        .collect();
    let nested = index.scope(|m| m.assigned.iter().any(|g| inside.contains(g)));
    let page = UpdateQuery { limit: 100, ..UpdateQuery::default() };
    let last = updates.len() as u32 - 100;
    let category = updates.iter().flat_map(|u| &u.categories).next().copied();
    let queries: Vec<(&str, UpdateQuery)> = vec![
        ("everything, newest first", page.clone()),
        ("by arrival", UpdateQuery { sort: UpdateSort::Arrived, ..page.clone() }),
        ("by title", UpdateQuery { sort: UpdateSort::Title, ..page.clone() }),
        ("by title, from Z", UpdateQuery { sort: UpdateSort::Title, ascending: Some(false), ..page.clone() }),
        ("by severity", UpdateQuery { sort: UpdateSort::Severity, ..page.clone() }),
        ("most needed first", UpdateQuery { sort: UpdateSort::Needed, ..page.clone() }),
        ("most failed first", UpdateQuery { sort: UpdateSort::Failed, ..page.clone() }),
        (
            "least installed first",
            UpdateQuery { sort: UpdateSort::Installed, ascending: Some(true), ..page.clone() },
        ),
        (
            "by title, everything, the last page",
            UpdateQuery { sort: UpdateSort::Title, offset: last, everything: true, ..page.clone() },
        ),
        (
            "most needed first, the last page",
            UpdateQuery { sort: UpdateSort::Needed, offset: last, everything: true, ..page.clone() },
        ),
        ("approved", UpdateQuery { approval: Some(ApprovalFilter::Approved), ..page.clone() }),
        (
            "approved for a nested group",
            UpdateQuery {
                approval: Some(ApprovalFilter::Approved),
                approved_for: Some(group),
                ..page.clone()
            },
        ),
        (
            "unapproved, failed or needed",
            UpdateQuery {
                approval: Some(ApprovalFilter::Undecided),
                status: Some(StatusFilter::FailedOrNeeded),
                ..page.clone()
            },
        ),
        ("no status", UpdateQuery { status: Some(StatusFilter::NoStatus), ..page.clone() }),
        (
            "installed or not applicable",
            UpdateQuery { status: Some(StatusFilter::InstalledOrNotApplicable), ..page.clone() },
        ),
        ("a rare word", UpdateQuery { search: Some("zzz".to_owned()), everything: true, ..page.clone() }),
        ("two common words", UpdateQuery { search: Some("update for".to_owned()), ..page.clone() }),
        ("a KB number", UpdateQuery { kb: Some("5000001".to_owned()), ..page.clone() }),
        ("a category", UpdateQuery { product: category, ..page.clone() }),
        ("superseded", UpdateQuery { superseded: Some(true), ..page.clone() }),
        ("the middle page", UpdateQuery { offset: last / 2, everything: true, ..page.clone() }),
        ("the last page", UpdateQuery { offset: last, everything: true, ..page.clone() }),
        ("supersedes others", UpdateQuery { supersedes: Some(true), ..page.clone() }),
        ("licence terms open", UpdateQuery { needs_licence: Some(true), ..page.clone() }),
        ("expired", UpdateQuery { expired: Some(true), ..page.clone() }),
        ("restarts never", UpdateQuery { reboot: Some(Reboot::Never), ..page.clone() }),
        (
            "critical or important",
            UpdateQuery { severities: vec![Severity::Critical, Severity::Important], ..page.clone() },
        ),
        ("a CVE", UpdateQuery { cve: Some("CVE-2024-0001".to_owned()), ..page.clone() }),
        (
            "arrived since",
            UpdateQuery { arrived_from: Some(Timestamp::from_unix_seconds(1_700_100_000)), ..page.clone() },
        ),
    ];
    let mut worst = 0_f64;
    for (name, query) in &queries {
        for (whose, scope) in [("all", &Scope::everybody()), ("a group", &nested)] {
            let (took, found) = time(5, || index.updates(query, &decisions, scope));
            worst = worst.max(took);
            println!("updates, {name:<53} {whose:<8} {took:7.2} ms  {:>7} found", found.total);
        }
    }
    for status in StatusFilter::ALL {
        for (which, offset) in [("", 0), (", the last page", computers as u32 - 100)] {
            let query =
                ComputerQuery { status: Some(status), offset, limit: 100, ..ComputerQuery::default() };
            let (took, found) = time(5, || index.computers(&query, &Scope::everybody()));
            worst = worst.max(took);
            println!(
                "computers, {:<60} {took:7.2} ms  {:>7} found",
                format!("{}{which}", status.as_str()),
                found.total
            );
        }
    }
    let named = ComputerQuery { search: Some("WS-0999".to_owned()), limit: 100, ..ComputerQuery::default() };
    let (took, found) = time(5, || index.computers(&named, &Scope::everybody()));
    worst = worst.max(took);
    println!("computers, {:<60} {took:7.2} ms  {:>7} found", "by name", found.total);
    let query =
        ComputersOfUpdate { update: spoken_of[5], status: None, limit: 100, offset: computers as u32 / 2 };
    let (took, found) = time(5, || index.computers_of(&query, &Scope::everybody()));
    worst = worst.max(took);
    println!("computers of an update{:<49} {took:7.2} ms  {:>7} found", "", found.total);
    let urgent = [category.unwrap()];
    for (whose, scope) in [("all computers", &Scope::everybody()), ("a group", &nested)] {
        let (took, _) = time(5, || index.summary(scope));
        worst = worst.max(took);
        println!("summary of {whose:<60} {took:7.2} ms");
    }
    let (took, _) = time(5, || index.decided(&urgent));
    worst = worst.max(took);
    println!("what is decided {:<55} {took:7.2} ms", "");

    // The same question as a plain pass: count each state of each update, then look at every update.
    let status = UpdateQuery { status: Some(StatusFilter::FailedOrNeeded), everything: true, ..page };
    let (plain, expected) = time(2, || {
        let mut fits: BTreeSet<UpdateId> = BTreeSet::new();
        let mut counts: HashMap<UpdateId, [u32; 7]> = HashMap::new();
        for pc in &pcs {
            for (update, state) in &pc.states {
                counts.entry(*update).or_default()[*state as usize] += 1;
            }
        }
        for facts in &updates {
            let wanted = StatusFilter::FailedOrNeeded.states();
            if counts.get(&facts.update).is_some_and(|c| wanted.iter().any(|s| c[*s as usize] > 0)) {
                fits.insert(facts.update);
            }
        }
        fits.len() as u64
    });
    let (took, found) = time(5, || index.updates(&status, &decisions, &Scope::everybody()));
    assert_eq!(found.total, expected, "the plain pass finds something else");
    println!("\nfailed or needed: {took:.2} ms, a plain pass {plain:.0} ms, ratio {:.0}", plain / took);
    println!("slowest: {worst:.1} ms");
}
