//! Store: what administrators decided. Rules are policy's; here a change is applied to a copy of the
//! decisions inside a transaction, the difference becomes rows, and the copy counts once it is durable.

use crate::Store;
use crate::columns::{Columns, for_rows, signed};
use crate::database::next_anchor;
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, Transaction, params};
use sluicegate_policy::{
    Approval, ApprovalAction, Change, Decisions, Group, GroupName, GroupTree, Subject, Withdrawal,
};
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, Timestamp, UpdateId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a change of decisions is made with: its place in history and fresh deployment ids.
#[derive(Debug)]
pub struct DecisionScope {
    /// The anchor the change will have, and its time.
    pub change: Change,
    next_deployment: i64,
}

impl DecisionScope {
    /// A deployment id never used before.
    ///
    /// # Errors
    /// [`StoreError::IdsExhausted`] after 2^30 approvals.
    pub fn deployment(&mut self) -> Result<DeploymentId, StoreError> {
        let id = DeploymentId::new(self.next_deployment)
            .map_err(|_| StoreError::IdsExhausted { what: "deployment id" })?;
        self.next_deployment += 1;
        Ok(id)
    }
}

/// An approval as an administrator orders it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalOrder {
    /// Which update.
    pub update: UpdateId,
    /// For which group.
    pub group: GroupId,
    /// What agents are to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who ordered it.
    pub by: String,
}

impl Store {
    /// The decisions as last committed. Cheap.
    #[must_use]
    pub fn decisions(&self) -> Arc<Decisions> {
        Arc::clone(&self.shared.decisions.read())
    }

    /// Changes decisions in one transaction that takes one anchor. `work` sees the current decisions
    /// and edits them with policy's own functions; when it fails, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::Replica`] when the upstream decides for this server, what `work` gives, or a failure to
    /// write.
    pub fn change_decisions<R>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Decisions, &mut DecisionScope) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.refuse_on_replica()?;
        self.change_decisions_inside(now, |_, decisions, scope| work(decisions, scope))
    }

    /// [`Store::change_decisions`] whoever decides, with the transaction for what belongs to the change.
    pub(crate) fn change_decisions_inside<R>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&Transaction<'_>, &mut Decisions, &mut DecisionScope) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let change = |tx: &Transaction<'_>| {
            let anchor = next_anchor(tx)?;
            let last: i64 = tx
                .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'approval'", [], |r| r.get(0))
                .during("read the last deployment id")?;
            let mut scope =
                DecisionScope { change: Change { anchor, at: now }, next_deployment: last.saturating_add(1) };
            // The writer is ours until `install` has run, so nobody changes decisions behind us.
            let before = self.decisions();
            let mut after = Decisions::clone(&before);
            let result = work(tx, &mut after, &mut scope)?;
            write_difference(tx, &before, &after)?;
            Ok((result, Arc::new(after)))
        };
        let install = |(_, after): &(R, Arc<Decisions>)| *self.shared.decisions.write() = Arc::clone(after);
        self.shared.database.write_alone(change, install).map(|(result, _)| result)
    }

    /// Approves an update for a group (or sets it to not approved), in place of what was decided there.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`] when the rules forbid it, or a failure to
    /// write.
    pub fn approve(&self, order: ApprovalOrder, now: Timestamp) -> Result<Approval, StoreError> {
        let subject = self.subject(order.update)?;
        self.change_decisions(now, |decisions, scope| {
            let approval = Approval {
                update: order.update,
                group: order.group,
                action: order.action,
                deadline: order.deadline,
                deployment: scope.deployment()?,
                changed: scope.change.anchor,
                changed_at: scope.change.at,
                by: order.by,
            };
            decisions.approve(&subject, approval.clone())?;
            Ok(approval)
        })
    }

    /// Withdraws approvals of an update: for one group, or all of them.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`], or a failure to write.
    pub fn unapprove(
        &self,
        update: UpdateId,
        group: Option<GroupId>,
        by: String,
        now: Timestamp,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.subject(update)?;
        self.change_decisions(now, |decisions, scope| {
            let next = Approval {
                update,
                group: group.unwrap_or(GroupId::ALL_COMPUTERS),
                action: ApprovalAction::NotApproved,
                deadline: None,
                deployment: scope.deployment()?,
                changed: scope.change.anchor,
                changed_at: scope.change.at,
                by,
            };
            Ok(decisions.unapprove(update, group, next)?)
        })
    }

    /// Declines an update for everybody.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`], or a failure to write.
    pub fn decline(&self, update: UpdateId, now: Timestamp) -> Result<(), StoreError> {
        let subject = self.subject(update)?;
        self.change_decisions(now, |decisions, scope| Ok(decisions.decline(&subject, scope.change)?))
    }

    /// Makes a target group below `parent` (All Computers when `None`).
    ///
    /// # Errors
    /// [`StoreError::Decision`] when the name is taken or the parent does not fit, or a failure to write.
    pub fn create_group(
        &self,
        name: GroupName,
        parent: Option<GroupId>,
        now: Timestamp,
    ) -> Result<Group, StoreError> {
        let id = GroupId(crate::keys::random_guid()?);
        self.change_decisions(now, |decisions, _| Ok(decisions.groups.create(id, name, parent)?.clone()))
    }

    /// What policy needs to know about an update to judge a decision about it.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn subject(&self, update: UpdateId) -> Result<Subject, StoreError> {
        let newest = self.newest_record(update)?;
        let bundled_by = self.shared.database.read(|db| {
            db.prepare_cached("SELECT bundle FROM bundle_member WHERE member = ?1 LIMIT 1")
                .and_then(|mut s| {
                    let mut rows = s.query([update.0.as_bytes()])?;
                    rows.next()?.map(|row| row.get::<_, [u8; 16]>(0)).transpose()
                })
                .during("look up the bundles of an update")
        })?;
        Ok(Subject {
            update,
            kind: newest.kind,
            explicitly_deployable: newest.explicitly_deployable,
            expired: newest.expired,
            bundled_by: bundled_by.map(|id| UpdateId(Guid::from_bytes(id))),
        })
    }
}

