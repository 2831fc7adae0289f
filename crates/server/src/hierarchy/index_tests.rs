//! The index against catalogs made up here, and its cost at the size of a real one.

use super::anchor::SyncAnchor;
use super::filter::{Question, Wanted};
use super::index::{IndexBuilder, RevisionIndex};
use sluicegate_catalog::{Clause, DriverEntry, ScanRecord};
use sluicegate_soap::server_sync::IdAndDelta;
use sluicegate_terms::{
    Anchor, Guid, RevisionId, RevisionNumber, Timestamp, UpdateId, UpdateIdentity, UpdateKind,
};
use std::time::Instant;

const FAMILY: u128 = 1;
const PRODUCT: u128 = 2;
const OTHER_PRODUCT: u128 = 3;
const SECURITY: u128 = 8;

fn update(id: u128) -> UpdateId {
    UpdateId(Guid::from_u128(id))
}

fn record(id: u128, number: i64, kind: UpdateKind, categories: &[u128]) -> ScanRecord {
    let identity = UpdateIdentity { update: update(id), revision: RevisionNumber::new(number).unwrap() };
    let mut record = ScanRecord::new(identity, kind);
    record.prerequisites = categories.iter().map(|id| Clause::category(update(*id))).collect();
    record
}

fn noon() -> Timestamp {
    "2026-10-04T12:00:00Z".parse().unwrap()
}

/// (change, seconds after noon, record)
fn index(rows: Vec<(u64, i64, ScanRecord)>, anchor: u64) -> RevisionIndex {
    let mut builder = IndexBuilder::default();
    for (id, (change, seconds, record)) in (1..).zip(rows) {
        let at = noon().plus_seconds(seconds);
        builder.revision(RevisionId::new(id).unwrap(), &record, Anchor(change), at);
    }
    builder.finish(Anchor(anchor))
}

fn categories() -> Vec<(u64, i64, ScanRecord)> {
    vec![
        (1, 0, record(FAMILY, 100, UpdateKind::Category, &[])),
        (1, 0, record(PRODUCT, 100, UpdateKind::Category, &[FAMILY])),
        (1, 0, record(OTHER_PRODUCT, 100, UpdateKind::Category, &[FAMILY])),
        (1, 0, record(SECURITY, 100, UpdateKind::Category, &[])),
        (1, 0, record(SECURITY, 101, UpdateKind::Category, &[])),
        (1, 0, record(9, 1, UpdateKind::Detectoid, &[])),
    ]
}

fn ask(index: &RevisionIndex, since: Option<SyncAnchor>, updates: Option<Wanted>) -> Vec<(u128, u32)> {
    let question = Question { since, updates };
    let selection = index.select(&question);
    selection.iter().map(|found| (found.update.0.as_u128(), found.revision.get())).collect()
}

fn everything() -> Option<Wanted> {
    Some(Wanted::Everything)
}

fn filter(category: u128, delta: bool) -> Option<Wanted> {
    let listed = |id: u128| vec![IdAndDelta { id: Guid::from_u128(id), delta }];
    Some(Wanted::of(Some(&listed(category)), Some(&listed(SECURITY))))
}

#[test]
fn categories_are_listed_with_every_revision_and_updates_with_their_newest() {
    let mut rows = categories();
    rows.push((2, 1, record(100, 200, UpdateKind::Software, &[PRODUCT, SECURITY])));
    rows.push((3, 2, record(100, 201, UpdateKind::Software, &[PRODUCT, SECURITY])));
    let index = index(rows, 3);
    let listed = ask(&index, None, None);
    assert_eq!(listed.len(), 6);
    assert!(listed.contains(&(SECURITY, 100)) && listed.contains(&(SECURITY, 101)));
    assert_eq!(ask(&index, None, everything()), [(100, 201)]);
    assert_eq!(index.len(), 8);
    assert_eq!(index.revisions_of(update(100)).len(), 2);
    assert!(index.revisions_of(update(101)).is_empty());
    let older = UpdateIdentity { update: update(100), revision: RevisionNumber::new(200).unwrap() };
    assert_eq!(index.find(older).unwrap().id.get(), 7);
}

#[test]
fn a_filter_names_products_or_what_is_above_them() {
    let mut rows = categories();
    rows.push((2, 1, record(100, 200, UpdateKind::Software, &[PRODUCT, SECURITY])));
    rows.push((2, 1, record(101, 200, UpdateKind::Software, &[OTHER_PRODUCT, SECURITY])));
    rows.push((2, 1, record(102, 200, UpdateKind::Software, &[PRODUCT])));
    let index = index(rows, 2);
    assert_eq!(ask(&index, None, filter(PRODUCT, false)), [(100, 200)]);
    assert_eq!(ask(&index, None, filter(FAMILY, false)), [(100, 200), (101, 200)]);
    assert_eq!(ask(&index, None, filter(77, false)), []);
    assert_eq!(ask(&index, None, Some(Wanted::Nothing)), []);
}

#[test]
fn an_anchor_hides_what_came_before_it_unless_all_is_wanted_again() {
    let mut rows = categories();
    rows.push((2, 1, record(100, 200, UpdateKind::Software, &[PRODUCT, SECURITY])));
    let before = index(rows.clone(), 2);
    let seen = Some(before.anchor());
    assert_eq!(ask(&before, seen, everything()), []);
    assert_eq!(ask(&before, seen, filter(PRODUCT, true)), []);
    assert_eq!(ask(&before, seen, filter(PRODUCT, false)), [(100, 200)]);
    assert_eq!(ask(&before, seen, None), []);
    rows.push((3, 5, record(101, 1, UpdateKind::Software, &[PRODUCT, SECURITY])));
    let after = index(rows, 3);
    assert_eq!(ask(&after, seen, everything()), [(101, 1)]);
    assert_eq!(ask(&after, seen, filter(PRODUCT, true)), [(101, 1)]);
    assert_eq!(ask(&after, seen, filter(PRODUCT, false)), [(100, 200), (101, 1)]);
    let future = Some("1,2099-01-01 00:00:00.000".parse().unwrap());
    assert_eq!(ask(&after, future, everything()), []);
}

