//! Store: decisions as rows: all of them read at the start, and the difference that a change makes written.

use super::dropped;
use crate::columns::{Columns, for_rows, signed};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, Transaction, params};
use sluicegate_policy::rules::{DeadlineOffset, Rule, RuleId, RuleTerms};
use sluicegate_policy::{
    Acceptance, Approval, ApprovalAction, Change, Decisions, Decline, EulaId, Group, GroupName, GroupTree,
    Hold, HoldReason, Mark, SuccessionOptions,
};
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, RevisionNumber, Timestamp, UpdateId};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Words for orders that stand against a revision that is held, in `held.refused`.
const NOT_REMOVABLE: &str = "not-removable";
const NEEDS_INPUT: &str = "needs-input";

/// Why a revision waits, as columns: licence terms, or which order stands against it; neither for a review.
pub(crate) fn reason_columns(reason: &HoldReason) -> (Option<&[u8; 16]>, Option<&'static str>) {
    match reason {
        HoldReason::Review => (None, None),
        HoldReason::Eula(eula) => (Some(eula.0.as_bytes()), None),
        HoldReason::NotRemovable => (None, Some(NOT_REMOVABLE)),
        HoldReason::NeedsInput => (None, Some(NEEDS_INPUT)),
    }
}

/// [`reason_columns`] read back.
pub(crate) fn reason_of_columns(eula: Option<[u8; 16]>, refused: Option<&str>) -> HoldReason {
    match (eula, refused) {
        (Some(id), _) => HoldReason::Eula(EulaId(Guid::from_bytes(id))),
        (None, Some(NOT_REMOVABLE)) => HoldReason::NotRemovable,
        (None, Some(_)) => HoldReason::NeedsInput,
        (None, None) => HoldReason::Review,
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
        "SELECT update_id, group_id, action, deadline, deployment, changed, changed_at, decided_by, optional
         FROM approval",
        |row| {
            let approval = Approval {
                update: row.update(0)?,
                group: row.group(1)?,
                action: match row.natural(8)? {
                    0 => row.text(2)?.parse()?,
                    _ => ApprovalAction::OptionalInstall,
                },
                deadline: row.time_if_any(3)?,
                deployment: DeploymentId::new(row.int(4)?).stored_as("deployment id")?,
                changed: row.anchor(5)?,
                changed_at: row.time(6)?,
                by: row.text(7)?,
            };
            Ok(decisions.approvals.insert(approval)?)
        },
    )?;
    query(db, "SELECT update_id, group_id, changed, changed_at, decided_at FROM withdrawn", |row| {
        let mark = Mark { anchor: row.anchor(2)?, at: row.time(3)?, decided: row.time_if_any(4)? };
        decisions.withdrawn.insert((row.update(0)?, row.group(1)?), mark);
        Ok(())
    })?;
    query(db, "SELECT update_id, changed, changed_at, decided_at FROM restored", |row| {
        let mark = Mark { anchor: row.anchor(1)?, at: row.time(2)?, decided: row.time_if_any(3)? };
        decisions.restored.insert(row.update(0)?, mark);
        Ok(())
    })?;
    query(db, "SELECT update_id, changed, changed_at, decided_at, automatic FROM decline", |row| {
        let (anchor, at) = (row.anchor(1)?, row.time(2)?);
        let decided = row.time_if_any(3)?.unwrap_or(at);
        let decline = Decline { anchor, at, decided, automatic: row.int(4)? != 0 };
        decisions.declined.insert(row.update(0)?, decline);
        Ok(())
    })?;
    query(db, "SELECT update_id, changed, changed_at FROM released", |row| {
        decisions.released.insert(row.update(0)?, Change { anchor: row.anchor(1)?, at: row.time(2)? });
        Ok(())
    })?;
    query(db, "SELECT update_id, serving, eula, changed, changed_at, refused FROM held", |row| {
        let eula = row.get::<_, Option<[u8; 16]>>(2).during("read a held revision")?;
        let refused = row.get::<_, Option<String>>(5).during("read a held revision")?;
        let reason = reason_of_columns(eula, refused.as_deref());
        let serving = RevisionNumber::new(row.int(1)?).stored_as("revision number")?;
        let since = Change { anchor: row.anchor(3)?, at: row.time(4)? };
        decisions.held.insert(row.update(0)?, Hold { serving, reason, since });
        Ok(())
    })?;
    query(db, "SELECT eula, accepted_by, changed, changed_at FROM accepted_eula", |row| {
        let change = Change { anchor: row.anchor(2)?, at: row.time(3)? };
        decisions.accepted.insert(EulaId(row.update(0)?.0), Acceptance { by: row.text(1)?, change });
        Ok(())
    })?;
    query(db, "SELECT name, value FROM succession_option", |row| {
        let value = row.int(1)? != 0;
        match row.text(0)?.as_str() {
            FOLLOW => decisions.options.approvals_follow = value,
            _ => decisions.options.decline_expired = value,
        }
        Ok(())
    })?;
    decisions.rules = load_rules(db)?;
    Ok(decisions)
}

