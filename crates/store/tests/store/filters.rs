//! Filters of unwanted updates, and what an update's document says about removing it and asking the user: read
//! from real documents, kept beside listings, and obeyed by imports, cleanup and approvals.

use crate::support;

use sluicegate_catalog::compose::Document;
use sluicegate_policy::cleanup::CleanupStep;
use sluicegate_policy::{ApprovalAction, ApprovalError};
use sluicegate_store::audit::AuditQuery;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::{ApprovalOrder, BulkOrder, Store, StoreError};
use sluicegate_terms::{CategoryKind, GroupId};
use std::collections::BTreeSet;
use support::{at, category, file, identity, import, needing, open, software, uid};

const PRODUCT: u128 = 1;
const DETECTOID: u128 = 2;
const ARM: u128 = 10;
const GERMAN: u128 = 11;
const BETA: u128 = 12;
const PLAIN: u128 = 13;
const BUNDLE: u128 = 14;
const MEMBER: u128 = 15;
const FILES: u128 = 16;

/// Updates whose titles say nothing; their documents do.
fn catalog() -> Vec<Document> {
    let arm = Document::detectoid(identity(DETECTOID, 1), "Tablets", "<b.Processor Architecture=\"12\" />");
    let mut german = software(GERMAN, 1, "Language pack");
    german.properties.languages = vec!["de".parse().unwrap()];
    let mut beta = software(BETA, 1, "Tool");
    beta.properties.beta = true;
    let mut member = software(MEMBER, 1, "Part");
    member.properties.explicitly_deployable = false;
    member.properties.languages = vec!["de-at".parse().unwrap()];
    let mut bundle = software(BUNDLE, 1, "Bundle");
    bundle.relationships.bundles = vec![vec![identity(MEMBER, 1)]];
    let mut files = software(FILES, 1, "Pack");
    files.files = vec![file("pack-x_de-DE.cab", b"1"), file("pack-y_de-de.cab", b"2")];
    vec![
        category(PRODUCT, CategoryKind::Product, "Contoso Desk", None),
        arm,
        needing(software(ARM, 1, "Driver host"), &[&[DETECTOID]]),
        german,
        beta,
        needing(software(PLAIN, 1, "Plain"), &[&[PRODUCT]]),
        member,
        bundle,
        files,
    ]
}

fn set_filters(store: &Store, filters: &[&str]) {
    let mut settings = store.cleanup_settings().unwrap();
    settings.filters = filters.iter().map(|filter| filter.parse().unwrap()).collect();
    store.set_cleanup_settings(&settings, at(0)).unwrap();
}

/// A rule that approves whatever comes.
fn approve_everything(store: &Store) {
    let rule = sluicegate_policy::rules::Rule::new(
        sluicegate_policy::rules::RuleTerms {
            name: "All".parse().unwrap(),
            classifications: BTreeSet::new(),
            products: BTreeSet::new(),
            groups: [GroupId::ALL_COMPUTERS].into(),
            deadline: None,
        },
        true,
    );
    store.save_rule(None, rule.unwrap(), at(0)).unwrap();
}

fn declined(store: &Store) -> BTreeSet<u128> {
    store.decisions().declined.keys().map(|update| update.0.as_u128()).collect()
}

fn clean(store: &Store) -> u64 {
    let order = CleanupOrder { steps: Some([CleanupStep::FilteredUpdates].into()), dry_run: false };
    let report = store.cleanup(&order, at(100), &mut || true).unwrap();
    report.step(CleanupStep::FilteredUpdates).unwrap().done
}

#[test]
fn what_a_filter_names_by_its_metadata_is_declined_as_it_comes_in_before_rules_approve_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set_filters(&store, &["architecture=arm64", "language=de", "preview"]);
    store.run_rules(None, at(0)).unwrap();
    approve_everything(&store);
    let report = import(&store, 1, &catalog());
    assert_eq!(report.decisions.filtered, 4);
    assert_eq!(declined(&store), [ARM, GERMAN, BETA, BUNDLE].into());
    let approved: BTreeSet<u128> = store.decisions().approvals.keys().map(|(u, _)| u.0.as_u128()).collect();
    assert_eq!(approved, [PLAIN, FILES].into(), "rules have the rest");
    // What they name is here all the same, for servers below and for what needs it.
    assert!(store.title(uid(ARM)).is_ok());
    let approve = ApprovalOrder {
        update: uid(ARM),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".into(),
    };
    store.approve(approve, at(2)).unwrap();
    import(&store, 3, &[needing(software(ARM, 2, "Driver host"), &[&[DETECTOID]])]);
    assert_eq!(clean(&store), 0);
    assert!(!declined(&store).contains(&ARM), "an administrator wanted it");
}

