//! Category scans (MS-WUSP 2.2.2.2.8, 3.1.5.6; observed behaviour 3.3, rules 9 and 10).

use crate::fixture::{Catalog, ask, bundles, needs, new_ids, query, record, within};
use crate::world::uid;
use sluicegate_catalog::ScanRecord;
use sluicegate_scan::{CategoryRequest, CategoryScanError, ProtocolVersion, Snapshot, SyncQuery};
use sluicegate_terms::CategoryKind::{self, Company, Product, ProductFamily, UpdateClassification};
use sluicegate_terms::UpdateId;
use sluicegate_terms::UpdateKind::{Category, Detectoid, Driver, Software};

fn category(update: usize, kind: CategoryKind) -> ScanRecord {
    ScanRecord { category_kind: Some(kind), ..record(update, Category) }
}

/// A company (revision 1) with a family (2) and two products (3, 4), a classification (5), a detectoid
/// (6), and for the first product an update (7) that bundles a part (8) naming no category.
fn tree() -> Catalog {
    let part = ScanRecord { explicitly_deployable: false, ..record(7, Software) };
    Catalog::default().with([
        category(0, Company),
        within(category(1, ProductFamily), &[0]),
        within(category(2, Product), &[1]),
        within(category(3, Product), &[1]),
        category(4, UpdateClassification),
        record(5, Detectoid),
        bundles(needs(within(record(6, Software), &[2, 4]), &[5]), &[7]),
        part,
    ])
}

fn filtered<'a>(categories: &'a [UpdateId], installed: &'a [i32]) -> SyncQuery<'a> {
    SyncQuery { filter_categories: categories, installed_non_leaf: installed, also_regular: false, ..query() }
}

#[test]
fn a_category_without_updates_gives_its_chain_one_level_per_round() {
    let snapshot = tree().snapshot();
    let wanted = [uid(3)];
    let mut installed = Vec::new();
    for expected in [1, 2, 4] {
        let answer = ask(&snapshot, filtered(&wanted, &installed));
        assert_eq!(new_ids(&answer), [expected]);
        assert_eq!((answer.truncated, answer.driver_sync_not_needed), (false, Some(true)));
        installed.push(expected as i32);
    }
    let last = ask(&snapshot, filtered(&wanted, &installed));
    assert_eq!((new_ids(&last), last.out_of_scope), (vec![], vec![]));
}

#[test]
fn a_category_gives_its_updates_and_all_they_need_and_contain() {
    let snapshot = tree().snapshot();
    let wanted = [uid(2)];
    assert_eq!(new_ids(&ask(&snapshot, filtered(&wanted, &[]))), [1, 5, 6, 8]);
    assert_eq!(new_ids(&ask(&snapshot, filtered(&wanted, &[1, 2, 3, 5, 6]))), [7, 8]);
}

#[test]
fn a_family_gives_the_updates_of_its_products() {
    let snapshot = tree().snapshot();
    let answer = ask(&snapshot, filtered(&[uid(1)], &[1, 2, 3, 5, 6]));
    assert_eq!(new_ids(&answer), [4, 7, 8]);
}

#[test]
fn the_two_groups_tell_what_is_gone_from_what_is_not_part_of_the_scan() {
    let snapshot = tree().with([record(8, Software)]).snapshot();
    let wanted = [uid(3)];
    let held = SyncQuery { other_cached: &[9, 99, 7], ..filtered(&wanted, &[1]) };
    let answer = ask(&snapshot, held);
    assert_eq!((answer.out_of_scope, answer.deployed_out_of_scope), (vec![99], vec![9, 7]));
    let one_group = ask(&snapshot, SyncQuery { two_groups: false, ..held });
    assert_eq!((one_group.out_of_scope, one_group.deployed_out_of_scope), (vec![9, 99, 7], vec![]));
}

#[test]
fn a_regular_scan_and_old_protocols_know_no_filter() {
    let snapshot = tree().snapshot();
    let wanted = [uid(3)];
    let all = new_ids(&ask(&snapshot, query()));
    assert_eq!(new_ids(&ask(&snapshot, SyncQuery { also_regular: true, ..filtered(&wanted, &[]) })), all);
    let old = SyncQuery { protocol: ProtocolVersion { major: 1, minor: 6 }, ..filtered(&wanted, &[]) };
    assert_eq!(new_ids(&ask(&snapshot, old)), all);
}

#[test]
fn unknown_categories_concern_nothing() {
    let answer = ask(&tree().snapshot(), filtered(&[uid(99), uid(6)], &[]));
    assert_eq!(new_ids(&answer), [0_u32; 0]);
}

#[test]
fn drivers_in_a_category_make_the_driver_pass_needed() {
    let catalog = tree().with([within(record(8, Driver), &[3])]);
    let snapshot = catalog.snapshot();
    let needed = |categories: &[UpdateId]| ask(&snapshot, filtered(categories, &[])).driver_sync_not_needed;
    assert_eq!((needed(&[uid(3)]), needed(&[uid(2)])), (Some(false), Some(true)));
    let driver_pass = SyncQuery { skip_software: true, ..filtered(&[], &[]) };
    assert_eq!(ask(&snapshot, driver_pass).driver_sync_not_needed, Some(false));
    assert_eq!(ask(&tree().snapshot(), driver_pass).driver_sync_not_needed, Some(true));
}

fn start(snapshot: &Snapshot, requested: &[(i32, usize)]) -> (Vec<UpdateId>, Vec<UpdateId>) {
    let requested: Vec<_> = requested
        .iter()
        .map(|(and_group, n)| CategoryRequest { and_group: *and_group, category: uid(*n) })
        .collect();
    let scan = snapshot.start_category_scan(&requested).unwrap();
    (scan.preferred, scan.in_error)
}

#[test]
fn start_category_scan_prefers_products() {
    let snapshot = tree().snapshot();
    assert_eq!(start(&snapshot, &[(0, 2)]), (vec![uid(2)], vec![]));
    assert_eq!(start(&snapshot, &[(0, 3), (1, 4), (1, 2)]), (vec![uid(3), uid(2)], vec![]));
}

#[test]
fn start_category_scan_drops_groups_with_unknown_categories() {
    let snapshot = tree().snapshot();
    assert_eq!(start(&snapshot, &[(0, 2), (1, 99), (1, 3)]), (vec![uid(2)], vec![uid(99)]));
    // An update that is no category is as unknown as one that is not there.
    assert_eq!(start(&snapshot, &[(0, 6)]), (vec![], vec![uid(6)]));
}

#[test]
fn start_category_scan_gives_up_at_groups_it_does_not_allow() {
    let snapshot = tree().snapshot();
    for refused in [&[(1, 4)][..], &[(1, 2), (1, 3)], &[(1, 0)], &[(1, 2), (1, 4), (1, 3)], &[(1, 2), (1, 1)]]
    {
        let mut requested = vec![(0, 3)];
        requested.extend_from_slice(refused);
        assert_eq!(start(&snapshot, &requested), (vec![], vec![]), "{refused:?}");
    }
}

#[test]
fn start_category_scan_takes_fewer_than_200_categories() {
    let many = vec![CategoryRequest { and_group: 0, category: uid(2) }; 200];
    let snapshot = tree().snapshot();
    assert_eq!(snapshot.start_category_scan(&many), Err(CategoryScanError::TooMany(200)));
    assert_eq!(snapshot.start_category_scan(&many[1..]).unwrap().preferred, [uid(2)]);
}
