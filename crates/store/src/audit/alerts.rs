//! Store: what an administrator should look at. First of all updates that did not come from the configured
//! upstream and that no administrator brought in: a way to put software on a fleet.

use super::{Actor, ActorKind, Entry, append};
use crate::Store;
use crate::columns::{Columns, for_rows, signed};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Transaction, params};
use sluicegate_terms::{RevisionId, Timestamp, UpdateId};
use std::fmt::Write as _;

/// How many updates an alert names; it counts the others.
const NAMED: usize = 100;

/// What an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertKind {
    /// Updates from somewhere else than the configured upstream.
    ForeignUpdates,
    /// The audit log is not what it was.
    AuditBroken,
    /// Another upstream was set (known problem P-05).
    UpstreamChanged,
    /// An endpoint of this server does not answer as it must (P-04, P-13).
    Endpoints,
    /// The upstream cannot be synchronized with (P-02, P-03, P-11, P-14).
    UpstreamFailing,
    /// The last synchronization failed for a reason that lies here: a full disk, say.
    SynchronizationFailing,
    /// The upstream takes its catalog from this server.
    UpstreamRing,
    /// Two servers below this one have one id.
    SharedIdentity,
    /// Revisions that the upstream lists came damaged or not at all.
    RevisionsFailing,
    /// The upstream takes nothing of what it is told of this server and its computers.
    RollupFailing,
    /// Files that are wanted do not come, or nobody fetches them.
    FilesFailing,
    /// Content files are gone from the disk or cut off, and have not come again.
    FilesLost,
    /// A proxy does not take the stored user and password (P-03).
    ProxyPassword,
    /// The stored password for the proxy expires soon, or has expired (P-03).
    ProxyPasswordExpires,
    /// The daily check found something wrong.
    CheckFailed,
}

impl AlertKind {
    /// The word in the database and the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignUpdates => "foreign-updates",
            Self::AuditBroken => "audit-broken",
            Self::UpstreamChanged => "upstream-changed",
            Self::Endpoints => "endpoints",
            Self::UpstreamFailing => "upstream-failing",
            Self::SynchronizationFailing => "synchronization-failing",
            Self::UpstreamRing => "upstream-ring",
            Self::SharedIdentity => "shared-identity",
            Self::RevisionsFailing => "revisions-failing",
            Self::RollupFailing => "rollup-failing",
            Self::FilesFailing => "files-failing",
            Self::FilesLost => "files-lost",
            Self::ProxyPassword => "proxy-password",
            Self::ProxyPasswordExpires => "proxy-password-expires",
            Self::CheckFailed => "check-failed",
        }
    }
}

/// An alert that nobody has acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Its number.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The word of its kind.
    pub kind: String,
    /// What happened and what to do.
    pub text: String,
    /// The first updates it is about.
    pub updates: Vec<UpdateId>,
    /// How many updates it is about.
    pub count: u64,
}

/// What entered the catalog in one transaction.
pub(crate) struct Imported<'a> {
    pub(crate) revisions: &'a [(RevisionId, UpdateId)],
    pub(crate) added: u64,
    pub(crate) revised: u64,
    pub(crate) older: u64,
    pub(crate) quarantined: usize,
    /// Where the first of them came from, as the giver said.
    pub(crate) source: &'a str,
    /// The configured upstream.
    pub(crate) upstream: Option<&'a str>,
}

/// Writes an import into the log, and raises an alert when nobody who may bring updates brought these.
pub(crate) fn note_import(
    tx: &Transaction<'_>,
    actor: &Actor,
    now: Timestamp,
    imported: &Imported<'_>,
) -> Result<(), StoreError> {
    let ids = || imported.revisions.iter().map(|(id, _)| id.get());
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(()) };
    let expected = match actor.kind {
        ActorKind::Administrator => true,
        ActorKind::Upstream => imported.upstream == Some(actor.name.as_str()),
        ActorKind::Server => false,
    };
    let way = match (actor.kind, expected) {
        (ActorKind::Administrator, _) => "manual",
        (_, true) => "synchronization",
        (_, false) => "unexpected",
    };
    // Which revisions an import brought: what is in the catalog and in no import came in behind our back.
    let after = serde_json::json!({
        "way": way,
        "added": imported.added,
        "revised": imported.revised,
        "older": imported.older,
        "quarantined": imported.quarantined,
        "first_revision": first,
        "last_revision": last,
    });
    let subject = format!("{} revisions, the first from {}", imported.revisions.len(), imported.source);
    let entry =
        Entry { action: "import", subject, update: None, before: None, after: Some(after.to_string()) };
    append(tx, actor, now, &[entry])?;
    if expected {
        return Ok(());
    }
    let upstream = imported.upstream.unwrap_or("none");
    let text = format!(
        "{} revisions came from {} {} and neither from the configured upstream ({upstream}) nor from an \
         administrator; find out who brought them, and decline them when nobody can say",
        imported.revisions.len(),
        actor.kind.as_str(),
        actor.name
    );
    let updates: Vec<UpdateId> = imported.revisions.iter().map(|(_, update)| *update).collect();
    raise(tx, AlertKind::ForeignUpdates, &text, &updates, now)
}

