//! Clients come to rest: a scan ends, in few round trips, with exactly what the client needs.

use crate::agreement::Client;
use crate::fixture::{Catalog, needs, query, record, within};
use crate::world::time;
use sluicegate_scan::{PageBudget, RevisionInput, Scratch, Snapshot, SnapshotBuilder, SyncQuery, answer};
use sluicegate_terms::{Anchor, RevisionId, UpdateKind};

/// Scans until the client has no reason to ask again; gives the number of round trips.
fn scan(
    snapshot: &Snapshot,
    client: &mut Client,
    budget: PageBudget,
    installed: impl Fn(i32) -> bool,
) -> usize {
    let mut scratch = Scratch::new();
    for round in 1.. {
        let known = |wanted: bool| -> Vec<i32> {
            client
                .held
                .iter()
                .filter(|(_, (yes, leaf, _))| (*yes && !leaf) == wanted)
                .map(|(id, _)| *id)
                .collect()
        };
        let (yes, no) = (known(true), known(false));
        let query =
            SyncQuery { installed_non_leaf: &yes, other_cached: &no, seen: client.seen, budget, ..query() };
        let again = client.take(&answer(snapshot, &query, &mut scratch), &installed);
        assert!(round <= 200, "agents give up after 200 round trips (0x80244010)");
        if !again {
            return round;
        }
    }
    unreachable!()
}

/// A catalog with the usual shape: a company, families, products, detectoids, and updates that need one
/// product and one detectoid each.
fn large(updates: usize) -> Catalog {
    let products = 20;
    let mut records = vec![record(0, UpdateKind::Category)];
    records.extend((1..=4).map(|n| within(record(n, UpdateKind::Category), &[0])));
    records.extend((5..5 + products).map(|n| within(record(n, UpdateKind::Category), &[1 + n % 4])));
    records.extend((25..45).map(|n| needs(record(n, UpdateKind::Detectoid), &[5 + n % products])));
    records.extend(
        (45..45 + updates)
            .map(|n| needs(within(record(n, UpdateKind::Software), &[5 + n % products]), &[25 + n % 20])),
    );
    Catalog::default().with(records)
}

#[test]
fn twenty_thousand_live_updates_take_under_thirty_round_trips() {
    let mut catalog = large(20_000);
    for revision in &mut catalog.revisions {
        revision.core_escaped_len = 3_600;
    }
    let snapshot = catalog.snapshot();
    let mut client = Client::default();
    let rounds = scan(&snapshot, &mut client, PageBudget::default(), |_| true);
    assert_eq!(client.held.len(), catalog.revisions.len());
    assert!(rounds < 30, "{rounds} round trips");
    assert_eq!(scan(&snapshot, &mut client, PageBudget::default(), |_| true), 1);
}

#[test]
fn a_scan_takes_one_round_per_level_when_pages_are_large() {
    let catalog = large(50);
    let mut client = Client::default();
    // Company, families, products, detectoids (all non-leaf), updates.
    assert_eq!(scan(&catalog.snapshot(), &mut client, PageBudget::default(), |_| true), 5);
    assert_eq!(client.held.len(), catalog.revisions.len());
}

#[test]
fn tiny_pages_deliver_the_same_in_more_rounds() {
    let catalog = large(30);
    let tiny = PageBudget { floor: 1, per_held: 0, ceiling: 1 };
    let (mut slow, mut fast) = (Client::default(), Client::default());
    let rounds = scan(&catalog.snapshot(), &mut slow, tiny, |id| id % 3 != 0);
    scan(&catalog.snapshot(), &mut fast, PageBudget::default(), |id| id % 3 != 0);
    assert_eq!(slow.held, fast.held);
    assert!(rounds <= catalog.revisions.len() + 1);
}

#[test]
fn what_stops_being_installed_takes_its_dependents_along_and_brings_them_back() {
    let catalog = large(40);
    let snapshot = catalog.snapshot();
    let mut client = Client::default();
    scan(&snapshot, &mut client, PageBudget::default(), |_| true);
    let whole = client.held.clone();
    // Revision 26 is a detectoid that two updates need (revision ids count from 1).
    client.held.get_mut(&26).unwrap().0 = false;
    scan(&snapshot, &mut client, PageBudget::default(), |_| true);
    assert_eq!(whole.len() - client.held.len(), 2);
    client.held.get_mut(&26).unwrap().0 = true;
    scan(&snapshot, &mut client, PageBudget::default(), |_| true);
    assert_eq!(client.held, whole);
}

#[test]
fn a_quarter_of_a_million_revisions_stay_under_150_megabytes() {
    let mut builder = SnapshotBuilder::new(Anchor(1));
    for (record, id) in large(250_000).revisions.into_iter().map(|revision| revision.record).zip(1..) {
        builder.revision(RevisionInput {
            id: RevisionId::new(id).unwrap(),
            record,
            core_escaped_len: 5_000,
            arrived: Anchor(1),
            arrived_at: time(0),
            leaf_changed: Anchor::START,
        });
    }
    let snapshot = builder.finish().unwrap();
    assert_eq!(snapshot.len(), 250_045);
    let megabytes = snapshot.heap_bytes() / 1_000_000;
    assert!(megabytes < 150, "{megabytes} MB");
}
