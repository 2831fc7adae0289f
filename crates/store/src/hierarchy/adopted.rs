//! Store: the upstream's groups and decisions take the place of a replica's, in one transaction with the anchor to ask
//! with next time.

use super::memberships::Moved;
use super::{asking, failed, memberships};
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::computers::Targeting;
use crate::decisions::{DecisionScope, refused, subject};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Row, params};
use sluicegate_policy::hierarchy::{Adopted, Place, UpstreamDecisions, UpstreamDeployment, adopt};
use sluicegate_policy::{ApprovalAction, Decisions, EulaId, Group};
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity};
use std::collections::{BTreeMap, BTreeSet};

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
    /// The revisions that what an upstream answered would be about and that no list brings: newer ones are here, which
    /// the upstream holds back, or cleanup removed them, or only older ones are here, as where the filter leaves out what
    /// an update became. What failed lately is left for later where an older one serves meanwhile. Nothing is changed.
    ///
    /// # Errors
    /// A failure to read.
    pub fn awaited_revisions(
        &self,
        news: &DeploymentNews,
        now: Timestamp,
    ) -> Result<Vec<UpdateIdentity>, StoreError> {
        let settings = self.upstream_settings();
        let Some(upstream) = settings.decided_by() else { return Ok(Vec::new()) };
        let (mut decisions, anchor) = (Decisions::clone(&self.decisions()), self.anchor());
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up what the upstream has in service")?;
            let mut scope = DecisionScope::new(&db, Anchor(anchor.0.saturating_add(1)), now)?;
            let adopted = take_over(&db, &mut decisions, &mut scope, news, &upstream.to_string())?;
            // What waits in quarantine waits for its members.
            let mut waits = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2)",
                )
                .during("look up what the upstream has in service")?;
            let later: BTreeSet<_> = failed::revisions(&db)?
                .into_iter()
                .filter(|failed| failed.waits(now))
                .map(|failed| failed.identity)
                .collect();
            let mut awaited = Vec::new();
            for identity in adopted.awaited.into_iter().chain(adopted.ahead.difference(&later).copied()) {
                let key = (identity.update.0.as_bytes(), identity.revision.get());
                let here: bool = waits
                    .query_row(key, |row| row.get(0))
                    .during("look up what the upstream has in service")?;
                if !here {
                    awaited.push(identity);
                }
            }
            Ok(awaited)
        })
    }

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
        let targeting = self.targeting();
        // What computers ask for may be noted and not written.
        self.flush_contacts()?;
        let (adopted, moved) = self.change_decisions_inside(now, |tx, decisions, scope| {
            self.refuse_for_another_upstream(tx)?;
            let groups = decisions.groups.clone();
            let mut adopted = take_over(tx, decisions, scope, news, &upstream.to_string())?;
            let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
                tx.prepare_cached(sql)
                    .and_then(|mut s| s.execute(values))
                    .during("write the upstream's deployments")
                    .map(|_| ())
            };
            if news.complete {
                run("DELETE FROM upstream_deployment", &[])?;
            }
            for guid in news.dead.iter().chain(&unfounded(tx, news)?) {
                run("DELETE FROM upstream_deployment WHERE guid = ?1", params![guid.as_bytes()])?;
            }
            for d in &news.deployments {
                run(
                    "INSERT INTO upstream_deployment (guid, update_id, group_id, action, deadline, admin, revision, decided)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (guid) DO UPDATE SET
                         update_id = ?2, group_id = ?3, action = ?4, deadline = ?5, admin = ?6, revision = ?7,
                         decided = ?8",
                    params![
                        d.guid.as_bytes(),
                        d.update.0.as_bytes(),
                        d.group.0.as_bytes(),
                        d.action.as_str(),
                        d.deadline.map(Timestamp::ticks),
                        d.by,
                        d.revision.get(),
                        d.decided.map(Timestamp::ticks)
                    ],
                )?;
            }
            run(
                "INSERT INTO sync_state (name, value) VALUES ('deployments-anchor', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = ?1",
                params![news.anchor],
            )?;
            let moved = memberships::follow(tx, &groups, &decisions.groups, None, now)?;
            match targeting {
                Targeting::Server => (adopted.ungrouped, adopted.put_back) = (moved.lost, moved.put_back),
                Targeting::Client => adopted.unmet = asking::for_what_is_gone(tx, &groups, &decisions.groups)?,
            }
            Ok((adopted, moved != Moved::default()))
        })?;
        if moved {
            self.shared.board.mark_everybody();
        }
        Ok(adopted)
    }
}