/// How many rows of approvals another one for the same update and group took the place of; told of in the log.
pub(crate) fn replaced(db: &Connection, loaded: &Decisions) -> Result<u64, StoreError> {
    let rows: i64 = db
        .query_row("SELECT count(*) FROM approval NOT INDEXED", [], |row| row.get(0))
        .during("count the approvals")?;
    let replaced = rows.unsigned_abs().saturating_sub(loaded.approvals.len() as u64);
    if replaced > 0 {
        tracing::error!(
            replaced,
            "several approvals are there for one update and group, and one of each was taken; `sluicegate check \
             --repair` keeps the newest"
        );
    }
    Ok(replaced)
}

/// Names of the options.
const FOLLOW: &str = "approvals-follow";
const DECLINE_EXPIRED: &str = "decline-expired";

fn load_rules(db: &Connection) -> Result<BTreeMap<RuleId, Rule>, StoreError> {
    let unreadable = |reason: String| StoreError::Unreadable { what: "rule".to_owned(), reason };
    let small = |value: i64| u16::try_from(value).unwrap_or(u16::MAX);
    let mut choices: BTreeMap<i64, [BTreeSet<Guid>; 3]> = BTreeMap::new();
    query(db, "SELECT rule, part, choice FROM approval_rule_choice", |row| {
        let [classifications, products, groups] = choices.entry(row.int(0)?).or_default();
        let part = match row.text(1)?.as_str() {
            "classification" => classifications,
            "product" => products,
            _ => groups,
        };
        part.insert(row.update(2)?.0);
        Ok(())
    })?;
    let mut rules = BTreeMap::new();
    query(db, "SELECT id, name, enabled, days, minute FROM approval_rule", |row| {
        let id = row.int(0)?;
        let [classifications, products, groups] = choices.remove(&id).unwrap_or_default();
        let days: Option<i64> = row.get(3).during("read a rule")?;
        let deadline = match days {
            Some(days) => Some(
                DeadlineOffset::new(small(days), small(row.int(4)?))
                    .map_err(|e| unreadable(e.to_string()))?,
            ),
            None => None,
        };
        let terms = RuleTerms {
            name: row
                .text(1)?
                .parse()
                .map_err(|e: sluicegate_policy::rules::RuleError| unreadable(e.to_string()))?,
            classifications: classifications.into_iter().map(UpdateId).collect(),
            products: products.into_iter().map(UpdateId).collect(),
            groups: groups.into_iter().map(GroupId).collect(),
            deadline,
        };
        let rule = Rule::kept(terms, row.int(2)? != 0).map_err(|e| unreadable(e.to_string()))?;
        rules.insert(RuleId(u32::try_from(id).unwrap_or(u32::MAX)), rule);
        Ok(())
    })?;
    Ok(rules)
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
/// both. The maps are walked side by side: most changes touch a small part of large maps.
pub(crate) fn difference<'a, K: Ord, V: PartialEq>(
    before: impl Iterator<Item = (&'a K, &'a V)>,
    after: impl Iterator<Item = (&'a K, &'a V)>,
) -> (Vec<&'a K>, Vec<(&'a K, &'a V)>) {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some((old, _)), Some((fresh, _))) => old.cmp(fresh),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (gone, new),
        };
        let old = if order.is_le() { before.next() } else { None };
        let fresh = if order.is_ge() { after.next() } else { None };
        if old.map(|(_, value)| value) != fresh.map(|(_, value)| value) {
            gone.extend(old.map(|(key, _)| key));
            new.extend(fresh);
        }
    }
}

