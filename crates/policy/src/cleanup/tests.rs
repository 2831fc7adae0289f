//! Cleanup's rules, each condition by itself.

use super::*;
use crate::{ApprovalAction, Change, Decisions, Order, Stamp, Subject};
use sluicegate_terms::{
    Anchor, GroupId, Guid, RevisionId, RevisionNumber, Timestamp, UpdateId, UpdateIdentity, UpdateKind,
};

const OLD: u128 = 1;
const NEW: u128 = 2;

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn day(n: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + n * 86_400)
}

#[derive(Clone)]
struct Doc {
    update: u128,
    revision: i64,
    kind: UpdateKind,
    deployable: bool,
    expired: bool,
    day: i64,
    needs: Vec<u128>,
    members: Vec<(u128, i64)>,
    supersedes: Vec<u128>,
}

fn doc(update: u128, revision: i64, day: i64) -> Doc {
    Doc {
        update,
        revision,
        kind: UpdateKind::Software,
        deployable: true,
        expired: false,
        day,
        needs: vec![],
        members: vec![],
        supersedes: vec![],
    }
}

fn identity(update: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: uid(update), revision: RevisionNumber::new(revision).unwrap() }
}

/// The first revision serves while a newer one waits.
fn hold() -> crate::Hold {
    crate::Hold {
        serving: RevisionNumber::new(1).unwrap(),
        reason: crate::HoldReason::Review,
        since: Change { anchor: Anchor(1), at: day(-10) },
    }
}

fn graph(docs: &[Doc]) -> Graph {
    let mut graph = Graph::default();
    for (number, doc) in (1..).zip(docs) {
        let needs: Vec<UpdateId> = doc.needs.iter().map(|n| uid(*n)).collect();
        let members: Vec<UpdateIdentity> = doc.members.iter().map(|(u, r)| identity(*u, *r)).collect();
        let supersedes: Vec<UpdateId> = doc.supersedes.iter().map(|n| uid(*n)).collect();
        graph.revision(&RevisionFacts {
            id: RevisionId::new(number).unwrap(),
            identity: identity(doc.update, doc.revision),
            kind: doc.kind,
            deployable: doc.deployable,
            expired: doc.expired,
            arrived_at: day(doc.day),
            prerequisites: &needs,
            members: &members,
            supersedes: &supersedes,
        });
    }
    graph
}

fn approve(decisions: &mut Decisions, update: u128, action: ApprovalAction, on: i64) {
    let next = 1 << 30 | i64::try_from(decisions.approvals.iter().count()).unwrap();
    let mut stamp = Stamp::new(Change { anchor: Anchor(1), at: day(on) }, next + 1_000);
    let order = Order { group: GroupId::ALL_COMPUTERS, action, deadline: None, by: "admin".into() };
    decisions.approve(&Subject::software(uid(update)), order, &mut stamp).unwrap();
}

fn decline(decisions: &mut Decisions, update: u128, on: i64) {
    let change = Change { anchor: Anchor(1), at: day(on) };
    decisions.decline(&Subject::software(uid(update)), change).unwrap();
}

/// An old update that a new, approved one replaces; both a year old.
fn replaced() -> (Vec<Doc>, Decisions) {
    let newer = Doc { supersedes: vec![OLD], ..doc(NEW, 1, -360) };
    let mut decisions = Decisions::default();
    approve(&mut decisions, NEW, ApprovalAction::Install, -300);
    (vec![doc(OLD, 1, -400), newer], decisions)
}

fn superseded(docs: &[Doc], decisions: &Decisions) -> Vec<UpdateId> {
    graph(docs).superseded(decisions, &CleanupSettings::default(), |_| false, |_| false, day(0))
}

#[test]
fn a_superseded_update_is_declined_under_all_five_conditions() {
    let (docs, decisions) = replaced();
    assert_eq!(superseded(&docs, &decisions), [uid(OLD)]);
}

