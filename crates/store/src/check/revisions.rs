//! Check: revisions. Their bytes in the segments, their rows against their documents, the newest of each
//! update, and what they say of each other.

use super::Check;
use super::repair::Rebuild;
use crate::catalog::{
    Form, LONGEST_DOCUMENT, Lengths, Summary, categories_column, decode_document, decode_fragments,
    decode_record,
};
use crate::columns::{Columns, for_rows, gathered};
use crate::error::{During, StoreError};
use crate::segment::Place;
use rusqlite::{OptionalExtension, Row, params, types::Value};
use sluicegate_catalog::{Limits, ScanRecord, UpdateDocument};
use sluicegate_terms::{RevisionId, RevisionNumber, Sha256Digest, UpdateId, UpdateIdentity};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Tables about an update that go with it when it has no revision.
const OF_UPDATE: [&str; 8] = [
    "DELETE FROM approval WHERE update_id = ?1",
    "DELETE FROM withdrawn WHERE update_id = ?1",
    "DELETE FROM decline WHERE update_id = ?1",
    "DELETE FROM restored WHERE update_id = ?1",
    "DELETE FROM held WHERE update_id = ?1",
    "DELETE FROM released WHERE update_id = ?1",
    "DELETE FROM bundle_member WHERE bundle = ?1",
    "DELETE FROM category WHERE update_id = ?1",
];

/// Checks which revision is the newest of each update.
pub(super) fn newest(check: &mut Check<'_>) -> Result<(), StoreError> {
    let mut wrong: Vec<(UpdateId, i64, Option<i64>)> = Vec::new();
    let mut empty: Vec<UpdateId> = Vec::new();
    {
        let mut statement = check
            .db
            .prepare(
                "SELECT r.update_id, r.id, k.newest FROM revision r
                 JOIN (SELECT update_id, max(number) AS number FROM revision GROUP BY update_id) m
                     ON m.update_id = r.update_id AND m.number = r.number
                 LEFT JOIN known_update k ON k.update_id = r.update_id
                 WHERE k.newest IS NULL OR k.newest <> r.id",
            )
            .during("look for the newest revisions")?;
        let mut rows = statement.query([]).during("look for the newest revisions")?;
        for_rows(&mut rows, |row| {
            wrong.push((row.update(0)?, row.int(1)?, row.get(2).during("read a revision id")?));
            Ok(())
        })?;
        let mut statement = check
            .db
            .prepare(
                "SELECT update_id FROM known_update k
                 WHERE NOT EXISTS (SELECT 1 FROM revision r WHERE r.update_id = k.update_id)",
            )
            .during("look for updates without revisions")?;
        let mut rows = statement.query([]).during("look for updates without revisions")?;
        for_rows(&mut rows, |row| {
            empty.push(row.update(0)?);
            Ok(())
        })?;
    }
    let id = |update: UpdateId| Value::Blob(update.0.as_bytes().to_vec());
    // Two updates may name each other's: the names are freed first.
    for (update, newest, _) in &wrong {
        check.fix(
            "UPDATE known_update SET newest = -?2 WHERE update_id = ?1",
            vec![id(*update), (*newest).into()],
        );
    }
    for (update, newest, named) in wrong {
        let named = named.map_or("none".to_owned(), |named| format!("revision {named}"));
        let what = format!(
            "the newest revision of update {update} is revision {newest}, and {named} is noted as it"
        );
        check.repairable("newest", what, "the one with the highest number is noted, and clients are told");
        check.fix(
            "INSERT INTO known_update (update_id, newest) VALUES (?1, ?2)
             ON CONFLICT (update_id) DO UPDATE SET newest = ?2",
            vec![id(update), newest.into()],
        );
        check.fix(
            "UPDATE revision SET leaf_changed = (SELECT value FROM counter WHERE name = 'anchor') WHERE id = ?1",
            vec![newest.into()],
        );
    }
    for update in empty {
        let what = format!("update {update} has no revision");
        check.repairable("newest", what, "it is removed with its decisions: there is nothing to deploy");
        for table in ["approval", "withdrawn"] {
            check.dropped(table, "update_id = ?1", vec![id(update)]);
        }
        for sql in OF_UPDATE {
            check.fix(sql, vec![id(update)]);
        }
        check.fix("DELETE FROM known_update WHERE update_id = ?1", vec![id(update)]);
    }
    Ok(())
}

/// A row of a revision.
struct Revision {
    id: RevisionId,
    identity: UpdateIdentity,
    record: Vec<u8>,
    core: Place,
    fragments: Place,
    document: Place,
    form: i64,
    content: Sha256Digest,
}

