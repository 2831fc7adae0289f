//! The files that are fetched, kept and shown are those of the revisions that clients are given.

use crate::support;

use sluicegate_catalog::compose::Document;
use sluicegate_policy::cleanup::CleanupStep;
use sluicegate_policy::hierarchy::{ContentWhen, Mode, SyncFilter};
use sluicegate_policy::{ApprovalAction, SuccessionOptions};
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::{DeploymentNews, DownstreamContact, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::{GroupId, Guid};
use support::{at, file, identity, import, open, software, uid};

/// A revision with a file of its own, named after it.
pub(crate) fn with_file(update: u128, revision: i64) -> Document {
    let mut document = software(update, revision, "Update");
    let name = format!("{update}-{revision}.cab");
    document.files = vec![file(&name, name.as_bytes())];
    document
}

fn bundle(update: u128, revision: i64, members: &[(u128, i64)]) -> Document {
    let mut document = software(update, revision, "Bundle");
    document.relationships.bundles.extend(members.iter().map(|(n, r)| vec![identity(*n, *r)]));
    document
}

fn approve(store: &Store, update: u128) {
    let order = ApprovalOrder {
        update: uid(update),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
    };
    store.approve(order, at(5)).unwrap();
}

/// A store in which new revisions of what is approved are held.
fn reviewing(dir: &std::path::Path) -> Store {
    let store = open(dir);
    let review = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    store.set_succession(review, at(0)).unwrap();
    store
}

fn missing(store: &Store, when: ContentWhen) -> Vec<String> {
    let needs = store.missing_files(when, false, &SyncFilter::default(), at(99)).unwrap();
    let mut names: Vec<String> = needs.into_iter().map(|need| need.name).collect();
    names.sort();
    names
}

#[test]
fn while_a_revision_is_held_the_files_of_the_one_in_service_are_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let store = reviewing(dir.path());
    import(&store, 1, &[with_file(1, 100), with_file(2, 100)]);
    approve(&store, 1);
    import(&store, 6, &[with_file(1, 101)]);
    assert!(store.decisions().held.contains_key(&uid(1)));
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-100.cab"]);
    assert_eq!(missing(&store, ContentWhen::All), ["1-100.cab", "1-101.cab", "2-100.cab"]);

    let shown = store.update(uid(1)).unwrap().files.into_iter();
    let shown: Vec<_> = shown.map(|f| (f.file.name, f.revision.get(), f.in_service)).collect();
    assert_eq!(shown, [("1-101.cab".to_owned(), 101, false), ("1-100.cab".to_owned(), 100, true)]);

    store.accept_revision(uid(1), at(7)).unwrap();
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-101.cab"]);
    assert_eq!(missing(&store, ContentWhen::All), ["1-101.cab", "2-100.cab"]);
}

#[test]
fn a_bundle_has_the_files_of_the_members_it_names_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let store = reviewing(dir.path());
    // Update 3 bundles 2, which bundles 1.
    let parts = [with_file(1, 100), bundle(2, 100, &[(1, 100)]), bundle(3, 100, &[(2, 100), (4, 100)])];
    import(&store, 1, &parts);
    import(&store, 1, &[with_file(4, 100)]);
    approve(&store, 3);
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-100.cab", "4-100.cab"]);
    // Members move on by themselves, and then their bundle, which is held.
    import(&store, 6, &[with_file(1, 101), bundle(2, 101, &[(1, 101)]), with_file(4, 101)]);
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-100.cab", "4-100.cab"]);
    import(&store, 7, &[bundle(3, 101, &[(2, 101)])]);
    assert!(store.decisions().held.contains_key(&uid(3)));
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-100.cab", "4-100.cab"]);
    assert_eq!(missing(&store, ContentWhen::All), ["1-100.cab", "1-101.cab", "4-100.cab", "4-101.cab"]);
    let shown = store.update(uid(1)).unwrap().files.into_iter();
    let shown: Vec<_> = shown.map(|f| (f.revision.get(), f.in_service)).collect();
    assert_eq!(shown, [(101, true), (100, true)]);

    store.accept_revision(uid(3), at(8)).unwrap();
    assert_eq!(missing(&store, ContentWhen::Approved), ["1-101.cab"]);
    assert_eq!(missing(&store, ContentWhen::All), ["1-101.cab", "4-101.cab"]);
}

