//! Random worlds: catalogs with history, nested groups, decisions and client states, drawn from a list of
//! numbers. A shorter list with smaller numbers makes a smaller world, so failures shrink well.

use proptest::prelude::*;
use sluicegate_catalog::{Clause, DriverEntry, FeatureScore, ScanRecord};
use sluicegate_policy::{
    ApprovalAction, Arrival, Change, Decisions, EulaId, Order, Stamp, Subject, SuccessionOptions,
};
use sluicegate_scan::{
    Device, ExtensionDriver, InstalledDriver, PageBudget, ProtocolVersion, RevisionInput, Snapshot,
    SnapshotBuilder, SyncQuery,
};
use sluicegate_terms::{
    Anchor, CategoryKind, DeploymentId, GroupId, Guid, RevisionId, RevisionNumber, Timestamp, UpdateId,
    UpdateIdentity, UpdateKind,
};

/// How many random worlds a property is tried on.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

pub(crate) fn draws() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..1600)
}

/// A list of random numbers that is used up; then everything is 0.
pub(crate) struct Draws {
    numbers: Vec<u32>,
    next: usize,
}

impl Draws {
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        Self { numbers, next: 0 }
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        if bound == 0 { 0 } else { number as usize % bound }
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        // Zero, what is drawn at the end, means no.
        self.below(100) + percent >= 100
    }

    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    pub(crate) fn some<T: Clone>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let count = self.below(most + 1);
        if items.is_empty() { Vec::new() } else { (0..count).map(|_| self.pick(items)).collect() }
    }
}

pub(crate) fn uid(n: usize) -> UpdateId {
    // Scattered, so that no order of ids is the order of numbers.
    UpdateId(Guid::from_u128((n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)))
}

pub(crate) fn gid(n: usize) -> GroupId {
    GroupId(Guid::from_u128(0x6000 + n as u128))
}

pub(crate) fn time(n: usize) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + n as i64 * 86_400)
}

const HARDWARE: [&str; 6] =
    ["PCI\\VEN_1&DEV_1", "PCI\\VEN_1", "USB\\VID_2&PID_2", "USB\\VID_2", "ACPI\\PNP3", "*pnp3"];
const PROVIDERS: [&str; 3] = ["Contoso", "Fabrikam", "contoso"];
const CLASSES: [&str; 5] =
    ["Net", "Printer", "Printers", "Extension", "{4d36e979-e325-11ce-bfc1-08002be10318}"];
const SYSTEMS: [&str; 3] = ["AMD64.10.0", "amd64.10.0", "ARM64.10.0"];
pub(crate) const LAST_ANCHOR: u64 = 24;

fn computer(n: usize) -> Guid {
    Guid::from_u128(0xC0 + n as u128)
}

fn driver_entry(draws: &mut Draws) -> DriverEntry {
    let scores = (0..draws.below(3)).map(|_| FeatureScore {
        operating_system: draws.pick(&SYSTEMS).to_owned(),
        score: [255, 10, 20][draws.below(3)],
    });
    let feature_scores = scores.collect();
    DriverEntry {
        hardware_id: draws.pick(&HARDWARE).to_lowercase(),
        ver_date: time(draws.below(3)),
        ver_version: draws.below(3) as u64,
        class: draws.pick(&CLASSES).to_owned(),
        manufacturer: draws.pick(&PROVIDERS).to_owned(),
        provider: draws.pick(&PROVIDERS).to_owned(),
        model: String::new(),
        whql_driver_id: draws.below(2) as u32,
        compatible_providers: if draws.chance(20) {
            vec![draws.pick(&PROVIDERS).to_owned()]
        } else {
            Vec::new()
        },
        feature_scores,
        distribution_computer_ids: if draws.chance(25) { vec![computer(draws.below(4))] } else { Vec::new() },
        target_computer_ids: if draws.chance(25) {
            vec![computer(draws.below(4)), computer(draws.below(4))]
        } else {
            Vec::new()
        },
    }
}

/// A catalog that grew and decisions that were made, anchor by anchor.
pub(crate) struct World {
    pub(crate) updates: usize,
    pub(crate) revisions: Vec<RevisionInput>,
    deeds: Vec<(u64, Deed)>,
    options: SuccessionOptions,
}

/// The licence terms of the third revision of every update.
fn terms(update: UpdateId, number: u32) -> Option<EulaId> {
    (number == 102).then_some(EulaId(update.0))
}

#[derive(Clone, Debug)]
enum Deed {
    Arrive { revision: usize },
    AcceptRevision { update: usize },
    AcceptTerms { update: usize },
    Create { group: usize, parent: usize },
    Move { group: usize, parent: usize },
    RemoveGroup { group: usize },
    Approve { update: usize, group: usize, action: ApprovalAction, deadline: Option<usize> },
    Unapprove { update: usize, group: Option<usize> },
    Decline { update: usize },
    Restore { update: usize },
}

