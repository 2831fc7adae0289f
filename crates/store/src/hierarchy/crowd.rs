//! Store: how many downstream servers and computers of theirs are remembered. Anyone on the network can say that it is one (MS-WSUSSS
//! 3.1.4.2 asks for a name and an id, no more), so the table of those that nobody vouched for has a bound.

use super::allowed::{is_allowed, load};
use super::place;
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Transaction, params};
use sluicegate_terms::{ComputerId, Guid};
use std::collections::BTreeSet;

/// Most servers that are remembered without standing on the list of allowed ones.
pub(super) const MOST_STRANGERS: usize = 10_000;

/// Forgets the servers that count least when there are more than `most` nobody vouched for: first those that
/// only ever asked for a cookie, then those heard of longest ago. What is on the list of allowed servers stays. Answers the own
/// rows of computers that were known there, too.
pub(super) fn keep_within(tx: &Transaction<'_>, most: usize) -> Result<Vec<i64>, StoreError> {
    let during = "bound the downstream servers";
    let all: i64 = tx
        .prepare_cached("SELECT count(*) FROM downstream_server")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .during(during)?;
    if usize::try_from(all).is_ok_and(|all| all <= most) {
        return Ok(Vec::new());
    }
    let vouched_for = load(tx)?;
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
    let mut moved = Vec::new();
    for gone in strangers.iter().skip(most) {
        moved.extend(place::own_of_server(tx, *gone)?);
        tx.prepare_cached("DELETE FROM downstream_server WHERE server_id = ?1")
            .and_then(|mut s| s.execute(params![gone.as_bytes()]))
            .during(during)?;
    }
    Ok(moved)
}

/// How many computers of downstream servers are remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MostComputers {
    /// Of one server, those of servers below it not counted.
    pub(super) of_one: usize,
    /// Of all.
    pub(super) in_all: usize,
}

impl MostComputers {
    /// Several times what one update server can serve, and what the largest trees have.
    pub(super) const USUAL: Self = Self { of_one: 100_000, in_all: 500_000 };
}

/// Forgets the computers that asked for updates longest ago when there are more than `most`, of one of
/// `servers` or of all servers. Answers those that are gone.
pub(super) fn keep_computers_within(
    tx: &Transaction<'_>,
    servers: &BTreeSet<Guid>,
    most: MostComputers,
) -> Result<Vec<ComputerId>, StoreError> {
    let mut gone = Vec::new();
    let whose = servers.iter().map(|id| (Some(*id), most.of_one)).chain([(None, most.in_all)]);
    for (server, most) in whose {
        let during = "bound the computers of downstream servers";
        let known: i64 = match server {
            Some(id) => tx
                .prepare_cached("SELECT count(*) FROM downstream_computer WHERE server_id = ?1")
                .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0))),
            None => tx
                .prepare_cached("SELECT count(*) FROM downstream_computer")
                .and_then(|mut s| s.query_row([], |row| row.get(0))),
        }
        .during(during)?;
        let beyond = known.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX));
        if beyond <= 0 {
            continue;
        }
        let mut statement = tx
            .prepare_cached(
                "DELETE FROM downstream_computer WHERE id IN (
                     SELECT id FROM downstream_computer WHERE ?1 IS NULL OR server_id = ?1
                     ORDER BY last_sync, id LIMIT ?2) RETURNING computer_id",
            )
            .during(during)?;
        let rows = statement
            .query_map(params![server.as_ref().map(Guid::as_bytes), beyond], |row| row.get::<_, String>(0))
            .during(during)?;
        for id in rows {
            gone.push(id.during(during)?.parse().stored_as("computer id")?);
        }
        match server {
            Some(server) => tracing::warn!(
                %server,
                most,
                forgotten = beyond,
                "a downstream server tells of more computers than are kept of one; those that asked for updates \
                 longest ago were forgotten"
            ),
            None => tracing::warn!(
                most,
                forgotten = beyond,
                "downstream servers tell of more computers than are kept; those that asked for updates longest \
                 ago were forgotten"
            ),
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::super::{DownstreamContact, RolledComputer, RolledServer, RollupChange, ServerSummary};
    use super::{MOST_STRANGERS, MostComputers};
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

    fn computer(id: &str, server: u128, asked: i64) -> RolledComputer {
        RolledComputer {
            id: id.parse().unwrap(),
            server: Guid::from_u128(server),
            last_sync: Some(at(asked)),
            last_sync_result: 1,
            last_reboot: None,
            last_status: None,
            last_inventory: None,
            details: None,
        }
    }

    #[test]
    fn computers_beyond_what_is_kept_of_one_server_or_of_all_go_the_longest_silent_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(at(0))).unwrap();
        assert!(store.roll_up_servers(vec![server(1, Some(0)), server(2, Some(0))], at(0)).unwrap());
        let most = MostComputers { of_one: 3, in_all: 4 };
        let tell = |computers: Vec<RolledComputer>| {
            let changes = store.roll_up_computers_within(computers, at(1_000), most).unwrap().unwrap();
            changes.into_iter().map(|(id, change)| (id.to_string(), change)).collect::<Vec<_>>()
        };
        let known = || {
            let filter = super::super::DownstreamComputerFilter { limit: 100, ..Default::default() };
            let all = store.downstream_computers(&filter).unwrap();
            all.iter().map(|one| one.told.id.to_string()).collect::<BTreeSet<_>>()
        };
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        tell(vec![computer("a1", 1, 10), computer("a2", 1, 20), computer("a3", 1, 30)]);
        assert_eq!(known(), of(&["a1", "a2", "a3"]));
        // One that is older than all that are kept is told to be of no interest.
        assert_eq!(tell(vec![computer("a0", 1, 5)]), [("a0".to_owned(), RollupChange::Deleted)]);
        tell(vec![computer("a4", 1, 40)]);
        assert_eq!(known(), of(&["a2", "a3", "a4"]), "of one server");
        tell(vec![computer("b1", 2, 25), computer("b2", 2, 26)]);
        assert_eq!(known(), of(&["a3", "a4", "b1", "b2"]), "of all");
    }
}
