//! From the scan engine's answer to bytes: ready Core fragments copied between short literal pieces, in
//! the coding the client wants. Long work leaves the async workers.

use super::{Failure, Reply};
use crate::admission::Permit;
use crate::publisher::Published;
use crate::state::App;
use crate::transport::coding::Coding;
use sluicegate_scan::{Deployed, SyncAnswer};
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::Cookie;
use sluicegate_soap::client::sync_updates::{AnswerWriter, CoreBytes, Day, Deployment, Encoding};
use sluicegate_terms::{DeploymentAction, RevisionId};
use std::sync::Arc;

/// Escaped bytes that may be decoded or compressed on an async worker: a few hundred microseconds.
const INLINE_BYTES: u64 = 256 << 10;

/// Core fragments longer than this (escaped) may lie on disk.
const LONG_CORE: u32 = 256 << 10;

/// How an answer is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// For SyncPrinterCatalog instead of SyncUpdates.
    pub(super) printers: bool,
    pub(super) version: SoapVersion,
    pub(super) wanted: Coding,
}

/// Writes an answer.
pub(super) async fn write(
    app: &App,
    published: &Arc<Published>,
    answer: SyncAnswer,
    cookie: Cookie,
    form: Form,
    permit: Permit,
) -> Result<Reply, Failure> {
    let escaped: u64 = answer.new.iter().map(|update| u64::from(update.core_escaped_len)).sum();
    let recode = form.wanted != Coding::Xpress && escaped > INLINE_BYTES;
    let from_disk = answer.new.iter().any(|update| update.core_escaped_len > LONG_CORE);
    let (bytes, coding) = if recode || from_disk {
        let published = Arc::clone(published);
        tokio::task::spawn_blocking(move || bytes(&published, &answer, &cookie, form))
            .await
            .map_err(|error| Failure::Internal(format!("writing an answer failed: {error}")))?
    } else {
        bytes(published, &answer, &cookie, form)
    };
    publish_without_damage(app, published);
    Ok(Reply::ready(bytes, coding, permit))
}

/// Asks for another snapshot when bytes of this one turned out to be damaged. Until it is there, the client is told
/// of everything else; what it was not told of is new to it whenever it comes back.
pub(super) fn publish_without_damage(app: &App, published: &Published) {
    if published.found_damage() {
        app.changed.notify_one();
    }
}

/// The answer, without revisions whose bytes are damaged.
fn bytes(published: &Published, answer: &SyncAnswer, cookie: &Cookie, form: Form) -> (Vec<u8>, Coding) {
    let mut without = Vec::new();
    loop {
        match attempt(published, answer, cookie, form, &without) {
            Ok(done) => return done,
            // What was written of it cannot be taken back.
            Err(damaged) => without.push(damaged),
        }
    }
}

/// The answer without some revisions; fails with one more that has to be left out.
fn attempt(
    published: &Published,
    answer: &SyncAnswer,
    cookie: &Cookie,
    form: Form,
    without: &[RevisionId],
) -> Result<(Vec<u8>, Coding), RevisionId> {
    let cores = &published.cores;
    let encoding = if form.wanted == Coding::Xpress { Encoding::Xpress } else { Encoding::Identity };
    let mut writer = if form.printers {
        AnswerWriter::for_printers(encoding, form.version)
    } else {
        AnswerWriter::new(encoding, form.version)
    };
    // One value is filled again and again, so that nothing is allocated for each update.
    let mut deployment = None;
    for update in &answer.new {
        if !without.is_empty() && without.contains(&update.revision) {
            continue;
        }
        let core = match cores.core(update.revision) {
            Ok(core) => core,
            Err(error) => {
                cores.found_damage(update.revision, &error);
                continue;
            }
        };
        let core = CoreBytes { blocks: &core, escaped_len: update.core_escaped_len };
        let deployment = fill(&mut deployment, &update.deployment);
        writer.new_update(update.revision, deployment, update.is_leaf, core).map_err(|error| {
            cores.found_damage(update.revision, &error);
            update.revision
        })?;
    }
    let mut writer = writer.out_of_scope(ids(&answer.out_of_scope));
    for update in &answer.changed {
        writer.changed(update.revision, fill(&mut deployment, &update.deployment), update.is_leaf);
    }
    let deployed_out_of_scope = ids(&answer.deployed_out_of_scope);
    let bytes = writer.finish(answer.truncated, cookie, deployed_out_of_scope, answer.driver_sync_not_needed);
    Ok(match form.wanted {
        Coding::Gzip => (sluicegate_soap::gzip::encode(&bytes), Coding::Gzip),
        coding => (bytes, coding),
    })
}

/// Ids the client sent, as far as they can be ids at all.
fn ids(raw: &[i32]) -> impl Iterator<Item = RevisionId> + '_ {
    raw.iter().filter_map(|id| RevisionId::new(i64::from(*id)).ok())
}

/// The engine's deployment in the wire's form.
pub(super) fn wire(deployed: &Deployed) -> Deployment {
    let mut deployment = None;
    fill(&mut deployment, deployed).clone()
}

fn fill<'a>(slot: &'a mut Option<Deployment>, deployed: &Deployed) -> &'a Deployment {
    let to = slot.get_or_insert_with(|| {
        Deployment::plain(deployed.id, DeploymentAction::Evaluate, deployed.last_change)
    });
    to.id = deployed.id;
    to.action = deployed.action;
    to.deadline = deployed.deadline;
    to.is_assigned = deployed.is_assigned;
    to.last_change = Day::of(deployed.last_change);
    to.download_priority = deployed.download_priority.map(|priority| priority.to_string());
    to.hardware_ids.clear();
    to.hardware_ids.extend(deployed.hardware_ids.iter().map(|id| id.to_string()));
    to.auto_select = deployed.auto.map(|auto| i32::from(auto.select));
    to.auto_download = deployed.auto.map(|auto| i32::from(auto.download));
    to.supersedence_behavior = deployed.auto.map(|auto| i32::from(auto.supersedence));
    to
}
