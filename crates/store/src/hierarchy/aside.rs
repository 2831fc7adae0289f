//! Store: the decisions of the mode a server is not in. Becoming a replica puts the local groups, approvals
//! and declines aside, becoming autonomous brings them back; the same the other way round, so that
//! switching loses nothing.

use super::kept::{drop_aside, from_aside, put_aside};
use super::memberships;
use crate::Store;
use crate::audit::Cause;
use crate::columns::{Columns, for_rows};
use crate::decisions::{DecisionScope, known, refused, subject};
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_policy::hierarchy::{Adopted, Mode, UpstreamDecisions, UpstreamDeployment, adopt, bring_back};
use sluicegate_policy::{Decisions, EulaId, Group};
use sluicegate_terms::{Guid, Timestamp, UpdateId};

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
    /// anchor. Computers stay in the groups that remain, and are put back into those that come back.
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
        let adopted = self.change_decisions_inside(now, |tx, decisions, scope| {
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
                    "INSERT INTO upstream_deployment (guid, update_id, group_id, action, deadline, admin, revision)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (guid) DO UPDATE SET
                         update_id = ?2, group_id = ?3, action = ?4, deadline = ?5, admin = ?6, revision = ?7",
                    params![
                        d.guid.as_bytes(),
                        d.update.0.as_bytes(),
                        d.group.0.as_bytes(),
                        d.action.as_str(),
                        d.deadline.map(Timestamp::ticks),
                        d.by,
                        d.revision.get()
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
                complete: news.complete,
            };
            let by = upstream.to_string();
            let known = decisions.accepted.len();
            // First: what is approved there must not wait here for terms that were accepted there. Never taken
            // back (MS-WSUSSS 3.2.4.3).
            for eula in &news.accepted {
                decisions.accept_eula(*eula, by.clone(), &mut scope.stamp).map_err(refused)?;
            }
            let accepted = decisions.accepted.len().saturating_sub(known);
            let groups = decisions.groups.clone();
            let mut adopted = put_in_place(tx, decisions, scope, &wanted)?;
            adopted.licences = accepted as u64;
            let moved = memberships::follow(tx, &groups, &decisions.groups, now)?;
            (adopted.ungrouped, adopted.put_back) = (moved.lost, moved.put_back);
            Ok(adopted)
        })?;
        if adopted.ungrouped + adopted.put_back > 0 {
            self.shared.board.mark_everybody();
        }
        Ok(adopted)
    }

    /// Puts the decisions of the present mode aside and brings back those of the other, if there are any. Answers how
    /// many computers are in no group any more.
    pub(crate) fn switch_decisions(&self, was_replica: bool, now: Timestamp) -> Result<u64, StoreError> {
        let (from, to) =
            if was_replica { (Mode::Replica, Mode::Autonomous) } else { (Mode::Autonomous, Mode::Replica) };
        // Contacts that were noted and not written could be of computers that are about to move.
        self.flush_contacts()?;
        let ungrouped = self.change_decisions_because(Cause::Switch, now, |tx, decisions, scope| {
            let mut ungrouped = 0;
            let groups = decisions.groups.clone();
            // At once with the decisions: a run under way must not write its upstream's over them.
            super::generation::raise(tx)?;
            put_aside(tx, from, decisions)?;
            if let Some(kept) = from_aside(tx, to, now)? {
                // The upstream says which revision serves; until it does, none that it may hold back.
                let options = decisions.options;
                decisions.options.approvals_follow &= to == Mode::Autonomous;
                let back = bring_back(decisions, &kept, &mut scope.stamp, |decisions, update| {
                    known(tx, decisions, update, true)
                })?;
                decisions.options = options;
                for skipped in &back.skipped {
                    tracing::warn!(reason = skipped, "a decision that was put aside does not come back");
                }
                ungrouped = memberships::switch(tx, (from, to), &groups, &decisions.groups, now)?;
                drop_aside(tx, to)?;
            }
            Ok(ungrouped)
        })?;
        self.shared.board.mark_everybody();
        Ok(ungrouped)
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
    adopt(decisions, wanted, &mut scope.stamp, subject, |update, revision| {
        tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM revision WHERE update_id = ?1 AND number = ?2)
                 AND EXISTS (SELECT 1 FROM revision WHERE update_id = ?1 AND number > ?2)",
        )
        .and_then(|mut s| s.query_row(params![update.0.as_bytes(), revision.get()], |row| row.get(0)))
        .during("look up the revisions of an update")
    })
}

fn deployments(tx: &Transaction<'_>) -> Result<Vec<UpstreamDeployment>, StoreError> {
    let mut statement = tx
        .prepare_cached(
            "SELECT guid, update_id, group_id, action, deadline, admin, revision FROM upstream_deployment",
        )
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
            revision: row.revision_number(6)?,
        });
        Ok(())
    })?;
    Ok(list)
}
