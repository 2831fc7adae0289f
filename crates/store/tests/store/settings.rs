//! Settings, identity, secrets and the folder's lock.

use crate::files_given::with_file;
use crate::support;

use sluicegate_policy::hierarchy::{ContentWhen, SyncFilter};
use sluicegate_store::hierarchy::{Password, ProxyCredentials, ProxyServer, UpstreamSettings};
use sluicegate_store::{Store, StoreError, StoreOptions};
use sluicegate_terms::Sha1Digest;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use support::{at, import, open};

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

#[test]
fn files_that_did_not_come_are_tried_at_once_when_the_way_to_them_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[with_file(1, 1)]);
    let sha1 = with_file(1, 1).files[0].sha1;
    let mut settings = UpstreamSettings {
        source: Some("http://parent:8530".parse().unwrap()),
        ..UpstreamSettings::default()
    };
    store.set_upstream_settings(settings.clone(), at(0)).unwrap();
    let tried =
        |now| store.missing_files(ContentWhen::All, false, &SyncFilter::default(), at(now)).unwrap().len();
    let proxy = |s: &mut UpstreamSettings| {
        s.proxy.https = Some(ProxyServer { host: "gate.example".to_owned(), port: 3128 });
    };
    let password = |s: &mut UpstreamSettings| {
        let password = Password("other".to_owned());
        s.proxy.credentials =
            Some(ProxyCredentials { user: "sync".to_owned(), password, ..Default::default() });
    };
    let certificates = |s: &mut UpstreamSettings| s.ca_file = Some("/etc/ca.pem".into());
    let ways: [&dyn Fn(&mut UpstreamSettings); 4] =
        [&proxy, &password, &certificates, &|s| s.files_from_microsoft = true];
    for change in ways {
        store.files_failed(&[(sha1, "it is damaged".to_owned())], at(1)).unwrap();
        settings.patience = if settings.patience.seconds() == 600 { "20" } else { "10" }.parse().unwrap();
        store.set_upstream_settings(settings.clone(), at(2)).unwrap();
        assert_eq!(tried(3), 0, "that has nothing to do with the way");
        change(&mut settings);
        store.set_upstream_settings(settings.clone(), at(4)).unwrap();
        assert_eq!(tried(5), 1, "{settings:?}");
        assert_eq!(store.failed_files().unwrap().len(), 1, "why it did not come stays known until it does");
    }
}
