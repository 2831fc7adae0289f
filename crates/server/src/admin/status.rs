//! `GET status`: the server in one object.

use super::error::AdminError;
use super::with_store;
use crate::health;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::{ComputerFilter, SCHEMA_VERSION};

/// How many of the last repairs are shown.
const REPAIRS: u32 = 10;

/// Answers it.
pub(super) async fn status(app: &App) -> Result<Value, AdminError> {
    let (catalog, computers, (free, free_content), repairs) = with_store(app, |store| {
        let computers = store.computers(&ComputerFilter { limit: 1, ..ComputerFilter::default() })?.total;
        let free = (store.free_space(), store.content_disk().and_then(|(_, free)| free));
        Ok((store.catalog_size()?, computers, free, store.recent_repairs(REPAIRS)?))
    })
    .await?;
    let repairs: Vec<String> = repairs
        .iter()
        .map(|entry| format!("{} {}: {}", entry.at.iso(), entry.action, entry.subject))
        .collect();
    let (audit, alerts) = super::audit::summary(app).await?;
    let decisions = app.store.decisions();
    let (files, bytes) = app.store.content().totals();
    let (_, health) = health::report(app);
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": app.commit,
        "schema_version": SCHEMA_VERSION,
        "server_id": app.server_id.to_string(),
        "time": app.clock.now().iso(),
        "listening": {
            "address": std::net::SocketAddr::new(app.ip, app.port).to_string(),
            "port": app.port,
            "scheme": "http",
        },
        "anchor": app.store.anchor().0,
        "catalog": {
            "updates": catalog.updates,
            "revisions": catalog.revisions,
            "quarantined": catalog.quarantined,
        },
        "decisions": {
            "groups": decisions.groups.iter().count(),
            "approvals": decisions.approvals.len(),
            "declined": decisions.declined.len(),
            "replaced_at_start": app.store.replaced_approvals(),
        },
        "computers": computers,
        "content": {
            "files": files,
            "bytes": bytes,
            "declared_files": app.store.file_count(),
        },
        "sync": super::sync::summary(app).await?,
        "audit": audit,
        "alerts": alerts,
        "repairs": repairs,
        "free_bytes": free,
        "free_content_bytes": free_content,
        "health": health,
    }))
}
