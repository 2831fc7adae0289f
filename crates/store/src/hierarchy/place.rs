//! Store: where a computer is that this server and one below know: at the server that it last asked for updates, as it is
//! for the upstream (MS-WSUSSS 3.1.4.15), and here when that says nothing. Both rows stay, for it may come back; one counts.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension};
use sluicegate_terms::{ComputerId, Guid, Timestamp};

/// The rule, of the own row `o` and the row of below `c` of one computer: it is here.
macro_rules! asked_here_last {
    () => {
        "(c.last_sync IS NULL OR coalesce(o.last_sync >= c.last_sync, 0))"
    };
}

/// Of the own computer `o`: it is here.
pub(crate) const HERE: &str = concat!(
    "NOT EXISTS (SELECT 1 FROM downstream_computer c WHERE c.computer_id = o.computer_id AND NOT ",
    asked_here_last!(),
    ")"
);

/// Of the computer `c` of a server below: it is there.
pub(crate) const BELOW: &str = concat!(
    "NOT EXISTS (SELECT 1 FROM computer o WHERE o.computer_id = c.computer_id AND ",
    asked_here_last!(),
    ")"
);

/// Rows that do not count, for `NOT IN (SELECT value FROM json_each(?))`: computers that are elsewhere. Found once for many
/// questions.
pub(crate) struct Elsewhere {
    /// Of own computers those that are below.
    pub(crate) own: String,
    /// Of those of servers below those that are here.
    pub(crate) below: String,
}

impl Elsewhere {
    /// Goes through the ids of own computers, not through their rows.
    pub(crate) fn find(db: &Connection) -> Result<Self, StoreError> {
        let during = "look which computers are known here and below";
        let mut statement = db
            .prepare_cached(concat!(
                "SELECT o.id, c.id, ",
                asked_here_last!(),
                " FROM computer i CROSS JOIN downstream_computer d ON d.computer_id = i.computer_id
                  CROSS JOIN computer o ON o.id = i.id CROSS JOIN downstream_computer c ON c.id = d.id"
            ))
            .during(during)?;
        let mut rows = statement.query([]).during(during)?;
        let (mut own, mut below) = (Vec::new(), Vec::new());
        for_rows(&mut rows, |row| {
            match row.int(2)? {
                0 => own.push(row.int(0)?),
                _ => below.push(row.int(1)?),
            }
            Ok(())
        })?;
        let list = |rows: Vec<i64>| serde_json::json!(rows).to_string();
        Ok(Self { own: list(own), below: list(below) })
    }
}

/// The own row of a computer that a server below told of, if there is one.
pub(crate) fn known_twice(db: &Connection, computer: &ComputerId) -> Result<Option<i64>, StoreError> {
    db.prepare_cached(
        "SELECT o.id FROM computer o JOIN downstream_computer c USING (computer_id) WHERE o.computer_id = ?1",
    )
    .and_then(|mut s| s.query_row([computer.as_str()], |row| row.get(0)).optional())
    .during("look whether a computer is known here and below")
}

/// The own rows of computers that are known at a server below, too.
pub(crate) fn own_of_server(db: &Connection, server: Guid) -> Result<Vec<i64>, StoreError> {
    let during = "look which computers are known here and below";
    let mut statement = db
        .prepare_cached(
            "SELECT o.id FROM downstream_computer c CROSS JOIN computer o ON o.computer_id = c.computer_id
             WHERE c.server_id = ?1",
        )
        .during(during)?;
    let rows = statement.query_map([server.as_bytes()], |row| row.get(0)).during(during)?;
    rows.collect::<Result<_, _>>().during(during)
}

/// The server below that a computer asked last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaceBelow {
    /// The server's id.
    pub server: Guid,
    /// The server's name.
    pub name: String,
    /// When it asked there.
    pub last_sync: Option<Timestamp>,
}

impl Store {
    /// Where below this server a computer is; `None` when it is here, or nobody below told of it.
    ///
    /// # Errors
    /// A failure to read.
    pub fn place_below(&self, computer: &ComputerId) -> Result<Option<PlaceBelow>, StoreError> {
        self.flush_contacts_if_possible();
        let during = "look up a computer";
        let sql = format!(
            "SELECT c.server_id, s.name, c.last_sync FROM downstream_computer c
             JOIN downstream_server s USING (server_id) WHERE c.computer_id = ?1 AND {BELOW}"
        );
        self.shared.database.read(|db| {
            let mut statement = db.prepare_cached(&sql).during(during)?;
            let mut rows = statement.query([computer.as_str()]).during(during)?;
            let Some(row) = rows.next().during(during)? else { return Ok(None) };
            Ok(Some(PlaceBelow { server: row.guid(0)?, name: row.text(1)?, last_sync: row.time_if_any(2)? }))
        })
    }

    /// Where these own computers are may have changed: lists and counts look again. To be called when that is committed.
    pub(crate) fn look_again_where(&self, own: &[i64]) {
        own.iter().for_each(|row| self.shared.board.mark(*row, true));
    }
}
