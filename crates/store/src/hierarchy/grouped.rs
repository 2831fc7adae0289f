//! Store: computers of servers below by target group. Replicas have the groups of this server, so what is decided here about
//! a group holds for their computers; servers that decide themselves have groups of their own.

use super::details::ComputerDetails;
use super::place::BELOW;
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, params};
use sluicegate_browse::ComputerSummary;
use sluicegate_policy::{GroupTree, UpdateState};
use sluicegate_terms::{GroupId, Guid};
use std::collections::{BTreeMap, BTreeSet};

const DURING: &str = "look which groups computers of servers below are in";

/// Servers below that have this server's groups: replicas, with nothing but replicas between.
const REPLICAS: &str = "WITH RECURSIVE replica (id) AS (
         SELECT server_id FROM downstream_server WHERE parent IS NULL AND is_replica = 1
         UNION SELECT s.server_id FROM replica r JOIN downstream_server s ON s.parent = r.id AND s.is_replica = 1)";

/// A server below that has some of the computers in question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareBelow {
    /// The server's id.
    pub server: Guid,
    /// The server's name.
    pub name: String,
    /// How many of the computers.
    pub computers: u64,
}

/// Computers of replicas below that are in some groups, as they told last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupedBelow {
    /// By the worst that is known of them.
    pub computers: ComputerSummary,
    /// The servers that have them, by name.
    pub servers: Vec<ShareBelow>,
    /// Computers of replicas that may be in the groups too: nobody told which ones they are in.
    pub untold: u64,
    /// Computers of servers that decide themselves, which have groups of their own.
    pub own_groups: u64,
}

/// How many computers of replicas below are directly in each group, as they told last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupSizesBelow {
    /// By group; groups without any are left out.
    pub sizes: BTreeMap<GroupId, u64>,
    /// Computers of replicas of which nobody told in which groups they are.
    pub untold: u64,
    /// Computers of servers that decide themselves, which have groups of their own.
    pub own_groups: u64,
}

impl Store {
    /// How many computers of replicas below are directly in each group; `None` when no server is known below.
    ///
    /// # Errors
    /// A failure to read.
    pub fn group_sizes_below(&self) -> Result<Option<GroupSizesBelow>, StoreError> {
        self.flush_contacts_if_possible();
        let decisions = self.decisions();
        self.shared.database.read(|db| {
            let db = db.transaction().during(DURING)?;
            if !any_server(&db)? {
                return Ok(None);
            }
            let mut found = GroupSizesBelow { own_groups: own_groups(&db)?, ..GroupSizesBelow::default() };
            each(&db, |computer| {
                match computer.groups(&decisions.groups) {
                    None => found.untold += 1,
                    Some(groups) => {
                        groups.into_iter().for_each(|group| *found.sizes.entry(group).or_default() += 1);
                    }
                }
                Ok(())
            })?;
            Ok(Some(found))
        })
    }

    /// The computers of replicas below that are in a group or in those nested in it, or all of them; `None` when no server
    /// is known below. Updates that are declined here do not count.
    ///
    /// # Errors
    /// A failure to read.
    pub fn summary_below(&self, group: Option<GroupId>) -> Result<Option<GroupedBelow>, StoreError> {
        self.flush_contacts_if_possible();
        let decisions = self.decisions();
        let tree = &decisions.groups;
        let inside = group.filter(|top| *top != GroupId::ALL_COMPUTERS).map(|top| {
            tree.iter().map(|group| group.id).filter(|id| tree.path(*id).any(|above| above == top)).collect()
        });
        self.shared.database.read(|db| {
            let db = db.transaction().during(DURING)?;
            if any_server(&db)? { in_groups(&db, inside.as_ref(), tree).map(Some) } else { Ok(None) }
        })
    }
}

