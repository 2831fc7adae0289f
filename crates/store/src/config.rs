//! Store: settings by name, and when any of them changed (clients are told to ask for the configuration
//! again when it is newer than what they have seen).

use crate::Store;
use crate::audit;
use crate::columns::{Columns, for_rows};
use crate::computers::Targeting;
use crate::error::{During, StoreError};
use rusqlite::Connection;
use sluicegate_terms::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that are the store's own and no settings.
const OWN: [&str; 2] = ["server-id", RENEWED];

/// The newest contact of a computer from before the server got another id than the one it shared.
pub(crate) const RENEWED: &str = "id-renewed-after";

/// The settings as last committed. Meaning and form of the values are the caller's, but for that of [`Targeting`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Value by name.
    pub values: BTreeMap<String, String>,
    /// When any value was last changed (MS-WUSP 2.2.2.2.1, LastChange).
    pub changed_at: Timestamp,
}

pub(crate) fn load(db: &Connection) -> Result<Config, StoreError> {
    let mut config = Config { values: BTreeMap::new(), changed_at: Timestamp::MIN };
    let mut statement =
        db.prepare("SELECT name, value, changed_at FROM config").during("read the settings")?;
    let mut rows = statement.query([]).during("read the settings")?;
    for_rows(&mut rows, |row| {
        let name = row.text(0)?;
        // The identity's row dates the first start, the time of a configuration nobody has changed.
        config.changed_at = config.changed_at.max(row.time(2)?);
        if !OWN.contains(&name.as_str()) {
            config.values.insert(name, row.text(1)?);
        }
        Ok(())
    })?;
    Ok(config)
}

impl Store {
    /// The settings. Cheap.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.shared.config.read())
    }

    /// Who decides which groups a computer is in.
    #[must_use]
    pub fn targeting(&self) -> Targeting {
        match self.config().values.get("targeting").map(String::as_str) {
            Some("client") => Targeting::Client,
            _ => Targeting::Server,
        }
    }

    /// Sets some settings at once; durable when it returns. Values that are already so are not changes.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name of the store's own, or a failure to write.
    pub fn set_config(
        &self,
        changes: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Arc<Config>, StoreError> {
        if let Some(own) = changes.keys().find(|name| OWN.contains(&name.as_str())) {
            return Err(StoreError::Invalid {
                what: "a setting",
                reason: format!("`{own}` cannot be changed"),
            });
        }
        self.shared.database.write_alone(
            |tx| {
                let before = load(tx)?;
                for (name, value) in changes {
                    tx.execute(
                        "INSERT INTO config (name, value, changed_at) VALUES (?1, ?2, ?3)
                         ON CONFLICT (name) DO UPDATE SET value = ?2, changed_at = ?3 WHERE value <> ?2",
                        (name, value, now.ticks()),
                    )
                    .during("write a setting")?;
                }
                let after = load(tx)?;
                let changed = audit::settings_changed("set-config", &before.values, &after.values);
                audit::append(tx, &self.actor, now, &changed)?;
                Ok(after)
            },
            |config| *self.shared.config.write() = Arc::new(config.clone()),
        )?;
        self.note_audit_head();
        Ok(self.config())
    }
}
