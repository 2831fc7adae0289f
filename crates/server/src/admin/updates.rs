//! Updates: shown, approved, unapproved and declined.

use super::error::AdminError;
use super::input::{Input, Names, Query};
use super::listed::{self, shown};
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::{
    Approval, ApprovalAction, Decisions, GroupTree, HoldReason, Order, Subject, Withdrawal,
};
use sluicegate_store::{ApprovalOrder, ComputersOfUpdate, Store, StoreError, Targeting, UpdateDetails};
use sluicegate_terms::{Timestamp, UpdateId};

/// Who decided, until there are accounts.
pub(super) const ADMIN: &str = "admin";

/// `GET updates/{id}`.
pub(super) async fn show(app: &App, id: &str) -> Result<Value, AdminError> {
    let id: UpdateId = id.parse()?;
    let decisions = app.store.decisions();
    let targeting = app.settings.load().targeting.into();
    with_store(app, move |store| {
        let details = store.update(id)?;
        let listing = &details.listing;
        let titles = |ids: &[UpdateId]| -> Vec<String> { ids.iter().map(|id| title(store, *id)).collect() };
        let texts = |ids: &[UpdateId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let files: Vec<Value> = details
            .files
            .iter()
            .map(|of_revision| {
                let file = &of_revision.file;
                json!({
                    "revision": of_revision.revision.get(),
                    "in_service": of_revision.in_service,
                    "name": file.name,
                    "size": file.size,
                    "sha1": file.sha1.to_hex_upper(),
                    "sha256": file.sha256.map(|digest| digest.to_hex_upper()),
                    "patching": file.patching,
                    "held": store.content().has(file.sha1),
                })
            })
            .collect();
        let subject = store.subject(id)?;
        let approvals: Vec<Value> = decisions
            .approvals_of(id)
            .map(|approval| {
                let mut value = approved(approval, &decisions.groups);
                // Why the same order would be refused today, for whoever is about to give it again.
                value["refused_now"] = json!(refused_now(&decisions, &subject, approval));
                value
            })
            .collect();
        let bundles: Vec<String> =
            details.record.bundles.iter().flatten().map(|identity| identity.update.to_string()).collect();
        let states = details.row.states.iter();
        let status: serde_json::Map<String, Value> =
            states.map(|(state, count)| (state.as_str().to_owned(), json!(count))).collect();
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
        value["bulletins"] = json!(listing.bulletins);
        value["cves"] = json!(listing.cves);
        value["classification_id"] = json!(listing.classification.map(|id| id.to_string()));
        value["products"] = json!(titles(&listing.products));
        value["product_ids"] = json!(texts(&listing.products));
        value["languages"] = json!(listing.languages);
        value["more_info_url"] = json!(listing.more_info_url);
        value["support_url"] = json!(listing.support_url);
        value["can_uninstall"] = json!(listing.can_uninstall);
        value["may_ask_user"] = json!(listing.traits.may_ask);
        value["explicitly_deployable"] = json!(details.record.explicitly_deployable);
        value["expired"] = json!(details.record.expired);
        value["supersedes"] = json!(texts(&details.record.supersedes));
        value["superseded_by"] = json!(texts(&details.superseded_by));
        value["bundles"] = json!(bundles);
        value["bundled_by"] = json!(texts(&details.bundled_by));
        value["follows"] = json!(subject.bundled_by.map(|bundle| bundle.to_string()));
        value["related"] = related(store, &details);
        value["status_by_group"] = by_group(store, id, targeting, &decisions.groups)?;
        value["approvals"] = json!(approvals);
        value["files"] = json!(files);
        value["revisions"] = json!(revisions);
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
                    HoldReason::NotRemovable => "not-removable",
                    HoldReason::NeedsInput => "needs-input",
                },
                "since": hold.since.at.iso(),
            })
        }));
        value["status"] = Value::Object(status);
        Ok(value)
    })
    .await
}

/// An update's title; the id of one that is not here.
fn title(store: &Store, update: UpdateId) -> String {
    store.title(update).unwrap_or_else(|_| update.to_string())
}

