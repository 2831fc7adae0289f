//! Computers of servers below by target group: replicas have the groups of this server, others have their own.

use crate::support;

use sluicegate_policy::UpdateState;
use sluicegate_store::hierarchy::{
    ComputerDetails, GroupedBelow, RolledComputer, RolledServer, RolledStatus, ServerSummary, StatusReport,
};
use sluicegate_store::{Contact, Store};
use sluicegate_terms::{GroupId, Guid};
use support::{at, import, open, software, uid};

const LOW: Guid = Guid::from_u128(1);
/// A replica below `LOW`.
const DEEP: Guid = Guid::from_u128(2);
/// It decides itself.
const OWN: Guid = Guid::from_u128(3);
/// A replica below `OWN`.
const UNDER: Guid = Guid::from_u128(4);

fn server(id: Guid, name: &str, parent: Option<Guid>, is_replica: bool) -> RolledServer {
    RolledServer {
        id,
        name: name.to_owned(),
        parent,
        version: String::new(),
        is_replica,
        last_sync: None,
        last_rollup: Some(at(0)),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    }
}

fn tell(store: &Store, name: &str, server: Guid, groups: Option<&[GroupId]>, state: Option<UpdateState>) {
    let details = groups.map(|groups| ComputerDetails { groups: groups.to_vec(), ..Default::default() });
    let id = name.parse().unwrap();
    let computer = RolledComputer {
        id,
        server,
        last_sync: Some(at(10)),
        last_sync_result: 1,
        last_reboot: None,
        last_status: None,
        last_inventory: None,
        details,
    };
    assert!(store.roll_up_computers(vec![computer.clone()], at(100)).unwrap().is_some());
    if let Some(state) = state {
        let updates = vec![RolledStatus { update: uid(1), state, since: at(0) }];
        let report = StatusReport { computer: computer.id, detected: None, number: 1, full: true, updates };
        store.roll_up_status(server, vec![report], at(100)).unwrap();
    }
}

fn shares(found: &GroupedBelow) -> Vec<(&str, u64)> {
    found.servers.iter().map(|one| (one.name.as_str(), one.computers)).collect()
}

#[test]
fn computers_of_replicas_are_counted_in_the_groups_they_were_told_in() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let desks = store.create_group("Desks".parse().unwrap(), None, at(0)).unwrap().id;
    let near = store.create_group("Near".parse().unwrap(), Some(desks), at(0)).unwrap().id;
    assert_eq!((store.group_sizes_below().unwrap(), store.summary_below(None).unwrap()), (None, None));
    let servers = vec![
        server(LOW, "low", None, true),
        server(DEEP, "deep", Some(LOW), true),
        server(OWN, "own", None, false),
        server(UNDER, "under", Some(OWN), true),
    ];
    assert!(store.roll_up_servers(servers, at(0)).unwrap());
    tell(&store, "failed", LOW, Some(&[desks]), Some(UpdateState::Failed));
    tell(&store, "needing", DEEP, Some(&[near, desks]), Some(UpdateState::Downloaded));
    tell(&store, "done", DEEP, Some(&[near, GroupId::ALL_COMPUTERS]), Some(UpdateState::Installed));
    tell(&store, "silent", LOW, Some(&[]), None);
    tell(&store, "untold", LOW, None, None);
    // What these are in are groups of theirs, whatever ids they have.
    tell(&store, "own", OWN, Some(&[desks]), Some(UpdateState::Failed));
    tell(&store, "under", UNDER, Some(&[desks]), None);
    // One that asked here since counts here.
    tell(&store, "here", LOW, Some(&[desks]), Some(UpdateState::Failed));
    store.touch(Contact { synced: true, ..Contact::new("here".parse().unwrap(), at(20)) }).unwrap();

    let sizes = store.group_sizes_below().unwrap().unwrap();
    let wanted = [(desks, 2), (near, 2), (GroupId::UNASSIGNED_COMPUTERS, 1)];
    assert_eq!(sizes.sizes, wanted.into());
    assert_eq!((sizes.untold, sizes.own_groups), (1, 2));

    let found = |group| store.summary_below(group).unwrap().unwrap();
    let figures = |of: &GroupedBelow| {
        let of = of.computers;
        [of.total, of.failed, of.needing, of.up_to_date, of.no_status]
    };
    let all = found(Some(desks));
    assert_eq!((figures(&all), all.untold, all.own_groups), ([3, 1, 1, 1, 0], 1, 2));
    assert_eq!(shares(&all), [("deep", 2), ("low", 1)]);
    assert_eq!(figures(&found(Some(near))), [2, 0, 1, 1, 0]);
    assert_eq!(figures(&found(Some(GroupId::UNASSIGNED_COMPUTERS))), [1, 0, 0, 0, 1]);
    assert_eq!((found(None), figures(&found(None))), (found(Some(GroupId::ALL_COMPUTERS)), [5, 1, 1, 1, 2]));

    store.decline(uid(1), at(5)).unwrap();
    assert_eq!(figures(&found(Some(desks))), [3, 0, 0, 3, 0], "what is declined here counts for nobody");

    let gone = store.remove_group(desks, true, at(30)).unwrap();
    assert_eq!((gone.computers, gone.below.computers.total, gone.below.untold), (0, 3, 1));
    assert_eq!(shares(&gone.below), [("deep", 2), ("low", 1)], "each counts once");
    assert_eq!(found(Some(GroupId::UNASSIGNED_COMPUTERS)).computers.total, 4, "their servers follow");
}