/// Takes over what the upstream said, as it will stand when that is written. Reads only.
fn take_over(
    db: &Connection,
    decisions: &mut Decisions,
    scope: &mut DecisionScope,
    news: &DeploymentNews,
    by: &str,
) -> Result<Adopted, StoreError> {
    let wanted = UpstreamDecisions {
        groups: news.groups.clone(),
        deployments: deployments(db, news)?,
        declined: news.declined.iter().copied().collect(),
        complete: news.complete,
    };
    let known = decisions.accepted.len();
    // First: what is approved there must not wait here for terms that were accepted there. Never taken
    // back (MS-WSUSSS 3.2.4.3).
    for eula in &news.accepted {
        decisions.accept_eula(*eula, by.to_owned(), &mut scope.stamp).map_err(refused)?;
    }
    let accepted = decisions.accepted.len().saturating_sub(known);
    // By the decisions as they are becoming, not as they were committed last.
    let subject = |decisions: &Decisions, update| match subject(db, decisions, update) {
        Ok(subject) => Ok(Some(subject)),
        Err(StoreError::UnknownUpdate(_)) => Ok(None),
        Err(error) => Err(error),
    };
    let place = |update, revision| place(db, update, revision);
    let adopted = adopt(decisions, &wanted, &mut scope.stamp, subject, place)?;
    Ok(Adopted { licences: accepted as u64, ..adopted })
}

fn place(db: &Connection, update: UpdateId, revision: RevisionNumber) -> Result<Place, StoreError> {
    let found = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM revision WHERE update_id = ?1 AND number > ?2),
                 EXISTS (SELECT 1 FROM revision WHERE update_id = ?1 AND number = ?2),
                 EXISTS (SELECT 1 FROM removed_revision WHERE update_id = ?1 AND (number = ?2
                     OR NOT EXISTS (SELECT 1 FROM known_update WHERE update_id = ?1))),
                 EXISTS (SELECT 1 FROM known_update WHERE update_id = ?1)",
        )
        .and_then(|mut s| {
            let four = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            s.query_row(params![update.0.as_bytes(), revision.get()], four)
        })
        .during("look up the revisions of an update")?;
    Ok(match found {
        (false, false, true, _) => Place::Removed,
        (false, false, false, true) => Place::Ahead,
        (false, ..) => Place::Foremost,
        (true, true, ..) => Place::Behind,
        (true, false, ..) => Place::Missing,
    })
}

/// The upstream's deployments: those of before, but for what the news say.
fn deployments(db: &Connection, news: &DeploymentNews) -> Result<Vec<UpstreamDeployment>, StoreError> {
    let mut all = BTreeMap::new();
    if !news.complete {
        let mut statement = db
            .prepare_cached(
                "SELECT guid, update_id, group_id, action, deadline, admin, revision, decided
                 FROM upstream_deployment",
            )
            .during("read the upstream's deployments")?;
        let mut rows = statement.query([]).during("read the upstream's deployments")?;
        for_rows(&mut rows, |row| {
            let deployment = UpstreamDeployment {
                guid: row.guid(0)?,
                update: row.update(1)?,
                group: row.group(2)?,
                action: row.text(3)?.parse()?,
                deadline: row.time_if_any(4)?,
                by: row.text(5)?,
                revision: row.revision_number(6)?,
                decided: row.time_if_any(7)?,
            };
            all.insert(deployment.guid, deployment);
            Ok(())
        })?;
        for guid in unfounded(db, news)? {
            all.remove(&guid);
        }
    }
    for guid in &news.dead {
        all.remove(guid);
    }
    all.extend(news.deployments.iter().map(|deployment| (deployment.guid, deployment.clone())));
    // Where an upstream names several revisions for one group, the newest of them counts.
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|deployment| deployment.revision);
    Ok(all)
}

/// Deployments of before whose group the upstream does not list any more, or that deploy what it has declined, whether
/// or not it names them as dead. Approvals go with their group, and with a decline; when the group is there again, or
/// the update is declined no longer, an upstream tells what it approves then, and not every one knows by then what it
/// told once.
fn unfounded(db: &Connection, news: &DeploymentNews) -> Result<Vec<Guid>, StoreError> {
    let built_in = [GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS];
    let groups: BTreeSet<GroupId> = news.groups.iter().map(|group| group.id).chain(built_in).collect();
    let declined: BTreeSet<UpdateId> = news.declined.iter().copied().collect();
    let mut statement = db
        .prepare_cached("SELECT guid, update_id, group_id, action FROM upstream_deployment")
        .during("read the upstream's deployments")?;
    let mut rows = statement.query([]).during("read the upstream's deployments")?;
    let mut unfounded = Vec::new();
    for_rows(&mut rows, |row| {
        let action: ApprovalAction = row.text(3)?.parse()?;
        // That an update is not approved for some group may be said of a declined one too.
        if !groups.contains(&row.group(2)?) || action.deploys() && declined.contains(&row.update(1)?) {
            unfounded.push(row.guid(0)?);
        }
        Ok(())
    })?;
    Ok(unfounded)
}
