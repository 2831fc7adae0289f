//! Store: the decisions of the mode a server is not in. Becoming a replica puts the local groups, approvals
//! and declines aside, becoming autonomous brings them back; the same the other way round, so that
//! switching loses nothing.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::decisions::{DecisionScope, refused, subject};
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_policy::hierarchy::{Adopted, Mode, UpstreamDecisions, UpstreamDeployment, adopt};
use sluicegate_policy::{Decisions, EulaId, Group, GroupName};
use sluicegate_terms::{GroupId, Guid, Timestamp, UpdateId};

/// What an upstream answered about groups and deployments (GetDeployments, MS-WSUSSS 3.1.4.10).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeploymentNews {
    /// All of its groups.
    pub groups: Vec<Group>,
    /// Deployments that are new or different.
    pub deployments: Vec<UpstreamDeployment>,
    /// Deployments that are gone.
    pub dead: Vec<Guid>,
    /// All of its declined updates.
    pub declined: Vec<UpdateId>,
    /// All licence terms that were accepted there.
    pub accepted: Vec<EulaId>,
    /// The anchor to ask with next time.
    pub anchor: String,
    /// It is all of it: what is not named is gone.
    pub complete: bool,
}

impl Store {
    /// Puts the upstream's groups and decisions in place of this server's, in one transaction with the
    /// anchor. Computers stay in the groups that remain.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when this server is no replica, or a failure to read or write.
    pub fn adopt_deployments(&self, news: &DeploymentNews, now: Timestamp) -> Result<Adopted, StoreError> {
        let settings = self.upstream_settings();
        let Some(upstream) = settings.decided_by() else {
            return Err(StoreError::Invalid {
                what: "an upstream's decision",
                reason: "this server is not a replica; its own administrators decide".to_owned(),
            });
        };
        self.change_decisions_inside(now, |tx, decisions, scope| {
            self.refuse_for_another_upstream(tx)?;
            let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
                tx.prepare_cached(sql)
                    .and_then(|mut s| s.execute(values))
                    .during("write the upstream's deployments")
                    .map(|_| ())
            };
            if news.complete {
                run("DELETE FROM upstream_deployment", &[])?;
            }
            for guid in &news.dead {
                run("DELETE FROM upstream_deployment WHERE guid = ?1", params![guid.as_bytes()])?;
            }
            for d in &news.deployments {
                run(
                    "INSERT INTO upstream_deployment (guid, update_id, group_id, action, deadline, admin)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (guid) DO UPDATE SET
                         update_id = ?2, group_id = ?3, action = ?4, deadline = ?5, admin = ?6",
                    params![
                        d.guid.as_bytes(),
                        d.update.0.as_bytes(),
                        d.group.0.as_bytes(),
                        d.action.as_str(),
                        d.deadline.map(Timestamp::ticks),
                        d.by
                    ],
                )?;
            }
            run(
                "INSERT INTO sync_state (name, value) VALUES ('deployments-anchor', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = ?1",
                params![news.anchor],
            )?;
            let wanted = UpstreamDecisions {
                groups: news.groups.clone(),
                deployments: deployments(tx)?,
                declined: news.declined.iter().copied().collect(),
            };
            let by = upstream.to_string();
            let known = decisions.accepted.len();
            // First: what is approved there must not wait here for terms that were accepted there. Never taken
            // back (MS-WSUSSS 3.2.4.3).
            for eula in &news.accepted {
                decisions.accept_eula(*eula, by.clone(), &mut scope.stamp).map_err(refused)?;
            }
            let accepted = decisions.accepted.len().saturating_sub(known);
            let mut adopted = put_in_place(tx, decisions, scope, &wanted)?;
            adopted.licences = accepted as u64;
            Ok(adopted)
        })
    }

    /// Puts the decisions of the present mode aside and brings back those of the other, if there are any.
    pub(crate) fn switch_decisions(&self, was_replica: bool, now: Timestamp) -> Result<(), StoreError> {
        let (from, to) =
            if was_replica { (Mode::Replica, Mode::Autonomous) } else { (Mode::Autonomous, Mode::Replica) };
        // Contacts that were noted and not written could be of computers that are about to move.
        self.flush_contacts()?;
        self.change_decisions_inside(now, |tx, decisions, scope| {
            // At once with the decisions: a run under way must not write its upstream's over them.
            super::generation::raise(tx)?;
            put_aside(tx, from, decisions)?;
            if let Some(wanted) = from_aside(tx, to)? {
                put_in_place(tx, decisions, scope, &wanted)?;
                // Deferred keys: the groups are written after this.
                tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("switch the mode")?;
                tx.execute("DELETE FROM membership", []).during("switch the mode")?;
                tx.execute(
                    "INSERT INTO membership (group_id, computer)
                     SELECT group_id, computer FROM aside_membership WHERE mode = ?1",
                    [to.as_str()],
                )
                .during("switch the mode")?;
                drop_aside(tx, to)?;
            }
            Ok(())
        })?;
        self.shared.board.mark_everybody();
        Ok(())
    }
}