#[test]
fn a_superseded_update_stays_when_any_of_the_five_conditions_fails() {
    let (docs, decisions) = replaced();
    let settings = CleanupSettings::default();
    let mandatory = graph(&docs).superseded(&decisions, &settings, |_| false, |_| true, day(0));
    assert_eq!(mandatory, [], "mandatory");
    let needed = graph(&docs).superseded(&decisions, &settings, |u| u == uid(OLD), |_| false, day(0));
    assert_eq!(needed, [], "needed by a computer");

    let mut young = docs.clone();
    young[0].day = -29;
    assert_eq!(superseded(&young, &decisions), [], "29 days on the server");
    young[0].day = -30;
    assert_eq!(superseded(&young, &decisions), [uid(OLD)]);

    let mut deployed = decisions.clone();
    approve(&mut deployed, OLD, ApprovalAction::Install, -89);
    assert_eq!(superseded(&docs, &deployed), [], "approved 89 days ago");
    let mut deployed = decisions.clone();
    approve(&mut deployed, OLD, ApprovalAction::Install, -90);
    assert_eq!(superseded(&docs, &deployed), [uid(OLD)]);

    assert_eq!(superseded(&docs, &Decisions::default()), [], "nobody approved what replaces it");
    for other in [ApprovalAction::Uninstall, ApprovalAction::OptionalInstall, ApprovalAction::NotApproved] {
        let mut not_installed = Decisions::default();
        approve(&mut not_installed, NEW, other, -300);
        assert_eq!(superseded(&docs, &not_installed), [], "approved, but for {other}");
    }
    let mut gone = docs.clone();
    gone[1].expired = true;
    assert_eq!(superseded(&gone, &decisions), [], "what replaces it has expired");
}

fn approve_for(decisions: &mut Decisions, update: u128, group: GroupId, action: ApprovalAction, on: i64) {
    let next = 1 << 30 | i64::try_from(decisions.approvals.len()).unwrap();
    let mut stamp = Stamp::new(Change { anchor: Anchor(1), at: day(on) }, next + 5_000);
    let order = Order { group, action, deadline: None, by: "admin".into() };
    decisions.approve(&Subject::software(uid(update)), order, &mut stamp).unwrap();
}

#[test]
fn what_a_group_still_has_approved_stays_until_that_group_has_what_replaces_it() {
    let (docs, _) = replaced();
    let mut decisions = Decisions::default();
    let [pilots, others] = [50, 51].map(|n| GroupId(Guid::from_u128(n)));
    for (id, name) in [(pilots, "Pilots"), (others, "Others")] {
        decisions.groups.create(id, name.parse().unwrap(), None).unwrap();
    }
    approve(&mut decisions, OLD, ApprovalAction::Install, -200);
    approve_for(&mut decisions, NEW, pilots, ApprovalAction::Install, -100);
    assert_eq!(superseded(&docs, &decisions), [], "all have the old one, pilots the new");
    approve_for(&mut decisions, OLD, others, ApprovalAction::NotApproved, -100);
    assert_eq!(superseded(&docs, &decisions), [], "computers in neither group have the old one");
    approve(&mut decisions, NEW, ApprovalAction::Install, -100);
    assert_eq!(superseded(&docs, &decisions), [uid(OLD)], "everybody has what replaces it");
    approve_for(&mut decisions, NEW, others, ApprovalAction::NotApproved, -100);
    assert_eq!(superseded(&docs, &decisions), [uid(OLD)], "the others have neither");
    approve_for(&mut decisions, NEW, pilots, ApprovalAction::NotApproved, -100);
    assert_eq!(superseded(&docs, &decisions), [], "pilots would be left with nothing");
}

#[test]
fn categories_and_what_nobody_can_approve_are_not_declined_for_being_superseded() {
    let (docs, decisions) = replaced();
    let mut part = docs.clone();
    part[0].deployable = false;
    assert_eq!(superseded(&part, &decisions), []);
    let mut category = docs;
    category[0].kind = UpdateKind::Category;
    assert_eq!(superseded(&category, &decisions), []);
}

#[test]
fn an_order_to_remove_a_superseded_update_stands() {
    let (docs, mut decisions) = replaced();
    approve(&mut decisions, OLD, ApprovalAction::Uninstall, -200);
    assert_eq!(superseded(&docs, &decisions), []);
}

#[test]
fn a_revision_that_is_held_replaces_nothing_yet() {
    let (mut docs, _) = replaced();
    docs[1].supersedes.clear();
    docs.push(Doc { supersedes: vec![OLD], ..doc(NEW, 2, -10) });
    let mut decisions = Decisions::default();
    approve(&mut decisions, NEW, ApprovalAction::Install, -300);
    assert_eq!(superseded(&docs, &decisions), [uid(OLD)], "the newest is in service");
    decisions.held.insert(uid(NEW), hold());
    assert_eq!(superseded(&docs, &decisions), []);
}