/// The computers of replicas below that are in one of these groups, or all of them.
pub(crate) fn in_groups(
    db: &Connection,
    wanted: Option<&BTreeSet<GroupId>>,
    tree: &GroupTree,
) -> Result<GroupedBelow, StoreError> {
    let mut found = GroupedBelow { own_groups: own_groups(db)?, ..GroupedBelow::default() };
    let mut servers: BTreeMap<Guid, u64> = BTreeMap::new();
    each(db, |computer| {
        let groups = computer.groups(tree);
        found.untold += u64::from(groups.is_none());
        let counts = match (wanted, groups) {
            (None, _) => true,
            (Some(wanted), Some(groups)) => groups.iter().any(|group| wanted.contains(group)),
            (Some(_), None) => false,
        };
        if counts {
            *servers.entry(computer.server).or_default() += 1;
            count(db, &computer, &mut found.computers)?;
        }
        Ok(())
    })?;
    for (server, computers) in servers {
        let name = db
            .prepare_cached("SELECT name FROM downstream_server WHERE server_id = ?1")
            .and_then(|mut s| s.query_row([server.as_bytes()], |row| row.get(0)))
            .during(DURING)?;
        found.servers.push(ShareBelow { server, name, computers });
    }
    found.servers.sort_by(|a, b| (&a.name, a.server).cmp(&(&b.name, b.server)));
    Ok(found)
}

/// A computer of a replica below.
struct Found {
    row: i64,
    server: Guid,
    /// The groups that were told; `None` when none ever were.
    told: Option<Vec<GroupId>>,
    has_status: bool,
}

impl Found {
    /// The groups of this server that it is in; `None` when nobody told.
    fn groups(&self, tree: &GroupTree) -> Option<BTreeSet<GroupId>> {
        let known = |id: &GroupId| *id != GroupId::ALL_COMPUTERS && tree.get(*id).is_some();
        let mut groups: BTreeSet<GroupId> = self.told.as_ref()?.iter().copied().filter(known).collect();
        if groups.is_empty() {
            groups.insert(GroupId::UNASSIGNED_COMPUTERS);
        }
        Some(groups)
    }
}

fn each(db: &Connection, mut each: impl FnMut(Found) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let sql = format!(
        "{REPLICAS} SELECT c.id, c.server_id, substr(c.details, 1, ?1), c.status_mark IS NOT NULL
         FROM downstream_computer c WHERE c.server_id IN (SELECT id FROM replica) AND {BELOW}"
    );
    let mut statement = db.prepare_cached(&sql).during(DURING)?;
    let mut rows = statement.query([ComputerDetails::GROUPS_WITHIN]).during(DURING)?;
    for_rows(&mut rows, |row| {
        let details: Option<Vec<u8>> = row.get(2).during(DURING)?;
        each(Found {
            row: row.int(0)?,
            server: row.guid(1)?,
            told: details.and_then(|bytes| ComputerDetails::groups_of(&bytes).ok()),
            has_status: row.int(3)? != 0,
        })
    })
}

fn count(db: &Connection, computer: &Found, counts: &mut ComputerSummary) -> Result<(), StoreError> {
    let needed = [UpdateState::NotInstalled, UpdateState::Downloaded, UpdateState::InstalledPendingReboot];
    let [first, second, third] = needed.map(|state| state as u8);
    let (failed, needing): (bool, bool) = db
        .prepare_cached(
            "SELECT coalesce(max(state = ?2), 0), coalesce(max(state IN (?3, ?4, ?5)), 0) FROM downstream_status
             WHERE computer = ?1 AND update_id NOT IN (SELECT update_id FROM decline)",
        )
        .and_then(|mut s| {
            let values = params![computer.row, UpdateState::Failed as u8, first, second, third];
            s.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .during("count what computers of servers below need")?;
    counts.total += 1;
    *match (failed, needing, computer.has_status) {
        (true, ..) => &mut counts.failed,
        (_, true, _) => &mut counts.needing,
        (_, _, true) => &mut counts.up_to_date,
        (_, _, false) => &mut counts.no_status,
    } += 1;
    Ok(())
}

fn any_server(db: &Connection) -> Result<bool, StoreError> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM downstream_server)")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .during(DURING)
}

/// How many computers are at servers that have groups of their own, or below these.
fn own_groups(db: &Connection) -> Result<u64, StoreError> {
    let sql = format!(
        "{REPLICAS} SELECT count(*) FROM downstream_computer c
         WHERE c.server_id NOT IN (SELECT id FROM replica) AND {BELOW}"
    );
    let count: i64 =
        db.prepare_cached(&sql).and_then(|mut s| s.query_row([], |row| row.get(0))).during(DURING)?;
    Ok(count.unsigned_abs())
}
