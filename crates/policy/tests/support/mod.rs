//! Helpers of this crate's tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

use sluicegate_policy::{ApprovalAction, Arrival, Change, Decisions, EulaId, Order, Stamp, Subject};
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, RevisionNumber, Timestamp, UpdateId};

pub fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

pub fn gid(n: u128) -> GroupId {
    if n == 0 { GroupId::ALL_COMPUTERS } else { GroupId(Guid::from_u128(n)) }
}

pub fn eula(n: u128) -> EulaId {
    EulaId(Guid::from_u128(n))
}

pub fn at(day: i64) -> Timestamp {
    Timestamp::from_unix_seconds(day * 86_400)
}

pub fn change(anchor: u64) -> Change {
    Change { anchor: Anchor(anchor), at: at(anchor as i64) }
}

pub fn stamp(anchor: u64) -> Stamp {
    Stamp::new(change(anchor), i64::from(DeploymentId::FIRST_EXPLICIT) + 1_000 * anchor as i64)
}

pub fn number(n: i64) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

pub fn order(group: u128, action: ApprovalAction) -> Order {
    Order { group: gid(group), action, deadline: None, by: "admin".to_owned() }
}

/// Revision `n` of update 1 takes the place of the one before it.
pub fn arrival(n: i64) -> Arrival {
    let replaces = Some(number(n - 1));
    let (update, revision) = (uid(1), number(n));
    Arrival {
        update,
        revision,
        replaces,
        expired: false,
        revives: false,
        eula: None,
        removable: true,
        may_ask: false,
        bundled: false,
    }
}

/// All Computers > 2 > 3, and update 1 approved for some groups.
pub fn approved(orders: &[(u128, ApprovalAction)]) -> Decisions {
    let mut decisions = Decisions::default();
    for (group, parent) in [(2, 0), (3, 2)] {
        decisions.groups.create(gid(group), format!("g{group}").parse().unwrap(), Some(gid(parent))).unwrap();
    }
    for ((group, action), anchor) in orders.iter().zip(1..) {
        decisions.approve(&Subject::software(uid(1)), order(*group, *action), &mut stamp(anchor)).unwrap();
    }
    decisions
}
