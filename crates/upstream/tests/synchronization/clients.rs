//! Own computers by kind, as the upstream is told of them: how many, and what was installed since it was last told.

use super::{Contact, EventBatch, Guid, Registration, ReportedEvent, Store};
use super::{ErrorCode, Trouble, follow, identity, now, open, parent, run_well, uid};
use sluicegate_soap::server_reporting::DownstreamServerRollupClientSummary;
use sluicegate_store::hierarchy::DownstreamContact;

const DESK: &str = r#"{"os_version":"10.0.26200","service_pack":"0.0","os_locale":"de-CH","suite_mask":256,
    "old_product_type":1,"product_type":48,"processor":"AMD64","model":"ignored"}"#;
const SERVER: &str = r#"{"os_version":"10.0.26100","service_pack":"1.2","os_locale":"en-US","suite_mask":272,
    "old_product_type":3,"product_type":7,"processor":"AMD64"}"#;

fn join(store: &Store, name: &str, inventory: &str) {
    let contact = Contact::new(name.parse().unwrap(), now());
    store.register(Registration { contact, inventory: inventory.to_owned() }).unwrap();
}

fn report(store: &Store, name: &str, instance: u128, event: u16) {
    let event = ReportedEvent {
        instance: Guid::from_u128(instance),
        namespace: 1,
        id: event,
        source: 101,
        update: Some(identity(1_000, 1)),
        at: now(),
        result: 0,
        misc: Vec::new(),
        details: String::new(),
    };
    let batch = EventBatch { computer: name.parse().unwrap(), received: now(), events: vec![event] };
    store.record_events(batch).unwrap();
}

/// The entry of a kind that the last telling had, by its locale.
fn of<'a>(
    told: &'a [DownstreamServerRollupClientSummary],
    locale: &str,
) -> &'a DownstreamServerRollupClientSummary {
    let mut found = told.iter().filter(|kind| kind.os_locale.as_deref() == Some(locale));
    let kind = found.next().unwrap();
    assert!(found.next().is_none(), "{locale} is there twice");
    kind
}

