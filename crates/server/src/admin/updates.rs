//! Updates: listed, shown, approved, unapproved and declined.

use super::error::AdminError;
use super::input::{Input, Query};
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::{Approval, ApprovalAction, GroupTree, HoldReason, UpdateState, Withdrawal};
use sluicegate_store::{
    ApprovalFilter, ApprovalOrder, StateCounts, Store, StoreError, UpdatePage, UpdateQuery, UpdateRow,
};
use sluicegate_terms::{CategoryKind, Timestamp, UpdateId};
use std::collections::BTreeMap;

/// Who decided, until there are accounts.
pub(super) const ADMIN: &str = "admin";

/// `GET updates`.
pub(super) async fn list(app: &App, query: &Query) -> Result<Value, AdminError> {
    let approval = approval_filter(query.get("approval"))?;
    let wanted = UpdateQuery {
        search: query.get("search").map(str::to_owned),
        classification: None,
        product: None,
        approval,
        everything: query.get("everything") == Some("true"),
        limit: query.number("limit", 100)?,
        offset: query.number("offset", 0)?,
    };
    let name = |of| query.get(of).map(str::to_owned);
    let page = find(app, wanted, name("classification"), name("product")).await?;
    let rows: Vec<Value> = page.rows.iter().map(shown).collect();
    Ok(json!({ "updates": rows, "total": page.total }))
}

/// A word for what was decided.
pub(super) fn approval_filter(word: Option<&str>) -> Result<Option<ApprovalFilter>, AdminError> {
    match word {
        None => Ok(None),
        Some("approved") => Ok(Some(ApprovalFilter::Approved)),
        Some("unapproved") => Ok(Some(ApprovalFilter::Undecided)),
        Some("declined") => Ok(Some(ApprovalFilter::Declined)),
        Some(other) => {
            let message = format!("`approval` must be approved, unapproved or declined, not `{other}`");
            Err(AdminError::invalid(message))
        }
    }
}

/// The updates of a query, with categories by id or title.
pub(super) async fn find(
    app: &App,
    wanted: UpdateQuery,
    classification: Option<String>,
    product: Option<String>,
) -> Result<UpdatePage, AdminError> {
    let found = with_store(app, move |store| {
        let classification = match classification {
            Some(name) => match category(store, &name, |kind| kind == CategoryKind::UpdateClassification)? {
                Some(id) => Some(id),
                None => return Ok(Err(name)),
            },
            None => None,
        };
        let product = match product {
            Some(name) => match category(store, &name, |kind| kind != CategoryKind::UpdateClassification)? {
                Some(id) => Some(id),
                None => return Ok(Err(name)),
            },
            None => None,
        };
        Ok(Ok(store.updates(&UpdateQuery { classification, product, ..wanted })?))
    })
    .await?;
    found.map_err(|name| no_category(&name))
}

pub(super) fn no_category(name: &str) -> AdminError {
    AdminError::unknown(format!("there is no category `{name}` of that kind; GET categories lists them"))
}

/// A category by id or by title.
pub(super) fn category(
    store: &Store,
    name: &str,
    fits: impl Fn(CategoryKind) -> bool,
) -> Result<Option<UpdateId>, StoreError> {
    let id = name.parse::<UpdateId>().ok();
    let rows = store.categories()?;
    let found = rows.iter().find(|row| {
        fits(row.kind) && (Some(row.update) == id || row.title.to_lowercase() == name.to_lowercase())
    });
    Ok(found.map(|row| row.update))
}

fn shown(row: &UpdateRow) -> Value {
    let approval = match (row.declined, row.approvals) {
        (true, _) => "declined",
        (false, 0) => "unapproved",
        (false, _) => "approved",
    };
    json!({
        "update_id": row.update.to_string(),
        "revision": row.revision.get(),
        "revision_id": row.id.get(),
        "kind": row.kind.as_str(),
        "title": row.title,
        "kb": row.kb,
        "classification": row.classification,
        "created": row.created.map(Timestamp::iso),
        "arrived": row.arrived_at.iso(),
        "size": row.size,
        "approval": approval,
        "needed": needed(&row.states),
        "failed": row.states.of(UpdateState::Failed),
        "installed": row.states.of(UpdateState::Installed),
    })
}

