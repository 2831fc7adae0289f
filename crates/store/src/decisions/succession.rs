//! Store: what an import does to decisions, inside its own transaction: no state is ever durable in which
//! a new revision is there and its approvals are not (the failure behind KB954960).

use super::{DecisionScope, Gallery, again, rules, subject, write_difference};
use crate::Store;
use crate::audit::{Actor, Cause};
use crate::cleanup;
use crate::error::{During, StoreError};
use rusqlite::Transaction;
use sluicegate_policy::filters::UpdateFilter;
use sluicegate_policy::rules::{Rule, RuleId, plan};
use sluicegate_policy::{Arrival, Decisions, Succession};
use sluicegate_terms::{Anchor, Timestamp, UpdateId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an import did to decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportedDecisions {
    /// Updates whose approvals hold for a new revision now.
    pub followed: u64,
    /// Updates whose new revision waits, for licence terms or a review.
    pub held: BTreeSet<UpdateId>,
    /// Of those the ones that expired: what serves is there to be removed, and no longer approved for installation.
    pub for_removal: BTreeSet<UpdateId>,
    /// Updates that were declined because they expired.
    pub declined: u64,
    /// Updates that were declined although nobody decided so, and that their publisher gives again.
    pub revived: BTreeSet<UpdateId>,
    /// New updates that were declined because a filter names them.
    pub filtered: u64,
    /// Approvals that rules made for new updates.
    pub approved_by_rules: u64,
}

impl Store {
    /// At the start of a server: what an earlier version left approved for installation although its newest revision
    /// expired and an older one serves for its removal alone is withdrawn, as it is now where that arrives. A replica has
    /// it from its upstream.
    pub(crate) fn withdraw_what_expired(&self) -> Result<(), StoreError> {
        if self.upstream_settings().decided_by().is_some() {
            return Ok(());
        }
        let decisions = self.decisions();
        let installs = |update: &UpdateId| decisions.approvals_of(*update).any(|own| own.action.installs());
        let mut expired: Vec<UpdateId> = decisions.held.keys().copied().filter(installs).collect();
        if expired.is_empty() {
            return Ok(());
        }
        self.shared.database.read(|db| {
            // One that cannot be read is the check's.
            let is_expired =
                |update: &UpdateId| subject::subject(db, &decisions, *update).is_ok_and(|of| of.expired);
            expired.retain(is_expired);
            Ok::<_, StoreError>(())
        })?;
        let Some(first) = expired.first().copied() else { return Ok(()) };
        tracing::warn!(
            updates = expired.len(), %first,
            "updates that their publisher withdrew were still approved for installation, since an older revision serves \
             for their removal; these approvals are withdrawn"
        );
        self.by(Actor::server("start")).change_decisions_because(
            Cause::Arrival,
            self.shared.options.now,
            |_, decisions, scope| {
                expired
                    .iter()
                    .try_for_each(|update| decisions.withdraw_installs(*update, &mut scope.stamp))
                    .map_err(super::refused)
            },
        )
    }
}

/// Brings decisions up to date with what has just been written. `None` when nothing is different. On a
/// replica rules do not run: its upstream decides.
pub(crate) fn after_import(
    tx: &Transaction<'_>,
    before: &Arc<Decisions>,
    arrivals: &[Arrival],
    replica: bool,
    (anchor, now): (Anchor, Timestamp),
) -> Result<(ImportedDecisions, Option<Arc<Decisions>>), StoreError> {
    let mut done = ImportedDecisions::default();
    let rules: Vec<(RuleId, &Rule)> = before.enabled_rules().filter(|_| !replica).collect();
    let filters = if replica { BTreeSet::new() } else { cleanup::filters(tx)? };
    let revised = arrivals.iter().any(|arrival| arrival.replaces.is_some());
    let again = again::any(tx)?;
    if !again && !revised && rules.is_empty() && filters.is_empty() {
        return Ok((done, None));
    }
    let mut scope = DecisionScope::new(tx, anchor, now)?;
    let mut after = Decisions::clone(before);
    // The upstream of a replica says which revision serves, when groups and decisions are asked for.
    after.options.approvals_follow &= !replica;
    let denied = match again {
        true => again::decline(tx, &mut after, arrivals, replica, scope.change)?,
        false => Vec::new(),
    };
    for arrival in members_last(tx, arrivals)? {
        let arrival = &with_traits(tx, &after, arrival, replica)?;
        match after.arrive(arrival, &mut scope.stamp).map_err(super::refused)? {
            Succession::Untouched => {}
            Succession::Followed => done.followed += 1,
            Succession::Held(_) => {
                done.held.insert(arrival.update);
                if arrival.expired {
                    done.for_removal.insert(arrival.update);
                }
            }
            Succession::Declined => done.declined += 1,
            Succession::Revived => drop(done.revived.insert(arrival.update)),
        }
    }
    after.options = before.options;
    // What its publisher withdrew and gives again was decided about by nobody since, and is looked at as what is new.
    let fresh = |arrival: &&Arrival| arrival.replaces.is_none() || done.revived.contains(&arrival.update);
    let fresh: BTreeSet<UpdateId> = arrivals.iter().filter(fresh).map(|arrival| arrival.update).collect();
    if !filters.is_empty() {
        done.filtered = decline_filtered(tx, &mut after, &filters, &fresh, &scope)?;
    }
    again::deny(&mut after, denied, &mut scope.stamp)?;
    if !rules.is_empty() {
        // Rules are about updates that are new, not about new revisions (observed of WSUS: "rules apply to
        // new updates only").
        let candidates = rules::candidates(tx, &after, &rules, fresh.into_iter().collect())?;
        let plan = plan(rules.iter().copied(), &after, &candidates, now);
        done.approved_by_rules = after.carry_out(&plan, &mut scope.stamp).map_err(super::refused)?;
    }
    if after == **before {
        return Ok((done, None));
    }
    write_difference(tx, before, &after)?;
    Ok((done, Some(Arc::new(after))))
}

/// In the order they came in, but for members of bundles that expire: which revision of a bundle serves, and with it
/// who is a member, is settled first.
fn members_last<'a>(tx: &Transaction<'_>, arrivals: &'a [Arrival]) -> Result<Vec<&'a Arrival>, StoreError> {
    let mut members = BTreeSet::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.expired && arrival.replaces.is_some()) {
        let bundled: bool = tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM bundle_member WHERE member = ?1)")
            .and_then(|mut s| s.query_row([arrival.update.0.as_bytes()], |row| row.get(0)))
            .during("look up the bundles of an update")?;
        if bundled {
            members.insert(arrival.update);
        }
    }
    let mut ordered: Vec<&Arrival> = arrivals.iter().collect();
    ordered.sort_by_key(|arrival| members.contains(&arrival.update));
    Ok(ordered)
}

