//! Policy: what filters and rules decided here as an update came, beside what was decided about it elsewhere. Documents
//! come before the decisions that are carried with them, so the time of such a decision says only when the update came,
//! not that anybody here thought otherwise later.

use crate::{Approval, ApprovalError, CarriedDecisions, Decisions, Known};
use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::BTreeMap;

impl Decisions {
    /// Dates what filters and rules decided about updates before what is carried about these: they decide in the very
    /// moment in which an update comes, and nobody else can.
    ///
    /// # Errors
    /// What `known` gives.
    pub(crate) fn yield_to<E: From<ApprovalError>>(
        &mut self,
        carried: &CarriedDecisions,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
    ) -> Result<(), E> {
        for (update, first) in first_decided(carried) {
            let declined = self.declined.get(&update).map(|own| own.decided);
            let own = self.approvals.of(update).map(|own| own.changed_at).chain(declined);
            if own.max().is_none_or(|own| own <= first) {
                continue;
            }
            let Some(came) = known(self, update)?.and_then(|known| known.came) else { continue };
            if came <= first {
                continue;
            }
            let before = Timestamp::from_ticks(first.ticks().saturating_sub(1));
            if let Some(own) = self.declined.get_mut(&update).filter(|own| own.decided == came) {
                own.decided = before;
            }
            let own: Vec<Approval> =
                self.approvals.of(update).filter(|own| own.changed_at == came).cloned().collect();
            for approval in own {
                self.approvals.insert(Approval { changed_at: before, ..approval })?;
            }
        }
        Ok(())
    }
}

/// When something was first decided about each update.
fn first_decided(carried: &CarriedDecisions) -> BTreeMap<UpdateId, Timestamp> {
    let each = (carried.declined.iter().chain(&carried.restored).map(|(update, at)| (*update, *at)))
        .chain(carried.withdrawn.iter().map(|((update, _), at)| (*update, *at)))
        .chain(carried.approvals.iter().map(|approval| (approval.update, approval.at)));
    let mut first = BTreeMap::new();
    for (update, at) in each {
        first.entry(update).and_modify(|first: &mut Timestamp| *first = at.min(*first)).or_insert(at);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApprovalAction, Change, Order, Stamp, Subject, TakenIn};
    use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid};

    /// When every update came here.
    const CAME: i64 = 40;

    fn uid(n: u128) -> UpdateId {
        UpdateId(Guid::from_u128(n))
    }

    fn stamp(seconds: i64) -> Stamp {
        let at = Timestamp::from_unix_seconds(seconds);
        let change = Change { anchor: Anchor(seconds.unsigned_abs()), at };
        Stamp::new(change, i64::from(DeploymentId::FIRST_EXPLICIT) + seconds * 100)
    }

    fn approve(decisions: &mut Decisions, update: u128, action: ApprovalAction, seconds: i64) {
        let order =
            Order { group: GroupId::ALL_COMPUTERS, action, deadline: None, by: "somebody".to_owned() };
        let change = stamp(seconds).change;
        let id = i64::from(DeploymentId::FIRST_EXPLICIT) + seconds * 100 + i64::try_from(update).unwrap();
        decisions.approve(&Subject::software(uid(update)), order, &mut Stamp::new(change, id)).unwrap();
    }

    fn decline(decisions: &mut Decisions, update: u128, seconds: i64) {
        decisions.decline(&Subject::software(uid(update)), stamp(seconds).change).unwrap();
    }

    fn carry(from: &Decisions, to: &mut Decisions, seconds: i64) -> TakenIn {
        let known = |_: &Decisions, update| {
            let came = Some(Timestamp::from_unix_seconds(CAME));
            Ok::<_, ApprovalError>(Some(Known {
                subject: Subject::software(update),
                revisions: BTreeMap::new(),
                came,
            }))
        };
        to.take_in(&from.to_carry(), known, &mut stamp(seconds)).unwrap()
    }

    /// Decided elsewhere before the updates came here.
    fn origin() -> Decisions {
        let mut from = Decisions::default();
        decline(&mut from, 1, 10);
        approve(&mut from, 2, ApprovalAction::NotApproved, 11);
        approve(&mut from, 3, ApprovalAction::Install, 12);
        approve(&mut from, 4, ApprovalAction::Install, 13);
        from.unapprove(uid(4), None, "somebody".to_owned(), &mut stamp(14)).unwrap();
        decline(&mut from, 5, 15);
        from.restore(uid(5), stamp(16).change).unwrap();
        from
    }

    #[test]
    fn filters_and_rules_do_not_overrule_what_comes_with_the_updates() {
        let from = origin();
        let mut to = Decisions::default();
        for update in [1, 2, 4] {
            approve(&mut to, update, ApprovalAction::Install, CAME);
        }
        for update in [3, 5] {
            decline(&mut to, update, CAME);
        }
        let taken = carry(&from, &mut to, 50);
        assert_eq!(
            (taken.declined, taken.approved, taken.withdrawn, taken.restored, taken.older),
            (1, 2, 1, 1, 0)
        );
        let (there, here) = (from.to_carry(), to.to_carry());
        assert_eq!((&here.approvals, &here.declined), (&there.approvals, &there.declined));
        // Neither here nor there does a second time change anything.
        let once = to.clone();
        assert_eq!((carry(&from, &mut to, 60), &to), (TakenIn::default(), &once));
        let mut back = from.clone();
        carry(&to, &mut back, 70);
        let back = back.to_carry();
        assert_eq!((&back.approvals, &back.declined), (&there.approvals, &there.declined));
    }

    #[test]
    fn what_somebody_decided_here_after_it_came_stands() {
        let from = origin();
        let mut to = Decisions::default();
        for update in [1, 2, 4] {
            approve(&mut to, update, ApprovalAction::Install, CAME + 1);
        }
        decline(&mut to, 3, CAME + 1);
        let before = to.to_carry();
        let taken = carry(&from, &mut to, 50);
        assert_eq!((taken.declined, taken.approved, taken.withdrawn), (0, 0, 0), "{taken:?}");
        assert_eq!((to.to_carry().approvals, to.to_carry().declined), (before.approvals, before.declined));
    }

    #[test]
    fn of_updates_that_nobody_decided_about_elsewhere_nothing_changes() {
        let mut to = Decisions::default();
        approve(&mut to, 7, ApprovalAction::Install, CAME);
        let before = to.clone();
        carry(&origin(), &mut to, 50);
        assert_eq!(to.approvals.of(uid(7)).next(), before.approvals.of(uid(7)).next());
    }
}