pub(crate) const GROUPS: usize = 5;

/// Groups by number: the two built-in ones, then an administrator's.
pub(crate) fn group(n: usize) -> GroupId {
    match n {
        0 => GroupId::ALL_COMPUTERS,
        1 => GroupId::UNASSIGNED_COMPUTERS,
        n => gid(n),
    }
}

impl World {
    pub(crate) fn draw(draws: &mut Draws) -> Self {
        Self::draw_with(draws, false)
    }

    /// Mostly drivers, which otherwise seldom meet on one device.
    pub(crate) fn draw_drivers(draws: &mut Draws) -> Self {
        Self::draw_with(draws, true)
    }

    fn draw_with(draws: &mut Draws, drivers: bool) -> Self {
        let updates = 1 + draws.below(18);
        let kinds: Vec<UpdateKind> = (0..updates)
            .map(|_| match draws.below(10) {
                2.. if drivers => UpdateKind::Driver,
                0..=4 => UpdateKind::Software,
                5 | 6 => UpdateKind::Category,
                7 => UpdateKind::Detectoid,
                _ => UpdateKind::Driver,
            })
            .collect();
        let mut ids: Vec<u32> = Vec::new();
        let mut revisions: Vec<RevisionInput> = Vec::new();
        let far = if draws.chance(10) { 1_000_003 } else { 1 };
        for (n, kind) in kinds.iter().enumerate() {
            for number in 0..1 + draws.below(5).saturating_sub(2) {
                let mut id = 1 + draws.below(97) as u32;
                while ids.contains(&id) {
                    id += 1;
                }
                ids.push(id);
                let mut record = record(draws, n, number, *kind, updates);
                if drivers && *kind == UpdateKind::Driver && draws.chance(80) {
                    record.prerequisites.clear();
                }
                revisions.push(RevisionInput {
                    id: RevisionId::new(i64::from(id) * far).unwrap(),
                    record,
                    core_escaped_len: [900, 100, 5_000][draws.below(3)],
                    arrived: Anchor(1 + draws.below(LAST_ANCHOR as usize) as u64),
                    arrived_at: time(draws.below(9)),
                    leaf_changed: if draws.chance(5) { Anchor(draws.below(9) as u64) } else { Anchor::START },
                });
            }
        }
        let mut deeds: Vec<(u64, Deed)> = (0..draws.below(16))
            .map(|_| (1 + draws.below(LAST_ANCHOR as usize) as u64, deed(draws, updates)))
            .collect();
        let options =
            SuccessionOptions { approvals_follow: !draws.chance(60), decline_expired: draws.chance(50) };
        deeds.extend(revisions.iter().enumerate().map(|(n, r)| (r.arrived.0, Deed::Arrive { revision: n })));
        deeds.sort_by_key(|(anchor, _)| *anchor);
        Self { updates, revisions, deeds, options }
    }

    /// The revisions that are there at an anchor.
    pub(crate) fn revisions_at(&self, anchor: Anchor) -> Vec<&RevisionInput> {
        self.revisions.iter().filter(|revision| revision.arrived <= anchor).collect()
    }

    /// What is decided at an anchor. Deeds that are refused are not done.
    pub(crate) fn decisions_at(&self, anchor: Anchor) -> Decisions {
        let mut decisions = Decisions { options: self.options, ..Decisions::default() };
        let mut next = i64::from(DeploymentId::FIRST_EXPLICIT);
        let mut here: Vec<&RevisionInput> = Vec::new();
        for (at, deed) in self.deeds.iter().filter(|(at, _)| Anchor(*at) <= anchor) {
            let change = Change { anchor: Anchor(*at), at: time(*at as usize) };
            let mut stamp = Stamp::new(change, next);
            match deed {
                Deed::Arrive { revision } => {
                    let revision = &self.revisions[*revision];
                    let identity = revision.record.identity;
                    let of_update = here.iter().map(|r| r.record.identity);
                    let arrival = Arrival {
                        update: identity.update,
                        revision: identity.revision,
                        replaces: of_update.filter(|i| i.update == identity.update).map(|i| i.revision).max(),
                        expired: revision.record.expired,
                        revives: false,
                        eula: terms(identity.update, identity.revision.get()),
                        removable: true,
                        may_ask: false,
                        bundled: false,
                    };
                    decisions.arrive(&arrival, &mut stamp).unwrap();
                    here.push(revision);
                }
                other => do_deed(&mut decisions, other, &here, &mut stamp),
            }
            next = stamp.next_deployment();
        }
        decisions
    }