/// The updates that stand in a relation to one, with their titles.
fn related(store: &Store, details: &UpdateDetails) -> Value {
    let bundles: Vec<UpdateId> =
        details.record.bundles.iter().flatten().map(|identity| identity.update).collect();
    let relations = [
        ("supersedes", &details.record.supersedes),
        ("superseded-by", &details.superseded_by),
        ("bundles", &bundles),
        ("bundled-by", &details.bundled_by),
    ];
    let rows: Vec<Value> = relations
        .iter()
        .flat_map(|(relation, ids)| ids.iter().map(move |id| (relation, id)))
        .map(|(relation, id)| {
            json!({ "relation": relation, "update_id": id.to_string(), "title": title(store, *id) })
        })
        .collect();
    json!(rows)
}

/// The states of an update in each group that has computers, nested groups included.
fn by_group(
    store: &Store,
    update: UpdateId,
    targeting: Targeting,
    tree: &GroupTree,
) -> Result<Value, StoreError> {
    let rows: Vec<Value> = store
        .update_status(update, targeting)?
        .iter()
        .filter(|(_, states)| states.total() > 0)
        .map(|(group, states)| {
            let mut row = listed::states(states);
            row["group"] = json!(tree.get(*group).map(|group| group.name.as_str()));
            row["group_id"] = json!(group.to_string());
            row["computers"] = json!(states.total());
            row
        })
        .collect();
    Ok(json!(rows))
}

/// `GET updates/{id}/computers`.
pub(super) async fn computers(app: &App, id: &str, query: &Query) -> Result<Value, AdminError> {
    let wanted = ComputersOfUpdate {
        update: id.parse()?,
        status: listed::status_filter(query.get("status"))?,
        limit: query.number("limit", 100)?,
        offset: query.number("offset", 0)?,
    };
    let of = listed::scope(app, query)?;
    let page = with_store(app, move |store| {
        store.title(wanted.update)?;
        store.computers_of(&wanted, of)
    })
    .await?;
    let rows: Vec<Value> = page
        .rows
        .iter()
        .map(|row| {
            let error = row.row.map(|row| row.error).filter(|error| *error != 0);
            json!({
                "id": row.computer.as_str(),
                "dns_name": row.dns_name,
                "state": row.state.as_str(),
                "since": row.row.map(|row| row.since.iso()),
                "error": error.map(|error| format!("0x{error:08X}")),
            })
        })
        .collect();
    Ok(json!({ "computers": rows, "total": page.total }))
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

/// What the order behind an approval is refused for, as the newest revision of its update is; an approval stays when
/// a later revision could no longer get it.
fn refused_now(decisions: &Decisions, subject: &Subject, approval: &Approval) -> Option<String> {
    let Approval { group, action, deadline, .. } = *approval;
    let order = Order { group, action, deadline, by: approval.by.clone() };
    decisions.check(subject, &order).err().map(|error| error.to_string())
}

/// What an order about one update may name.
pub(super) fn names(order: &str) -> Names {
    match order {
        "approve" => Names::new("an approval of one update", &["group", "action", "deadline"]),
        "unapprove" => Names::new("the withdrawal of approvals", &["group"]),
        "decline" => Names::new("a decline", &[]),
        _ => Names::new("an acceptance", &[]),
    }
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
    let mut value = approved(&approval, &decisions.groups);
    value["decline_taken_back"] = json!(decisions.declined.contains_key(&update));
    Ok(value)
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
    // That it is not approved for some group may stand beside a decline.
    let declined = app.store.decisions().declined.contains_key(&update);
    Ok(json!({ "update_id": update.to_string(), "withdrawn": list, "declined": declined }))
}

/// `POST updates/{id}/decline`.
pub(super) async fn decline(app: &App, id: &str) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let now = app.clock.now();
    with_store(app, move |store| store.decline(update, now)).await?;
    Ok(json!({ "update_id": update.to_string(), "approval": "declined" }))
}