fn put_in_place(
    tx: &Transaction<'_>,
    decisions: &mut Decisions,
    scope: &mut DecisionScope,
    wanted: &UpstreamDecisions,
) -> Result<Adopted, StoreError> {
    // By the decisions as they are becoming, not as they were committed last.
    let subject = |decisions: &Decisions, update| match subject(tx, decisions, update) {
        Ok(subject) => Ok(Some(subject)),
        Err(StoreError::UnknownUpdate(_)) => Ok(None),
        Err(error) => Err(error),
    };
    adopt(decisions, wanted, scope.change, subject, || scope.deployment())
}

fn deployments(tx: &Transaction<'_>) -> Result<Vec<UpstreamDeployment>, StoreError> {
    let mut statement = tx
        .prepare_cached("SELECT guid, update_id, group_id, action, deadline, admin FROM upstream_deployment")
        .during("read the upstream's deployments")?;
    let mut rows = statement.query([]).during("read the upstream's deployments")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push(UpstreamDeployment {
            guid: row.guid(0)?,
            update: row.update(1)?,
            group: row.group(2)?,
            action: row.text(3)?.parse()?,
            deadline: row.time_if_any(4)?,
            by: row.text(5)?,
        });
        Ok(())
    })?;
    Ok(list)
}

const TABLES: [&str; 4] = ["aside_group", "aside_approval", "aside_decline", "aside_membership"];

fn drop_aside(tx: &Transaction<'_>, mode: Mode) -> Result<(), StoreError> {
    for table in TABLES {
        tx.execute(&format!("DELETE FROM {table} WHERE mode = ?1"), [mode.as_str()])
            .during("switch the mode")?;
    }
    Ok(())
}

fn put_aside(tx: &Transaction<'_>, mode: Mode, decisions: &Decisions) -> Result<(), StoreError> {
    drop_aside(tx, mode)?;
    let mode = mode.as_str();
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("switch the mode").map(|_| ())
    };
    for group in decisions.groups.iter() {
        run(
            "INSERT INTO aside_group (mode, id, name, parent) VALUES (?1, ?2, ?3, ?4)",
            params![
                mode,
                group.id.0.as_bytes(),
                group.name.as_str(),
                group.parent.as_ref().map(|p| p.0.as_bytes())
            ],
        )?;
    }
    for a in decisions.approvals.values() {
        run(
            "INSERT INTO aside_approval (mode, update_id, group_id, action, deadline, admin)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                mode,
                a.update.0.as_bytes(),
                a.group.0.as_bytes(),
                a.action.as_str(),
                a.deadline.map(Timestamp::ticks),
                a.by
            ],
        )?;
    }
    for update in decisions.declined.keys() {
        run(
            "INSERT INTO aside_decline (mode, update_id) VALUES (?1, ?2)",
            params![mode, update.0.as_bytes()],
        )?;
    }
    run(
        "INSERT INTO aside_membership (mode, group_id, computer) SELECT ?1, group_id, computer FROM membership",
        params![mode],
    )
}

/// What was put aside; `None` when nothing ever was. Every mode has at least the built-in groups.
fn from_aside(tx: &Transaction<'_>, mode: Mode) -> Result<Option<UpstreamDecisions>, StoreError> {
    let mode = mode.as_str();
    let mut wanted = UpstreamDecisions::default();
    let mut statement = tx
        .prepare_cached("SELECT id, name, parent FROM aside_group WHERE mode = ?1")
        .during("read what was put aside")?;
    let mut rows = statement.query([mode]).during("read what was put aside")?;
    for_rows(&mut rows, |row| {
        let parent: Option<[u8; 16]> = row.get(2).during("read a group")?;
        wanted.groups.push(Group {
            id: row.group(0)?,
            name: row.text(1)?.parse::<GroupName>()?,
            parent: parent.map(|p| GroupId(Guid::from_bytes(p))),
        });
        Ok(())
    })?;
    if wanted.groups.is_empty() {
        return Ok(None);
    }
    let mut statement = tx
        .prepare_cached(
            "SELECT update_id, group_id, action, deadline, admin FROM aside_approval WHERE mode = ?1",
        )
        .during("read what was put aside")?;
    let mut rows = statement.query([mode]).during("read what was put aside")?;
    for_rows(&mut rows, |row| {
        wanted.deployments.push(UpstreamDeployment {
            guid: Guid::ZERO,
            update: row.update(0)?,
            group: row.group(1)?,
            action: row.text(2)?.parse()?,
            deadline: row.time_if_any(3)?,
            by: row.text(4)?,
        });
        Ok(())
    })?;
    let mut statement = tx
        .prepare_cached("SELECT update_id FROM aside_decline WHERE mode = ?1")
        .during("read what was put aside")?;
    let mut rows = statement.query([mode]).during("read what was put aside")?;
    for_rows(&mut rows, |row| {
        wanted.declined.insert(row.update(0)?);
        Ok(())
    })?;
    Ok(Some(wanted))
}
