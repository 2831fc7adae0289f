//! Store: what an import has just committed goes into the index as it is in memory, without being read back
//! from its rows. Where that is not possible it is left to whoever reads the rows next.

use super::Rows;
use crate::Store;
use crate::catalog::Staged;
use sluicegate_browse::{Reboot, Severity, UpdateFacts};
use sluicegate_policy::EulaId;
use sluicegate_terms::{Anchor, RevisionId, Timestamp};
use std::sync::atomic::Ordering;

/// Updates of which nothing was in the catalog, and the state that an import found it in.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) before: Anchor,
    /// In the order of their revisions.
    pub(crate) updates: Vec<UpdateFacts>,
}

impl Arrived {
    /// Notes a revision that entered as the first of its update. Takes what nobody needs of it any more.
    pub(crate) fn first(&mut self, staged: &mut Staged, revision: RevisionId, at: Timestamp) {
        let Staged { record, summary, .. } = staged;
        let word = |text: &str| if text.is_empty() { None } else { Some(text.to_owned()) };
        let mut categories = std::mem::take(&mut summary.categories);
        categories.sort_unstable();
        categories.dedup();
        self.updates.push(UpdateFacts {
            update: record.identity.update,
            newest: revision,
            kind: record.kind,
            category_kind: record.category_kind,
            deployable: record.explicitly_deployable,
            expired: record.expired,
            search: std::mem::take(&mut summary.search),
            severity: Severity::of_document(word(&summary.severity).as_deref()),
            reboot: Reboot::of_document(word(&summary.reboot).as_deref()),
            eula: summary.eula.map(EulaId),
            categories,
            members: record.bundles.iter().flatten().map(|member| member.update).collect(),
            supersedes: std::mem::take(&mut record.supersedes),
            created: summary.created,
            arrived: at,
            first_arrived: at,
        });
    }
}

