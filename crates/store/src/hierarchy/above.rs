//! Store: which server answers at the upstream's address. A name in DNS may lead to another server tomorrow; what was
//! synchronized up to now, and every anchor, is of the one before.

use super::UpstreamSource;
use super::state::{load, save};
use crate::Store;
use crate::audit::{self, Entry};
use crate::error::StoreError;
use sluicegate_terms::{Guid, Timestamp};

impl Store {
    /// Notes the id of the server that answers as the upstream. When it is another than before, the anchors are
    /// forgotten in the same transaction, and an alert is raised; then the id of the one before is answered.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_upstream_server(&self, id: Guid, now: Timestamp) -> Result<Option<Guid>, StoreError> {
        let settings = self.upstream_settings();
        let address = settings.source.as_ref().map_or("none", UpstreamSource::as_str);
        let was = self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                let before = load(tx)?;
                if before.server == Some(id) {
                    return Ok(None);
                }
                let mut after = before.clone();
                after.server = Some(id);
                let Some(was) = before.server else {
                    save(tx, &before, &after)?;
                    return Ok(None);
                };
                after.forget_anchors();
                save(tx, &before, &after)?;
                let json = |id: Guid| Some(serde_json::json!({ "server": id.to_string() }).to_string());
                let entry = Entry {
                    action: "another-upstream-server",
                    subject: address.to_owned(),
                    update: None,
                    before: json(was),
                    after: json(id),
                };
                audit::append(tx, &self.actor, now, &[entry])?;
                let text = format!(
                    "another server answers at the upstream's address {address} since {}: its id was {was} and is {id}. \
                     It is asked for everything anew, and what came from the one before stays. If nobody replaced that \
                     server, find out who answers there: check DNS and the way, and set another upstream with \
                     `sluicegate upstream set`",
                    now.iso()
                );
                audit::raise(tx, audit::AlertKind::UpstreamChanged, &text, &[], now)?;
                Ok(Some(was))
            },
            |_| {},
        )?;
        if was.is_some() {
            self.note_audit_head();
        }
        Ok(was)
    }
}