#[tokio::test(flavor = "multi_thread")]
async fn computers_are_told_by_kind_with_what_was_installed_since_the_last_time() {
    let upstream = parent(2).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    for name in ["pc-1", "pc-2"] {
        join(&store, name, DESK);
    }
    join(&store, "srv-1", SERVER);
    // Success, success with a restart to come, failure; that a download ended is neither.
    for (instance, (name, event)) in
        [("pc-1", 183), ("pc-2", 201), ("pc-2", 182), ("pc-2", 162), ("srv-1", 195)].into_iter().enumerate()
    {
        report(&store, name, instance as u128 + 1, event);
    }
    run_well(&store).await;
    {
        let state = upstream.state.lock();
        let told = &state.servers.last().unwrap().client_summaries;
        assert_eq!(told.len(), 2, "{told:?}");
        let desk = of(told, "de-CH");
        assert_eq!(
            (desk.os_major_version, desk.os_minor_version, desk.os_build_number, desk.count),
            (10, 0, 26_200, 2)
        );
        assert_eq!((desk.suite_mask, desk.old_product_type, desk.new_product_type), (256, 1, 48));
        assert_eq!(desk.processor_architecture.as_deref(), Some("AMD64"));
        let [installed] = desk.activity.as_slice() else { panic!("{:?}", desk.activity) };
        assert_eq!((installed.update, installed.revision), (uid(1_000), 1));
        assert_eq!((installed.successes, installed.failures), (2, 1));
        let server = of(told, "en-US");
        assert_eq!((server.os_service_pack_major_number, server.os_service_pack_minor_number), (1, 2));
        assert_eq!((server.count, server.activity[0].successes, server.activity[0].failures), (1, 0, 1));
    }
    // Nothing is told twice; what comes later is.
    run_well(&store).await;
    {
        let state = upstream.state.lock();
        let told = &state.servers.last().unwrap().client_summaries;
        assert!(told.len() == 2 && told.iter().all(|kind| kind.activity.is_empty()), "{told:?}");
    }
    report(&store, "srv-1", 20, 183);
    run_well(&store).await;
    let state = upstream.state.lock();
    let told = &state.servers.last().unwrap().client_summaries;
    assert_eq!(of(told, "en-US").activity[0].successes, 1);
    assert!(of(told, "de-CH").activity.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_did_not_take_is_told_in_the_next_run() {
    let upstream = parent(1).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    let calls = upstream.calls();
    let at = calls.iter().position(|call| *call == "RollupDownstreamServers").unwrap();
    join(&store, "pc-1", DESK);
    report(&store, "pc-1", 1, 183);
    // The second run asks for no documents; the telling stands as much earlier.
    let shift = calls.iter().filter(|call| **call == "GetUpdateData").count();
    upstream
        .state
        .lock()
        .trouble
        .insert(at - shift, super::Trouble::Fault(super::ErrorCode::InvalidParameters));
    let ended = super::run(&store).await;
    assert!(ended.error.is_none() && ended.warning.is_some(), "{ended:?}");
    upstream.state.lock().trouble.clear();
    run_well(&store).await;
    let state = upstream.state.lock();
    let told = &state.servers.last().unwrap().client_summaries;
    assert_eq!((told[0].count, told[0].activity[0].successes), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_was_below_is_no_longer_told_of_itself_nor_of_those_below_it() {
    let upstream = parent(1).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let came = |id: u128| DownstreamContact {
        id: Guid::from_u128(id),
        name: format!("server-{id}"),
        at: now(),
        synced: true,
    };
    // The id that the upstream says it has, one below that, and one that stays where it is.
    for id in [6, 7, 8] {
        store.record_downstream(came(id)).unwrap();
    }
    let mut child =
        store.downstream_servers().unwrap().into_iter().find(|s| s.told.name == "server-7").unwrap();
    child.told.parent = Some(Guid::from_u128(6));
    assert!(store.roll_up_servers(vec![child.told], now()).unwrap());
    let ended = run_well(&store).await;
    assert_eq!(ended.warning, None);
    let told: Vec<Guid> = upstream.state.lock().servers.iter().map(|server| server.server_id).collect();
    assert_eq!(told, [store.server_id(), Guid::from_u128(8)]);
    let left: Vec<String> = store.downstream_servers().unwrap().into_iter().map(|s| s.told.name).collect();
    assert_eq!(left, ["server-8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_lost_its_computers_is_told_of_them_anew_without_a_word_from_them() {
    let upstream = parent(1).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    join(&store, "pc-1", DESK);
    report(&store, "pc-1", 1, 156);
    run_well(&store).await;
    run_well(&store).await;
    {
        let mut state = upstream.state.lock();
        assert_eq!((state.computers.len(), state.statuses.len()), (1, 1), "told once");
        state.computers.clear();
        state.statuses.clear();
    }
    run_well(&store).await;
    {
        let state = upstream.state.lock();
        assert_eq!((state.computers.len(), state.statuses.len()), (1, 1));
        assert!(state.computers[0].details.is_some());
        assert_eq!((state.statuses[0].rollup_number, state.statuses[0].is_full), (2, true));
    }
    run_well(&store).await;
    assert_eq!(upstream.state.lock().computers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_was_set_back_is_told_of_computers_without_a_status_too() {
    let upstream = parent(1).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    join(&store, "pc-1", DESK);
    join(&store, "pc-2", DESK);
    report(&store, "pc-1", 1, 156);
    run_well(&store).await;
    upstream.calls();
    {
        let mut state = upstream.state.lock();
        assert_eq!((state.computers.len(), state.statuses.len()), (2, 1));
        state.computers.clear();
        state.statuses.clear();
        state.trouble.insert(5, Trouble::Fault(ErrorCode::ServerChanged));
    }
    run_well(&store).await;
    let state = upstream.state.lock();
    let mut told: Vec<&str> = state.computers.iter().filter_map(|c| c.computer_id.as_deref()).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!((told, state.statuses.len()), (vec!["pc-1", "pc-2"], 1));
    assert_eq!(state.statuses[0].rollup_number, 2, "their numbers go on");
}
