//! Settings, identity, secrets and the folder's lock.

use crate::support;

use sluicegate_store::{Store, StoreError, StoreOptions};
use sluicegate_terms::Sha1Digest;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use support::{at, open};

#[test]
fn identity_and_secrets_stay_the_same_and_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let store = open(dir.path());
        (store.server_id(), *store.cookie_key(), store.admin_token().to_owned())
    };
    let store = open(dir.path());
    assert_eq!((store.server_id(), *store.cookie_key(), store.admin_token().to_owned()), first);
    assert!(first.2.len() >= 32);
    for name in ["cookie.key", "admin-token"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let other = tempfile::tempdir().unwrap();
    assert_ne!(open(other.path()).server_id(), first.0);
}

#[test]
fn settings_date_their_last_real_change() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        assert_eq!(store.config().changed_at, at(0));
        let change = BTreeMap::from([("targeting".to_owned(), "client".to_owned())]);
        assert_eq!(store.set_config(&change, at(10)).unwrap().changed_at, at(10));
        assert_eq!(store.set_config(&change, at(20)).unwrap().changed_at, at(10));
        let own = BTreeMap::from([("server-id".to_owned(), "x".to_owned())]);
        assert!(matches!(store.set_config(&own, at(30)), Err(StoreError::Invalid { .. })));
    }
    let config = open(dir.path()).config();
    assert_eq!(config.values.get("targeting").map(String::as_str), Some("client"));
    assert_eq!((config.values.len(), config.changed_at), (1, at(10)));
}

#[test]
fn two_servers_cannot_share_a_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Store::open(dir.path(), StoreOptions::new(at(0)));
    assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
    drop(store);
    open(dir.path());
}

#[test]
fn files_that_did_not_come_are_tried_again_when_the_upstream_keeps_files_now() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let keeps = |keeps: bool| store.change_sync_state(|state| state.facts.catalog_only = !keeps).unwrap();
    keeps(false);
    let failed = [(Sha1Digest([1; 20]), "the upstream keeps no files".to_owned())];
    store.files_failed(&failed, at(1)).unwrap();
    keeps(false);
    assert_eq!(store.failed_files().unwrap(), failed, "nothing is different");
    keeps(true);
    assert_eq!(store.failed_files().unwrap(), []);
}
