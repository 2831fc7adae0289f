//! Policy: what is known here of an update that a decision made elsewhere, or before, is about, and with which of its
//! revisions an order is possible.

use super::Taking;
use crate::approvals::Order;
use crate::decisions::{Decisions, Subject};
use crate::licences::EulaId;
use crate::refusals::ApprovalError;
use crate::succession::{HoldReason, Standing, impossible, refusal};
use sluicegate_terms::{GroupId, RevisionNumber, Timestamp, UpdateId};
use std::collections::BTreeMap;

/// What has to be known about an update here to take in a decision about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// As its newest revision says.
    pub subject: Subject,
    /// Its revisions, as far as they are asked for.
    pub revisions: BTreeMap<RevisionNumber, KnownRevision>,
    /// When the first of them came.
    pub came: Option<Timestamp>,
}

/// What of a revision decides whether an order is possible with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownRevision {
    /// When it came.
    pub came: Timestamp,
    /// Whether it says `ExplicitlyDeployable="true"`.
    pub deployable: bool,
    /// Whether it lets the update expire.
    pub expired: bool,
    /// Its licence terms, if any.
    pub eula: Option<EulaId>,
    /// Whether computers can remove it again.
    pub removable: bool,
    /// Whether installing it may ask the user something.
    pub may_ask: bool,
}

impl KnownRevision {
    /// One that says what `subject` does.
    #[must_use]
    pub const fn of(subject: &Subject, came: Timestamp) -> Self {
        Self {
            came,
            deployable: subject.explicitly_deployable,
            expired: subject.expired,
            eula: subject.eula,
            removable: subject.removable,
            may_ask: subject.may_ask,
        }
    }
}

impl Known {
    /// Whether a newer revision than this one is here beside it.
    pub(crate) fn can_wait_behind(&self, serving: RevisionNumber) -> bool {
        self.revisions.contains_key(&serving)
            && self.revisions.last_key_value().is_some_and(|(newest, _)| *newest > serving)
    }

    /// When the newest of them came.
    pub(super) fn newest_came(&self) -> Option<Timestamp> {
        self.revisions.values().next_back().map(|newest| newest.came)
    }

    /// The newest of those that were here at a time.
    pub(super) fn newest_at(&self, at: Timestamp) -> Option<RevisionNumber> {
        self.revisions.iter().rev().find(|(_, one)| one.came <= at).map(|(number, _)| *number)
    }
}

/// Which revision an order from elsewhere is for.
pub(super) enum Fits {
    /// The newest, or the one that serves while it waits.
    AsItIs,
    /// An older one: the newest has to wait.
    Behind(RevisionNumber, HoldReason),
}

impl Taking<'_> {
    /// Which revision an order from elsewhere is for, or why it is for none. `serving` is the one that serves while the
    /// newest waits, here or there. Where the order is impossible with the newest, that one waits, as if it had come
    /// after the order, behind the newest with which this order and those that stand are possible; but behind none that
    /// is older than what somebody here decided about.
    pub(super) fn fit(
        &self,
        own: &Decisions,
        known: &Known,
        serving: Option<RevisionNumber>,
        order: &Order,
    ) -> Result<Fits, String> {
        let subject = &known.subject;
        let update = subject.update;
        let wanted = (order.action, order.deadline);
        if let Some(serving) = serving {
            // What is not known of it is not held against it.
            let error = known.revisions.get(&serving).and_then(|one| own.refused_by(update, one, wanted));
            return error.map_or(Ok(Fits::AsItIs), |error| {
                Err(format!("{error} (here its revision {serving} serves while a newer one waits)"))
            });
        }
        let Some(reason) = impossible(order.action, order.deadline, subject.removable, subject.may_ask)
        else {
            return Ok(Fits::AsItIs);
        };
        let decided = self.settled.get(&update).and_then(|decided| known.newest_at(*decided));
        let older = known.revisions.iter().rev().skip(1).filter(|_| self.open(own, known));
        older
            .filter(|(number, _)| decided.is_none_or(|decided| **number >= decided))
            .find(|(_, one)| {
                own.refused_by(update, one, wanted).is_none()
                    && own.stands_with(update, one, Some(order.group))
            })
            .map(|(number, _)| Fits::Behind(*number, reason))
            .ok_or_else(|| {
                refusal(subject, order.action, order.deadline).map_or_else(String::new, |e| e.to_string())
            })
    }
}

impl Decisions {
    /// Whether all orders that stand about an update are possible with one of its revisions; that of the group `except`
    /// is not looked at.
    pub(super) fn stands_with(
        &self,
        update: UpdateId,
        revision: &KnownRevision,
        except: Option<GroupId>,
    ) -> bool {
        let mut orders = self.approvals.of(update).filter(|own| Some(own.group) != except);
        orders.all(|own| self.refused_by(update, revision, (own.action, own.deadline)).is_none())
    }

    /// Why an order about an update would be refused, were this its newest revision. Who keeps what expired keeps its
    /// approvals.
    pub(crate) fn refused_by(
        &self,
        update: UpdateId,
        revision: &KnownRevision,
        (action, deadline): Standing,
    ) -> Option<ApprovalError> {
        let subject = Subject {
            explicitly_deployable: revision.deployable,
            expired: revision.expired && self.options.decline_expired,
            eula: revision.eula,
            removable: revision.removable,
            may_ask: revision.may_ask,
            ..Subject::software(update)
        };
        let order = Order { group: GroupId::ALL_COMPUTERS, action, deadline, by: String::new() };
        action.deploys().then(|| self.check(&subject, &order).err()).flatten()
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
