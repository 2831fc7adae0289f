//! What a server tells its upstream in numbers: each update is counted where it belongs, members of bundles and
//! categories nowhere.

use crate::support;

use sluicegate_catalog::Clause;
use sluicegate_policy::ApprovalAction;
use sluicegate_store::ApprovalOrder;
use sluicegate_terms::{CategoryKind, GroupId, UpdateId};
use support::{at, category, identity, import, open, software, uid};

const MEMBER: u128 = 20;

#[test]
fn updates_are_counted_by_what_was_decided_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let security: UpdateId = "0fa1201d-4330-4fa8-8ae9-b877473b6441".parse().unwrap();
    let mut urgent = category(9, CategoryKind::UpdateClassification, "Security Updates", None);
    urgent.identity.update = security;
    let mut member = software(MEMBER, 1, "A member");
    member.properties.explicitly_deployable = false;
    let mut updates: Vec<_> = (1..=6).map(|n| software(n, 1, &format!("Update {n}"))).collect();
    updates[0].relationships.bundles = vec![vec![identity(MEMBER, 1)]];
    for update in &mut updates[1..4] {
        update.relationships.prerequisites.push(Clause::category(security));
    }
    updates.extend([urgent, member]);
    import(&store, 0, &updates);
    for (number, action) in [(2, ApprovalAction::Install), (5, ApprovalAction::NotApproved)] {
        let (update, group) = (uid(number), GroupId::ALL_COMPUTERS);
        let order = ApprovalOrder { update, group, action, deadline: None, by: "admin".into() };
        store.approve(order, at(1)).unwrap();
    }
    store.decline(uid(6), at(2)).unwrap();

    let told = store.rollup_summary().unwrap();
    assert_eq!(told.update_count, 6);
    assert_eq!((told.approved_update_count, told.declined_update_count), (1, 1));
    assert_eq!(told.not_approved_update_count, 4);
    assert_eq!(told.critical_or_security_updates_not_approved_for_install_count, 2);

    // Each change counts at once: a revision in another place, a decision taken back, another revision.
    store.unapprove(uid(2), None, "admin".into(), at(3)).unwrap();
    let (update, group, action) = (uid(6), GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    let order = ApprovalOrder { update, group, action, deadline: None, by: "admin".into() };
    store.approve(order, at(4)).unwrap();
    let mut moved = software(5, 2, "Update 5, again");
    moved.relationships.prerequisites.push(Clause::category(security));
    import(&store, 10, &[moved]);
    let told = store.rollup_summary().unwrap();
    assert_eq!((told.update_count, told.not_approved_update_count), (6, 5));
    assert_eq!((told.approved_update_count, told.declined_update_count), (1, 0));
    assert_eq!(told.critical_or_security_updates_not_approved_for_install_count, 4);
}
