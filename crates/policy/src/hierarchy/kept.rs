//! Policy: the decisions of the mode a server is not in, and how they come into force again. They are what they
//! were, each with its own time; revisions that came meanwhile are judged as if they had come a moment ago.

use super::adopt::{Adopted, Placed, put_approvals, put_declines, put_groups};
use crate::approvals::{Change, Decline, Mark, Stamp, next, of_update};
use crate::carried::{CarriedApproval, Known, KnownRevision};
use crate::decisions::Decisions;
use crate::groups::Group;
use crate::refusals::ApprovalError;
use crate::succession::{Arrival, Hold, HoldReason, Standing, Succession};
use sluicegate_terms::{GroupId, RevisionNumber, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// What was decided in one mode, put aside. Licence terms, rules and options are the same in both.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptDecisions {
    /// All groups.
    pub groups: Vec<Group>,
    /// The approvals.
    pub approvals: Vec<CarriedApproval>,
    /// The newest revision that each approved update had.
    pub newest: BTreeMap<UpdateId, RevisionNumber>,
    /// Declined updates, and since when.
    pub declined: BTreeMap<UpdateId, Decline>,
    /// Updates that were declined once and are no longer, and since when.
    pub restored: BTreeMap<UpdateId, Timestamp>,
    /// Approvals that were taken away, and since when.
    pub withdrawn: BTreeMap<(UpdateId, GroupId), Timestamp>,
    /// Updates whose newest revision waited.
    pub held: BTreeMap<UpdateId, Hold>,
    /// Updates that a revision which came since let expire, whatever was decided about them.
    pub expired: BTreeSet<UpdateId>,
}

/// Puts decisions that were aside in place of `decisions`. `known` tells about an update, `None` when this server does
/// not have it any more.
///
/// # Errors
/// What `known` gives, or that no deployment id is left.
pub fn bring_back<E: From<ApprovalError>>(
    decisions: &mut Decisions,
    kept: &KeptDecisions,
    stamp: &mut Stamp,
    mut known: impl FnMut(&Decisions, UpdateId) -> Result<Option<Known>, E>,
) -> Result<Adopted, E> {
    let mut adopted = Adopted::default();
    let change = stamp.change;
    // Whoever decided so did it in the other mode.
    for mark in decisions.withdrawn.values_mut().chain(decisions.restored.values_mut()) {
        mark.decided = None;
    }

    let mut orders: BTreeMap<UpdateId, Vec<Standing>> = BTreeMap::new();
    for approval in &kept.approvals {
        orders.entry(approval.update).or_default().push((approval.action, approval.deadline));
    }
    let (mut holds, mut expired, mut gone) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut only: BTreeMap<UpdateId, KnownRevision> = BTreeMap::new();
    let mut for_removal: BTreeSet<UpdateId> = BTreeSet::new();
    for (&update, orders) in &orders {
        let Some(known) = known(decisions, update)? else {
            adopted.skipped.push(format!("{update} was approved and is no longer in the catalog"));
            gone.insert(update);
            continue;
        };
        let becomes = judge(decisions, kept, &known, orders, change);
        match becomes {
            Becomes::AsItIs => {}
            Becomes::Held(hold) => {
                holds.insert(update, hold);
                // As on arrival: only its removal keeps an older revision in service.
                if known.subject.expired {
                    for_removal.insert(update);
                }
            }
            Becomes::Declined => drop(expired.insert(update)),
            Becomes::Only(newest) => {
                let refused = orders.iter().filter_map(|order| decisions.refused_by(update, &newest, *order));
                adopted.skipped.extend(refused.map(|error| {
                    format!("what was approved is impossible with the only revision that is left: {error}")
                }));
                only.insert(update, newest);
            }
        }
    }
    for &update in kept.expired.iter().filter(|update| !orders.contains_key(update)) {
        if known(decisions, update)?.is_some_and(|known| known.subject.expired)
            && decisions.options.decline_expired
        {
            expired.insert(update);
        }
    }
    let turned = decisions.replace_holds(holds, change);
    // Which of them are members of bundles depends on the revisions in service.
    for update in expired.clone() {
        if known(decisions, update)?.is_some_and(|known| known.subject.bundled_by.is_some()) {
            expired.remove(&update);
        }
    }

    put_groups(decisions, &kept.groups, change, &mut adopted);
    let mut target = BTreeMap::new();
    for approval in &kept.approvals {
        let CarriedApproval { update, group, action, deadline, ref by, at } = *approval;
        let fits = |newest| decisions.refused_by(update, newest, (action, deadline)).is_none();
        let over = action.deploys() && expired.contains(&update);
        let stays = !gone.contains(&update) && !over && only.get(&update).is_none_or(fits);
        if stays && decisions.groups.get(group).is_some() {
            target.insert((update, group), Placed { action, deadline, by: by.clone(), at: Some(at) });
        }
    }
    put_approvals(decisions, target, Mark::passing(change), stamp, &mut adopted)?;
    for update in for_removal {
        decisions.withdraw_installs(update, stamp)?;
    }

    let expire = |&update: &UpdateId| {
        let decided = last_decided(kept, update).unwrap_or(Timestamp::MIN);
        (update, Decline { decided, automatic: true, ..Decline::by_hand(change) })
    };
    let mut declined: BTreeMap<UpdateId, Decline> = expired.iter().map(expire).collect();
    for (&update, own) in &kept.declined {
        if known(decisions, update)?.is_some() {
            declined.insert(update, *own);
        }
    }
    put_declines(decisions, &declined, Mark::passing(change), change, &mut adopted);
    remember_marks(decisions, kept, change, &mut known)?;
    for update in turned {
        decisions.renew(update, stamp)?;
    }
    Ok(adopted)
}

