//! Reports: a group in a few figures, those of computers of replicas below apart.

use super::error::AdminError;
use super::input::Query;
use super::{below, listed, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::ComputerSummary;

/// `GET reports/summary`.
pub(super) async fn summary(app: &App, query: &Query) -> Result<Value, AdminError> {
    let of = listed::scope(app, query)?;
    let ((summary, pending), below) =
        with_store(app, move |store| Ok((store.summary(of)?, store.summary_below(of.group)?))).await?;
    let group = of.group.and_then(|id| {
        let decisions = app.store.decisions();
        decisions.groups.get(id).map(|group| group.name.as_str().to_owned())
    });
    let updates = summary.updates;
    let below = below.map(|below| {
        let mut value = counted(&below.computers);
        value["servers"] = json!(below::shares(&below));
        value["groups_not_told"] = json!(below.untold);
        value["own_groups"] = json!(below.own_groups);
        value
    });
    Ok(json!({
        "group": group.unwrap_or_else(|| "All Computers".to_owned()),
        "time": app.clock.now().iso(),
        "computers": counted(&summary.computers),
        "computers_below": below,
        "updates": {
            "total": updates.total,
            "approved": updates.approved,
            "unapproved": updates.unapproved,
            "declined": updates.declined,
            "failed": updates.failed,
            "needed": updates.needed,
            "needed_unapproved": updates.needed_unapproved,
            "done": updates.done,
            "no_status": updates.no_status,
        },
        "pending": pending,
    }))
}

fn counted(computers: &ComputerSummary) -> Value {
    json!({
        "total": computers.total,
        "failed": computers.failed,
        "needing": computers.needing,
        "up_to_date": computers.up_to_date,
        "no_status": computers.no_status,
    })
}
