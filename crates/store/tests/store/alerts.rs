//! Alerts about what lasts stand once and go by themselves; one about another upstream stands until it was seen.

use crate::support;

use sluicegate_store::Store;
use sluicegate_store::audit::{Actor, AlertKind};
use sluicegate_store::hierarchy::{UpstreamSettings, UpstreamSource};
use support::{at, open};

fn texts(store: &Store) -> Vec<String> {
    store.alerts().unwrap().into_iter().map(|alert| alert.text).collect()
}

#[test]
fn a_lasting_state_is_one_alert_that_goes_when_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let kind = AlertKind::Endpoints;
    assert!(!store.end_alert(kind, at(0)).unwrap(), "nothing stands yet");
    assert!(store.hold_alert(kind, "one fails", at(1)).unwrap());
    assert!(!store.hold_alert(kind, "one fails", at(2)).unwrap());
    assert!(!store.hold_alert(kind, "two fail", at(3)).unwrap());
    assert_eq!(texts(&store), ["two fail"], "the same alert, with what is true now");
    assert_eq!(store.alerts().unwrap()[0].at, at(1), "since when it stands");
    assert!(
        store.hold_alert(AlertKind::UpstreamFailing, "x", at(3)).unwrap(),
        "another kind is another alert"
    );
    assert!(store.end_alert(kind, at(4)).unwrap());
    assert_eq!(texts(&store), ["x"]);
    assert!(store.hold_alert(kind, "again", at(5)).unwrap(), "what comes back is told again");
}

#[test]
fn what_was_acknowledged_is_not_told_again_before_it_was_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let kind = AlertKind::ProxyPassword;
    store.hold_alert(kind, "refused", at(1)).unwrap();
    let id = store.alerts().unwrap()[0].id;
    assert!(store.acknowledge_alert(id, at(2)).unwrap());
    assert!(!store.hold_alert(kind, "refused, and still so", at(3)).unwrap());
    assert!(texts(&store).is_empty());
    let store = {
        drop(store);
        open(dir.path())
    };
    assert!(!store.hold_alert(kind, "refused", at(4)).unwrap(), "a restart forgets nothing");
    store.end_alert(kind, at(5)).unwrap();
    assert!(store.hold_alert(kind, "refused", at(6)).unwrap());
    assert_eq!(texts(&store), ["refused"]);
}

#[test]
fn another_upstream_is_told_with_both_and_who_changed_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).by(Actor::administrator("ada", "192.0.2.7"));
    let server = |url: &str| Some(UpstreamSource::Server(url.to_owned()));
    let set = |source, seconds| {
        let settings = UpstreamSettings { source, ..UpstreamSettings::clone(&store.upstream_settings()) };
        store.set_upstream_settings(settings, at(seconds)).unwrap();
    };
    set(server("http://one:8530"), 1);
    assert!(texts(&store).is_empty(), "the first upstream replaces none");
    set(server("http://one:8530"), 2);
    assert!(texts(&store).is_empty(), "nothing changed");
    set(server("http://two:8530"), 3);
    set(None, 4);
    let texts = texts(&store);
    assert_eq!(texts.len(), 2);
    for (text, words) in
        texts.iter().zip([["http://two:8530", "none"], ["http://one:8530", "http://two:8530"]])
    {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(text.contains("ada") && text.contains("192.0.2.7"), "{text}");
    }
}
