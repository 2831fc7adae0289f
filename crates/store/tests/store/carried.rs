//! Decisions carried between stores of the same catalog: what is a member of a bundle, and what waits for licence
//! terms, is the same on both sides afterwards.

use crate::support::{at, identity, import, open, software, uid};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::{
    ApprovalAction, CarriedApproval, CarriedDecisions, EulaId, HoldReason, SuccessionOptions,
};
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::{GroupId, Guid};

const BUNDLE: u128 = 10;
const FORMER: u128 = 20;
const LATER: u128 = 21;

fn terms() -> Guid {
    Guid::from_u128(77)
}

/// A revision of the bundle with one member; the second has licence terms.
fn bundle(revision: i64, member: u128) -> Document {
    let mut document = software(BUNDLE, revision, "Bundle");
    document.properties.eula_id = (revision == 2).then(terms);
    document.relationships.bundles.push(vec![identity(member, 1)]);
    document
}

fn first() -> [Document; 3] {
    [software(FORMER, 1, "Former"), software(LATER, 1, "Later"), bundle(1, FORMER)]
}

fn approve(store: &Store, update: u128, seconds: i64) {
    let (group, action) = (GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    let order = ApprovalOrder { update: uid(update), group, action, deadline: None, by: "admin".to_owned() };
    store.approve(order, at(seconds)).unwrap();
}

#[test]
fn bundles_whose_revisions_wait_have_the_same_members_on_both_sides() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(one.path()), open(other.path()));
    import(&from, 1, &first());
    approve(&from, BUNDLE, 2);
    import(&from, 3, &[bundle(2, LATER)]);
    approve(&from, LATER, 4);
    import(&to, 3, &first());
    import(&to, 3, &[bundle(2, LATER)]);

    let carried = from.decisions().to_carry();
    assert_eq!(
        carried.held.values().map(|(_, why)| *why).collect::<Vec<_>>(),
        [HoldReason::Eula(EulaId(terms()))]
    );
    let taken = to.take_in(&carried, at(10)).unwrap();
    assert_eq!((taken.approved, taken.held, taken.skipped), (2, 1, 0), "{:?}", taken.reasons);
    assert_eq!(to.decisions().to_carry(), carried);
    let before = to.anchor();
    assert_eq!(to.take_in(&carried, at(11)).unwrap().approved, 0);
    assert_eq!(to.anchor(), before, "it says nothing new");

    // The terms are accepted there, so the second revision serves and its former member is on its own.
    from.unapprove(uid(LATER), None, "admin".to_owned(), at(20)).unwrap();
    from.accept_eula(uid(BUNDLE), "admin".to_owned(), at(21)).unwrap();
    from.decline(uid(FORMER), at(22)).unwrap();
    let taken = to.take_in(&from.decisions().to_carry(), at(30)).unwrap();
    assert_eq!((taken.accepted, taken.declined, taken.skipped), (1, 1, 0), "{:?}", taken.reasons);
    assert!(to.decisions().held.is_empty());
    assert_eq!(to.decisions().to_carry(), from.decisions().to_carry());
}

#[test]
fn a_decision_about_an_update_that_is_not_here_costs_no_other_decision() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, 1, &first());
    let missing = uid(99);
    let carried = CarriedDecisions {
        restored: [(missing, at(5))].into(),
        withdrawn: [((missing, GroupId::ALL_COMPUTERS), at(5))].into(),
        declined: [(uid(LATER), at(5))].into(),
        ..CarriedDecisions::default()
    };
    let taken = store.take_in(&carried, at(10)).unwrap();
    assert_eq!((taken.declined, taken.skipped), (1, 2), "{:?}", taken.reasons);
    assert!(store.decisions().declined.contains_key(&uid(LATER)));
}

#[test]
fn approvals_arrive_beside_those_that_are_here() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, 1, &first());
    approve(&store, BUNDLE, 2);
    let approval = CarriedApproval {
        update: uid(LATER),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
        at: at(5),
    };
    let carried = CarriedDecisions { approvals: vec![approval], ..CarriedDecisions::default() };
    let taken = store.take_in(&carried, at(10)).unwrap();
    assert_eq!((taken.approved, taken.skipped), (1, 0), "{:?}", taken.reasons);
    assert_eq!(store.decisions().approvals.len(), 2);
}