    pub(crate) fn snapshot(revisions: &[&RevisionInput], decisions: &Decisions, anchor: Anchor) -> Snapshot {
        let mut builder = SnapshotBuilder::new(anchor);
        for revision in revisions {
            builder.revision((*revision).clone());
        }
        builder.decisions(decisions);
        builder.finish().unwrap()
    }
}

fn record(draws: &mut Draws, n: usize, number: usize, kind: UpdateKind, updates: usize) -> ScanRecord {
    let identity =
        UpdateIdentity { update: uid(n), revision: RevisionNumber::new(100 + number as i64).unwrap() };
    // Mostly of updates before this one, so that chains can be satisfied; sometimes of any, or of none.
    let other = |draws: &mut Draws| match draws.below(40) {
        0 => uid(draws.below(updates + 1)),
        _ if n == 0 => uid(0),
        _ => uid(draws.below(n)),
    };
    let mut record = ScanRecord::new(identity, kind);
    if n > 0 {
        for _ in 0..draws.below(4) {
            let any_of = (0..1 + draws.below(8).saturating_sub(5)).map(|_| other(draws)).collect();
            record.prerequisites.push(Clause { any_of, is_category: draws.chance(40) });
        }
    }
    if kind == UpdateKind::Software && draws.chance(40) {
        for _ in 0..1 + draws.below(2) {
            // Of any revision, which may be an old one or not there at all.
            let revision = RevisionNumber::new(100 + draws.below(3) as i64).unwrap();
            let member = |draws: &mut Draws| UpdateIdentity { update: other(draws), revision };
            record.bundles.push((0..1 + draws.below(2)).map(|_| member(draws)).collect());
        }
    }
    if kind == UpdateKind::Driver {
        record.drivers = (0..1 + draws.below(3)).map(|_| driver_entry(draws)).collect();
    }
    if kind == UpdateKind::Category {
        record.category_kind = Some(draws.pick(CategoryKind::ALL));
    }
    record.explicitly_deployable = draws.chance(50);
    record.expired = draws.chance(8);
    record
}

fn deed(draws: &mut Draws, updates: usize) -> Deed {
    let update = draws.below(updates);
    let group = draws.below(GROUPS + 2);
    match draws.below(18) {
        16 => Deed::AcceptRevision { update },
        17 => Deed::AcceptTerms { update },
        0..=2 => Deed::Create { group, parent: draws.below(GROUPS + 2) },
        3 => Deed::Move { group, parent: draws.below(GROUPS + 2) },
        4 => Deed::RemoveGroup { group },
        5..=10 => Deed::Approve {
            update,
            group,
            action: draws.pick(&[
                ApprovalAction::Install,
                ApprovalAction::OptionalInstall,
                ApprovalAction::Uninstall,
                ApprovalAction::NotApproved,
            ]),
            deadline: draws.chance(30).then(|| draws.below(3)),
        },
        11 => Deed::Unapprove { update, group: Some(group) },
        12 => Deed::Unapprove { update, group: None },
        13 | 14 => Deed::Decline { update },
        _ => Deed::Restore { update },
    }
}

fn do_deed(decisions: &mut Decisions, deed: &Deed, here: &[&RevisionInput], stamp: &mut Stamp) {
    let change = stamp.change;
    let subject = |update: usize| {
        let of_update = here.iter().map(|r| r.record.identity).filter(|i| i.update == uid(update));
        let newest = of_update.map(|i| i.revision.get()).max().unwrap_or(0);
        Subject { eula: terms(uid(update), newest), ..Subject::software(uid(update)) }
    };
    // What the rules of policy refuse does not happen; that is not under test here.
    match deed.clone() {
        Deed::Create { group: n, parent } => {
            let name = format!("group {n}").parse().unwrap();
            let _ = decisions.groups.create(group(n), name, Some(group(parent)));
        }
        Deed::Move { group: n, parent } => {
            let _ = decisions.groups.move_below(group(n), group(parent), change.anchor);
        }
        Deed::RemoveGroup { group: n } => {
            let _ = decisions.remove_group(group(n), change);
        }
        Deed::Approve { update, group: n, action, deadline } => {
            let deadline = deadline.filter(|_| action.can_be_due()).map(time);
            let order = Order { group: group(n), action, deadline, by: String::new() };
            let _ = decisions.approve(&subject(update), order, stamp);
        }
        Deed::Unapprove { update, group: n } => {
            let _ = decisions.unapprove(uid(update), n.map(group), String::new(), stamp);
        }
        Deed::Decline { update } => {
            let _ = decisions.decline(&subject(update), change);
        }
        Deed::AcceptRevision { update } => {
            let _ = decisions.accept_revision(&subject(update), stamp);
        }
        Deed::AcceptTerms { update } => {
            let _ = decisions.accept_eula(EulaId(uid(update).0), String::new(), stamp);
        }
        Deed::Arrive { .. } => {}
        Deed::Restore { update } => {
            let _ = decisions.restore(uid(update), change);
        }
    }
}

