//! Store: which servers may synchronize from this one. The list is asked for with every call of a downstream
//! server, so it is kept in memory.

use super::downstream::clean;
use crate::Store;
use crate::audit::{self, Entry};
use crate::columns::{Columns, gathered};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use sluicegate_terms::{Guid, Timestamp};
use std::sync::Arc;

/// Servers below servers that are followed upwards; a ring ends there too.
const DEEPEST: usize = 64;

impl Store {
    /// Which servers may synchronize from this one, by id or name in lower case; empty means all. From memory.
    #[must_use]
    pub fn allowed_downstream(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.shared.allowed.read())
    }

    /// Sets which servers may synchronize from this one; empty means all. It holds from the next call of a server on,
    /// also of one that is in the middle of a synchronization.
    ///
    /// # Errors
    /// A failure to write.
    pub fn set_allowed_downstream(&self, who: &[String], now: Timestamp) -> Result<(), StoreError> {
        let all = |_: &[String]| Ok::<_, std::convert::Infallible>(who.to_vec());
        self.change_allowed_downstream(now, all).map(|_| ())
    }

    /// The same list made from the one that there is once this change has its turn, so that what somebody else changes
    /// of it at the same moment stays. Answers the list, or what `change` refuses, and nothing is written.
    ///
    /// # Errors
    /// A failure to write.
    pub fn change_allowed_downstream<E>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&[String]) -> Result<Vec<String>, E>,
    ) -> Result<Result<Vec<String>, E>, StoreError> {
        let changed = self.shared.database.write_alone(
            |tx| {
                let before = load(tx)?;
                let who = match change(&before) {
                    Ok(who) => who,
                    Err(refused) => return Ok(Err(refused)),
                };
                let who = who.iter().map(|w| clean(w.trim()).to_lowercase()).filter(|w| !w.is_empty());
                tx.execute("DELETE FROM downstream_allowed", []).during("set who may synchronize")?;
                for one in who {
                    tx.execute(
                        "INSERT INTO downstream_allowed (who) VALUES (?1) ON CONFLICT DO NOTHING",
                        [&one],
                    )
                    .during("set who may synchronize")?;
                }
                let kept = load(tx)?;
                let shown = |who: &[String]| Some(serde_json::json!(who).to_string());
                let (before, after) = (shown(&before), shown(&kept));
                let subject = "allowed downstream servers".to_owned();
                let entry = Entry { action: "set-allowed-downstream", subject, update: None, before, after };
                audit::append(tx, &self.actor, now, &[entry])?;
                Ok(Ok(kept))
            },
            |kept| {
                if let Ok(kept) = kept {
                    *self.shared.allowed.write() = Arc::new(kept.clone());
                }
            },
        )?;
        self.note_audit_head();
        Ok(changed)
    }

    /// Whether a server may synchronize from this one. From memory.
    #[must_use]
    pub fn downstream_allowed(&self, id: Guid, name: &str) -> bool {
        is_allowed(&self.allowed_downstream(), id, name)
    }

    /// Of these servers, the first that is, or is below, one that may not synchronize from here: id and name of the one
    /// that may not. Servers nobody knows are passed over.
    ///
    /// # Errors
    /// A failure to read.
    pub fn refused_branch(&self, servers: &[Guid]) -> Result<Option<(Guid, String)>, StoreError> {
        let allowed = self.allowed_downstream();
        if allowed.is_empty() {
            return Ok(None);
        }
        let mut looked: Vec<Guid> = Vec::new();
        self.shared.database.read(|db| {
            for &server in servers {
                if looked.contains(&server) {
                    continue;
                }
                looked.push(server);
                if let Some((id, name)) = top_of(db, server)?
                    && !is_allowed(&allowed, id, &name)
                {
                    return Ok(Some((id, name)));
                }
            }
            Ok(None)
        })
    }
}

/// The server directly below this one that `server` is or stands under.
fn top_of(db: &Connection, server: Guid) -> Result<Option<(Guid, String)>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT name, parent FROM downstream_server WHERE server_id = ?1")
        .during("look up a downstream server")?;
    let mut at = server;
    for _ in 0..DEEPEST {
        let found: Option<(String, Option<[u8; 16]>)> = statement
            .query_row(params![at.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .during("look up a downstream server")?;
        match found {
            None => return Ok(None),
            Some((name, None)) => return Ok(Some((at, name))),
            Some((_, Some(parent))) => at = Guid::from_bytes(parent),
        }
    }
    Ok(None)
}

/// Reads the list.
pub(crate) fn load(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT who FROM downstream_allowed ORDER BY who")
        .during("read who may synchronize")?;
    let mut rows = statement.query([]).during("read who may synchronize")?;
    gathered(&mut rows, |row| row.text(0))
}

pub(super) fn is_allowed(list: &[String], id: Guid, name: &str) -> bool {
    let (id, name) = (id.to_string().to_lowercase(), name.to_lowercase());
    list.is_empty() || list.iter().any(|who| *who == id || *who == name)
}