fn needed(states: &StateCounts) -> u64 {
    states.of(UpdateState::NotInstalled) + states.of(UpdateState::Downloaded)
}

/// `GET updates/{id}`.
pub(super) async fn show(app: &App, id: &str) -> Result<Value, AdminError> {
    let id: UpdateId = id.parse()?;
    let decisions = app.store.decisions();
    with_store(app, move |store| {
        let details = store.update(id)?;
        let listing = &details.listing;
        let titles = |ids: &[UpdateId]| -> Vec<String> {
            ids.iter()
                .map(|id| store.update(*id).map_or_else(|_| id.to_string(), |details| details.row.title))
                .collect()
        };
        let texts = |ids: &[UpdateId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let files: Vec<Value> = listing
            .files
            .iter()
            .map(|file| {
                json!({
                    "name": file.name,
                    "size": file.size,
                    "sha1": file.sha1.to_hex_upper(),
                    "sha256": file.sha256.map(|digest| digest.to_hex_upper()),
                    "patching": file.patching,
                    "held": store.content().has(file.sha1),
                })
            })
            .collect();
        let approvals: Vec<Value> =
            decisions.approvals_of(id).map(|approval| approved(approval, &decisions.groups)).collect();
        let bundles: Vec<String> =
            details.record.bundles.iter().flatten().map(|identity| identity.update.to_string()).collect();
        let status: serde_json::Map<String, Value> = UpdateState::ALL
            .into_iter()
            .map(|state| (state, details.row.states.of(state)))
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| (state.as_str().to_owned(), json!(count)))
            .collect();
        let revisions: Vec<Value> = details
            .revisions
            .iter()
            .map(|row| {
                json!({
                    "revision": row.number.get(),
                    "revision_id": row.id.get(),
                    "arrived": row.arrived_at.iso(),
                    "source": row.source,
                })
            })
            .collect();
        let mut value = shown(&details.row);
        value["description"] = json!(listing.description);
        value["severity"] = json!(listing.severity);
        value["bulletins"] = json!(listing.bulletins);
        value["cves"] = json!(listing.cves);
        value["classification_id"] = json!(listing.classification.map(|id| id.to_string()));
        value["products"] = json!(titles(&listing.products));
        value["product_ids"] = json!(texts(&listing.products));
        value["languages"] = json!(listing.languages);
        value["more_info_url"] = json!(listing.more_info_url);
        value["support_url"] = json!(listing.support_url);
        value["can_uninstall"] = json!(listing.can_uninstall);
        value["explicitly_deployable"] = json!(details.record.explicitly_deployable);
        value["expired"] = json!(details.record.expired);
        value["supersedes"] = json!(texts(&details.record.supersedes));
        let (superseded_by, bundled_by) = named_by(store, id)?;
        value["superseded_by"] = json!(texts(&superseded_by));
        value["bundles"] = json!(bundles);
        value["bundled_by"] = json!(texts(&bundled_by));
        value["approvals"] = json!(approvals);
        value["files"] = json!(files);
        value["revisions"] = json!(revisions);
        let subject = store.subject(id)?;
        value["eula"] = json!(subject.eula.map(|eula| {
            let accepted = decisions.accepted.get(&eula);
            json!({
                "id": eula.to_string(),
                "accepted_by": accepted.map(|acceptance| acceptance.by.as_str()),
                "accepted_at": accepted.map(|acceptance| acceptance.change.at.iso()),
            })
        }));
        value["held"] = json!(decisions.held.get(&id).map(|hold| {
            json!({
                "serving": hold.serving.get(),
                "reason": match hold.reason {
                    HoldReason::Review => "review",
                    HoldReason::Eula(_) => "eula",
                },
                "since": hold.since.at.iso(),
            })
        }));
        value["status"] = Value::Object(status);
        Ok(value)
    })
    .await
}