/// The owned parts of a query.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) installed: Vec<i32>,
    pub(crate) other: Vec<i32>,
    pub(crate) cached_drivers: Vec<i32>,
    pub(crate) devices: Vec<Device<'static>>,
    pub(crate) computers: Vec<Guid>,
    pub(crate) key: Option<&'static str>,
    pub(crate) categories: Vec<UpdateId>,
    pub(crate) skip_software: bool,
    pub(crate) also_regular: bool,
    pub(crate) two_groups: bool,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) seen: Anchor,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) budget: PageBudget,
}

impl Question {
    /// A question without rhyme or reason: any ids, any state.
    pub(crate) fn draw(draws: &mut Draws, world: &World, recovery: &'static [String]) -> Self {
        let mut ids: Vec<i32> = world.revisions.iter().map(|r| i32::try_from(r.id.get()).unwrap()).collect();
        ids.extend([0, -1, i32::MAX, i32::MIN, 55]);
        let categories: Vec<UpdateId> = (0..=world.updates).map(uid).collect();
        Self {
            installed: draws.some(&ids, 24),
            other: draws.some(&ids, 12),
            cached_drivers: draws.some(&ids, 6),
            devices: (0..draws.below(4)).map(|_| device(draws, recovery)).collect(),
            computers: (0..draws.below(4)).map(|_| computer(draws.below(4))).collect(),
            key: draws.pick(&[Some("AMD64.10.0"), Some("arm64.10.0"), Some("X86.6.1"), None]),
            categories: if draws.chance(30) { draws.some(&categories, 3) } else { Vec::new() },
            skip_software: draws.chance(40),
            also_regular: draws.chance(20),
            two_groups: draws.chance(60),
            groups: draws.some(&(0..GROUPS + 3).map(group).collect::<Vec<_>>(), 3),
            seen: Anchor(draws.below(LAST_ANCHOR as usize + 3) as u64),
            protocol: draws.pick(&["2.90", "1.8", "1.7", "1.6", "1.5"]).parse().unwrap(),
            budget: PageBudget {
                floor: [1 << 20, 1, 2_000][draws.below(3)],
                per_held: [8_192, 0, 100][draws.below(3)],
                ceiling: [4 << 20, 3_000, 1][draws.below(3)],
            },
        }
    }

    pub(crate) fn query(&self) -> SyncQuery<'_> {
        SyncQuery {
            installed_non_leaf: &self.installed,
            other_cached: &self.other,
            cached_drivers: &self.cached_drivers,
            system_spec: &self.devices,
            computer_hardware_ids: &self.computers,
            feature_score_key: self.key,
            filter_categories: &self.categories,
            skip_software: self.skip_software,
            also_regular: self.also_regular,
            two_groups: self.two_groups,
            groups: &self.groups,
            seen: self.seen,
            protocol: self.protocol,
            budget: self.budget,
            without: &[],
        }
    }
}

/// Update ids as text, for recovery ids that outlive a case.
pub(crate) fn recovery_ids() -> &'static [String] {
    static IDS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    IDS.get_or_init(|| (0..20).map(|n| uid(n).to_string()).chain(["nonsense".to_owned()]).collect())
}

fn device(draws: &mut Draws, recovery: &'static [String]) -> Device<'static> {
    let recovery: Vec<&'static str> = recovery.iter().map(String::as_str).collect();
    Device {
        hardware_ids: draws.some(&HARDWARE, 3),
        compatible_ids: draws.some(&HARDWARE, 2),
        installed: draws.chance(60).then(|| InstalledDriver {
            matching_id: draws.chance(70).then(|| draws.pick(&HARDWARE)),
            ver_date: draws.pick(&[time(0), time(1), Timestamp::MIN]),
            ver_version: draws.below(3) as u64,
            class: draws.chance(60).then(|| draws.pick(&CLASSES)),
            manufacturer: draws.chance(80).then(|| draws.pick(&PROVIDERS)),
            provider: draws.chance(80).then(|| draws.pick(&PROVIDERS)),
            matching_computer_id: draws.chance(40).then(|| computer(draws.below(4))),
            rank: draws.pick(&[-1, 0x00FF_0001, 0x000A_0000, 0x0014_2000]),
            skip_provider_filtering: draws.chance(15),
        }),
        extensions: (0..draws.below(2))
            .map(|n| ExtensionDriver {
                extension_id: "",
                ver_date: time(n),
                ver_version: draws.below(3) as u64,
                rank: 0,
                matching_computer_id: None,
            })
            .collect(),
        recovery_ids: draws.some(&recovery, 3),
        flags: draws.below(2) as u8,
    }
}