#[test]
fn a_filter_declines_only_what_nobody_ever_decided_about() {
    let docs = [doc(OLD, 1, -1), doc(NEW, 1, -1), doc(3, 1, -1), Doc { deployable: false, ..doc(4, 1, -1) }];
    let mut decisions = Decisions::default();
    approve(&mut decisions, NEW, ApprovalAction::NotApproved, 0);
    decline(&mut decisions, 3, 0);
    decisions.restore(uid(3), Change { anchor: Anchor(2), at: day(0) }).unwrap();
    assert_eq!(graph(&docs).filtered(&decisions, |_| true), [uid(OLD)]);
    assert_eq!(graph(&docs).filtered(&decisions, |update| update != uid(OLD)), []);
    let bundled = [docs.to_vec(), vec![Doc { members: vec![(OLD, 1)], ..doc(9, 1, -1) }]].concat();
    assert_eq!(graph(&bundled).filtered(&decisions, |_| true), [uid(9)], "a member follows its bundle");
}

#[test]
fn a_member_of_a_bundle_and_what_is_declined_already_are_not_declined() {
    let (mut docs, mut decisions) = replaced();
    docs.push(Doc { members: vec![(OLD, 1)], ..doc(3, 1, -400) });
    assert_eq!(superseded(&docs, &decisions), []);
    docs.pop();
    decline(&mut decisions, OLD, -1);
    assert_eq!(superseded(&docs, &decisions), []);
}

#[test]
fn a_member_of_what_serves_is_not_declined_before_its_bundle_lets_go_of_it() {
    let bundle = Doc { members: vec![(OLD, 1)], ..doc(3, 1, -1) };
    let docs = [Doc { expired: true, ..doc(OLD, 1, -1) }, bundle, doc(3, 2, -1)];
    let mut decisions = Decisions::default();
    decisions.held.insert(uid(3), hold());
    assert_eq!(graph(&docs).expired(&decisions), []);
    assert_eq!(graph(&docs).filtered(&decisions, |update| update == uid(OLD)), []);
    decisions.held.clear();
    assert_eq!(graph(&docs).expired(&decisions), [uid(OLD)]);
}

#[test]
fn expired_updates_are_declined_unless_a_group_has_them_approved() {
    let docs = [Doc { expired: true, ..doc(OLD, 1, -1) }, doc(NEW, 1, -1)];
    let mut decisions = Decisions::default();
    assert_eq!(graph(&docs).expired(&decisions), [uid(OLD)]);
    approve(&mut decisions, OLD, ApprovalAction::Uninstall, 0);
    assert_eq!(graph(&docs).expired(&decisions), []);
}

fn removable(docs: &[Doc], decisions: &Decisions) -> Removal {
    graph(docs).removable(decisions, &CleanupSettings::default(), &Referred::default(), day(0))
}

#[test]
fn declined_updates_are_removed_after_their_time_when_nothing_that_stays_needs_them() {
    let docs = [doc(OLD, 1, -400), Doc { needs: vec![OLD], ..doc(NEW, 1, -300) }];
    let mut decisions = Decisions::default();
    decline(&mut decisions, OLD, -30);
    assert_eq!(removable(&docs, &decisions), Removal::default(), "a prerequisite of one that stays");
    decline(&mut decisions, NEW, -29);
    assert_eq!(removable(&docs, &decisions), Removal::default(), "that one goes a day later");
    let later = graph(&docs).removable(&decisions, &CleanupSettings::default(), &Referred::default(), day(1));
    assert_eq!(later.updates, [uid(NEW), uid(OLD)], "what refers first");
    let kept = Referred { updates: [uid(NEW)].into(), ..Referred::default() };
    let later = graph(&docs).removable(&decisions, &CleanupSettings::default(), &kept, day(1));
    assert_eq!(later, Removal::default());
}

#[test]
fn what_refers_goes_first_also_when_it_came_first() {
    let docs = [doc(OLD, 1, -400), doc(NEW, 1, -400), Doc { needs: vec![NEW], ..doc(OLD, 2, -390) }];
    let mut decisions = Decisions::default();
    decline(&mut decisions, OLD, -100);
    decline(&mut decisions, NEW, -100);
    assert_eq!(removable(&docs, &decisions).updates, [uid(OLD), uid(NEW)]);
}

#[test]
fn members_and_detectoids_go_with_the_last_that_needs_them() {
    let detectoid = Doc { kind: UpdateKind::Detectoid, deployable: false, ..doc(7, 1, -400) };
    let member = Doc { deployable: false, needs: vec![7], ..doc(8, 1, -400) };
    let bundle = |n| Doc { members: vec![(8, 1)], ..doc(n, 1, -400) };
    let docs = [detectoid, member, bundle(OLD), bundle(NEW)];
    let mut decisions = Decisions::default();
    decline(&mut decisions, OLD, -100);
    assert_eq!(removable(&docs, &decisions).updates, [uid(OLD)]);
    decline(&mut decisions, NEW, -100);
    let all = removable(&docs, &decisions);
    assert_eq!(all.updates.last(), Some(&uid(8)));
    assert_eq!((all.updates.len(), all.detectoids.as_slice()), (3, &[uid(7)][..]));
}

