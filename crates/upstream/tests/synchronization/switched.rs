//! The upstream or the mode becomes another, between runs and while a run is under way: of the one before nothing is
//! left but documents.

use super::replica::approval;
use super::{PRODUCT, contents, follow, give, identity, open, parent, run_well, synchronizer, uid, update};
use crate::upstream::{Trouble, Upstream};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_soap::server_sync as sync;
use sluicegate_store::Store;
use sluicegate_store::hierarchy::RunOutcome;
use sluicegate_terms::{GroupId, Guid};
use std::time::Duration;

/// A parent with updates from a number on, a group, and one of them approved for it.
async fn deciding(from: u128, group: u128, name: &str) -> Upstream {
    let upstream = parent(0).await;
    for n in from..from + 9 {
        give(&upstream, &update(n, 1, PRODUCT), PRODUCT);
    }
    let mut state = upstream.state.lock();
    // Anchors of the two are never the same.
    state.clock += u64::try_from(from).unwrap();
    state.groups.push(sync::ServerSyncTargetGroup {
        id: Guid::from_u128(group),
        parent: GroupId::ALL_COMPUTERS.0,
        name: Some(name.to_owned()),
        is_builtin: false,
    });
    let at = state.clock;
    state.deployments.push((at, approval(from, from, group, sync::SyncAction::Install)));
    drop(state);
    upstream
}

/// The store is where `upstream` leads to, and has nothing of another upstream's decisions or anchors.
fn all_is_of(store: &Store, upstream: &Upstream, from: u128, name: &str) {
    let state = store.sync_state().unwrap();
    let anchor = Some(format!("at {}", upstream.state.lock().clock));
    assert_eq!(
        [&state.categories_anchor, &state.updates_anchor, &state.deployments_anchor],
        [&anchor, &anchor, &anchor]
    );
    let held: Vec<_> = contents(store).into_iter().map(|(identity, _)| identity).collect();
    assert!((from..from + 9).all(|n| held.contains(&identity(n, 1))), "{held:?}");
    let decisions = store.decisions();
    let approved: Vec<_> = decisions.approvals.values().map(|a| a.update).collect();
    assert_eq!(approved, [uid(from)]);
    let groups: Vec<_> = decisions.groups.iter().map(|group| group.name.as_str().to_owned()).collect();
    assert!(groups.iter().any(|group| group == name) && groups.len() == 3, "{groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_upstream_between_runs_leaves_nothing_of_the_first() {
    let (first, second) = (deciding(3_000, 900, "Ours").await, deciding(4_000, 901, "Theirs").await);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &first, |s| s.mode = Mode::Replica);
    run_well(&store).await;
    all_is_of(&store, &first, 3_000, "Ours");
    follow(&store, &second, |s| s.mode = Mode::Replica);
    assert_eq!(run_well(&store).await.counts.new, 9, "the categories are there");
    all_is_of(&store, &second, 4_000, "Theirs");
    assert!(second.state.lock().lists.iter().take(2).all(|list| list.anchor.is_none()));
    assert_eq!(second.state.lock().servers.len(), 1, "the second is told of this server");
}

