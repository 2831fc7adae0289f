//! `GET export?decisions=false`: catalog and decisions as lines of JSON, each document's bytes behind its
//! line: what an export package is made of. First what is exported, then the files, the documents, what was left out
//! because it is damaged, the decisions, and a last line that says it is whole. One document at a time is in memory.

use super::carried;
use super::error::AdminError;
use super::input::Query;
use crate::content::files::path_of;
use crate::services::upstream::languages;
use crate::state::App;
use crate::transport::body::Body;
use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use sluicegate_catalog::{Limits, text_of};
use sluicegate_policy::CarriedDecisions;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{CategoryKind, RevisionId, Sha1Digest, UpdateId, UpdateIdentity};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Bytes sent at once.
const PIECE: usize = 256 << 10;

/// Begins an export; it goes on while the answer is read.
pub(super) fn export(app: &Arc<App>, query: &Query, host: &str) -> Result<Response<Body>, AdminError> {
    let with_decisions = query.flag("decisions")?.unwrap_or(true);
    let (pieces, answer) = mpsc::channel(4);
    let base = format!("http://{}/Content/", app.authority(host));
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || {
        let mut out = Pieces { to: pieces, pending: Vec::with_capacity(PIECE * 2) };
        match write(&app, with_decisions, &base, &mut out) {
            Ok(()) => tracing::info!("catalog exported"),
            Err(Stopped::Gone) => tracing::info!("an export was broken off by its reader"),
            Err(Stopped::Failed(error)) => {
                let id = app.random.guid();
                tracing::error!(%id, code = error.code, cause = error.message, "export failed");
                // The reader may be gone.
                let _ = out.line(&error.to_json(id));
            }
        }
        let _ = out.send();
    });
    let mut response = Response::new(Body::lines(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Why an export ended early.
enum Stopped {
    /// Nobody reads any more.
    Gone,
    Failed(AdminError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Gathers lines and bytes into pieces.
struct Pieces {
    to: mpsc::Sender<Bytes>,
    pending: Vec<u8>,
}

impl Pieces {
    fn line(&mut self, value: &Value) -> Result<(), Stopped> {
        self.pending.extend_from_slice(value.to_string().as_bytes());
        self.pending.push(b'\n');
        self.spill()
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.pending.extend_from_slice(bytes);
        self.pending.push(b'\n');
        self.spill()
    }

    fn spill(&mut self) -> Result<(), Stopped> {
        if self.pending.len() < PIECE { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), Stopped> {
        let piece = std::mem::replace(&mut self.pending, Vec::with_capacity(PIECE * 2));
        if piece.is_empty() { Ok(()) } else { self.to.blocking_send(piece.into()).map_err(|_| Stopped::Gone) }
    }
}

/// One revision that is exported.
struct Listed {
    id: RevisionId,
    identity: UpdateIdentity,
    categories: Vec<UpdateId>,
    files: Vec<Sha1Digest>,
}

/// A revision that cannot be exported, since something of it cannot be read. Everything else is.
struct LeftOut {
    identity: Option<UpdateIdentity>,
    reason: String,
}

fn write(app: &App, with_decisions: bool, base: &str, out: &mut Pieces) -> Result<(), Stopped> {
    let store = &app.store;
    // Decisions first: whatever they are about is in the catalog that is read after them.
    let decisions = match with_decisions {
        true => store.decisions().to_carry(),
        false => CarriedDecisions::default(),
    };
    let mut decisions = carried::lines(&decisions);
    let (revisions, mut left_out) = list(store)?;
    let files: BTreeSet<Sha1Digest> = revisions.iter().flat_map(|one| one.files.iter().copied()).collect();
    let languages: Vec<Value> = languages::list(&store.upstream_settings().filter.languages)
        .iter()
        .map(|one| {
            json!({ "id": one.language_id, "short": one.short_language, "long": one.long_language, "enabled": one.enabled })
        })
        .collect();
    out.line(&json!({ "export": {
        "server": app.server_id.to_string(),
        "created": app.clock.now().iso(),
        "revisions": revisions.len(),
        "files": files.len(),
        "decisions": decisions.len(),
        "languages": languages,
    }}))?;
    for &sha1 in &files {
        out.line(&json!({ "file": file(store, sha1, base)? }))?;
    }
    let kinds: HashMap<UpdateId, CategoryKind> =
        store.categories()?.into_iter().map(|row| (row.update, row.kind)).collect();
    let limits = Limits { max_bytes: app.limits.document, ..Limits::default() };
    let mut written = 0_usize;
    for one in &revisions {
        match text(store, one, &limits) {
            Ok(text) => document(one, &text, &kinds, out)?,
            Err(reason) => {
                left_out.push(LeftOut { identity: Some(one.identity), reason });
                continue;
            }
        }
        written += 1;
    }
    tell_left_out(store, &left_out, &mut decisions, out)?;
    // Among the decisions, in the part that other programs pass over; they are part of the catalog all the same.
    let keys = store.file_keys()?.into_iter().filter(|(sha1, _)| files.contains(sha1));
    for decision in decisions.iter().cloned().chain(keys.map(|(sha1, key)| carried::key_line(sha1, &key))) {
        out.line(&json!({ "decision": decision }))?;
    }
    out.line(&json!({ "end": {
        "revisions": written,
        "files": files.len(),
        "decisions": decisions.len(),
    }}))
}

/// Names what is not in the export, and leaves out what was decided about these updates: on the other side it would hold
/// for another revision than here.
fn tell_left_out(
    store: &Store,
    left_out: &[LeftOut],
    decisions: &mut Vec<Value>,
    out: &mut Pieces,
) -> Result<(), Stopped> {
    let Some(first) = left_out.first() else { return Ok(()) };
    tracing::error!(revisions = left_out.len(), cause = first.reason, "exported without damaged revisions");
    let mut about: BTreeMap<String, u64> =
        left_out.iter().filter_map(|one| Some((one.identity?.update.to_string(), 0))).collect();
    decisions.retain(|line| match carried::update_of(line).and_then(|update| about.get_mut(update)) {
        Some(count) => {
            *count += 1;
            false
        }
        None => true,
    });
    for one in left_out {
        let update = one.identity.map(|identity| identity.update);
        out.line(&json!({ "left_out": {
            "update": update.map(|update| update.to_string()),
            "revision": one.identity.map(|identity| identity.revision.get()),
            "title": update.and_then(|update| store.title(update).ok()),
            "decisions": update.and_then(|update| about.get(&update.to_string()).copied()),
            "reason": one.reason,
        }}))?;
    }
    Ok(())
}

/// All revisions, in the order in which they came, without those that cannot be read.
fn list(store: &Store) -> Result<(Vec<Listed>, Vec<LeftOut>), Stopped> {
    let (mut revisions, mut left_out) = (Vec::new(), Vec::new());
    store.for_each_row(|row| {
        let revision = match row {
            Ok(revision) => revision,
            Err(damaged) => {
                left_out.push(LeftOut { identity: damaged.identity, reason: damaged.cause.to_string() });
                return Ok(());
            }
        };
        let record = revision.record;
        let named = record.prerequisites.into_iter().filter(|clause| clause.is_category);
        revisions.push(Listed {
            id: revision.id,
            identity: record.identity,
            categories: named.flat_map(|clause| clause.any_of).collect(),
            files: Vec::new(),
        });
        Ok::<_, StoreError>(())
    })?;
    let cores = store.cores();
    revisions.retain_mut(|one: &mut Listed| match cores.fragments(one.id) {
        Ok(fragments) => {
            one.files = fragments.files().to_vec();
            true
        }
        Err(damaged) => {
            left_out.push(LeftOut { identity: Some(one.identity), reason: damaged.to_string() });
            false
        }
    });
    Ok((revisions, left_out))
}

/// One file, and where it can be had: from Microsoft when its address is known, else from here.
fn file(store: &Store, sha1: Sha1Digest, base: &str) -> Result<Value, Stopped> {
    let facts = store.file(sha1);
    let ending = facts.as_ref().map_or("", |facts| &*facts.extension);
    let path = path_of(&sha1, ending);
    let (name, url) = store.file_source(sha1)?.unwrap_or_default();
    Ok(json!({
        "sha1": sha1.to_hex_upper(),
        "name": name,
        "size": facts.as_ref().map(|facts| facts.size),
        "url": url.unwrap_or_else(|| format!("{base}{path}")),
        "path": path,
        "held": store.content().has(sha1),
    }))
}

/// The document of a revision, or why it cannot be read.
fn text(store: &Store, one: &Listed, limits: &Limits) -> Result<String, String> {
    let bytes = store.document_bytes(one.id).map_err(|error| error.to_string())?;
    let text = text_of(&bytes, limits).map_err(|error| format!("its document cannot be read: {error}"))?;
    Ok(text.into_owned())
}

fn document(
    one: &Listed,
    text: &str,
    kinds: &HashMap<UpdateId, CategoryKind>,
    out: &mut Pieces,
) -> Result<(), Stopped> {
    let of = |classification: bool| -> Vec<String> {
        let is = |id: &&UpdateId| {
            kinds.get(*id).is_some_and(|kind| (*kind == CategoryKind::UpdateClassification) == classification)
        };
        one.categories.iter().filter(is).map(ToString::to_string).collect()
    };
    out.line(&json!({
        "document": {
            "update": one.identity.update.to_string(),
            "revision": one.identity.revision.get(),
            "files": one.files.iter().map(Sha1Digest::to_hex_upper).collect::<Vec<_>>(),
            "categories": of(false),
            "classifications": of(true),
        },
        "size": text.len(),
    }))?;
    out.bytes(text.as_bytes())
}
