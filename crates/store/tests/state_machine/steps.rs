//! The steps of a sequence, read from random bytes, so that a failing sequence shrinks to a short one.

use sluicegate_policy::ApprovalAction;
use std::collections::BTreeSet;

/// All Computers.
pub(crate) const ALL: u128 = 0;
/// An update that bundles [`MEMBER`] in some of its revisions.
pub(crate) const BUNDLE: u128 = 4;
/// An update that is sometimes bundled.
pub(crate) const MEMBER: u128 = 5;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A new update, or the next revision of one that is there.
    Import {
        update: u128,
        expired: bool,
        eula: Option<u128>,
        bundles_member: bool,
    },
    Approve {
        update: u128,
        group: u128,
        action: ApprovalAction,
        deadline: Option<i64>,
    },
    ApproveMany {
        updates: Vec<u128>,
        groups: Vec<u128>,
    },
    Unapprove {
        update: u128,
        group: Option<u128>,
    },
    Decline {
        update: u128,
    },
    CreateGroup {
        group: u128,
        parent: u128,
    },
    MoveGroup {
        group: u128,
        parent: u128,
    },
    DeleteGroup {
        group: u128,
    },
    AcceptEula {
        update: u128,
    },
    AcceptRevision {
        update: u128,
    },
    Options {
        follow: bool,
        decline_expired: bool,
    },
    EnableRule {
        enabled: bool,
    },
    RunRule,
    /// A replica takes over what its upstream decided.
    Adopt {
        deployments: Vec<(u128, u128, ApprovalAction)>,
        declined: BTreeSet<u128>,
    },
    /// The store is dropped and opened again.
    Crash,
}

impl Step {
    /// The step that four bytes stand for.
    pub(crate) fn read([what, a, b, c]: [u8; 4]) -> Self {
        let update = u128::from(a % 6);
        let group = u128::from(b % 5);
        let action = ApprovalAction::ALL[usize::from(c % 4)];
        match what % 32 {
            0..=8 => Self::Import {
                update,
                expired: b.is_multiple_of(6),
                eula: (c % 4 == 3).then_some(200 + u128::from(b % 2)),
                bundles_member: c.is_multiple_of(2),
            },
            9..=14 => Self::Approve {
                update,
                group,
                action,
                deadline: (c % 16 > 11).then_some(i64::from(c) * 1_000),
            },
            15 => Self::ApproveMany { updates: (0..6).collect(), groups: vec![group, u128::from(c % 5)] },
            16 | 17 => Self::Unapprove { update, group: (!c.is_multiple_of(3)).then_some(group) },
            18 | 19 => Self::Decline { update },
            20 | 21 => Self::CreateGroup { group: 1 + u128::from(b % 4), parent: u128::from(c % 5) },
            22 => Self::MoveGroup { group: 1 + u128::from(b % 4), parent: u128::from(c % 5) },
            23 => Self::DeleteGroup { group: 1 + u128::from(b % 4) },
            24 => Self::AcceptEula { update },
            25 | 26 => Self::AcceptRevision { update },
            27 => Self::Options { follow: b.is_multiple_of(2), decline_expired: c.is_multiple_of(2) },
            28 => Self::EnableRule { enabled: b.is_multiple_of(2) },
            29 => Self::RunRule,
            30 => Self::Adopt {
                deployments: vec![(update, group, action), (u128::from(c % 6), u128::from(a % 5), action)],
                declined: [u128::from(b % 6), u128::from(c % 7)].into(),
            },
            _ => Self::Crash,
        }
    }
}