impl Store {
    /// Puts what an import brought into the index, if that has all that was there before. To be called when it is
    /// committed.
    pub(crate) fn list_arrived(&self, arrived: &Arrived) {
        let board = &self.shared.board;
        // Who has the turn reads rows, these too.
        let Some(mut turn) = board.turn.try_lock() else { return };
        let current = turn.anchor == Some(arrived.before)
            && turn.rewritten == board.rewritten.load(Ordering::Acquire)
            && arrived.updates.first().is_some_and(|first| i64::from(first.newest.get()) > turn.newest);
        let Some(last) = arrived.updates.last().filter(|_| current) else { return };
        let mut index = board.index.write();
        sluicegate_allocator::bulk(|| arrived.updates.iter().for_each(|facts| index.put_update(facts)));
        drop(index);
        turn.newest = i64::from(last.newest.get());
        if let Err(error) = self.feed_catalog(&mut turn, Rows::Trusted) {
            tracing::debug!(%error, "what came is in the lists, and looked at again with the next look");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;
    use crate::catalog::{Document as Served, PreparedRevision};
    use crate::segment::Place;
    use crate::status::feed::read_updates;
    use sluicegate_catalog::compose::Document;
    use sluicegate_catalog::{Clause, Limits, parse};
    use sluicegate_terms::{CategoryKind, Guid, RevisionNumber, UpdateId, UpdateIdentity};

    fn uid(n: u128) -> UpdateId {
        UpdateId(Guid::from_u128(n))
    }

    fn identity(n: u128, revision: i64) -> UpdateIdentity {
        UpdateIdentity { update: uid(n), revision: RevisionNumber::new(revision).unwrap() }
    }

    fn prepared(document: &Document) -> PreparedRevision {
        let xml = document.to_xml();
        let parsed = parse(xml.as_bytes(), &Limits::default()).unwrap();
        let source = document.identity.to_string();
        PreparedRevision::from_document(source, parsed, b"ready".to_vec(), 9, Served::Text(xml))
    }

    /// As the importer has it when it commits.
    fn staged(document: &Document) -> Staged {
        let prepared = prepared(document);
        let packed = prepared.pack();
        let (record, summary) = packed.unpack().unwrap();
        Staged {
            source: packed.source().into(),
            identity: packed.identity(),
            record,
            summary,
            content: packed.content,
            core: Place::default(),
            core_escaped_len: packed.core_escaped_len,
            fragments: Place::default(),
            document: Place::default(),
            document_form: packed.form,
            waited: false,
        }
    }

    /// Of each kind one, with everything that lists show.
    fn documents() -> Vec<Document> {
        let company = Document::category(identity(1, 1), CategoryKind::Company, "Contoso", None);
        let product = Document::category(identity(2, 1), CategoryKind::Product, "Tool", Some(uid(1)));
        let detectoid = Document::detectoid(identity(3, 1), "x64", "<True />");
        let part = Document::software(identity(4, 7), "A part");
        let mut whole = Document::software(identity(5, 200), "Größeres Update");
        whole.properties.kb = vec!["5001".to_owned(), "5002".to_owned()];
        whole.properties.severity = Some("Critical".to_owned());
        whole.properties.reboot = Some("AlwaysRequiresReboot".to_owned());
        whole.properties.eula_id = Some(Guid::from_u128(77));
        whole.properties.cves = vec!["CVE-2026-1".to_owned()];
        whole.properties.created = Some(Timestamp::from_unix_seconds(1_500_000_000));
        whole.relationships.bundles = vec![vec![identity(4, 7)]];
        whole.relationships.supersedes = vec![uid(9), uid(4)];
        // Twice the same, and in no order.
        let under = |n: u128| Clause { any_of: vec![uid(n)], is_category: true };
        whole.relationships.prerequisites = vec![under(2), under(1), under(2)];
        let mut expired = Document::software(identity(6, 3), "Withdrawn");
        expired.properties.expired = true;
        expired.properties.explicitly_deployable = false;
        vec![company, product, detectoid, part, whole, expired]
    }

    fn import(store: &Store, now: Timestamp, documents: &[Document]) {
        let mut importer = store.importer(now).unwrap();
        documents.iter().for_each(|document| importer.add(prepared(document)).unwrap());
        let report = importer.commit().unwrap();
        assert_eq!(report.added + report.revised, documents.len() as u64, "{:?}", report.quarantined);
    }

    #[test]
    fn what_goes_into_the_index_at_once_is_what_its_rows_say() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let store = Store::open(dir.path(), StoreOptions::new(now)).unwrap();
        import(&store, now, &documents());
        let of_rows = store.shared.database.read(|db| read_updates(db, 0)).unwrap();
        let mut arrived = Arrived::default();
        for (document, facts) in documents().iter().zip(&of_rows) {
            arrived.first(&mut staged(document), facts.newest, now);
        }
        assert_eq!(of_rows.len(), documents().len());
        assert_eq!(arrived.updates, of_rows);
    }

    #[test]
    fn an_index_that_has_what_was_there_gets_what_comes_and_another_reads_rows() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let store = Store::open(dir.path(), StoreOptions::new(now)).unwrap();
        let newest = |store: &Store| store.shared.board.turn.lock().newest;
        let (first, second) = (documents(), [Document::software(identity(8, 1), "Later")]);
        import(&store, now, &first);
        assert_eq!(newest(&store), 0, "nobody has looked yet: it is read by the first look");
        store.catch_up(0).unwrap();
        import(&store, now, &second);
        assert_eq!(newest(&store), 7, "in the index with the import");
        // A later revision of what was there: when that first came is in the rows.
        import(&store, now, &[Document::software(identity(8, 2), "Later")]);
        assert_eq!(newest(&store), 7, "left to the next look");
        import(&store, now, &[Document::software(identity(10, 1), "Last")]);
        assert_eq!(newest(&store), 7, "what lies between would be passed over");
        store.catch_up(0).unwrap();
        assert_eq!(newest(&store), 9);
    }
}