/// What an arrival says about itself where that counts: on a replica the upstream judges what is approved there.
fn with_traits(
    tx: &Transaction<'_>,
    decisions: &Decisions,
    arrival: &Arrival,
    replica: bool,
) -> Result<Arrival, StoreError> {
    if revives(tx, decisions, arrival, replica)? {
        return Ok(Arrival { revives: true, ..*arrival });
    }
    let deploys = decisions.approvals.of(arrival.update).any(|approval| approval.action.deploys());
    let judged = deploys && !replica;
    if arrival.replaces.is_none() || !(judged || arrival.expired) {
        return Ok(*arrival);
    }
    let subject = subject::subject(tx, decisions, arrival.update)?;
    let arrival = Arrival { bundled: subject.bundled_by.is_some(), ..*arrival };
    Ok(match judged {
        true => Arrival { removable: subject.removable, may_ask: subject.may_ask, ..arrival },
        false => arrival,
    })
}

/// Whether an update that nobody declined is given again by its publisher. A replica hears from its upstream what is
/// declined there; what its own administrators find when it decides itself again is no longer declined.
fn revives(
    tx: &Transaction<'_>,
    decisions: &Decisions,
    arrival: &Arrival,
    replica: bool,
) -> Result<bool, StoreError> {
    let update = arrival.update;
    let Some(before) = arrival.replaces.filter(|_| !arrival.expired) else { return Ok(false) };
    let declined = match replica {
        true => again::is_declined_aside(tx, update)?,
        false => decisions.declined.get(&update).is_some_and(|own| own.automatic),
    };
    if !declined || !subject::record(tx, update, Some(before))?.is_some_and(|replaced| replaced.expired) {
        return Ok(false);
    }
    if replica {
        again::undecline_aside(tx, update)?;
    }
    Ok(!replica)
}

/// Declines what a filter names as it comes in, before rules can approve it: no computer is ever told of it. What
/// cannot be declined by itself, such as a member of a bundle, is not looked at.
fn decline_filtered(
    tx: &Transaction<'_>,
    decisions: &mut Decisions,
    filters: &BTreeSet<UpdateFilter>,
    fresh: &BTreeSet<UpdateId>,
    scope: &DecisionScope,
) -> Result<u64, StoreError> {
    let mut gallery = Gallery::default();
    let mut declined = 0;
    for &update in fresh {
        if !decisions.is_untouched(update) {
            continue;
        }
        let Some(looks) = gallery.look_up(tx, update)? else { continue };
        if !filters.iter().any(|filter| filter.names(&looks)) {
            continue;
        }
        let subject = subject::subject(tx, decisions, update)?;
        if subject.explicitly_deployable && decisions.decline_by_itself(&subject, scope.change).is_ok() {
            declined += 1;
        }
    }
    Ok(declined)
}
