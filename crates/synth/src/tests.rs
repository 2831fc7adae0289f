//! Synth: what the crate documentation promises about the shape, measured.

use super::*;
use sluicegate_catalog::consistency::{Candidate, NothingKnown, Verdict, check_set};
use sluicegate_catalog::{Limits, parse};
use sluicegate_terms::{CategoryKind, UpdateKind};
use std::collections::{HashMap, HashSet};

fn catalog(revisions: usize) -> Catalog {
    Catalog::new(Shape::new(revisions, 7))
}

#[test]
fn documents_say_what_records_and_core_fragments_say() {
    let catalog = catalog(30_000);
    let mut kinds: HashMap<UpdateKind, usize> = HashMap::new();
    let mut scratch = String::new();
    // A prime step reaches every section and position.
    for index in (0..catalog.len()).step_by(61) {
        let revision = catalog.revision(index).unwrap();
        let document = parse(revision.document().as_bytes(), &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", revision.source()));
        assert_eq!(document.scan_record(), revision.record(), "{}", revision.source());
        assert_eq!(document.fragments.core, revision.core(), "{}", revision.source());
        let escaped = document.fragments.core.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert_eq!(revision.core_escaped_len(&mut scratch) as usize, escaped.len());
        *kinds.entry(document.kind).or_default() += 1;
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

#[test]
fn a_whole_catalog_is_consistent_and_what_is_named_stands_before() {
    let catalog = catalog(4000);
    let documents: Vec<_> = catalog
        .revisions()
        .map(|revision| {
            (revision.source(), parse(revision.document().as_bytes(), &Limits::default()).unwrap())
        })
        .collect();
    let records: Vec<_> = documents.iter().map(|(_, document)| document.scan_record()).collect();
    let candidates: Vec<_> = documents
        .iter()
        .zip(&records)
        .map(|((source, document), record)| Candidate { source, record, content: document.content })
        .collect();
    for (verdict, candidate) in check_set(&candidates, &NothingKnown).iter().zip(&candidates) {
        assert!(matches!(verdict, Verdict::Added | Verdict::Revised), "{}: {verdict:?}", candidate.source);
    }
    let (mut updates, mut revisions) = (HashSet::new(), HashSet::new());
    for record in &records {
        for clause in &record.prerequisites {
            assert!(clause.any_of.iter().all(|id| updates.contains(id)), "{}", record.identity);
        }
        for member in record.bundles.iter().flatten() {
            assert!(revisions.contains(member), "{} before {member}", record.identity);
        }
        updates.insert(record.identity.update);
        revisions.insert(record.identity);
    }
}

#[test]
fn the_counts_are_those_of_the_shape() {
    for revisions in [1000, 1001, 4000, 10_000, 47_111] {
        let catalog = catalog(revisions);
        assert_eq!(catalog.len(), revisions);
        assert!(catalog.revision(revisions).is_none());
        let identities: HashSet<_> = catalog.revisions().map(|revision| revision.identity()).collect();
        assert_eq!(identities.len(), revisions, "every revision is another one");
        let updates: HashSet<_> = identities.iter().map(|identity| identity.update).collect();
        let declined: HashSet<_> = catalog.declined().collect();
        assert!(declined.iter().all(|id| updates.contains(id)));
        assert_eq!(updates.len() - declined.len(), catalog.live());
        let newest = catalog.revisions().filter(Revision::is_newest).count();
        assert_eq!(newest, updates.len(), "each update has one newest revision");
    }
    assert_eq!(catalog(10_000).live(), 6000);
    assert_eq!(catalog(250_000).live(), 20_000);
    assert_eq!(Catalog::new(Shape::new(10, 1)).len(), Shape::MIN_REVISIONS);
    assert_eq!(Catalog::new(Shape::new(50_000, 1).with_live(45_000)).live(), 45_000);
}

#[test]
fn equal_seeds_make_equal_catalogs_and_others_do_not() {
    let text = |seed: u64| {
        let catalog = Catalog::new(Shape::new(20_000, seed));
        [0, 500, 9000, 19_999].map(|index| catalog.revision(index).unwrap().document())
    };
    assert_eq!(text(1), text(1));
    for (one, other) in text(1).iter().zip(text(2)) {
        assert_ne!(*one, other);
    }
}

#[test]
fn a_fresh_client_is_delivered_about_1300_updates_at_every_size() {
    for revisions in [10_000, 100_000, 250_000] {
        let catalog = catalog(revisions);
        let counts: Vec<usize> =
            (0..12).map(|seed| catalog.delivered_to(&catalog.client(seed)).len()).collect();
        let mean = counts.iter().sum::<usize>() / counts.len();
        assert!((1200..1400).contains(&mean), "{revisions}: {counts:?}");
        assert!(counts.iter().all(|count| (1000..1600).contains(count)), "{revisions}: {counts:?}");
    }
}

#[test]
fn a_machine_has_about_90_categories_and_detectoids_that_others_need() {
    let catalog = catalog(30_000);
    let needed: HashSet<UpdateId> = catalog
        .revisions()
        .flat_map(|revision| revision.record().prerequisites)
        .flat_map(|clause| clause.any_of)
        .collect();
    for seed in 0..5 {
        let client = catalog.client(seed);
        let delivered: HashSet<_> = catalog.delivered_to(&client).iter().map(|i| i.update).collect();
        let non_leaf = client.installed().filter(|id| needed.contains(id) && delivered.contains(id)).count();
        assert!((80..105).contains(&non_leaf), "{non_leaf}");
    }
}

#[test]
fn core_fragments_have_the_lengths_of_real_ones() {
    let catalog = catalog(100_000);
    let mut lengths: Vec<usize> = Vec::new();
    let mut scratch = String::new();
    for revision in catalog.revisions().step_by(37) {
        let record = revision.record();
        if matches!(record.kind, UpdateKind::Software | UpdateKind::Driver) && record.bundles.is_empty() {
            assert!(revision.core_escaped_len(&mut scratch) as usize > scratch.len());
            lengths.push(scratch.len());
        }
    }
    lengths.sort_unstable();
    let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100];
    assert!((2200..2800).contains(&at(50)), "median {}", at(50));
    assert!(at(0) >= 600 && at(100) <= 13_000, "{} to {}", at(0), at(100));
    assert!(at(95) > 6500, "95 of 100 below {}", at(95));
}

#[test]
fn supersedence_chains_are_long_and_have_no_circles() {
    let catalog = catalog(60_000);
    let mut length: HashMap<UpdateId, usize> = HashMap::new();
    let mut longest = 0;
    for revision in catalog.revisions().filter(Revision::is_newest) {
        let record = revision.record();
        // What is replaced stands before, so one pass measures every chain.
        let below = record.supersedes.iter().map(|id| length[id]).max().unwrap_or(0);
        length.insert(record.identity.update, below + 1);
        longest = longest.max(below + 1);
    }
    assert!(longest >= 40, "{longest}");
}

#[test]
fn the_tree_has_all_levels_and_bundles_have_members_of_their_own() {
    let catalog = catalog(10_000);
    let newest: Vec<_> = catalog.revisions().filter(Revision::is_newest).map(|r| r.record()).collect();
    let level = |kind| newest.iter().filter(|record| record.category_kind == Some(kind)).count();
    assert_eq!(level(CategoryKind::Company), 1);
    assert_eq!(level(CategoryKind::ProductFamily), 10);
    assert_eq!(level(CategoryKind::Product), 104);
    assert_eq!(level(CategoryKind::UpdateClassification), 9);
    let members: Vec<_> = newest.iter().flat_map(|record| record.bundles.iter().flatten()).collect();
    let distinct: HashSet<_> = members.iter().map(|member| member.update).collect();
    assert_eq!(members.len(), distinct.len());
    let deployable = newest.iter().filter(|record| record.explicitly_deployable);
    assert!(deployable.clone().all(|record| !distinct.contains(&record.identity.update)));
    let or_clauses = newest.iter().flat_map(|record| &record.prerequisites).filter(|c| c.any_of.len() > 1);
    assert!(or_clauses.count() > 500);
}

#[test]
fn some_drivers_fit_the_devices_of_a_machine() {
    let catalog = catalog(20_000);
    let client = catalog.client(3);
    let ids: HashSet<String> = client
        .devices()
        .iter()
        .flat_map(|device| device.hardware_ids.iter().chain(&device.compatible_ids))
        .map(|id| id.to_lowercase())
        .collect();
    let entries: Vec<_> =
        catalog.revisions().filter(Revision::is_newest).flat_map(|r| r.record().drivers).collect();
    let fitting = entries.iter().filter(|entry| ids.contains(&entry.hardware_id)).count();
    assert!(fitting > 10 && fitting * 10 < entries.len(), "{fitting} of {}", entries.len());
    assert!(entries.iter().any(|entry| !entry.target_computer_ids.is_empty()));
}
