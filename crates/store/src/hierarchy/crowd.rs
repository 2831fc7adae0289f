//! Store: how many downstream servers are remembered. Anyone on the network can say that it is one (MS-WSUSSS
//! 3.1.4.2 asks for a name and an id, no more), so the table of those that nobody vouched for has a bound.

use super::downstream::{allowed, is_allowed};
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_terms::Guid;

/// Most servers that are remembered without standing on the list of allowed ones.
pub(super) const MOST_STRANGERS: usize = 10_000;

/// Forgets the servers that count least when there are more than `most` nobody vouched for: first those that
/// only ever asked for a cookie, then those heard of longest ago. What is on the list of allowed servers stays.
pub(super) fn keep_within(tx: &Transaction<'_>, most: usize) -> Result<(), StoreError> {
    let during = "bound the downstream servers";
    let all: i64 = tx
        .prepare_cached("SELECT count(*) FROM downstream_server")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .during(during)?;
    if usize::try_from(all).is_ok_and(|all| all <= most) {
        return Ok(());
    }
    let vouched_for = allowed(tx)?;
    let strangers: Vec<Guid> = {
        let mut statement = tx
            .prepare_cached(
                "SELECT server_id, name FROM downstream_server
                 ORDER BY last_sync IS NULL AND last_rollup IS NULL, last_contact DESC, server_id",
            )
            .during(during)?;
        let rows = statement
            .query_map([], |row| Ok((Guid::from_bytes(row.get(0)?), row.get::<_, String>(1)?)))
            .during(during)?;
        let known = rows.collect::<Result<Vec<_>, _>>().during(during)?;
        // An empty list allows everyone and vouches for no one.
        let stranger =
            |(id, name): &(Guid, String)| vouched_for.is_empty() || !is_allowed(&vouched_for, *id, name);
        known.into_iter().filter(stranger).map(|(id, _)| id).collect()
    };
    for gone in strangers.iter().skip(most) {
        tx.prepare_cached("DELETE FROM downstream_server WHERE server_id = ?1")
            .and_then(|mut s| s.execute(params![gone.as_bytes()]))
            .during(during)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{DownstreamContact, RolledServer, ServerSummary};
    use super::MOST_STRANGERS;
    use crate::{Store, StoreOptions};
    use sluicegate_terms::{Guid, Timestamp};
    use std::collections::BTreeSet;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    fn server(number: usize, told: Option<i64>) -> RolledServer {
        RolledServer {
            id: Guid::from_u128(number as u128),
            name: format!("server{number}.example.net"),
            parent: None,
            version: String::new(),
            is_replica: false,
            last_sync: None,
            last_rollup: told.map(at),
            summary: ServerSummary::default(),
            clients: Vec::new(),
        }
    }

    fn contact(number: usize, seconds: i64, synced: bool) -> DownstreamContact {
        let RolledServer { id, name, .. } = server(number, None);
        DownstreamContact { id, name, at: at(seconds), synced }
    }

    fn known(store: &Store) -> BTreeSet<u128> {
        let servers = store.downstream_servers().unwrap();
        servers.iter().map(|server| u128::from_be_bytes(*server.told.id.as_bytes())).collect()
    }

    #[test]
    fn strangers_without_number_do_not_push_out_servers_that_synchronize_or_that_are_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(at(0))).unwrap();
        store.record_downstream(contact(1, 0, true)).unwrap();
        store.record_downstream(contact(2, 0, false)).unwrap();
        store.set_allowed_downstream(&["server2.example.net".to_owned()], at(0)).unwrap();
        // As a flood of cookies would leave them: no synchronization, no rollup.
        let crowd: Vec<RolledServer> = (10..10 + MOST_STRANGERS - 1).map(|n| server(n, None)).collect();
        assert!(store.roll_up_servers(crowd, at(10)).unwrap());
        assert_eq!(store.downstream_servers().unwrap().len(), MOST_STRANGERS + 1);
        for (number, seconds) in [(900_001, 20), (900_002, 21)] {
            store.record_downstream(contact(number, seconds, false)).unwrap();
            let known = known(&store);
            assert_eq!(known.len(), MOST_STRANGERS + 1);
            let all = |ids: &[u128]| ids.iter().all(|id| known.contains(id));
            assert!(all(&[1, 2, number as u128]), "the newest, and those that count");
        }
        // One that is known makes no room.
        store.record_downstream(contact(900_001, 30, true)).unwrap();
        assert_eq!(known(&store).len(), MOST_STRANGERS + 1);
    }

    #[test]
    fn a_rollup_that_names_too_many_leaves_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(at(0))).unwrap();
        let of = |from: usize| (from..from + 6_000).map(|n| server(n, Some(0))).collect::<Vec<_>>();
        assert!(store.roll_up_servers(of(1), at(1)).unwrap());
        assert!(store.roll_up_servers(of(6_001), at(2)).unwrap());
        let known = known(&store);
        assert_eq!(known.len(), MOST_STRANGERS);
        assert!((6_001..=12_000).all(|id| known.contains(&id)));
    }
}