fn read(row: &Row<'_>) -> Result<Revision, StoreError> {
    Ok(Revision {
        id: row.revision_id(0)?,
        identity: UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? },
        record: row.get(3).during("read a revision")?,
        core: Place { at: row.natural(4)?, len: row.word(5)? },
        fragments: Place { at: row.natural(6)?, len: row.word(7)? },
        document: Place { at: row.natural(8)?, len: row.word(9)? },
        form: row.int(10)?,
        content: Sha256Digest(row.get(11).during("read a digest")?),
    })
}

/// What revisions say of each other. There is one of each thing here for each revision, so it is in few long pieces.
#[derive(Default)]
pub(super) struct Relations {
    identities: HashSet<UpdateIdentity>,
    updates: HashSet<UpdateId>,
    records: References,
    newest_kinds: HashMap<UpdateId, (RevisionNumber, Option<&'static str>)>,
}

/// What revisions refer to: their records, without all else, one behind the other as they are kept in rows.
#[derive(Default)]
struct References {
    bytes: Vec<u8>,
    /// Whose each is, and where it ends.
    ends: Vec<(UpdateIdentity, usize)>,
}

impl References {
    fn push(&mut self, record: ScanRecord) {
        let ScanRecord { identity, kind, prerequisites, bundles, .. } = record;
        if !prerequisites.is_empty() || !bundles.is_empty() {
            let kept = ScanRecord { prerequisites, bundles, ..ScanRecord::new(identity, kind) };
            self.bytes.extend_from_slice(&kept.encode());
            self.ends.push((identity, self.bytes.len()));
        }
    }

    fn iter(&self) -> impl Iterator<Item = Result<ScanRecord, StoreError>> + '_ {
        let mut from = 0;
        self.ends.iter().map(move |(identity, end)| {
            let bytes = self.bytes.get(from..*end).unwrap_or_default();
            from = *end;
            decode_record(*identity, bytes)
        })
    }
}

/// Checks every revision.
pub(super) fn check(check: &mut Check<'_>, lengths: Lengths) -> Result<(), StoreError> {
    let mut relations = Relations::default();
    some(check, lengths, &mut relations, i64::MIN, u32::MAX)?;
    related(check, &relations)
}

/// Checks so many revisions behind one. Answers the last of them, or `None` when there are no more.
pub(super) fn some(
    check: &mut Check<'_>,
    lengths: Lengths,
    relations: &mut Relations,
    after: i64,
    most: u32,
) -> Result<Option<i64>, StoreError> {
    let mut statement = check
        .db
        .prepare_cached(
            "SELECT id, update_id, number, record, core_at, core_len, fragments_at, fragments_len, document_at,
                 document_len, document_form, content FROM revision WHERE id > ?1 ORDER BY id LIMIT ?2",
        )
        .during("read the revisions")?;
    let mut rows = statement.query((after, most)).during("read the revisions")?;
    let (mut last, mut count) = (after, 0);
    while let Some(row) = rows.next().during("read the revisions")? {
        check.report.revisions += 1;
        (last, count) = (row.int(0)?, count + 1);
        match read(row) {
            Ok(revision) => one(check, &revision, lengths, relations)?,
            Err(error) => check.wrong("revision", error.to_string(), "restore the data folder from a backup"),
        }
    }
    Ok((count == most).then_some(last))
}

fn one(
    check: &mut Check<'_>,
    revision: &Revision,
    lengths: Lengths,
    relations: &mut Relations,
) -> Result<(), StoreError> {
    let name = format!("revision {} ({})", revision.id, revision.identity);
    let mut damaged = Vec::new();
    let segments = check.segments;
    if revision.core.end() > lengths.core {
        damaged.push("its Core fragment lies behind the end of its segment".to_owned());
    } else if let Err(error) = segments.core.read(revision.core) {
        damaged.push(error.to_string());
    }
    if revision.fragments.end() > lengths.fragments {
        damaged.push("its other fragments lie behind the end of their segment".to_owned());
    } else {
        match segments.fragments.read(revision.fragments).map(decode_fragments) {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => damaged.push("the layout of its fragments is not known".to_owned()),
            Err(error) => damaged.push(error.to_string()),
        }
    }
    let record = decode_record(revision.identity, &revision.record).ok();
    let record = record.filter(|record| record.identity == revision.identity);
    match document(check, revision) {
        Ok(document) => {
            against_document(check, revision, &name, &document, record.as_ref(), &damaged)?;
            relations.note(record.unwrap_or_else(|| document.scan_record()));
        }
        Err(reason) => {
            let backup = "restore the data folder from a backup";
            check.wrong("revision", format!("{name}: its document cannot be read: {reason}"), backup);
            for what in damaged {
                check.wrong("revision", format!("{name}: {what}"), backup);
            }
            match record {
                Some(record) => relations.note(record),
                None => check.wrong("revision", format!("{name}: its scan record cannot be read"), backup),
            }
        }
    }
    Ok(())
}

