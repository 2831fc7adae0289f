//! Servers in a ring: the upstream takes its catalog from this server, by itself or through others. An alert while it
//! lasts, `upstream show` and `diagnose` say so.

use crate::watching;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::Ring;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// What to do, and how long this is said.
pub(crate) fn remedy(ring: &Ring) -> String {
    format!(
        "set another upstream on one of them with `sluicegate upstream set`: on the server that is to be on top \
         `microsoft-update`, or `none` where catalogs are imported. This server hears of that only in that it is asked no \
         more, so the warning stays until a synchronization here succeeds that began after {}, or until `sluicegate \
         upstream set` names the upstream here again, the same one or another",
        ring.due().iso()
    )
}

/// What is wrong.
pub(crate) fn sentence(ring: &Ring) -> String {
    let Ring { server, name, .. } = ring;
    let asked = ring.asked.iso();
    let how = if ring.through_others {
        format!(
            "the upstream takes its catalog from this server through others: `{name}` ({server}) is below a server that is \
             below this one, which told so last at {asked}"
        )
    } else {
        format!(
            "the upstream takes its catalog from this server: `{name}` ({server}) last asked for updates at {asked}"
        )
    };
    format!(
        "{how}. So nothing comes to any of them but what is imported at one, and replicas among them have nobody who decides"
    )
}