/// Another server takes the upstream's place under its address, as WSUS servers are replaced.
fn replace(upstream: &Upstream, by: &Upstream) {
    std::mem::swap(&mut *upstream.state.lock(), &mut *by.state.lock());
    upstream.state.lock().other_server = 40;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_at_the_same_address_is_asked_for_everything_and_never_silent() {
    // Of the second everything is older than the anchors that the first gave.
    let (place, second) = (deciding(3_000, 900, "Ours").await, deciding(2_000, 901, "Theirs").await);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &place, |s| s.mode = Mode::Replica);
    assert_eq!(run_well(&store).await.warning, None);
    replace(&place, &second);
    let ended = run_well(&store).await;
    assert_eq!(ended.counts.new, 9);
    let said = ended.warning.unwrap();
    assert!(said.contains("another server") && said.contains(&Guid::from_u128(46).to_string()), "{said}");
    all_is_of(&store, &place, 2_000, "Theirs");
    assert!(place.state.lock().lists.iter().all(|list| list.anchor.is_none()));
    let alerts = store.alerts().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].kind, "upstream-changed");
    let (ours, theirs) = (Guid::from_u128(6).to_string(), Guid::from_u128(46).to_string());
    assert!([&place.url, &ours, &theirs].iter().all(|said| alerts[0].text.contains(*said)), "{alerts:?}");
    place.calls();
    assert_eq!(run_well(&store).await.warning, None);
    assert_eq!(store.alerts().unwrap().len(), 1);
    let calls = place.calls();
    assert_eq!(calls.iter().filter(|call| **call == "GetRollupConfiguration").count(), 1, "{calls:?}");
    assert!(place.state.lock().lists.iter().rev().take(2).all(|list| list.anchor.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_only_at_the_end_that_it_is_another_is_asked_for_everything_too() {
    let (place, second) = (deciding(3_000, 900, "Ours").await, deciding(2_000, 901, "Theirs").await);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &place, |s| s.mode = Mode::Replica);
    run_well(&store).await;
    let calls = place.calls();
    let asked = calls.iter().position(|call| *call == "GetRollupConfiguration").unwrap();
    replace(&place, &second);
    place.state.lock().trouble.insert(asked, Trouble::Cut);
    let ended = run_well(&store).await;
    assert!(ended.warning.is_some_and(|said| said.contains("another server")));
    all_is_of(&store, &place, 2_000, "Theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_upstream_while_the_first_hangs_at_any_call_leaves_nothing_of_the_first() {
    let first = deciding(3_000, 900, "Ours").await;
    let second = deciding(4_000, 901, "Theirs").await;
    let calm = tempfile::tempdir().unwrap();
    let store = open(calm.path());
    follow(&store, &first, |s| s.mode = Mode::Replica);
    run_well(&store).await;
    drop(store);
    let calls = first.calls();
    assert!(calls.contains(&"GetUpdateData") && calls.contains(&"RollupDownstreamServers"), "{calls:?}");
    for (at, call) in calls.iter().enumerate() {
        first.calls();
        first.state.lock().trouble = (at..at + 100).map(|call| (call, Trouble::Hang)).collect();
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        follow(&store, &first, |s| s.mode = Mode::Replica);
        let synchronizer = synchronizer(&store);
        let hanging = synchronizer.request_run("alice").await.unwrap();
        while first.state.lock().calls.len() <= at {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        follow(&store, &second, |s| s.mode = Mode::Replica);
        // Who asks now joins nothing: what is under way brings another server's catalog.
        let begun = synchronizer.request_run("bob").await.unwrap();
        assert!(begun.run > hanging.run && begun.joined.is_none(), "{begun:?}");
        let ended = synchronizer.wait().await;
        assert_eq!((ended.run, ended.error), (Some(begun.run), None), "{call} hangs");
        all_is_of(&store, &second, 4_000, "Theirs");
        let history = store.sync_history(2).unwrap();
        assert_eq!(history[1].outcome, RunOutcome::Cancelled);
        assert_eq!(history[1].error_code.as_deref(), Some("Cancelled/UpstreamChanged"));
        assert!(history[1].error_text.as_ref().unwrap().contains("new settings"));
        assert_eq!(history[0].upstream, second.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_when_the_server_is_told_that_settings_changed() {
    let first = deciding(3_000, 900, "Ours").await;
    first.state.lock().trouble = (7..100).map(|call| (call, Trouble::Hang)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &first, |_| {});
    let synchronizer = synchronizer(&store);
    synchronizer.request_run("alice").await.unwrap();
    while first.state.lock().calls.len() < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Another mode is another run, even with the same upstream. A filter is not.
    follow(&store, &first, |s| s.account_name = "other.example".to_owned());
    synchronizer.settings_changed();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(synchronizer.status().running);
    follow(&store, &first, |s| s.mode = Mode::Replica);
    synchronizer.settings_changed();
    assert_eq!(synchronizer.wait().await.error_code, Some("Cancelled/UpstreamChanged"));
    assert_eq!(store.sync_state().unwrap().updates_anchor, None);
}