#[test]
fn a_removal_is_for_a_revision_that_can_be_removed_or_left_out() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(one.path()), open(other.path()));
    let revision = |n: u128, number: i64| {
        let mut document = software(n, number, "Tool");
        document.properties.can_uninstall = number == 1;
        document
    };
    import(&from, 1, &[revision(1, 1), revision(2, 1)]);
    for n in [1, 2] {
        let (group, action) = (GroupId::ALL_COMPUTERS, ApprovalAction::Uninstall);
        let order = ApprovalOrder { update: uid(n), group, action, deadline: None, by: "admin".to_owned() };
        from.approve(order, at(2)).unwrap();
    }
    // The next revisions are here already; the older one of the first came with the package.
    import(&to, 3, &[revision(1, 2), revision(2, 2)]);
    import(&to, 4, &[revision(1, 1)]);
    let carried = from.decisions().to_carry();
    let taken = to.take_in(&carried, at(5)).unwrap();
    assert_eq!((taken.approved, taken.held, taken.skipped), (1, 1, 1), "{:?}", taken.reasons);
    assert!(taken.reasons[0].contains(&uid(2).to_string()), "{:?}", taken.reasons);
    let hold = to.decisions().held[&uid(1)];
    assert_eq!((hold.serving.get(), hold.reason), (1, HoldReason::NotRemovable));
    let before = to.decisions();
    assert_eq!(to.take_in(&carried, at(6)).unwrap().skipped, 1);
    assert_eq!(to.decisions(), before);
}

#[test]
fn what_is_to_be_reviewed_there_is_taken_out_of_service_here_unless_somebody_here_decided_since() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(one.path()), open(other.path()));
    import(&from, 1, &[software(1, 1, "One"), software(2, 1, "Two")]);
    from.set_succession(SuccessionOptions { approvals_follow: false, decline_expired: true }, at(1)).unwrap();
    import(&to, 1, &[software(1, 1, "One"), software(2, 1, "Two")]);
    for n in [1, 2] {
        approve(&from, n, 2);
    }
    to.take_in(&from.decisions().to_carry(), at(3)).unwrap();
    for (store, seconds) in [(&from, 4), (&to, 5)] {
        import(store, seconds, &[software(1, 2, "One"), software(2, 2, "Two")]);
    }
    approve(&to, 2, 6);
    let taken = to.take_in(&from.decisions().to_carry(), at(7)).unwrap();
    assert_eq!((taken.held, taken.skipped), (1, 0), "{:?}", taken.reasons);
    assert_eq!(to.decisions().held.keys().collect::<Vec<_>>(), [&uid(1)]);
    from.accept_revision(uid(1), at(8)).unwrap();
    to.take_in(&from.decisions().to_carry(), at(9)).unwrap();
    assert!(to.decisions().held.is_empty());
}

#[test]
fn a_deadline_is_for_the_newest_revision_that_can_have_one() {
    const PART: u128 = 30;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (open(one.path()), open(other.path()));
    let revision = |n: u128, number: i64| software(n, number, "Tool");
    let asking = |n: u128, number: i64| {
        let mut document = revision(n, number);
        document.properties.may_ask = true;
        document
    };
    // One that asks by its part.
    let bundle = |number: i64, part: i64| {
        let mut document = revision(5, number);
        document.relationships.bundles.push(vec![identity(PART, part)]);
        document
    };
    let mut licensed = revision(3, 2);
    licensed.properties.eula_id = Some(terms());
    let mut expired = revision(4, 2);
    expired.properties.expired = true;
    let first = [1, 2, 3, 4].map(|n| revision(n, 1));
    for store in [&from, &to] {
        import(store, 1, &first);
        import(store, 1, &[revision(PART, 1), bundle(1, 1)]);
    }
    import(&to, 2, &[revision(1, 2), asking(2, 2), licensed, expired]);
    import(&to, 2, &[asking(PART, 2), bundle(2, 2), asking(PART, 3), bundle(3, 3)]);
    import(&to, 3, &[1, 2, 3, 4].map(|n| asking(n, 3)));
    for n in 1..=5 {
        let (group, action) = (GroupId::ALL_COMPUTERS, ApprovalAction::Install);
        let deadline = Some(at(9_000));
        let order = ApprovalOrder { update: uid(n), group, action, deadline, by: "admin".to_owned() };
        from.approve(order, at(4)).unwrap();
    }
    let taken = to.take_in(&from.decisions().to_carry(), at(10)).unwrap();
    assert_eq!((taken.approved, taken.held, taken.skipped), (5, 5, 0), "{:?}", taken.reasons);
    let held = to.decisions().held.clone();
    let serving: Vec<u32> = held.values().map(|hold| hold.serving.get()).collect();
    assert_eq!(serving, [2, 1, 1, 1, 1]);
    assert!(held.values().all(|hold| hold.reason == HoldReason::NeedsInput), "{held:?}");
}
