//! Imports, quarantine and reading the catalog back, through the public interface.

use crate::support;

use sluicegate_store::{ApprovalFilter, StoreError, StoreOptions, StoredRevision, UpdateQuery};
use sluicegate_terms::{Anchor, CategoryKind, RevisionId};
use support::{
    at, category, core_bytes, file, identity, import, needing, open, prepared, served, software, uid,
};

fn revisions(store: &sluicegate_store::Store) -> Vec<StoredRevision> {
    let mut all = Vec::new();
    store
        .for_each_revision(|revision| {
            all.push(revision);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    all
}

#[test]
fn an_imported_revision_is_there_after_a_restart_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut document = software(1, 3, "Security Update (KB5000001)");
    document.properties.kb.push("5000001".to_owned());
    document.files.push(file("fix.CAB", b"payload"));
    let report = {
        let store = open(dir.path());
        import(&store, 10, std::slice::from_ref(&document))
    };
    assert_eq!((report.added, report.revised, report.unchanged, report.anchor), (1, 0, 0, Anchor(1)));

    let store = open(dir.path());
    let all = revisions(&store);
    let [revision] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(revision.record.identity, document.identity);
    assert_eq!((revision.arrived, revision.arrived_at), (Anchor(1), at(10)));
    assert_eq!(revision.core_escaped_len, 1_000);
    assert_eq!(store.anchor(), Anchor(1));
    let cores = store.cores();
    assert_eq!(cores.core(revision.id).unwrap(), core_bytes(&document));
    assert!(cores.bytes_in_memory() > 0);
    let fragments = cores.fragments(revision.id).unwrap();
    assert!(fragments.extended().contains("ExtendedProperties"));
    assert!(fragments.localized_in(&"en".parse().unwrap()).unwrap().contains("KB5000001"));
    assert_eq!(fragments.files(), [document.files[0].sha1]);
    let facts = store.file(document.files[0].sha1).unwrap();
    assert_eq!((facts.size, &*facts.extension), (7, "cab"));
    assert_eq!(store.file_owners(document.files[0].sha1).unwrap(), [uid(1)]);
    assert_eq!(store.document(revision.id).unwrap(), served(&document.to_xml()));
    let unknown = RevisionId::new(77).unwrap();
    assert!(matches!(cores.core(unknown), Err(StoreError::UnknownRevision(77))));
    assert!(matches!(cores.fragments(RevisionId::new(2).unwrap()), Err(StoreError::UnknownRevision(2))));
}

#[test]
fn the_same_document_again_is_unchanged_and_takes_no_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let sizes = || {
        ["core", "fragments", "documents"]
            .map(|n| std::fs::metadata(dir.path().join(format!("fragments/{n}.seg"))).unwrap().len())
    };
    let before = sizes();
    let report = import(&store, 1, &[software(1, 1, "One"), software(1, 1, "One")]);
    assert_eq!((report.added, report.unchanged, report.anchor), (0, 2, Anchor(1)));
    assert!(report.quarantined.is_empty());
    assert_eq!(sizes(), before);
}

#[test]
fn another_content_under_a_known_identity_is_quarantined_and_the_rest_enters() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let report = import(
        &store,
        1,
        &[software(1, 1, "Changed"), software(2, 1, "Two"), software(2, 1, "Two, changed")],
    );
    assert_eq!((report.added, report.quarantined.len()), (1, 2));
    assert_eq!(report.quarantined[0].update, Some(uid(1)));
    assert!(report.quarantined[0].reason.contains("contradicts"), "{:?}", report.quarantined);
    drop(store);
    let entries = open(dir.path()).quarantine().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|e| !e.waits && e.first_seen == at(1)));
}

#[test]
fn a_refusal_is_settled_when_the_same_source_brings_a_good_document() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut importer = store.importer(at(0)).unwrap();
    importer.reject("a.xml".to_owned(), None, "the XML is not well-formed".to_owned());
    assert_eq!(importer.commit().unwrap().quarantined.len(), 1);
    assert_eq!(store.quarantine().unwrap().len(), 1);
    let mut importer = store.importer(at(1)).unwrap();
    importer.add(prepared("a.xml", &software(1, 1, "One"))).unwrap();
    importer.commit().unwrap();
    assert!(store.quarantine().unwrap().is_empty());
}

