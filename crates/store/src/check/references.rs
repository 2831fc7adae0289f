//! Check: rows that refer to things that are not there. Where the thing is gone, nothing can come of the
//! row, so it goes too.

use super::Check;
use super::repair::Fix;
use crate::error::{During, StoreError};

/// A reference: table, column, the table and column it points to, what such rows are.
type Reference = (&'static str, &'static str, &'static str, &'static str, &'static str);

const REFERENCES: &[Reference] = &[
    (
        "approval",
        "update_id",
        "known_update",
        "update_id",
        "approvals of updates that are not in the catalog",
    ),
    ("approval", "group_id", "target_group", "id", "approvals for groups that do not exist"),
    ("withdrawn", "update_id", "known_update", "update_id", "marks of updates that are not in the catalog"),
    ("withdrawn", "group_id", "target_group", "id", "marks for groups that do not exist"),
    ("decline", "update_id", "known_update", "update_id", "declines of updates that are not in the catalog"),
    ("restored", "update_id", "known_update", "update_id", "marks of updates that are not in the catalog"),
    ("held", "update_id", "known_update", "update_id", "holds of updates that are not in the catalog"),
    ("released", "update_id", "known_update", "update_id", "marks of updates that are not in the catalog"),
    ("membership", "group_id", "target_group", "id", "computers in groups that do not exist"),
    ("membership", "computer", "computer", "id", "places of computers that are not known"),
    ("requested_group", "computer", "computer", "id", "wishes of computers that are not known"),
    ("update_status", "computer", "computer", "id", "status of computers that are not known"),
    ("event", "computer", "computer", "id", "events of computers that are not known"),
    ("newest_event", "computer", "computer", "id", "events of computers that are not known"),
    ("listing", "revision_id", "revision", "id", "listings of revisions that are not in the catalog"),
    ("revision_file", "revision_id", "revision", "id", "files of revisions that are not in the catalog"),
    ("revision_eula", "revision_id", "revision", "id", "licences of revisions that are not in the catalog"),
    (
        "supersedence",
        "revision_id",
        "revision",
        "id",
        "supersedence of revisions that are not in the catalog",
    ),
    (
        "bundle_member",
        "bundle",
        "known_update",
        "update_id",
        "members of bundles that are not in the catalog",
    ),
    ("category", "update_id", "known_update", "update_id", "kinds of categories that are not in the catalog"),
    ("approval_rule_choice", "rule", "approval_rule", "id", "choices of rules that do not exist"),
    ("quarantine_need", "quarantine", "quarantine", "id", "needs of documents that do not wait"),
    (
        "downstream_computer",
        "server_id",
        "downstream_server",
        "server_id",
        "computers of servers that are not known",
    ),
    ("downstream_name", "server_id", "downstream_server", "server_id", "names of servers that are not known"),
    ("downstream_status", "computer", "downstream_computer", "id", "status of computers that are not known"),
];

/// The tables of decisions.
const DECISIONS: [&str; 6] = ["approval", "withdrawn", "decline", "restored", "held", "released"];

/// Checks them.
pub(super) fn check(check: &mut Check<'_>) -> Result<(), StoreError> {
    of_tables(check, |_| true)?;
    groups(check)?;
    let files = count(
        check,
        "SELECT count(*) FROM revision_file r WHERE NOT EXISTS (SELECT 1 FROM file f WHERE f.sha1 = r.sha1)
             AND EXISTS (SELECT 1 FROM revision v WHERE v.id = r.revision_id)",
    )?;
    if files > 0 {
        // The documents declare them; `revisions` relists those it finds different.
        check.wrong(
            "references",
            format!("{files} files of revisions are not declared"),
            "the listings of those revisions are made anew from their documents",
        );
    }
    Ok(())
}

/// Checks those of decisions and groups alone, which are few.
pub(super) fn of_decisions(check: &mut Check<'_>) -> Result<(), StoreError> {
    of_tables(check, |table| DECISIONS.contains(&table))?;
    groups(check)
}

fn of_tables(check: &mut Check<'_>, wanted: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    for (table, column, parent, key, what) in REFERENCES.iter().filter(|(table, ..)| wanted(table)) {
        let lost = format!("NOT EXISTS (SELECT 1 FROM {parent} WHERE {parent}.{key} = {table}.{column})");
        let count = count(check, &format!("SELECT count(*) FROM {table} WHERE {lost}"))?;
        if count > 0 {
            check.repairable(
                "references",
                format!("{count} {what} (table {table})"),
                "these rows are removed",
            );
            if ["approval", "withdrawn"].contains(table) {
                check.dropped(table, &lost, Vec::new());
            }
            let sql = format!("DELETE FROM {table} WHERE {lost}");
            check.fixes.push(Fix { sql: sql.into(), values: Vec::new() });
        }
    }
    Ok(())
}

fn groups(check: &mut Check<'_>) -> Result<(), StoreError> {
    // Rules are the same in every mode; on a replica their groups are those that were put aside.
    let lost = "part = 'group' AND NOT EXISTS (SELECT 1 FROM target_group g WHERE g.id = choice)
         AND NOT EXISTS (SELECT 1 FROM aside_group a WHERE a.id = choice AND a.mode = 'autonomous')";
    let rules = count(check, &format!("SELECT count(*) FROM approval_rule_choice WHERE {lost}"))?;
    if rules > 0 {
        let what = format!("{rules} groups of automatic rules do not exist");
        check.repairable(
            "references",
            what,
            "they are taken out of the rules; one without a group approves for nobody until it is given another",
        );
        let sql = format!("DELETE FROM approval_rule_choice WHERE {lost}");
        check.fixes.push(Fix { sql: sql.into(), values: Vec::new() });
    }
    let orphans = count(
        check,
        "SELECT count(*) FROM target_group g WHERE g.parent IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM target_group p WHERE p.id = g.parent)",
    )?;
    if orphans > 0 {
        let what = format!("{orphans} groups lie under a group that does not exist");
        check.repairable("references", what, "they are put under All Computers");
        check.fix(
            "UPDATE target_group SET parent = x'a0a087464dbe4a379adf9e7652c0b421' WHERE parent IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM target_group p WHERE p.id = target_group.parent)",
            Vec::new(),
        );
    }
    Ok(())
}

pub(super) fn count(check: &Check<'_>, sql: &str) -> Result<u64, StoreError> {
    check
        .db
        .query_row(sql, [], |row| row.get::<_, i64>(0))
        .during("look for rows that belong to nothing")
        .map(i64::unsigned_abs)
}