/// The document of a revision, read and understood.
fn document(check: &Check<'_>, revision: &Revision) -> Result<UpdateDocument, String> {
    let bytes = check.segments.documents.read(revision.document).map_err(|e| e.to_string())?;
    let form = Form::of_number(revision.form).map_err(|e| e.to_string())?;
    let document = decode_document(bytes, form, revision.id).map_err(|e| e.to_string())?;
    let plain = document.plain(LONGEST_DOCUMENT).map_err(|e| e.to_string())?;
    let parsed = sluicegate_catalog::parse(&plain, &Limits::default()).map_err(|e| e.to_string())?;
    if parsed.identity != revision.identity {
        return Err(format!("it is the document of {}", parsed.identity));
    }
    if parsed.content != revision.content {
        return Err("it says something else than when it was taken in".to_owned());
    }
    Ok(parsed)
}

/// A document that is whole has the right answer to everything else about its revision.
fn against_document(
    check: &mut Check<'_>,
    revision: &Revision,
    name: &str,
    document: &UpdateDocument,
    record: Option<&ScanRecord>,
    damaged: &[String],
) -> Result<(), StoreError> {
    let right = document.scan_record();
    if record != Some(&right) {
        let what = format!("{name}: its scan record is not what its document says");
        check.repairable("revision", what, "it is made anew from the document");
        let values = vec![revision.id.get().into(), right.encode().into()];
        check.fix("UPDATE revision SET record = ?2 WHERE id = ?1", values);
    }
    for what in damaged {
        let what = format!("{name}: {what}");
        if check.prepare.is_some() {
            check.repairable("revision", what, "its fragments are made anew from its document");
        } else {
            check.wrong("revision", what, "`sluicegate check --repair` makes them anew from its document");
        }
    }
    if !damaged.is_empty() && check.prepare.is_some() {
        check.rebuilds.push(Rebuild::Bytes { id: revision.id, identity: revision.identity });
    }
    if !listed(check, revision.id, document)? {
        let what = format!("{name}: what lists say of it is not what its document says");
        check.repairable("revision", what, "its listing is made anew from the document");
        check.rebuilds.push(Rebuild::Listing { id: revision.id, identity: revision.identity });
    }
    Ok(())
}

/// The summary of a document, as an import makes it.
pub(super) fn summary(document: &UpdateDocument) -> Summary {
    let mut files = document.files.clone();
    files.extend(document.eulas.iter().map(|eula| eula.file.clone()));
    Summary::new(document.listing(), files, document.properties.eula_id)
}