#[test]
fn what_misses_something_waits_and_enters_by_itself_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let waiting = needing(software(3, 1, "Needs two"), &[&[2]]);
    {
        let store = open(dir.path());
        let report = import(&store, 0, &[waiting.clone(), needing(software(4, 1, "Needs three"), &[&[3]])]);
        assert_eq!((report.added, report.quarantined.len(), report.anchor), (0, 2, Anchor::START));
        assert!(report.quarantined[0].reason.contains(&uid(2).to_string()));
        assert!(revisions(&store).is_empty());
    }
    let store = open(dir.path());
    assert!(store.quarantine().unwrap().iter().all(|e| e.waits));
    let report = import(&store, 5, &[software(2, 1, "Two")]);
    assert_eq!((report.added, report.released, report.anchor), (3, 2, Anchor(1)));
    assert!(store.quarantine().unwrap().is_empty());
    let released = revisions(&store).into_iter().find(|r| r.record.identity.update == uid(3)).unwrap();
    assert_eq!(store.cores().core(released.id).unwrap(), core_bytes(&waiting));
    assert_eq!(store.document(released.id).unwrap(), served(&waiting.to_xml()));
}

#[test]
fn a_corrected_document_takes_the_place_of_the_one_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[needing(software(3, 1, "Wrong"), &[&[99]])]);
    let report = import(&store, 1, &[software(3, 1, "Right")]);
    assert_eq!((report.added, report.released), (1, 0));
    assert!(store.quarantine().unwrap().is_empty());
    assert_eq!(store.update(uid(3)).unwrap().row.title, "Right");
}

#[test]
fn rings_of_prerequisites_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let report =
        import(&store, 0, &[needing(software(1, 1, "A"), &[&[2]]), needing(software(2, 1, "B"), &[&[1]])]);
    assert_eq!((report.added, report.quarantined.len()), (0, 2));
    assert!(store.quarantine().unwrap().iter().all(|e| !e.waits));
}

#[test]
fn files_that_contradict_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut first = software(1, 1, "One");
    first.files.push(file("a.cab", b"content"));
    let mut second = software(2, 1, "Two");
    second.files.push(file("a.cab", b"content"));
    second.files[0].size += 1;
    let report = import(&store, 0, &[first, second]);
    assert_eq!((report.added, report.quarantined.len()), (1, 1));
    assert!(report.quarantined[0].reason.contains("8 bytes"), "{:?}", report.quarantined);
    // A later revision of the very update is no other one.
    let mut corrected = software(1, 2, "One");
    corrected.files.push(file("a.cab", b"content"));
    corrected.files[0].size += 2;
    let report = import(&store, 1, &[corrected]);
    let [refused] = &report.quarantined[..] else { panic!("{report:?}") };
    assert!(
        refused.reason.contains("9 bytes") && refused.reason.contains("of this update or of"),
        "{refused:?}"
    );
}

#[test]
fn naming_an_update_as_a_prerequisite_marks_when_it_stopped_being_a_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    import(&store, 1, &[needing(software(3, 1, "Three"), &[&[1]])]);
    import(&store, 2, &[needing(software(4, 1, "Four"), &[&[1]])]);
    let changed =
        |n| revisions(&store).into_iter().find(|r| r.record.identity.update == uid(n)).unwrap().leaf_changed;
    assert_eq!(changed(1), Anchor(2));
    assert_eq!(changed(2), Anchor(1));
}

#[test]
fn revision_ids_are_never_given_twice_and_new_revisions_count_as_revised() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let report = import(&store, 1, &[software(1, 2, "One, second"), software(2, 1, "Two")]);
    assert_eq!((report.added, report.revised), (1, 1));
    let ids: Vec<u32> = revisions(&store).iter().map(|r| r.id.get()).collect();
    assert_eq!(ids, [1, 2, 3]);
    let details = store.update(uid(1)).unwrap();
    assert_eq!(details.row.revision, identity(1, 2).revision);
    assert_eq!(details.revisions.iter().map(|r| r.number.get()).collect::<Vec<_>>(), [2, 1]);
    // An older revision that comes later does not become the newest.
    let report = import(&store, 2, &[software(1, 0, "One, very old")]);
    assert_eq!((report.added, report.revised, report.older), (0, 0, 1));
    assert_eq!(store.update(uid(1)).unwrap().row.revision, identity(1, 2).revision);
}