/// Writes what a change of decisions made different.
pub(crate) fn write_difference(
    tx: &Transaction<'_>,
    before: &Decisions,
    after: &Decisions,
) -> Result<(), StoreError> {
    // Groups refer to each other, approvals to groups; all is checked at the commit.
    tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("begin a change of decisions")?;
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a decision").map(|_| ())
    };

    let (gone, new) = difference(before.approvals.iter(), after.approvals.iter());
    dropped::note(tx, after, &gone, new.iter().map(|(key, _)| *key), |_| None)?;
    for (update, group) in gone {
        run(
            "DELETE FROM approval WHERE update_id = ?1 AND group_id = ?2",
            params![update.0.as_bytes(), group.0.as_bytes()],
        )?;
    }
    for ((update, group), a) in new {
        run(
            "INSERT INTO approval (deployment, update_id, group_id, action, deadline, changed, changed_at, decided_by,
                 optional)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                a.deployment.get(),
                update.0.as_bytes(),
                group.0.as_bytes(),
                match a.action {
                    ApprovalAction::OptionalInstall => ApprovalAction::Install.as_str(),
                    other => other.as_str(),
                },
                a.deadline.map(Timestamp::ticks),
                signed(a.changed.0),
                a.changed_at.ticks(),
                a.by,
                a.action == ApprovalAction::OptionalInstall
            ],
        )?;
    }
    let (gone, new) = difference(before.withdrawn.iter(), after.withdrawn.iter());
    let since = |key: &(UpdateId, GroupId)| before.withdrawn.get(key).map(|mark| mark.anchor);
    dropped::note(tx, after, &gone, new.iter().map(|(key, _)| *key), since)?;
    for (update, group) in gone {
        run(
            "DELETE FROM withdrawn WHERE update_id = ?1 AND group_id = ?2",
            params![update.0.as_bytes(), group.0.as_bytes()],
        )?;
    }
    for ((update, group), mark) in new {
        run(
            "INSERT INTO withdrawn (update_id, group_id, changed, changed_at, decided_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                update.0.as_bytes(),
                group.0.as_bytes(),
                signed(mark.anchor.0),
                mark.at.ticks(),
                mark.decided.map(Timestamp::ticks)
            ],
        )?;
    }
    let (gone, new) = difference(before.restored.iter(), after.restored.iter());
    for update in gone {
        run("DELETE FROM restored WHERE update_id = ?1", params![update.0.as_bytes()])?;
    }
    for (update, mark) in new {
        run(
            "INSERT INTO restored (update_id, changed, changed_at, decided_at) VALUES (?1, ?2, ?3, ?4)",
            params![
                update.0.as_bytes(),
                signed(mark.anchor.0),
                mark.at.ticks(),
                mark.decided.map(Timestamp::ticks)
            ],
        )?;
    }
    let (gone, new) = difference(before.declined.iter(), after.declined.iter());
    for update in gone {
        run("DELETE FROM decline WHERE update_id = ?1", params![update.0.as_bytes()])?;
    }
    for (update, decline) in new {
        run(
            "INSERT INTO decline (update_id, changed, changed_at, decided_at, automatic)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                update.0.as_bytes(),
                signed(decline.anchor.0),
                decline.at.ticks(),
                decline.decided.ticks(),
                decline.automatic
            ],
        )?;
    }
    let (gone, new) = difference(before.released.iter(), after.released.iter());
    for update in gone {
        run("DELETE FROM released WHERE update_id = ?1", params![update.0.as_bytes()])?;
    }
    for (update, change) in new {
        run(
            "INSERT INTO released (update_id, changed, changed_at) VALUES (?1, ?2, ?3)",
            params![update.0.as_bytes(), signed(change.anchor.0), change.at.ticks()],
        )?;
    }
    write_succession(tx, before, after)?;
    write_rules(tx, &before.rules, &after.rules)?;
    write_groups(tx, &before.groups, &after.groups)
}

fn write_succession(tx: &Transaction<'_>, before: &Decisions, after: &Decisions) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a decision").map(|_| ())
    };
    let (gone, new) = difference(before.held.iter(), after.held.iter());
    for update in gone {
        run("DELETE FROM held WHERE update_id = ?1", params![update.0.as_bytes()])?;
    }
    for (update, hold) in new {
        let (eula, refused) = reason_columns(&hold.reason);
        run(
            "INSERT INTO held (update_id, serving, eula, changed, changed_at, refused)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                update.0.as_bytes(),
                hold.serving.get(),
                eula,
                signed(hold.since.anchor.0),
                hold.since.at.ticks(),
                refused
            ],
        )?;
    }
    let (gone, new) = difference(before.accepted.iter(), after.accepted.iter());
    for eula in gone {
        run("DELETE FROM accepted_eula WHERE eula = ?1", params![eula.0.as_bytes()])?;
    }
    for (eula, acceptance) in new {
        run(
            "INSERT INTO accepted_eula (eula, accepted_by, changed, changed_at) VALUES (?1, ?2, ?3, ?4)",
            params![
                eula.0.as_bytes(),
                acceptance.by,
                signed(acceptance.change.anchor.0),
                acceptance.change.at.ticks()
            ],
        )?;
    }
    if before.options != after.options {
        let SuccessionOptions { approvals_follow, decline_expired } = after.options;
        for (name, value) in [(FOLLOW, approvals_follow), (DECLINE_EXPIRED, decline_expired)] {
            run(
                "INSERT INTO succession_option (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = ?2",
                params![name, value],
            )?;
        }
    }
    Ok(())
}

fn write_rules(
    tx: &Transaction<'_>,
    before: &BTreeMap<RuleId, Rule>,
    after: &BTreeMap<RuleId, Rule>,
) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a rule").map(|_| ())
    };
    let (gone, new) = difference(before.iter(), after.iter());
    for id in gone {
        run("DELETE FROM approval_rule WHERE id = ?1", params![id.0])?;
    }
    for (id, rule) in new {
        let terms = rule.terms();
        run(
            "INSERT INTO approval_rule (id, name, enabled, days, minute) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                id.0,
                terms.name.as_str(),
                // Enabled and without a group: it waits for one.
                rule.enabled() || rule.waits_for_group(),
                terms.deadline.map(DeadlineOffset::days),
                terms.deadline.map(DeadlineOffset::minute)
            ],
        )?;
        let choices = terms.classifications.iter().map(|id| ("classification", id.0));
        let choices = choices.chain(terms.products.iter().map(|id| ("product", id.0)));
        for (part, choice) in choices.chain(terms.groups.iter().map(|id| ("group", id.0))) {
            run(
                "INSERT INTO approval_rule_choice (rule, part, choice) VALUES (?1, ?2, ?3)",
                params![id.0, part, choice.as_bytes()],
            )?;
        }
    }
    Ok(())
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