#[test]
fn cleanup_keeps_the_files_of_members_that_bundles_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(
        &store,
        1,
        &[with_file(1, 100), bundle(2, 100, &[(1, 100)]), with_file(1, 101), with_file(3, 100)],
    );
    import(&store, 2, &[with_file(3, 101)]);
    for name in ["1-100.cab", "1-101.cab", "3-100.cab"] {
        store.add_content(name, &mut name.as_bytes(), at(3), &mut |_| {}).unwrap();
    }
    let held = |name: &str| store.content().has(file(name, name.as_bytes()).sha1);
    let clean = || {
        let order = CleanupOrder { steps: Some([CleanupStep::Files].into()), dry_run: false };
        store.cleanup(&order, at(200_000), &mut || true).unwrap();
    };
    clean();
    assert!(held("1-100.cab") && held("1-101.cab") && !held("3-100.cab"));
    store.decline(uid(2), at(200_001)).unwrap();
    clean();
    assert!(!held("1-100.cab") && held("1-101.cab"), "a declined bundle keeps no old revisions");
}

#[test]
fn a_replica_keeps_the_files_of_what_it_has_approved_for_when_it_decides_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = reviewing(dir.path());
    import(
        &store,
        1,
        &[with_file(1, 100), with_file(2, 100), with_file(4, 100), bundle(3, 100, &[(4, 100)])],
    );
    for update in [1, 3] {
        approve(&store, update);
    }
    import(&store, 6, &[with_file(1, 101), with_file(4, 101)]);
    let names = ["1-100.cab", "2-100.cab", "4-100.cab"];
    for name in names {
        store.add_content(name, &mut name.as_bytes(), at(7), &mut |_| {}).unwrap();
    }
    let source = Some("http://parent:8530".parse().unwrap());
    let replica = UpstreamSettings { source, mode: Mode::Replica, ..UpstreamSettings::default() };
    store.set_upstream_settings(replica, at(8)).unwrap();
    let declined = [1, 2, 3].map(uid).into();
    let news =
        DeploymentNews { declined, anchor: "1".to_owned(), complete: true, ..DeploymentNews::default() };
    store.adopt_deployments(&news, at(9)).unwrap();
    let kept = |at: i64| {
        let order = CleanupOrder { steps: Some([CleanupStep::Files].into()), dry_run: false };
        store.cleanup(&order, support::at(at), &mut || true).unwrap();
        names
            .into_iter()
            .filter(|name| store.content().has(file(name, name.as_bytes()).sha1))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(400_000), ["1-100.cab", "4-100.cab"]);
    assert_eq!(missing(&store, ContentWhen::All), ["4-101.cab"], "and fetches none for it");
    store.set_upstream_settings(UpstreamSettings::default(), at(400_001)).unwrap();
    for update in [1, 3] {
        store.decline(uid(update), at(400_002)).unwrap();
    }
    assert_eq!(kept(800_000), Vec::<&str>::new());
}

#[test]
fn a_file_is_wanted_for_servers_below_as_long_as_one_of_them_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2].map(|n| with_file(n, 1)));
    let digests = [1, 2].map(|n| with_file(n, 1).files[0].sha1);
    let server = |n| Guid::from_u128(n);
    let comes = |n| {
        let name = format!("server-{n}");
        store.record_downstream(DownstreamContact { id: server(n), name, at: at(1), synced: true }).unwrap();
    };
    let wanted = |now| {
        let missing =
            store.missing_files(ContentWhen::Never, false, &SyncFilter::default(), at(now)).unwrap();
        missing.into_iter().map(|need| need.sha1).collect::<Vec<_>>()
    };
    [7, 8].into_iter().for_each(comes);
    store.want_files(&digests, server(7), at(10)).unwrap();
    store.want_files(&digests[..1], server(8), at(11)).unwrap();
    assert_eq!(wanted(12).len(), 2);
    store.forget_downstream(server(7), at(20)).unwrap();
    assert_eq!(wanted(21), digests[..1], "the other one still waits for the first");
    // It asks with each synchronization; when it does no more, it has what it needs or is gone.
    let days = |n: i64| n * 86_400;
    store.want_files(&digests[..1], server(8), at(days(50))).unwrap();
    assert_eq!(store.forget_wanted_files(at(days(139))).unwrap(), 0);
    assert_eq!(wanted(days(139)), digests[..1]);
    assert_eq!(store.forget_wanted_files(at(days(141))).unwrap(), 1);
    assert_eq!(wanted(days(141)), []);
    // What came is waited for by nobody; who is forgotten then takes nothing along.
    comes(8);
    store.want_files(&digests, server(8), at(days(150))).unwrap();
    store.files_arrived(&digests[..1]).unwrap();
    store.want_files(&digests[..1], server(7), at(days(150))).unwrap();
    store.forget_downstream(server(8), at(days(151))).unwrap();
    assert_eq!(wanted(days(151)), digests[..1]);
}