/// Loads everything that was decided.
pub(crate) fn load(db: &Connection) -> Result<Decisions, StoreError> {
    let mut groups = Vec::new();
    query(db, "SELECT id, name, parent FROM target_group", |row| {
        let name = row.text(1)?.parse::<GroupName>()?;
        let parent = row.get::<_, Option<[u8; 16]>>(2).during("read a group")?;
        groups.push(Group { id: row.group(0)?, name, parent: parent.map(|p| GroupId(Guid::from_bytes(p))) });
        Ok(())
    })?;
    let reshaped = db
        .query_row("SELECT value FROM counter WHERE name = 'reshaped'", [], |row| row.get::<_, i64>(0))
        .during("read when groups were moved")?;
    let mut decisions = Decisions {
        groups: GroupTree::restore(groups, Anchor(reshaped.unsigned_abs()))?,
        ..Decisions::default()
    };
    query(
        db,
        "SELECT update_id, group_id, action, deadline, deployment, changed, changed_at, decided_by FROM approval",
        |row| {
            let approval = Approval {
                update: row.update(0)?,
                group: row.group(1)?,
                action: row.text(2)?.parse()?,
                deadline: row.time_if_any(3)?,
                deployment: DeploymentId::new(row.int(4)?).stored_as("deployment id")?,
                changed: row.anchor(5)?,
                changed_at: row.time(6)?,
                by: row.text(7)?,
            };
            decisions.approvals.insert((approval.update, approval.group), approval);
            Ok(())
        },
    )?;
    query(db, "SELECT update_id, group_id, changed, changed_at FROM withdrawn", |row| {
        let change = Change { anchor: row.anchor(2)?, at: row.time(3)? };
        decisions.withdrawn.insert((row.update(0)?, row.group(1)?), change);
        Ok(())
    })?;
    for (sql, marks) in [
        ("SELECT update_id, changed, changed_at FROM decline", &mut decisions.declined),
        ("SELECT update_id, changed, changed_at FROM restored", &mut decisions.restored),
    ] {
        query(db, sql, |row| {
            marks.insert(row.update(0)?, Change { anchor: row.anchor(1)?, at: row.time(2)? });
            Ok(())
        })?;
    }
    Ok(decisions)
}