/// The updates whose newest revision supersedes this one, and those that bundle it. Walks the catalog: the
/// snapshot does not know (supersedence decides nothing in a scan, so it is not compiled in, and bundles are
/// kept from bundle to member only), nor has the store an index this way round. It is for a person who looks
/// at one update, runs away from the async workers, and costs one pass over the records, as compiling does.
fn named_by(store: &Store, id: UpdateId) -> Result<(Vec<UpdateId>, Vec<UpdateId>), StoreError> {
    let mut naming = BTreeMap::new();
    store.for_each_revision(|revision| {
        let record = &revision.record;
        let supersedes = record.supersedes.contains(&id);
        let bundles = record.bundles.iter().flatten().any(|member| member.update == id);
        if supersedes || bundles {
            naming.insert(record.identity, (supersedes, bundles));
        }
        Ok::<_, StoreError>(())
    })?;
    let mut superseding = Vec::new();
    let mut bundling = Vec::new();
    for (identity, (supersedes, bundles)) in naming {
        if store.update(identity.update)?.row.revision == identity.revision {
            superseding.extend(supersedes.then_some(identity.update));
            bundling.extend(bundles.then_some(identity.update));
        }
    }
    Ok((superseding, bundling))
}

fn approved(approval: &Approval, tree: &GroupTree) -> Value {
    let name = tree.get(approval.group).map(|group| group.name.as_str());
    json!({
        "update_id": approval.update.to_string(),
        "group": name,
        "group_id": approval.group.to_string(),
        "action": approval.action.as_str(),
        "deadline": approval.deadline.map(Timestamp::iso),
        "deployment": approval.deployment.get(),
        "changed_at": approval.changed_at.iso(),
        "by": approval.by,
    })
}

/// `POST updates/{id}/approve`.
pub(super) async fn approve(app: &App, id: &str, input: &Input) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let decisions = app.store.decisions();
    let Some(group) = input.group("group", &decisions.groups)? else {
        return Err(AdminError::invalid("`group` is missing; name one, or `All Computers`"));
    };
    let action = input.action("action")?.unwrap_or(ApprovalAction::Install);
    let deadline = input.time("deadline")?;
    let now = app.clock.now();
    let order = ApprovalOrder { update, group, action, deadline, by: ADMIN.to_owned() };
    let approval = with_store(app, move |store| store.approve(order, now)).await?;
    Ok(approved(&approval, &decisions.groups))
}

/// `POST updates/{id}/unapprove`, for one group or all.
pub(super) async fn unapprove(app: &App, id: &str, input: &Input) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let decisions = app.store.decisions();
    let group = input.group("group", &decisions.groups)?;
    let now = app.clock.now();
    let withdrawn =
        with_store(app, move |store| store.unapprove(update, group, ADMIN.to_owned(), now)).await?;
    let name = |id| decisions.groups.get(id).map(|group| group.name.as_str().to_owned());
    let list: Vec<Value> = withdrawn
        .iter()
        .map(|one| match one {
            Withdrawal::Removed(group) => json!({ "group": name(*group), "now": "inherited" }),
            Withdrawal::Overridden(denial) => json!({ "group": name(denial.group), "now": "not-approved" }),
        })
        .collect();
    Ok(json!({ "update_id": update.to_string(), "withdrawn": list }))
}

/// `POST updates/{id}/decline`.
pub(super) async fn decline(app: &App, id: &str) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let now = app.clock.now();
    with_store(app, move |store| store.decline(update, now)).await?;
    Ok(json!({ "update_id": update.to_string(), "approval": "declined" }))
}