#[test]
fn an_import_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut importer = store.importer(at(0)).unwrap();
    importer.add(prepared("a.xml", &software(1, 1, "One"))).unwrap();
    drop(importer);
    assert!(revisions(&store).is_empty());
    assert_eq!(std::fs::metadata(dir.path().join("fragments/core.seg")).unwrap().len(), 0);
    assert_eq!(import(&store, 1, &[software(1, 1, "One")]).added, 1);
}

#[test]
fn cores_beyond_the_budget_and_huge_ones_are_read_from_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { core_memory_budget: 200, ..StoreOptions::new(at(0)) };
    let huge = vec![7_u8; 100 << 10];
    {
        let store = sluicegate_store::Store::open(dir.path(), options.clone()).unwrap();
        let mut importer = store.importer(at(0)).unwrap();
        for n in 1..=10 {
            let mut revision = prepared("a.xml", &software(n, 1, "Small"));
            if n == 5 {
                revision.core_ready = huge.clone();
            }
            importer.add(revision).unwrap();
        }
        importer.commit().unwrap();
    }
    let store = sluicegate_store::Store::open(dir.path(), options).unwrap();
    let cores = store.cores();
    assert!(cores.bytes_in_memory() <= 200 && cores.bytes_in_memory() > 0);
    for revision in revisions(&store) {
        let n = revision.record.identity.update.0.as_u128();
        let expected = if n == 5 { huge.clone() } else { core_bytes(&software(n, 1, "Small")) };
        assert_eq!(cores.core(revision.id).unwrap(), expected);
    }
}

#[test]
fn after_memory_was_given_back_reading_and_writing_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 1, &[software(1, 1, "One")]);
    store.rest().unwrap();
    assert_eq!(revisions(&store).len(), 1);
    assert_eq!(import(&store, 2, &[software(2, 1, "Two")]).added, 1);
    store.rest().unwrap();
    assert_eq!(revisions(&store).len(), 2);
}

#[test]
fn lists_are_searched_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let product = category(100, CategoryKind::Product, "Windows 11", None);
    let security = category(101, CategoryKind::UpdateClassification, "Security Updates", None);
    let mut one = software(1, 1, "Cumulative Update");
    one.properties.kb.push("5000001".to_owned());
    for c in [100, 101] {
        one.relationships.prerequisites.push(sluicegate_catalog::Clause::category(uid(c)));
    }
    import(&store, 0, &[product, security, one, software(2, 1, "Defender Definition")]);
    let titles = |query: UpdateQuery| -> Vec<String> {
        let page = store.updates(&UpdateQuery { limit: 50, ..query }).unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.into_iter().map(|r| r.title).collect()
    };
    let search = |text: &str| titles(UpdateQuery { search: Some(text.to_owned()), ..UpdateQuery::default() });
    assert_eq!(titles(UpdateQuery::default()).len(), 2);
    assert_eq!(titles(UpdateQuery { everything: true, ..UpdateQuery::default() }).len(), 4);
    assert_eq!(search("KB5000001"), ["Cumulative Update"]);
    assert_eq!(search("update cumul"), ["Cumulative Update"]);
    assert_eq!(search(&uid(2).to_string()), ["Defender Definition"]);
    assert!(search("100% nothing").is_empty());
    assert_eq!(
        titles(UpdateQuery { product: Some(uid(100)), ..UpdateQuery::default() }),
        ["Cumulative Update"]
    );
    assert_eq!(
        titles(UpdateQuery { approval: Some(ApprovalFilter::Approved), ..UpdateQuery::default() }),
        [""; 0]
    );
    let details = store.update(uid(1)).unwrap();
    assert_eq!(details.row.classification.as_deref(), Some("Security Updates"));
    assert_eq!(details.listing.products, [uid(100)]);
    assert_eq!(details.row.kb, ["5000001"]);
    assert!(matches!(store.update(uid(9)), Err(StoreError::UnknownUpdate(_))));
}