/// When the approvals of an update that expired end, beside what is decided elsewhere: with the last of them, however much
/// later it expired; or when they were taken away, or a decline was. `None` where nothing of that ever was.
fn last_decided(kept: &KeptDecisions, update: UpdateId) -> Option<Timestamp> {
    let deployed = |own: &&CarriedApproval| own.update == update && own.action.deploys();
    let approved = kept.approvals.iter().filter(deployed).map(|own| next(own.at)).max();
    let withdrawn = kept.withdrawn.range(of_update(update)).map(|(_, at)| *at).max();
    approved.max(withdrawn).max(kept.restored.get(&update).map(|at| next(*at)))
}

/// What a kept approval becomes.
enum Becomes {
    AsItIs,
    Held(Hold),
    Declined,
    /// Its newest revision serves, with what is possible with it.
    Only(KnownRevision),
}

fn judge(
    decisions: &Decisions,
    kept: &KeptDecisions,
    known: &Known,
    orders: &[Standing],
    change: Change,
) -> Becomes {
    let subject = &known.subject;
    let update = subject.update;
    let held = kept.held.get(&update);
    let Some((&newest, last)) = known.revisions.last_key_value() else { return Becomes::AsItIs };
    // Of what earlier versions put aside it is not known; then nothing is held against it.
    let before = kept.newest.get(&update).copied().unwrap_or(newest);
    let (reason, since) = if newest > before {
        let arrival = Arrival {
            update,
            revision: newest,
            replaces: Some(before),
            expired: subject.expired,
            // What was aside is not declined for an expiry that is over (store).
            revives: false,
            eula: subject.eula,
            removable: subject.removable,
            may_ask: subject.may_ask,
            // Which bundles serve is settled later.
            bundled: false,
        };
        match decisions.judge(&arrival, orders) {
            Succession::Held(reason) => (reason, change),
            Succession::Declined => return Becomes::Declined,
            // What waited to be looked at goes on waiting, with what joined it.
            Succession::Followed
                if !subject.expired && held.is_some_and(|held| held.reason == HoldReason::Review) =>
            {
                (HoldReason::Review, change)
            }
            Succession::Followed | Succession::Untouched | Succession::Revived => return Becomes::AsItIs,
        }
    } else {
        let Some(held) = held else { return Becomes::AsItIs };
        let reason = match held.reason {
            HoldReason::Eula(eula) if decisions.accepted.contains_key(&eula) => {
                if decisions.options.approvals_follow {
                    return Becomes::AsItIs;
                }
                HoldReason::Review
            }
            reason => reason,
        };
        (reason, Change { at: held.since.at, ..change })
    };
    let wanted = held.map_or(before, |hold| hold.serving);
    if known.can_wait_behind(wanted) {
        return Becomes::Held(Hold { serving: wanted, reason, since });
    }
    // Should the revision that is to stay be gone, the oldest of the others with which what was approved is possible is
    // closest to it.
    let fits =
        |one: &KnownRevision| orders.iter().all(|order| decisions.refused_by(update, one, *order).is_none());
    match known.revisions.range(wanted..).find(|(_, one)| fits(one)) {
        Some((&serving, _)) if serving < newest => Becomes::Held(Hold { serving, reason, since }),
        Some(_) => Becomes::AsItIs,
        None => Becomes::Only(*last),
    }
}

/// What was taken away or taken back is decided again, each at its own time.
fn remember_marks<E>(
    decisions: &mut Decisions,
    kept: &KeptDecisions,
    change: Change,
    known: &mut impl FnMut(&Decisions, UpdateId) -> Result<Option<Known>, E>,
) -> Result<(), E> {
    for (&(update, group), &at) in &kept.withdrawn {
        let open =
            decisions.groups.get(group).is_some() && !decisions.approvals.contains_key(&(update, group));
        if open && known(decisions, update)?.is_some() {
            let mark = decisions.withdrawn.entry((update, group)).or_insert(Mark::passing(change));
            mark.decided = Some(at);
        }
    }
    for (&update, &at) in &kept.restored {
        if !decisions.declined.contains_key(&update) && known(decisions, update)?.is_some() {
            decisions.restored.entry(update).or_insert(Mark::passing(change)).decided = Some(at);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
