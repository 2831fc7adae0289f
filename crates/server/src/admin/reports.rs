//! Reports: a group in a few figures.

use super::error::AdminError;
use super::input::Query;
use super::{listed, with_store};
use crate::state::App;
use serde_json::{Value, json};

/// `GET reports/summary`.
pub(super) async fn summary(app: &App, query: &Query) -> Result<Value, AdminError> {
    let of = listed::scope(app, query)?;
    let (summary, pending) = with_store(app, move |store| store.summary(of)).await?;
    let group = of.group.and_then(|id| {
        let decisions = app.store.decisions();
        decisions.groups.get(id).map(|group| group.name.as_str().to_owned())
    });
    let (computers, updates) = (summary.computers, summary.updates);
    Ok(json!({
        "group": group.unwrap_or_else(|| "All Computers".to_owned()),
        "time": app.clock.now().iso(),
        "computers": {
            "total": computers.total,
            "failed": computers.failed,
            "needing": computers.needing,
            "up_to_date": computers.up_to_date,
            "no_status": computers.no_status,
        },
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