#[test]
fn a_damaged_core_is_an_error_for_its_revision_only() {
    let dir = tempfile::tempdir().unwrap();
    import(&open(dir.path()), 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let path = dir.path().join("fragments/core.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[12] ^= 0x40;
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path());
    let all = revisions(&store);
    let cores = store.cores();
    let damaged = cores.core(all[0].id).unwrap_err();
    assert!(
        damaged.to_string().contains("core.seg") && damaged.to_string().contains("checksum"),
        "{damaged}"
    );
    assert_eq!(cores.core(all[1].id).unwrap(), core_bytes(&software(2, 1, "")));
}

#[test]
fn a_shelf_taken_before_an_import_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let before = store.cores();
    import(&store, 1, &[software(2, 1, "Two")]);
    let second = revisions(&store)[1].id;
    assert!(matches!(before.core(second), Err(StoreError::UnknownRevision(2))));
    assert_eq!(store.cores().core(second).unwrap(), core_bytes(&software(2, 1, "")));
}

#[test]
fn what_waits_is_told_again_and_not_stored_again_when_it_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let waiting = needing(software(3, 1, "Needs two"), &[&[2]]);
    import(&store, 0, std::slice::from_ref(&waiting));
    let size = || std::fs::metadata(dir.path().join("fragments/fragments.seg")).unwrap().len();
    let before = size();
    let report = import(&store, 1, std::slice::from_ref(&waiting));
    assert_eq!((report.quarantined.len(), report.unchanged), (1, 0));
    assert_eq!(size(), before);
    assert_eq!(store.quarantine().unwrap()[0].first_seen, at(0));
    let report = import(&store, 2, &[waiting, software(2, 1, "Two")]);
    assert_eq!((report.added, report.released, report.quarantined.len()), (2, 1, 0));
}

#[test]
fn documents_served_together_come_in_the_order_asked_for_and_a_damaged_one_spoils_no_neighbour() {
    let dir = tempfile::tempdir().unwrap();
    let mut documents: Vec<_> = (1..=5).map(|n| software(n, 1, "One of several")).collect();
    documents[1].files.extend([file("b.cab", b"second"), file("a.cab", b"first")]);
    // Longer than what is read ahead.
    documents[3].properties.kb =
        (1..60_000_u64).map(|n| (n * 2_654_435_761 % 9_999_999_967).to_string()).collect();
    let store = open(dir.path());
    import(&store, 0, &documents);
    let url = (documents[1].files[0].sha1, "http://example.test/b.cab".to_owned());
    store.record_file_urls(std::slice::from_ref(&url)).unwrap();
    let mut digests = [url.0, documents[1].files[1].sha1];
    digests.sort_unstable();
    let ids: Vec<_> = revisions(&store).iter().map(|revision| revision.id).collect();
    let path = dir.path().join("fragments/documents.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 0x40;
    std::fs::write(&path, bytes).unwrap();

    let order = [1, 0, 1, 2, 3, 4];
    let asked: Vec<_> = order.iter().map(|at| ids[*at]).chain([RevisionId::new(77).unwrap()]).collect();
    store
        .serve(|serving| {
            let mut found = serving.documents(&asked)?;
            for (number, at) in order.into_iter().enumerate() {
                match found.document(number) {
                    Ok(document) => assert_eq!(document, served(&documents[at].to_xml())),
                    Err(error) => assert!(at == 4 && error.to_string().contains("checksum"), "{at}: {error}"),
                }
                let files = found.files(number)?;
                let named: Vec<_> = files.iter().map(|(sha1, _)| *sha1).collect();
                assert_eq!(named, if at == 1 { digests.to_vec() } else { Vec::new() });
                let located: Vec<_> = files.into_iter().filter(|(_, url)| url.is_some()).collect();
                let expected = if at == 1 { vec![(url.0, Some(url.1.clone()))] } else { Vec::new() };
                assert_eq!(located, expected);
            }
            assert!(matches!(found.document(6), Err(StoreError::UnknownRevision(77))));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(store.cores().damaged_documents(), 1);
}