#[test]
fn a_detectoid_waits_for_days_of_its_own_and_a_category_also_until_it_is_withdrawn() {
    let unused = |kind, update| Doc { kind, deployable: false, ..doc(update, 1, -40) };
    let docs = [
        unused(UpdateKind::Detectoid, 7),
        unused(UpdateKind::Category, 8),
        Doc { expired: true, ..unused(UpdateKind::Category, 9) },
    ];
    let mut settings = CleanupSettings { detectoid_days: 41, ..CleanupSettings::default() };
    let going = |settings: &CleanupSettings| {
        graph(&docs).removable(&Decisions::default(), settings, &Referred::default(), day(0)).detectoids
    };
    assert_eq!(going(&settings), [], "the 30 days of updates are not theirs");
    settings.detectoid_days = 40;
    let mut gone = going(&settings);
    gone.sort_unstable();
    assert_eq!(gone, [uid(7), uid(9)], "a product without updates can still be chosen");
}

#[test]
fn old_revisions_go_except_the_one_in_service_and_those_a_bundle_names() {
    let docs = [doc(OLD, 1, -400), doc(OLD, 2, -300), doc(OLD, 3, -31)];
    let decisions = Decisions::default();
    let ids = |removal: Removal| removal.revisions.iter().map(|(_, id)| id.get()).collect::<Vec<_>>();
    assert_eq!(ids(removable(&docs, &decisions)), [1, 2]);
    let named = [docs.to_vec(), vec![Doc { members: vec![(OLD, 1)], ..doc(NEW, 1, -300) }]].concat();
    assert_eq!(ids(removable(&named, &decisions)), [2]);
    let mut young = docs.to_vec();
    young[2].day = -29;
    assert_eq!(ids(removable(&young, &decisions)), [0_u32; 0]);
}

#[test]
fn what_expired_stays_for_servers_below_that_have_not_heard_of_it() {
    let gone = |on| [doc(OLD, 1, -800), Doc { expired: true, ..doc(OLD, 2, on) }];
    let declined = |on| {
        let mut decisions = Decisions::default();
        decline(&mut decisions, OLD, on);
        decisions
    };
    for decisions in [Decisions::default(), declined(-364), declined(-700)] {
        let kept = removable(&gone(-364), &decisions);
        assert_eq!(kept.updates, [], "that it expired is told for a year");
        assert_eq!(kept.revisions.len(), 1, "without what it replaced");
        assert_eq!(removable(&gone(-365), &decisions).updates, [uid(OLD)]);
    }
    assert_eq!(removable(&gone(-400), &declined(-29)).updates, [], "the days of declined ones hold too");
    let settings = CleanupSettings { expired_days: 30, ..CleanupSettings::default() };
    let all = graph(&gone(-30)).removable(&Decisions::default(), &settings, &Referred::default(), day(0));
    assert_eq!(all.updates, [uid(OLD)]);
    // A part is no update that somebody below decided about: it goes with its bundle.
    let part = [Doc { expired: true, deployable: false, ..doc(OLD, 1, -30) }];
    assert_eq!(removable(&part, &Decisions::default()).updates, [uid(OLD)]);
}

#[test]
fn an_approved_update_is_never_removed() {
    let docs = [Doc { expired: true, ..doc(OLD, 1, -400) }];
    let mut decisions = Decisions::default();
    assert_eq!(removable(&docs, &decisions).updates, [uid(OLD)]);
    approve(&mut decisions, OLD, ApprovalAction::Uninstall, -400);
    assert_eq!(removable(&docs, &decisions), Removal::default());
}

#[test]
fn removing_a_revision_says_who_becomes_a_leaf_and_who_is_no_member_any_more() {
    let docs = [
        Doc { needs: vec![7], members: vec![(8, 1), (9, 1)], ..doc(OLD, 1, 0) },
        Doc { needs: vec![7], members: vec![(9, 1)], ..doc(OLD, 2, 0) },
    ];
    let mut graph = graph(&docs);
    let [first, second] = [1, 2].map(|n| RevisionId::new(n).unwrap());
    let dropped = graph.forget(uid(OLD), first);
    assert_eq!(dropped, Dropped { unnamed: vec![], members: vec![uid(8)] });
    let dropped = graph.forget(uid(OLD), second);
    assert_eq!(dropped, Dropped { unnamed: vec![uid(7)], members: vec![uid(9)] });
    assert_eq!(graph.forget(uid(OLD), second), Dropped::default());
}