#[test]
fn a_filter_that_is_added_later_names_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 1, &catalog());
    assert_eq!(declined(&store), BTreeSet::new());
    for (filter, count) in [
        ("architecture=arm64", 1),
        ("architecture=x64", 0),
        ("language=de", 2),
        ("language=de-de", 1),
        ("language=fr", 0),
        ("preview", 1),
        ("edition=Contoso Desk", 1),
        ("title=Pl*", 1),
    ] {
        let (found, titles) = store.preview_filter(&filter.parse().unwrap()).unwrap();
        assert_eq!((found, titles.len()), (count, count as usize), "{filter}");
    }
    set_filters(&store, &["language=de-de"]);
    assert_eq!(clean(&store), 1);
    assert_eq!(declined(&store), [FILES].into());
}

#[test]
fn documents_that_came_before_their_traits_were_kept_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 1, &catalog());
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    db.execute("UPDATE listing SET traits = NULL", []).unwrap();
    drop(db);
    let store = open(dir.path());
    set_filters(&store, &["preview"]);
    assert_eq!(clean(&store), 1);
    assert_eq!(declined(&store), [BETA].into());
}

#[test]
fn removal_and_deadlines_are_refused_where_the_document_rules_them_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut asking = software(20, 1, "Asks");
    asking.properties.may_ask = true;
    let mut removable = software(21, 1, "Removable");
    removable.properties.can_uninstall = true;
    let mut part = software(22, 1, "Part");
    part.properties.explicitly_deployable = false;
    part.properties.can_uninstall = true;
    let mut bundle = software(23, 1, "Bundle of removable parts");
    bundle.relationships.bundles = vec![vec![identity(22, 1)]];
    import(&store, 1, &[asking, removable, part, bundle]);
    let order = |n: u128, action, deadline| ApprovalOrder {
        update: uid(n),
        group: GroupId::ALL_COMPUTERS,
        action,
        deadline,
        by: "admin".into(),
    };
    let refused = store.approve(order(20, ApprovalAction::Install, Some(at(900))), at(2)).unwrap_err();
    assert!(
        matches!(refused, StoreError::Decision(ApprovalError::DeadlineNeedsInput(update)) if update == uid(20))
    );
    store.approve(order(20, ApprovalAction::Install, None), at(2)).unwrap();
    let refused = store.approve(order(20, ApprovalAction::Uninstall, None), at(3)).unwrap_err();
    assert!(
        matches!(refused, StoreError::Decision(ApprovalError::NotRemovable(update)) if update == uid(20))
    );
    let many = BulkOrder {
        updates: vec![uid(20), uid(21), uid(23)],
        groups: vec![GroupId::ALL_COMPUTERS],
        action: ApprovalAction::Uninstall,
        deadline: None,
        by: "admin".into(),
    };
    let done = store.approve_many(&many, at(4)).unwrap();
    assert_eq!(done.updates, 2);
    assert_eq!(done.refused.iter().map(|one| one.update).collect::<Vec<_>>(), [uid(20)]);
}

fn install_everywhere(update: u128) -> ApprovalOrder {
    ApprovalOrder {
        update: uid(update),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".into(),
    }
}

#[test]
fn what_was_decided_elsewhere_counts_before_what_filters_and_rules_decide_as_updates_come() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (origin, store) = (open(there.path()), open(here.path()));
    import(&origin, 1, &catalog());
    origin.approve(install_everywhere(ARM), at(2)).unwrap();
    origin.decline(uid(PLAIN), at(3)).unwrap();

    set_filters(&store, &["architecture=arm64"]);
    approve_everything(&store);
    import(&store, 50, &catalog());
    let approved = |store: &Store, update| store.decisions().approvals.of(uid(update)).count() == 1;
    assert!(declined(&store).contains(&ARM) && approved(&store, PLAIN) && approved(&store, FILES));
    store.take_in(&origin.decisions().to_carry(), at(51)).unwrap();
    assert!(approved(&store, ARM) && !approved(&store, PLAIN));
    assert_eq!(declined(&store), [PLAIN].into());
    assert!(approved(&store, FILES), "nobody decided about it there");
    // Carried back, it takes nothing back.
    origin.take_in(&store.decisions().to_carry(), at(60)).unwrap();
    assert!(approved(&origin, ARM) && declined(&origin) == [PLAIN].into());
}

#[test]
fn what_a_filter_declined_somebody_can_decline_too_and_it_is_decided_from_then_on() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (origin, store) = (open(there.path()), open(here.path()));
    import(&origin, 1, &catalog());
    origin.approve(install_everywhere(ARM), at(2)).unwrap();
    set_filters(&store, &["architecture=arm64"]);
    import(&store, 50, &catalog());
    store.decline(uid(ARM), at(60)).unwrap();
    assert!(store.decline(uid(ARM), at(61)).is_err(), "it is decided");
    let told =
        store.audit(&AuditQuery { update: Some(uid(ARM)), limit: 9, ..AuditQuery::default() }).unwrap();
    let declines: Vec<_> = told.entries.iter().filter(|e| e.action == "decline").map(|e| e.at).collect();
    assert_eq!(declines, [at(60), at(50)]);
    let decisions = store.decisions();
    drop(store);
    let store = open(here.path());
    assert_eq!(store.decisions(), decisions);
    assert_eq!(store.take_in(&origin.decisions().to_carry(), at(70)).unwrap().older, 1);
    assert_eq!(declined(&store), [ARM].into());
}