#[test]
fn an_import_that_began_before_an_answer_and_ended_after_it_is_not_passed_over() {
    let mut rows = categories();
    rows.push((2, 60, record(100, 200, UpdateKind::Software, &[PRODUCT, SECURITY])));
    let seen = Some(index(rows.clone(), 2).anchor());
    // Its time is that of its beginning, or the clock was set back.
    rows.push((3, 10, record(101, 1, UpdateKind::Software, &[PRODUCT, SECURITY])));
    rows.push((4, 60, record(102, 1, UpdateKind::Software, &[PRODUCT, SECURITY])));
    let after = index(rows, 4);
    assert_eq!(ask(&after, seen, everything()), [(101, 1), (102, 1)]);
    assert_eq!(ask(&after, Some(after.anchor()), everything()), []);
}

#[test]
fn drivers_are_found_by_hardware_id_in_any_letter_case() {
    let mut driver = record(100, 1, UpdateKind::Driver, &[PRODUCT]);
    driver.drivers =
        vec![DriverEntry { hardware_id: "pci\\ven_8086&dev_1".into(), ..DriverEntry::default() }; 2];
    let index = index(vec![(1, 0, driver)], 1);
    let found: Vec<_> = index.drivers_for("PCI\\VEN_8086&DEV_1").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].identity.update, update(100));
    assert_eq!(found[0].categories, [update(PRODUCT)]);
    assert_eq!(index.drivers_for("pci\\ven_8086&dev_2").count(), 0);
}

#[test]
fn a_server_with_nothing_new_costs_a_small_part_of_a_whole_list() {
    let products: Vec<u128> = (1000..1200).collect();
    let mut rows: Vec<(u64, i64, ScanRecord)> = Vec::new();
    rows.extend(products.iter().map(|id| (1, 0, record(*id, 1, UpdateKind::Category, &[FAMILY]))));
    for id in 0..50_000_u128 {
        let product = products[usize::try_from(id).unwrap() % products.len()];
        let change = 2 + u64::try_from(id).unwrap() / 100;
        let at = i64::try_from(change).unwrap();
        rows.push((change, at, record(1_000_000 + id, 1, UpdateKind::Software, &[product, SECURITY])));
    }
    let index = index(rows, 1000);
    let listed = |ids: &[u128]| -> Vec<IdAndDelta> {
        ids.iter().map(|id| IdAndDelta { id: Guid::from_u128(*id), delta: true }).collect()
    };
    let wanted = Some(Wanted::of(Some(&listed(&products)), Some(&listed(&[SECURITY]))));
    let timed = |since| {
        let started = Instant::now();
        let count = ask(&index, since, wanted.clone()).len();
        (count, started.elapsed())
    };
    let (all, whole) = (0..5).map(|_| timed(None)).min().unwrap();
    let (none, nothing) = (0..5).map(|_| timed(Some(index.anchor()))).min().unwrap();
    assert_eq!((all, none), (50_000, 0));
    assert!(nothing * 4 < whole, "{nothing:?} for nothing, {whole:?} for everything");
}

#[test]
fn what_retires_is_listed_to_nobody_and_still_found_by_whoever_was_told_of_it() {
    let mut builder = IndexBuilder::default();
    let records =
        [record(20, 1, UpdateKind::Software, &[SECURITY]), record(9, 1, UpdateKind::Detectoid, &[])];
    for (id, record) in (1..).zip(&records) {
        builder.revision(RevisionId::new(id).unwrap(), record, Anchor(1), noon());
        builder.not_listed();
    }
    let index = builder.finish(Anchor(2));
    assert_eq!(ask(&index, None, everything()), []);
    assert_eq!(ask(&index, None, None), []);
    for record in &records {
        assert!(index.find(record.identity).is_some());
    }
}

#[test]
fn every_revision_is_found_by_its_identity_in_whatever_order_they_came() {
    let numbers: Vec<i64> = (0..1_009).map(|n| n * 37 % 1_009).collect();
    // All over the range of ids, the first and the last one too.
    let id_of = |n: i64| u128::from(n.unsigned_abs() / 2) * (u128::MAX / 504);
    let rows = numbers.iter().map(|n| {
        // Two revisions of each update, and changes that do not come in the order of ids.
        let (id, number) = (id_of(*n), n % 2 + 100);
        (n.unsigned_abs() % 7 + 1, *n, record(id, number, UpdateKind::Software, &[]))
    });
    let index = index(rows.collect(), 9);
    assert_eq!(index.len(), 1_009);
    for (id, n) in (1..).zip(&numbers) {
        let revision = RevisionNumber::new(n % 2 + 100).unwrap();
        let identity = UpdateIdentity { update: update(id_of(*n)), revision };
        let held = index.find(identity).unwrap();
        let expected = (identity, id, Anchor(n.unsigned_abs() % 7 + 1));
        assert_eq!((held.identity, i64::from(held.id.get()), index.arrived(&held)), expected);
    }
    assert_eq!(index.revisions_of(update(id_of(6))).len(), 2);
    assert_eq!(index.revisions_of(update(id_of(1_008))).len(), 1);
    let unknown = UpdateIdentity { update: update(3), revision: RevisionNumber::new(100).unwrap() };
    assert!(index.find(unknown).is_none());
}
