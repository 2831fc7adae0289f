//! Two servers below with one id, as after a machine or a data folder was copied. An alert while it lasts; `downstream
//! list` and `diagnose` say so.

use crate::watching;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::Twins;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// What to do.
pub(crate) const REMEDY: &str = "stop the one that is the copy, run `sluicegate repair identity --data DIR` there, start it and \
                                 let it synchronize. Where only one is left, `sluicegate downstream forget ID` ends this \
                                 here, and so do seven days without the other";

/// What is wrong.
pub(crate) fn sentence(twins: &Twins) -> String {
    let names: Vec<String> = twins.names.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "{} ask in turns under one id ({}), as when a machine or a data folder was copied, so what one tells of its \
         computers and of itself takes the place of what the other told",
        names.join(" and "),
        twins.server
    )
}

/// All that is wrong, in one text; `None` when nothing is.
pub(crate) fn sentences(found: &[Twins]) -> Option<String> {
    (!found.is_empty()).then(|| found.iter().map(sentence).collect::<Vec<_>>().join("; "))
}

/// Raises or ends the alert.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let text = sentences(&store.downstream_twins(now)?).map(|said| format!("{said}; {REMEDY}"));
    watching::settle(store, AlertKind::SharedIdentity, text, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contacts, testing};
    use sluicegate_store::hierarchy::DownstreamContact;
    use sluicegate_terms::Guid;

    #[tokio::test]
    async fn servers_that_share_an_id_are_an_alert_that_names_both_and_the_way_out() {
        let (_dir, app) = testing::app().await;
        let (store, now) = (&app.store, app.clock.now());
        let id = Guid::from_u128(6);
        let asks = |minutes: i64, name: &str| {
            let at = now.plus_seconds(minutes * 60);
            let contact = DownstreamContact { id, name: name.to_owned(), at, synced: true };
            store.record_downstream(contact).unwrap();
            judge(store, at).unwrap();
            store.alerts().unwrap()
        };
        for (minutes, name) in (0..).zip(["west", "copy", "west"]) {
            assert!(asks(minutes, name).is_empty(), "{name}");
        }
        let alerts = asks(3, "copy");
        let said = &alerts.first().unwrap().text;
        assert_eq!(alerts.first().unwrap().kind, "shared-identity");
        assert!(said.contains("`copy` and `west`") && said.contains(&id.to_string()), "{said}");
        assert!(said.contains("sluicegate repair identity"), "{said}");
        store.forget_downstream(id, now).unwrap();
        judge(store, now).unwrap();
        assert!(store.alerts().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_the_contacts_say_is_an_alert_as_soon_as_they_are_written() {
        let (_dir, app) = testing::app().await;
        let start = app.clock.now();
        let asks = |id: u128, minutes: i64, name: &str| {
            let at = start.plus_seconds((minutes - 60) * 60);
            let contact =
                DownstreamContact { id: Guid::from_u128(id), name: name.to_owned(), at, synced: true };
            app.synchronized.lock().note(contact);
            contacts::write_back(&app).unwrap();
            app.store.alerts().unwrap().len()
        };
        let raised: Vec<usize> =
            (0..).zip(["west", "copy", "west", "copy"]).map(|(at, name)| asks(6, at, name)).collect();
        assert_eq!(raised, [0, 0, 0, 1]);
        assert_eq!(asks(7, 4, "copy"), 0, "the copy has an id of its own");
    }

    #[tokio::test]
    async fn servers_that_ask_in_turns_before_their_contacts_are_written_are_told_apart_too() {
        let (_dir, app) = testing::app().await;
        let start = app.clock.now();
        for (second, name) in (-9..).zip(["west", "west", "copy", "west", "copy"]) {
            let (id, at) = (Guid::from_u128(6), start.plus_seconds(second));
            app.synchronized.lock().note(DownstreamContact { id, name: name.to_owned(), at, synced: true });
        }
        contacts::write_back(&app).unwrap();
        assert_eq!(app.store.alerts().unwrap().len(), 1);
    }
}