/// Raises or ends the alert.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let text = store.ring(now)?.map(|ring| format!("{}; {}", sentence(&ring), remedy(&ring)));
    watching::settle(store, AlertKind::UpstreamRing, text, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::App;
    use crate::testing;
    use sluicegate_store::hierarchy::{
        DownstreamContact, LATE, RING_ENDS, RolledServer, RunOutcome, ServerSummary, SyncRun,
        UpstreamSettings, UpstreamSource,
    };
    use sluicegate_terms::Guid;
    use std::sync::Arc;

    /// The server that is the upstream.
    const WEST: u128 = 6;

    fn kinds(store: &Store) -> Vec<String> {
        store.alerts().unwrap().into_iter().map(|alert| alert.kind).collect()
    }

    fn set(app: &App, address: &str) {
        let source = Some(UpstreamSource::Server(address.to_owned()));
        let settings = UpstreamSettings { source, ..UpstreamSettings::default() };
        app.store.set_upstream_settings(settings, app.clock.now()).unwrap();
    }

    fn asks(app: &App, id: u128, synced: bool, at: Timestamp) {
        let contact = DownstreamContact { id: Guid::from_u128(id), name: "west".to_owned(), at, synced };
        app.store.record_downstream(contact).unwrap();
    }

    /// A server with an upstream that is known, and the time.
    async fn below_west() -> (tempfile::TempDir, Arc<App>, Timestamp) {
        let (dir, app) = testing::app().await;
        let now = app.clock.now();
        set(&app, "http://127.0.0.1:1");
        app.store.note_upstream_server(Guid::from_u128(WEST), now).unwrap();
        (dir, app, now)
    }

    /// A synchronization that began then and ended so.
    fn synchronized(store: &Store, started: Timestamp, outcome: RunOutcome) {
        let id = store.begin_sync_run("schedule", "http://127.0.0.1:1", started).unwrap();
        let run = SyncRun {
            ended: Some(started),
            outcome,
            phase: "files".to_owned(),
            ..SyncRun::begun(id, String::new(), String::new(), started)
        };
        store.write_sync_run(&run).unwrap();
    }

    fn in_ring(store: &Store, now: Timestamp) -> bool {
        judge(store, now).unwrap();
        let raised = kinds(store).contains(&"upstream-ring".to_owned());
        assert_eq!(raised, store.ring(now).unwrap().is_some());
        raised
    }

    #[tokio::test]
    async fn an_upstream_that_asks_here_is_an_alert_until_it_asks_no_more_or_is_another() {
        let (_dir, app) = testing::app().await;
        let (store, now) = (&app.store, app.clock.now());
        // It was below, and is the upstream now: it need not be below any more.
        asks(&app, WEST, true, now);
        set(&app, "http://127.0.0.1:1");
        store.note_upstream_server(Guid::from_u128(WEST), now).unwrap();
        judge(store, now).unwrap();
        assert!(kinds(store).is_empty(), "servers may trade places");
        asks(&app, 7, true, now);
        asks(&app, WEST, false, now);
        judge(store, now).unwrap();
        assert!(kinds(store).is_empty(), "others may ask, and who only tries the way takes nothing");

        asks(&app, WEST, true, now.plus_seconds(60));
        judge(store, now.plus_seconds(60)).unwrap();
        assert_eq!(kinds(store), ["upstream-ring"]);
        let said = store.alerts().unwrap().remove(0).text;
        assert!(said.contains("`west`") && said.contains("sluicegate upstream set"), "{said}");
        // Telling the upstream of the servers below forgets it as one of them; that ends nothing.
        store.forget_downstream(Guid::from_u128(WEST), now).unwrap();
        judge(store, now.plus_seconds(59 + RING_ENDS)).unwrap();
        assert_eq!(kinds(store), ["upstream-ring"]);
        judge(store, now.plus_seconds(60 + RING_ENDS)).unwrap();
        assert!(kinds(store).is_empty(), "it asks no more");

        asks(&app, WEST, true, now);
        judge(store, now).unwrap();
        assert_eq!(kinds(store).len(), 1);
        set(&app, "http://127.0.0.1:2");
        watching::forget_upstream(store, now).unwrap();
        assert!(!kinds(store).contains(&"upstream-ring".to_owned()), "another upstream is set");
    }

    #[tokio::test]
    async fn a_contact_from_before_the_upstream_was_set_is_no_ring_when_it_is_written_later() {
        let (_dir, app) = testing::app().await;
        let (store, now) = (&app.store, app.clock.now());
        // The servers traded places within the time after which contacts are written down.
        set(&app, "http://127.0.0.1:1");
        store.forget_ring(now).unwrap();
        store.note_upstream_server(Guid::from_u128(WEST), now).unwrap();
        for before in [2, 1, 0] {
            asks(&app, WEST, true, now.plus_seconds(-before));
            assert!(!in_ring(store, now));
        }
        asks(&app, WEST, true, now.plus_seconds(1));
        assert!(in_ring(store, now.plus_seconds(1)));
        // Set once more, with a contact of before under way.
        store.forget_ring(now.plus_seconds(3)).unwrap();
        asks(&app, WEST, true, now.plus_seconds(2));
        assert!(!in_ring(store, now.plus_seconds(4)));
        // A clock that was ahead when it was set hides nothing for ever.
        store.forget_ring(now.plus_seconds(2 * 86_400)).unwrap();
        asks(&app, WEST, true, now.plus_seconds(5));
        assert!(in_ring(store, now.plus_seconds(5)));
    }

    #[tokio::test]
    async fn a_ring_is_over_when_the_upstream_answered_and_had_not_asked_when_it_was_due() {
        let (_dir, app, now) = below_west().await;
        let store = &app.store;
        let day = 86_400;
        asks(&app, WEST, true, now);
        synchronized(store, now.plus_seconds(LATE - 1), RunOutcome::Succeeded);
        assert!(in_ring(store, now.plus_seconds(LATE)), "it may ask again soon");
        synchronized(store, now.plus_seconds(LATE + 1), RunOutcome::Failed);
        assert!(in_ring(store, now.plus_seconds(LATE + 1)), "it may be away");
        synchronized(store, now.plus_seconds(LATE + 2), RunOutcome::Succeeded);
        assert!(!in_ring(store, now.plus_seconds(LATE + 2)), "it is there, and asks for nothing");

        // It asks once a day, as is known then.
        let second = now.plus_seconds(day);
        asks(&app, WEST, true, second);
        // Two lists of one synchronization.
        asks(&app, WEST, true, second.plus_seconds(1));
        synchronized(store, second.plus_seconds(day), RunOutcome::Succeeded);
        assert!(in_ring(store, second.plus_seconds(day)));
        let said = store.alerts().unwrap().remove(0).text;
        let due = store.ring(second).unwrap().unwrap().due();
        assert_eq!(due, second.plus_seconds(1 + day + LATE));
        assert!(said.contains(&due.iso()), "{said}");
        synchronized(store, due, RunOutcome::Succeeded);
        assert!(!in_ring(store, due));
    }

    #[tokio::test]
    async fn an_upstream_below_servers_below_is_a_ring_once_it_told_of_itself_there_while_it_was_the_upstream()
     {
        let (_dir, app, now) = below_west().await;
        let store = &app.store;
        let told = |id: u128, parent: Option<u128>, at: i64| RolledServer {
            id: Guid::from_u128(id),
            name: format!("s{id}"),
            parent: parent.map(Guid::from_u128),
            version: String::new(),
            is_replica: false,
            last_sync: None,
            last_rollup: Some(now.plus_seconds(at)),
            summary: ServerSummary::default(),
            clients: Vec::new(),
        };
        // Server 8 is below this one, and remembers that west was below it.
        let tells = |west: i64, at: i64| {
            let at = now.plus_seconds(at);
            assert!(store.roll_up_servers(vec![told(8, None, 0)], at).unwrap());
            assert!(store.roll_up_servers(vec![told(WEST, Some(8), west)], at).unwrap());
            // As each synchronization here does with what is above.
            store.forget_downstream(Guid::from_u128(WEST), at).unwrap();
            in_ring(store, at)
        };
        assert!(!tells(-500, 0), "it may have been there before it became the upstream here");
        assert!(!tells(-500, 600), "and nobody told 8 that it went");
        assert!(!tells(-900, 700));
        assert!(tells(100, 800), "it still is below 8");
        let said = store.alerts().unwrap().remove(0).text;
        assert!(said.contains("through others") && said.contains("`s6`"), "{said}");
        // It went: 8 tells on what it remembers.
        assert!(tells(100, 900));
        synchronized(store, now.plus_seconds(800 + LATE), RunOutcome::Succeeded);
        assert!(!tells(100, 800 + LATE));
        assert!(tells(4_000, 900 + LATE));
        // What is told of others is nothing.
        store.forget_ring(now).unwrap();
        assert!(!in_ring(store, now));
        for at in [1, 2] {
            assert!(store.roll_up_servers(vec![told(9, Some(8), at)], now).unwrap());
            assert!(store.roll_up_servers(vec![told(WEST, None, 5_000 + at)], now).unwrap());
        }
        assert!(!in_ring(store, now), "who tells of itself asks for updates too, and that counts");
    }
}
