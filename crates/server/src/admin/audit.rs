//! `audit…` and `alerts…`: the log of decisions, its verification, and what somebody should look at.

use super::error::AdminError;
use super::input::{Names, Query};
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::audit::{Alert, AuditEntry, AuditQuery};
use sluicegate_terms::{Timestamp, UpdateId};

/// `GET audit?update=&since=&until=&action=&below=&limit=`: entries, newest first.
pub(super) async fn list(app: &App, query: &Query) -> Result<Value, AdminError> {
    let time = |name: &str| query.get(name).map(str::parse::<Timestamp>).transpose();
    // Below 0 there is nothing; without it there is no bound.
    let below = query.get("below").map(|_| query.number("below", 0)).transpose()?.map(u64::from);
    let wanted = AuditQuery {
        update: query.get("update").map(str::parse::<UpdateId>).transpose()?,
        since: time("since")?,
        until: time("until")?,
        action: query.get("action").map(str::to_owned),
        below,
        limit: query.number("limit", 100)?,
    };
    let (page, head) = with_store(app, move |store| Ok((store.audit(&wanted)?, store.audit_head()?))).await?;
    let entries: Vec<Value> = page.entries.iter().map(shown).collect();
    Ok(json!({
        "entries": entries,
        "more": page.more,
        "head": { "entries": head.count, "hash": head.hash.to_string() },
    }))
}

fn shown(entry: &AuditEntry) -> Value {
    let parsed = |text: &Option<String>| {
        text.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text)))
    };
    json!({
        "seq": entry.seq,
        "at": entry.at.iso(),
        "kind": entry.kind,
        "who": entry.who,
        "from": entry.origin,
        "action": entry.action,
        "subject": entry.subject,
        "update_id": entry.update.map(|update| update.to_string()),
        "before": parsed(&entry.before),
        "after": parsed(&entry.after),
        "hash": entry.hash.to_string(),
    })
}

/// `GET audit/verify`.
pub(super) async fn verify(app: &App) -> Result<Value, AdminError> {
    let verdict = with_store(app, |store| store.verify_audit()).await?;
    Ok(crate::checking::verdict_json(&verdict))
}

/// `GET alerts`: those that nobody has acknowledged.
pub(super) async fn alerts(app: &App) -> Result<Value, AdminError> {
    let alerts = with_store(app, |store| store.alerts()).await?;
    Ok(json!({ "alerts": alerts.iter().map(alert).collect::<Vec<_>>() }))
}

fn alert(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "at": alert.at.iso(),
        "kind": alert.kind,
        "text": alert.text,
        "updates": alert.updates.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "count": alert.count,
    })
}

/// What it may name.
pub(super) const ACKNOWLEDGE: Names = Names::new("the acknowledgement of an alert", &[]);

/// `POST alerts/{id}/acknowledge`.
pub(super) async fn acknowledge(app: &App, id: &str) -> Result<Value, AdminError> {
    let number =
        id.parse::<u64>().map_err(|_| AdminError::invalid(format!("`{id}` is no number of an alert")))?;
    let now = app.clock.now();
    match with_store(app, move |store| store.acknowledge_alert(number, now)).await? {
        true => Ok(json!({ "acknowledged": number })),
        false => {
            Err(AdminError::unknown(format!("there is no alert {number} that waits to be acknowledged")))
        }
    }
}

/// The part of `GET status` about all this.
pub(super) async fn summary(app: &App) -> Result<(Value, u64), AdminError> {
    let (head, alerts) = with_store(app, |store| Ok((store.audit_head()?, store.alert_count()?))).await?;
    Ok((json!({ "entries": head.count, "hash": head.hash.to_string() }), alerts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_log_says_so() {
        let value = crate::checking::verdict_json(&sluicegate_store::audit::AuditVerdict::default());
        assert_eq!((&value["whole"], &value["breaks"]), (&json!(true), &json!([])));
    }
}