/// Raises an alert.
pub(crate) fn raise(
    db: &Connection,
    kind: AlertKind,
    text: &str,
    updates: &[UpdateId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut named = String::new();
    for update in updates.iter().take(NAMED) {
        // Writing to a String cannot fail.
        let _ = writeln!(named, "{update}");
    }
    db.execute(
        "INSERT INTO alert (at, kind, text, updates, count) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![now.ticks(), kind.as_str(), text, named, signed(updates.len() as u64)],
    )
    .during("raise an alert")?;
    let first = updates.first().map(ToString::to_string);
    tracing::warn!(kind = kind.as_str(), update = first, count = updates.len(), "alert: {text}");
    Ok(())
}

/// Raises an alert of which one is enough: one that is there already says the newer text.
pub(crate) fn raise_once(
    db: &Connection,
    kind: AlertKind,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = db
        .execute(
            "UPDATE alert SET text = ?2 WHERE kind = ?1 AND seen_at IS NULL",
            params![kind.as_str(), text],
        )
        .during("raise an alert")?;
    if known > 0 { Ok(()) } else { raise(db, kind, text, &[], now) }
}

/// Ends the alerts of a kind whose cause is gone.
pub(crate) fn settle(db: &Connection, kind: AlertKind, by: &str, now: Timestamp) -> Result<(), StoreError> {
    db.execute(
        "UPDATE alert SET seen_at = ?2, seen_by = ?3 WHERE kind = ?1 AND seen_at IS NULL",
        params![kind.as_str(), now.ticks(), by],
    )
    .during("end an alert")
    .map(|_| ())
}

impl Store {
    /// Alerts that nobody has acknowledged, newest first, at most 1,000.
    ///
    /// # Errors
    /// A failure to read.
    pub fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT id, at, kind, text, updates, count FROM alert WHERE seen_at IS NULL
                     ORDER BY id DESC LIMIT 1000",
                )
                .during("read the alerts")?;
            let mut rows = statement.query([]).during("read the alerts")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push(Alert {
                    id: row.natural(0)?,
                    at: row.time(1)?,
                    kind: row.text(2)?,
                    text: row.text(3)?,
                    updates: row.text(4)?.lines().filter_map(|id| id.parse().ok()).collect(),
                    count: row.natural(5)?,
                });
                Ok(())
            })?;
            Ok(list)
        })
    }

    /// How many alerts nobody has acknowledged.
    ///
    /// # Errors
    /// A failure to read.
    pub fn alert_count(&self) -> Result<u64, StoreError> {
        self.shared.database.read(|db| {
            db.prepare_cached("SELECT count(*) FROM alert WHERE seen_at IS NULL")
                .and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)))
                .during("count the alerts")
                .map(i64::unsigned_abs)
        })
    }

    /// Notes that somebody has seen an alert; it is in the audit log who. Answers whether there was one.
    ///
    /// # Errors
    /// A failure to write.
    pub fn acknowledge_alert(&self, id: u64, now: Timestamp) -> Result<bool, StoreError> {
        let done = self.shared.database.write_alone(
            |tx| {
                let changed = tx
                    .execute(
                        "UPDATE alert SET seen_at = ?2, seen_by = ?3 WHERE id = ?1 AND seen_at IS NULL",
                        params![signed(id), now.ticks(), self.actor.name],
                    )
                    .during("acknowledge an alert")?;
                if changed > 0 {
                    let subject = format!("alert {id}");
                    let entry = Entry {
                        action: "acknowledge-alert",
                        subject,
                        update: None,
                        before: None,
                        after: None,
                    };
                    append(tx, &self.actor, now, &[entry])?;
                }
                Ok(changed > 0)
            },
            |_| {},
        )?;
        self.note_audit_head();
        Ok(done)
    }
}
