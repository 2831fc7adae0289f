//! Decisions about many updates at once, licence terms, and revisions that are held.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{listed, updates, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::ApprovalAction;
use sluicegate_store::{BulkOrder, UpdateQuery};
use sluicegate_terms::UpdateId;

/// Most updates of one order; what a filter finds beyond them is not left out in silence.
const MOST: u32 = 10_000;

/// What it may name.
pub(super) const MANY: Names =
    Names::new("an approval of several updates", &["updates", "filter", "groups", "action", "deadline"]);

/// `POST updates/approve`: `updates` (ids) or `filter` (`search`, `classification`, `product` and `approval`, as
/// GET updates takes them), `groups`, `action`, `deadline`.
pub(super) async fn approve_many(app: &App, input: &Input) -> Result<Value, AdminError> {
    let decisions = app.store.decisions();
    let groups = input
        .texts("groups")?
        .iter()
        .map(|name| Ok(decisions.groups.find(name)?.id))
        .collect::<Result<Vec<_>, AdminError>>()?;
    if groups.is_empty() {
        return Err(AdminError::invalid("`groups` is missing; name at least one, or `All Computers`"));
    }
    let listed = input.texts("updates")?;
    let mut ids = listed.iter().map(|id| id.parse()).collect::<Result<Vec<UpdateId>, _>>()?;
    if let Some(filter) = input.object("filter", Names::new("a filter of approvals", &FILTER))? {
        ids.extend(found(app, &filter).await?);
    } else if listed.is_empty() {
        return Err(AdminError::invalid("name the `updates`, or a `filter` that finds them"));
    }
    let action = input.action("action")?.unwrap_or(ApprovalAction::Install);
    let (deadline, now) = (input.time("deadline")?, app.clock.now());
    let order = BulkOrder { updates: ids, groups, action, deadline, by: updates::ADMIN.to_owned() };
    let done = with_store(app, move |store| store.approve_many(&order, now)).await?;
    let refused: Vec<Value> = done
        .refused
        .iter()
        .map(|refused| json!({ "update_id": refused.update.to_string(), "reason": refused.reason }))
        .collect();
    let texts = |ids: &[UpdateId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(json!({
        "updates": done.updates,
        "approvals": done.approvals,
        "declines_taken_back": texts(&done.taken_back),
        "superseded": texts(&done.superseded),
        "refused": refused,
    }))
}

/// What a filter of an order may have.
const FILTER: [&str; 4] = ["search", "classification", "product", "approval"];

/// The updates that a filter finds. One that chooses nothing is refused, and what is declined stays so unless the
/// filter says `approval`: an order for many must not undo decisions that it does not name.
async fn found(app: &App, filter: &Input) -> Result<Vec<UpdateId>, AdminError> {
    let approval = filter.text("approval")?;
    let wanted = UpdateQuery {
        search: filter.text("search")?.map(str::to_owned),
        approval: listed::approval_filter(Some(approval.unwrap_or("any-except-declined")))?,
        limit: MOST,
        ..UpdateQuery::default()
    };
    let name = |of: &str| Ok::<_, AdminError>(filter.text(of)?.map(str::to_owned));
    let (classification, product) = (name("classification")?, name("product")?);
    if approval.is_none() && wanted.search.is_none() && classification.is_none() && product.is_none() {
        return Err(AdminError::invalid(format!(
            "the filter chooses nothing, so nothing was approved; give it one of {}",
            FILTER.join(", ")
        )));
    }
    let page = listed::find(app, wanted, classification, product).await?;
    if page.total > u64::from(MOST) {
        let message = format!("the filter finds {} updates; {MOST} can be approved at once", page.total);
        return Err(AdminError::invalid(message));
    }
    Ok(page.rows.iter().map(|row| row.update).collect())
}

/// `POST updates/{id}/accept-eula`.
pub(super) async fn accept_eula(app: &App, id: &str) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let now = app.clock.now();
    let by = updates::ADMIN.to_owned();
    let (eula, released) = with_store(app, move |store| store.accept_eula(update, by, now)).await?;
    let released: Vec<String> = released.iter().map(ToString::to_string).collect();
    Ok(json!({ "update_id": update.to_string(), "eula_id": eula.to_string(), "released": released }))
}

/// `POST updates/{id}/accept-revision`.
pub(super) async fn accept_revision(app: &App, id: &str) -> Result<Value, AdminError> {
    let update: UpdateId = id.parse()?;
    let now = app.clock.now();
    with_store(app, move |store| store.accept_revision(update, now)).await?;
    Ok(json!({ "update_id": update.to_string(), "revision": "newest" }))
}
