//! Store: computers that name their groups themselves (client-side targeting) and whose groups go. Where they are in
//! follows from the names, so nothing has to be put back, and who lost the last group is to be told all the same.

use super::place::HERE;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::Transaction;
use sluicegate_policy::{Group, GroupTree};
use std::collections::BTreeSet;

const DURING: &str = "look which computers ask for groups that are gone";

/// How many computers that are here ask for a group that was here and for none that is.
pub(crate) fn for_what_is_gone(
    tx: &Transaction<'_>,
    before: &GroupTree,
    after: &GroupTree,
) -> Result<u64, StoreError> {
    let name = |group: &Group| group.name.as_str().to_lowercase();
    let here: BTreeSet<String> = after.iter().map(name).collect();
    let mut asking = tx
        .prepare_cached(&format!(
            "SELECT q.computer, n.name_key FROM requested_group q JOIN computer o ON o.id = q.computer
             JOIN requested_group n ON n.computer = q.computer WHERE q.name_key = ?1 AND {HERE}"
        ))
        .during(DURING)?;
    let (mut lost, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
    for gone in before.iter().map(name).filter(|name| !here.contains(name)) {
        let mut rows = asking.query([gone]).during(DURING)?;
        for_rows(&mut rows, |row| {
            let computer = row.int(0)?;
            lost.insert(computer);
            if here.contains(&row.text(1)?) {
                elsewhere.insert(computer);
            }
            Ok(())
        })?;
    }
    Ok(lost.difference(&elsewhere).count() as u64)
}