#[test]
fn the_catalog_is_looked_up_by_update_whatever_order_it_came_in() {
    let docs =
        [doc(OLD, 2, 0), Doc { needs: vec![7], members: vec![(8, 1)], ..doc(OLD, 3, 0) }, doc(OLD, 1, 0)];
    let graph = graph(&docs);
    let list: Vec<(u32, u32)> = graph.revisions_of(uid(OLD)).map(|(id, n)| (id.get(), n)).collect();
    assert_eq!(list, [(3, 1), (1, 2), (2, 3)], "oldest first");
    assert_eq!(graph.revisions_of(uid(77)).count(), 0);
    assert_eq!(graph.newest_id(), RevisionId::new(3).ok());
    assert_eq!(Graph::default().newest_id(), None);
    assert_eq!(graph.surroundings(uid(OLD)), (vec![uid(7)], vec![uid(8)]), "as the newest says");
    assert_eq!(graph.surroundings(uid(77)), (vec![], vec![]));
}

#[test]
fn filters_are_set_line_by_line_and_are_no_more_than_two_hundred() {
    let mut settings = CleanupSettings::default();
    let lines = |count: usize| (0..count).map(|n| format!(" title=*{n}* \n\n")).collect::<String>();
    settings.set("filters", &lines(crate::filters::MOST_FILTERS)).unwrap();
    assert_eq!(settings.filters.len(), crate::filters::MOST_FILTERS, "empty lines are passed over");
    let more = settings.set("filters", &lines(crate::filters::MOST_FILTERS + 1));
    assert_eq!(more, Err(SettingError::TooMany));
    assert!(matches!(settings.set("filters", "colour=red"), Err(SettingError::Filter(_))));
    settings.set("filters", "none").unwrap();
    settings.set("steps", "none").unwrap();
    assert!(settings.filters.is_empty() && settings.steps.is_empty());
    assert!(settings.filters.is_empty());
}

#[test]
fn a_replica_leaves_to_its_upstream_what_declines_and_nothing_else() {
    let deciding: Vec<&str> =
        CleanupStep::ALL.into_iter().filter(|step| step.decides()).map(CleanupStep::as_str).collect();
    assert_eq!(deciding, ["expired-updates", "superseded-updates", "filtered-updates"]);
}

#[test]
fn settings_are_set_by_name_within_their_bounds_and_the_wizards_limits_are_the_least() {
    let mut settings = CleanupSettings::default();
    assert_eq!(settings.texts().len(), 13, "every setting has a text");
    let mut other = CleanupSettings {
        enabled: false,
        steps: [CleanupStep::Files, CleanupStep::Events].into(),
        filters: ["preview", "title=*x*"].map(|filter| filter.parse().unwrap()).into(),
        ..CleanupSettings::default()
    };
    other.set("grace-hours", "48").unwrap();
    for (name, text) in other.texts() {
        settings.set(name, &text).unwrap();
    }
    assert_eq!(settings, other, "what is written is read back");
    assert_eq!(CleanupStep::Events.to_string(), "events");
    settings = CleanupSettings::default();
    settings.set("computer-days", "90").unwrap();
    assert_eq!(settings.computer_days, 90);
    for (name, bad) in
        [("superseded-days", "29"), ("undeployed-days", "89"), ("grace-hours", "4"), ("steps", "x")]
    {
        assert!(settings.set(name, bad).is_err(), "{name} {bad}");
    }
    assert!(matches!(settings.set("nonsense", "1"), Err(SettingError::Name(_))));
}

#[test]
fn what_something_refers_to_that_does_not_leave_yet_is_held_up() {
    // 1 bundles revision 1 of 2 and needs 3, which needs 4; 5 stands alone.
    let bundle = Doc { members: vec![(2, 1)], needs: vec![3], ..doc(1, 1, 0) };
    let middle = Doc { needs: vec![4], ..doc(3, 1, 0) };
    let docs = [bundle, doc(2, 1, 0), doc(2, 2, 0), middle, doc(4, 1, 0), doc(5, 1, 0)];
    let graph = graph(&docs);
    let id = |n| RevisionId::new(n).unwrap();
    let nothing = graph.held_up(|_| true);
    assert!(nothing.updates.is_empty() && nothing.revisions.is_empty(), "all of it leaves together");
    let held = graph.held_up(|revision| revision != id(1));
    assert_eq!(held.updates, [2, 3, 4].map(uid).into(), "what the bundle needs, and what that needs");
    assert_eq!(held.revisions, [id(2)].into(), "the revision it names, not the newer one");
    let held = graph.held_up(|revision| revision != id(4));
    assert_eq!((held.updates, held.revisions), ([uid(4)].into(), [].into()));
}
