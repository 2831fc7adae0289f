//! Store: the lives of this server, from one start to the next. The number of a change says nothing about which change
//! it was once a server was restored from a backup and went another way from there; the life it was made in does.

use crate::Store;
use crate::columns::{Columns, for_rows, signed};
use crate::error::{During, StoreError};
use sluicegate_terms::Anchor;

/// Lives that are remembered. An anchor of an older one is of no use: all is asked for anew.
const MOST: u64 = 4_000;

/// The greatest mark; the least is 1.
pub const GREATEST_MARK: u32 = (1 << 23) - 1;

/// One life of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// Its mark, taken at random: what goes on from a copy never takes the marks of what the copy was made of.
    pub mark: u32,
    /// The newest change when it began.
    pub since: Anchor,
}

impl Store {
    /// Begins a life; answers all that are remembered, this one last.
    ///
    /// # Errors
    /// No randomness, or a failure to write.
    pub fn begin_life(&self) -> Result<Vec<Life>, StoreError> {
        let drawn = self.fresh_guid()?.as_u128();
        self.shared.database.write_alone(
            |tx| {
                let mut lives: Vec<Life> = Vec::new();
                {
                    let mut statement = tx
                        .prepare_cached("SELECT mark, since FROM life ORDER BY number")
                        .during("read the lives of this server")?;
                    let mut rows = statement.query([]).during("read the lives of this server")?;
                    for_rows(&mut rows, |row| {
                        lives.push(Life { mark: row.word(0)?, since: Anchor(row.natural(1)?) });
                        Ok(())
                    })?;
                }
                let since = crate::database::read_anchor(tx)?;
                let mut mark = mark_of(drawn);
                while lives.iter().any(|life| life.mark == mark) {
                    mark = mark % GREATEST_MARK + 1;
                }
                tx.execute("INSERT INTO life (mark, since) VALUES (?1, ?2)", (mark, signed(since.0)))
                    .during("begin a life of this server")?;
                tx.execute(
                    "DELETE FROM life WHERE number <= (SELECT max(number) FROM life) - ?1",
                    [signed(MOST)],
                )
                .during("forget old lives of this server")?;
                lives.push(Life { mark, since });
                Ok(lives)
            },
            |_| {},
        )
    }
}

/// The low bits of a random number are all random (RFC 9562, version 4).
fn mark_of(random: u128) -> u32 {
    let low = u32::try_from(random & u128::from(GREATEST_MARK)).unwrap_or(1);
    low.max(1)
}