/// Whether the rows of lists agree with the document.
fn listed(check: &Check<'_>, id: RevisionId, document: &UpdateDocument) -> Result<bool, StoreError> {
    let wanted = summary(document);
    let found: Option<(String, String, bool, Vec<u8>)> = check
        .db
        .prepare_cached("SELECT title, kb, deployable, categories FROM listing WHERE revision_id = ?1")
        .and_then(|mut s| {
            s.query_row([id.get()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()
        })
        .during("read a listing")?;
    let deployable = document.scan_record().explicitly_deployable;
    if found != Some((wanted.title, wanted.kb, deployable, categories_column(&wanted.categories))) {
        return Ok(false);
    }
    for file in &wanted.files {
        let there: bool = check
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM revision_file r JOIN file f USING (sha1)
                     WHERE r.sha1 = ?1 AND r.revision_id = ?2 AND f.size = ?3)",
            )
            .and_then(|mut s| {
                s.query_row(params![file.sha1.0, id.get(), crate::columns::signed(file.size)], |row| {
                    row.get(0)
                })
            })
            .during("look up a file")?;
        if !there {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Relations {
    fn note(&mut self, record: ScanRecord) {
        let UpdateIdentity { update, revision } = record.identity;
        self.identities.insert(record.identity);
        self.updates.insert(update);
        let kind = record.category_kind.map(|kind| kind.as_str());
        let newest = self.newest_kinds.entry(update).or_insert((revision, kind));
        if newest.0 <= revision {
            *newest = (revision, kind);
        }
        self.records.push(record);
    }
}

/// Checks what revisions say of each other against what is there, and the tables that keep it.
pub(super) fn related(check: &mut Check<'_>, relations: &Relations) -> Result<(), StoreError> {
    let named: HashSet<UpdateId> = ids(check, "SELECT update_id FROM named_prerequisite")?;
    let members: HashSet<(UpdateId, UpdateId)> = pairs(check, "SELECT member, bundle FROM bundle_member")?;
    let mut unnamed: BTreeMap<UpdateId, ()> = BTreeMap::new();
    let mut unlisted: BTreeMap<(UpdateId, UpdateId), ()> = BTreeMap::new();
    let again = "synchronize or import what is missing";
    for record in relations.records.iter() {
        let record = record?;
        for clause in &record.prerequisites {
            if !clause.any_of.iter().any(|update| relations.updates.contains(update)) {
                let first = clause.any_of.first().map(ToString::to_string).unwrap_or_default();
                let what = format!("{} needs {first}, which is not in the catalog", record.identity);
                check.wrong("relations", what, again);
            }
            unnamed.extend(clause.any_of.iter().filter(|u| !named.contains(u)).map(|u| (*u, ())));
        }
        for member in record.bundles.iter().flatten() {
            if !relations.identities.contains(member) {
                let what = format!("{} bundles {member}, which is not in the catalog", record.identity);
                check.wrong("relations", what, again);
            }
            let pair = (member.update, record.identity.update);
            if !members.contains(&pair) {
                unlisted.insert(pair, ());
            }
        }
    }
    let blob = |update: UpdateId| Value::Blob(update.0.as_bytes().to_vec());
    for update in unnamed.into_keys() {
        let what = format!("update {update} is a prerequisite and is noted as a leaf");
        check.repairable("relations", what, "it is noted as what it is, and clients are told");
        check.fix(
            "INSERT INTO named_prerequisite (update_id, since)
             VALUES (?1, (SELECT value FROM counter WHERE name = 'anchor')) ON CONFLICT DO NOTHING",
            vec![blob(update)],
        );
        check.fix(
            "UPDATE revision SET leaf_changed = (SELECT value FROM counter WHERE name = 'anchor') WHERE update_id = ?1",
            vec![blob(update)],
        );
    }
    for (member, bundle) in unlisted.into_keys() {
        let what = format!("bundle {bundle} has the member {member}, and this is not noted");
        check.repairable("relations", what, "it is noted");
        check.fix(
            "INSERT INTO bundle_member (member, bundle) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            vec![blob(member), blob(bundle)],
        );
    }
    kinds(check, relations)
}

/// Checks the kinds of categories.
fn kinds(check: &mut Check<'_>, relations: &Relations) -> Result<(), StoreError> {
    let mut noted: HashMap<UpdateId, String> = HashMap::new();
    {
        let mut statement =
            check.db.prepare("SELECT update_id, kind FROM category").during("read the categories")?;
        let mut rows = statement.query([]).during("read the categories")?;
        for_rows(&mut rows, |row| {
            noted.insert(row.update(0)?, row.text(1)?);
            Ok(())
        })?;
    }
    let wrong: BTreeMap<UpdateId, &'static str> = relations
        .newest_kinds
        .iter()
        .filter_map(|(update, (_, kind))| kind.map(|kind| (*update, kind)))
        .filter(|(update, kind)| noted.get(update).map(String::as_str) != Some(kind))
        .collect();
    for (update, kind) in wrong {
        let what = format!("category {update} is a {kind}, and this is not noted");
        check.repairable("relations", what, "it is noted");
        check.fix(
            "INSERT INTO category (update_id, kind) VALUES (?1, ?2) ON CONFLICT (update_id) DO UPDATE SET kind = ?2",
            vec![Value::Blob(update.0.as_bytes().to_vec()), kind.to_owned().into()],
        );
    }
    Ok(())
}

fn ids(check: &Check<'_>, sql: &str) -> Result<HashSet<UpdateId>, StoreError> {
    let mut statement = check.db.prepare(sql).during("read relations")?;
    let mut rows = statement.query([]).during("read relations")?;
    gathered(&mut rows, |row| row.update(0))
}

fn pairs(check: &Check<'_>, sql: &str) -> Result<HashSet<(UpdateId, UpdateId)>, StoreError> {
    let mut statement = check.db.prepare(sql).during("read relations")?;
    let mut rows = statement.query([]).during("read relations")?;
    let mut found = HashSet::new();
    for_rows(&mut rows, |row| {
        found.insert((row.update(0)?, row.update(1)?));
        Ok(())
    })?;
    Ok(found)
}
