//! The list of servers that may synchronize from here holds for whole branches, in memory as on disk.

use crate::support;

use sluicegate_store::Store;
use sluicegate_store::hierarchy::{DownstreamContact, RolledServer, ServerSummary};
use sluicegate_terms::Guid;
use support::{at, open};

fn id(n: u128) -> Guid {
    Guid::from_u128(n)
}

fn server(n: u128, parent: Option<u128>) -> RolledServer {
    RolledServer {
        id: id(n),
        name: format!("Server{n}"),
        parent: parent.map(id),
        version: String::new(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(at(1)),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    }
}

/// Server 1 with 2 below it and 3 below that; server 4 beside them.
fn tree(store: &Store) {
    let contact = |n| DownstreamContact { id: id(n), name: format!("Server{n}"), at: at(0), synced: true };
    store.record_downstream(contact(1)).unwrap();
    store.record_downstream(contact(4)).unwrap();
    assert!(store.roll_up_servers(vec![server(2, Some(1)), server(3, Some(2))], at(1)).unwrap());
}

#[test]
fn without_a_list_everybody_may_and_with_one_only_its_branches() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    tree(&store);
    let everybody = [id(1), id(2), id(3), id(4)];
    assert_eq!(store.refused_branch(&everybody).unwrap(), None);
    store.set_allowed_downstream(&[" SERVER1 ".to_owned()], at(2)).unwrap();
    assert_eq!(
        store.refused_branch(&[id(3), id(2), id(1)]).unwrap(),
        None,
        "what is below one that may, may"
    );
    let refused = Some((id(4), "Server4".to_owned()));
    assert_eq!(store.refused_branch(&everybody).unwrap(), refused);
    store.set_allowed_downstream(&[id(4).to_string()], at(3)).unwrap();
    let refused = Some((id(1), "Server1".to_owned()));
    assert_eq!(store.refused_branch(&[id(4), id(3)]).unwrap(), refused, "named is the one to allow");
    assert_eq!(store.refused_branch(&[id(99)]).unwrap(), None, "whom nobody knows is another matter");
}

#[test]
fn the_list_in_memory_is_the_one_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.set_allowed_downstream(&["b".to_owned(), "A".to_owned(), "a".to_owned()], at(0)).unwrap();
    let list = store.allowed_downstream();
    assert_eq!(*list, ["a", "b"]);
    assert!(store.downstream_allowed(id(1), "B") && !store.downstream_allowed(id(1), "c"));
    drop(store);
    assert_eq!(open(dir.path()).allowed_downstream(), list);
}
