//! Servers in a ring: the upstream takes its catalog from this server. An alert while it lasts, `upstream show` and
//! `diagnose` say so.

use crate::watching;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::Ring;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// What to do.
pub(crate) const REMEDY: &str = "set another upstream on one of the two with `sluicegate upstream set`: on the server \
                                 that is to be on top `microsoft-update`, or `none` where catalogs are imported";

/// What is wrong.
pub(crate) fn sentence(ring: &Ring) -> String {
    format!(
        "the upstream takes its catalog from this server: `{}` ({}) last asked for updates at {}, so neither gets anything \
         new from the other",
        ring.name,
        ring.server,
        ring.asked.iso()
    )
}

/// Raises or ends the alert.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let text = store
        .ring(now)?
        .map(|ring| format!("{}; {REMEDY}. This ends two days after it last asked", sentence(&ring)));
    watching::settle(store, AlertKind::UpstreamRing, text, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use sluicegate_store::hierarchy::{DownstreamContact, RING_ENDS, UpstreamSettings, UpstreamSource};
    use sluicegate_terms::Guid;

    fn kinds(store: &Store) -> Vec<String> {
        store.alerts().unwrap().into_iter().map(|alert| alert.kind).collect()
    }

    #[tokio::test]
    async fn an_upstream_that_asks_here_is_an_alert_until_it_asks_no_more_or_is_another() {
        let (_dir, app) = testing::app().await;
        let (store, now) = (&app.store, app.clock.now());
        let set = |address: &str| {
            let source = Some(UpstreamSource::Server(address.to_owned()));
            store
                .set_upstream_settings(UpstreamSettings { source, ..UpstreamSettings::default() }, now)
                .unwrap();
        };
        let asks = |id: u128, synced, at| {
            let contact = DownstreamContact { id: Guid::from_u128(id), name: "west".to_owned(), at, synced };
            store.record_downstream(contact).unwrap();
        };
        // It was below, and is the upstream now: it need not be below any more.
        asks(6, true, now);
        set("http://127.0.0.1:1");
        store.note_upstream_server(Guid::from_u128(6), now).unwrap();
        judge(store, now).unwrap();
        assert!(kinds(store).is_empty(), "servers may trade places");
        asks(7, true, now);
        asks(6, false, now);
        judge(store, now).unwrap();
        assert!(kinds(store).is_empty(), "others may ask, and who only tries the way takes nothing");

        asks(6, true, now.plus_seconds(60));
        judge(store, now.plus_seconds(60)).unwrap();
        assert_eq!(kinds(store), ["upstream-ring"]);
        let said = store.alerts().unwrap().remove(0).text;
        assert!(said.contains("`west`") && said.contains("sluicegate upstream set"), "{said}");
        // Telling the upstream of the servers below forgets it as one of them; that ends nothing.
        store.forget_downstream(Guid::from_u128(6), now).unwrap();
        judge(store, now.plus_seconds(59 + RING_ENDS)).unwrap();
        assert_eq!(kinds(store), ["upstream-ring"]);
        judge(store, now.plus_seconds(60 + RING_ENDS)).unwrap();
        assert!(kinds(store).is_empty(), "it asks no more");

        asks(6, true, now);
        judge(store, now).unwrap();
        assert_eq!(kinds(store).len(), 1);
        set("http://127.0.0.1:2");
        watching::forget_upstream(store, now).unwrap();
        assert!(!kinds(store).contains(&"upstream-ring".to_owned()), "another upstream is set");
    }
}
