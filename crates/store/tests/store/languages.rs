//! What another choice of languages would mean for files is known before it is made.

use crate::support;

use sluicegate_policy::hierarchy::{Choice, ContentPolicy, ContentWhen, SyncFilter};
use sluicegate_store::Store;
use sluicegate_store::hierarchy::{FileSum, LanguageChange};
use support::{at, file, import, open, software};

fn only(tags: &[&str]) -> SyncFilter {
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    SyncFilter { languages: Choice::Only(tags), ..SyncFilter::default() }
}

/// Three updates with a file each: for Germans, for the French, for everybody.
fn shelf(store: &Store) {
    let of = |n: u128, tag: Option<&str>, bytes: &[u8]| {
        let mut document = software(n, 1, "x");
        document.properties.languages = tag.into_iter().map(|tag| tag.parse().unwrap()).collect();
        document.files = vec![file(&format!("{n}.cab"), bytes)];
        document
    };
    import(store, 0, &[of(1, Some("de"), b"deutsch"), of(2, Some("fr"), b"francais"), of(3, None, b"all")]);
}

#[test]
fn files_that_would_come_or_not_come_any_more_are_counted_with_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    shelf(&store);
    let all = ContentPolicy { when: ContentWhen::All, express: false };
    let meant = |before: &SyncFilter, after: &SyncFilter| store.language_change(all, before, after).unwrap();
    let sum = |files, bytes| FileSum { files, bytes };
    let change = meant(&only(&["de"]), &only(&["de", "fr"]));
    assert_eq!(change, LanguageChange { fetched: sum(1, 8), ..Default::default() });
    let change = meant(&only(&["de"]), &only(&["fr"]));
    assert_eq!((change.fetched, change.no_longer_fetched), (sum(1, 8), sum(1, 7)));
    assert_eq!(meant(&SyncFilter::default(), &SyncFilter::default()), LanguageChange::default());
    assert_eq!(meant(&only(&["en"]), &SyncFilter::default()).fetched, sum(2, 15));

    let bytes: &[u8] = b"deutsch";
    store.add_content("1.cab", &mut &*bytes, at(1), &mut |_| {}).unwrap();
    let change = meant(&only(&["de"]), &only(&["fr"]));
    assert_eq!((change.no_longer_fetched, change.kept), (sum(0, 0), sum(1, 7)), "what is here stays");
    assert_eq!(meant(&only(&["fr"]), &only(&["de"])).fetched, sum(0, 0), "what is here is not fetched again");
}

#[test]
fn files_that_no_policy_wants_come_under_no_language() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    shelf(&store);
    for when in [ContentWhen::Never, ContentWhen::Approved] {
        let policy = ContentPolicy { when, express: false };
        let change = store.language_change(policy, &only(&["en"]), &SyncFilter::default()).unwrap();
        assert_eq!(change, LanguageChange::default(), "{when}: nothing is approved");
    }
}
