//! The steps of a sequence, read from random bytes, so that a failing sequence shrinks to a short one.

use sluicegate_policy::ApprovalAction;
use std::collections::BTreeSet;

/// All Computers.
pub(crate) const ALL: u128 = 0;
/// An update that bundles [`MEMBER`] in some of its revisions.
pub(crate) const BUNDLE: u128 = 4;
/// An update that is sometimes bundled.
pub(crate) const MEMBER: u128 = 5;

/// What the next revision of an update will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) update: u128,
    pub(crate) expired: bool,
    pub(crate) eula: Option<u128>,
    pub(crate) bundles_member: bool,
    pub(crate) supersedes: Option<u128>,
}

impl Draft {
    fn read(a: u8, b: u8, c: u8) -> Self {
        let update = u128::from(a % 6);
        Self {
            update,
            expired: b.is_multiple_of(6),
            eula: (c % 4 == 3).then_some(200 + u128::from(b % 2)),
            bundles_member: c.is_multiple_of(2),
            supersedes: (b % 5 < 2).then_some(u128::from(c % 6)).filter(|old| *old != update),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Somebody imports a new update, or the next revision of one.
    Import(Draft),
    /// The upstream publishes some revisions, and everything it has but the last few is synchronized.
    Sync {
        drafts: Vec<Draft>,
        not_yet: usize,
    },
    /// Some days pass and cleanup runs, cut off after so many of its transactions if at all, and then again until
    /// it finds nothing to do.
    Cleanup {
        days: i64,
        cut: Option<u8>,
        crash: bool,
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
    RenameGroup {
        group: u128,
        name: u128,
    },
    DeleteGroup {
        group: u128,
        nested: bool,
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
    /// Its upstream decides from now on, or its own administrators do again.
    Mode {
        replica: bool,
    },
    /// A replica takes over what its upstream decided.
    Adopt {
        deployments: Vec<(u128, u128, ApprovalAction)>,
        dead: Option<(u128, u128)>,
        declined: BTreeSet<u128>,
        accepted: Option<u128>,
        new_group: Option<u128>,
        complete: bool,
        /// It holds back the newest revision of what it tells of.
        holds: bool,
    },
    /// The power goes: what is on the disk is copied while the store is open, with bytes behind it that were
    /// never synced, and the copy is opened.
    Crash,
}

impl Step {
    /// The step that four bytes stand for.
    pub(crate) fn read([what, a, b, c]: [u8; 4]) -> Self {
        let update = u128::from(a % 6);
        let group = u128::from(b % 5);
        let action = ApprovalAction::ALL[usize::from(c % 4)];
        match what % 48 {
            0..=8 => Self::Import(Draft::read(a, b, c)),
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
            23 => Self::DeleteGroup { group: 1 + u128::from(b % 4), nested: c.is_multiple_of(2) },
            24 => Self::AcceptEula { update },
            25 | 26 => Self::AcceptRevision { update },
            27 => Self::Options { follow: b.is_multiple_of(2), decline_expired: c.is_multiple_of(2) },
            28 => Self::EnableRule { enabled: b.is_multiple_of(2) },
            29 => Self::RunRule,
            30..=32 => Self::Adopt {
                deployments: vec![(update, group, action), (u128::from(c % 6), u128::from(a % 5), action)],
                dead: (c % 3 == 1).then_some((u128::from(b % 6), u128::from(c % 5))),
                declined: [u128::from(b % 6), u128::from(c % 7)].into(),
                accepted: (b % 3 == 2).then_some(200 + u128::from(c % 2)),
                new_group: (a % 3 == 1).then_some(1 + u128::from(b % 4)),
                complete: c.is_multiple_of(2),
                holds: a.is_multiple_of(5),
            },
            33 | 34 => Self::Mode { replica: a.is_multiple_of(2) },
            35..=37 => Self::Sync {
                drafts: [Draft::read(a, b, c), Draft::read(b, c, a), Draft::read(c, a, b)]
                    .into_iter()
                    .take(usize::from(a % 4))
                    .collect(),
                not_yet: usize::from(c % 3),
            },
            38..=45 => Self::Cleanup {
                days: [0, 1, 2, 29, 30, 31, 62, 91][usize::from(a % 8)],
                cut: (b % 3 == 1).then_some(c % 12),
                crash: b.is_multiple_of(2),
            },
            46 => Self::RenameGroup { group: 1 + u128::from(b % 4), name: 1 + u128::from(c % 4) },
            _ => Self::Crash,
        }
    }
}