fn query(
    db: &Connection,
    sql: &str,
    each: impl FnMut(&rusqlite::Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare(sql).during("read decisions")?;
    let mut rows = statement.query([]).during("read decisions")?;
    for_rows(&mut rows, each)
}

/// What has to be deleted and what inserted to turn one map's rows into the other's. A changed entry is
/// both.
fn difference<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> (Vec<&'a K>, Vec<(&'a K, &'a V)>) {
    let gone = before.iter().filter(|(k, v)| after.get(*k) != Some(*v)).map(|(k, _)| k).collect();
    let new = after.iter().filter(|(k, v)| before.get(*k) != Some(*v)).collect();
    (gone, new)
}

fn write_difference(tx: &Transaction<'_>, before: &Decisions, after: &Decisions) -> Result<(), StoreError> {
    // Groups refer to each other, approvals to groups; all is checked at the commit.
    tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("begin a change of decisions")?;
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a decision").map(|_| ())
    };

    let (gone, new) = difference(&before.approvals, &after.approvals);
    for (update, group) in gone {
        run(
            "DELETE FROM approval WHERE update_id = ?1 AND group_id = ?2",
            params![update.0.as_bytes(), group.0.as_bytes()],
        )?;
    }
    for ((update, group), a) in new {
        run(
            "INSERT INTO approval (deployment, update_id, group_id, action, deadline, changed, changed_at, decided_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                a.deployment.get(),
                update.0.as_bytes(),
                group.0.as_bytes(),
                a.action.as_str(),
                a.deadline.map(Timestamp::ticks),
                signed(a.changed.0),
                a.changed_at.ticks(),
                a.by
            ],
        )?;
    }
    let (gone, new) = difference(&before.withdrawn, &after.withdrawn);
    for (update, group) in gone {
        run(
            "DELETE FROM withdrawn WHERE update_id = ?1 AND group_id = ?2",
            params![update.0.as_bytes(), group.0.as_bytes()],
        )?;
    }
    for ((update, group), change) in new {
        run(
            "INSERT INTO withdrawn (update_id, group_id, changed, changed_at) VALUES (?1, ?2, ?3, ?4)",
            params![update.0.as_bytes(), group.0.as_bytes(), signed(change.anchor.0), change.at.ticks()],
        )?;
    }
    for (before, after, delete, insert) in [
        (
            &before.declined,
            &after.declined,
            "DELETE FROM decline WHERE update_id = ?1",
            "INSERT INTO decline (update_id, changed, changed_at) VALUES (?1, ?2, ?3)",
        ),
        (
            &before.restored,
            &after.restored,
            "DELETE FROM restored WHERE update_id = ?1",
            "INSERT INTO restored (update_id, changed, changed_at) VALUES (?1, ?2, ?3)",
        ),
    ] {
        let (gone, new) = difference(before, after);
        for update in gone {
            run(delete, params![update.0.as_bytes()])?;
        }
        for (update, change) in new {
            run(insert, params![update.0.as_bytes(), signed(change.anchor.0), change.at.ticks()])?;
        }
    }
    write_groups(tx, &before.groups, &after.groups)
}

fn write_groups(tx: &Transaction<'_>, before: &GroupTree, after: &GroupTree) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a group").map(|_| ())
    };
    for gone in before.iter().filter(|g| after.get(g.id).is_none()) {
        // Its computers fall back to Unassigned Computers, which is having no membership.
        run("DELETE FROM membership WHERE group_id = ?1", params![gone.id.0.as_bytes()])?;
        run("DELETE FROM target_group WHERE id = ?1", params![gone.id.0.as_bytes()])?;
    }
    let changed: Vec<&Group> = after.iter().filter(|g| before.get(g.id) != Some(*g)).collect();
    // Names are freed first, so that two groups can trade theirs in one change.
    for group in &changed {
        run(
            "UPDATE target_group SET name_key = hex(id) || ' moving' WHERE id = ?1",
            params![group.id.0.as_bytes()],
        )?;
    }
    for group in changed {
        run(
            "INSERT INTO target_group (id, name, name_key, parent) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET name = ?2, name_key = ?3, parent = ?4",
            params![
                group.id.0.as_bytes(),
                group.name.as_str(),
                group.name.as_str().to_lowercase(),
                group.parent.as_ref().map(|p| p.0.as_bytes())
            ],
        )?;
    }
    if before.reshaped() != after.reshaped() {
        run("UPDATE counter SET value = ?1 WHERE name = 'reshaped'", params![signed(after.reshaped().0)])?;
    }
    Ok(())
}
