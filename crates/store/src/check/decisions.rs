//! Check: decisions that contradict each other. The schema makes most of this impossible; a file that was
//! mended by hand or by a failing disk knows no schema. Of two decisions the later one holds.

use super::Check;
use super::references::count;
use crate::error::{During, StoreError};

/// Checks them.
pub(super) fn check(check: &mut Check<'_>) -> Result<(), StoreError> {
    // `+` keeps the index out of it, which may be what is broken.
    let twice = count(
        check,
        "SELECT count(*) FROM (SELECT 1 FROM approval NOT INDEXED GROUP BY +update_id, +group_id HAVING count(*) > 1)",
    )?;
    if twice > 0 {
        let what = format!("{twice} pairs of update and group have more than one effective deployment");
        check.repairable("deployments", what, "the newest deployment of each pair stays");
        check.fix(
            "DELETE FROM approval WHERE deployment NOT IN
                 (SELECT max(deployment) FROM approval NOT INDEXED GROUP BY +update_id, +group_id)",
            Vec::new(),
        );
        check.fix("REINDEX approval", Vec::new());
    }
    let both = count(
        check,
        "SELECT count(*) FROM withdrawn w JOIN approval a ON a.update_id = w.update_id AND a.group_id = w.group_id",
    )?;
    if both > 0 {
        let what = format!("{both} approvals are marked as withdrawn");
        check.repairable("deployments", what, "of each the later decision stays");
        check.fix(
            "DELETE FROM withdrawn WHERE EXISTS (SELECT 1 FROM approval a WHERE a.update_id = withdrawn.update_id
                 AND a.group_id = withdrawn.group_id AND a.changed >= withdrawn.changed)",
            Vec::new(),
        );
        check.fix(
            "DELETE FROM approval WHERE EXISTS (SELECT 1 FROM withdrawn w WHERE w.update_id = approval.update_id
                 AND w.group_id = approval.group_id)",
            Vec::new(),
        );
    }
    let declined = count(
        check,
        "SELECT count(DISTINCT d.update_id) FROM decline d JOIN approval a ON a.update_id = d.update_id
         WHERE a.action <> 'not-approved'",
    )?;
    if declined > 0 {
        let what = format!("{declined} updates are declined and approved at once");
        check.repairable("deployments", what, "of each the later decision stays");
        check.fix(
            "DELETE FROM decline WHERE EXISTS (SELECT 1 FROM approval a WHERE a.update_id = decline.update_id
                 AND a.action <> 'not-approved' AND a.changed > decline.changed)",
            Vec::new(),
        );
        let declined = "EXISTS (SELECT 1 FROM decline d WHERE d.update_id = approval.update_id)
                 AND action <> 'not-approved'";
        check.dropped("approval", declined, Vec::new());
        check.fix(
            "DELETE FROM approval WHERE EXISTS (SELECT 1 FROM decline d WHERE d.update_id = approval.update_id)
                 AND action <> 'not-approved'",
            Vec::new(),
        );
    }
    let restored = count(check, "SELECT count(*) FROM restored JOIN decline USING (update_id)")?;
    if restored > 0 {
        let what = format!("{restored} declined updates are marked as declined no longer");
        check.repairable("deployments", what, "the marks are removed");
        check.fix("DELETE FROM restored WHERE update_id IN (SELECT update_id FROM decline)", Vec::new());
    }
    let given: i64 = check
        .db
        .query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'approval'", [], |r| {
            r.get(0)
        })
        .during("read the last deployment id")?;
    let highest: i64 = check
        .db
        .query_row("SELECT coalesce(max(deployment), 0) FROM approval", [], |row| row.get(0))
        .during("read the last deployment id")?;
    if highest > given {
        let what =
            format!("deployment {highest} is in use, and the counter of deployments stands at {given}");
        check.repairable("deployments", what, "the counter is put behind the last deployment");
        check.fix("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'approval'", vec![highest.into()]);
    }
    let before = anchor_ahead(check)?;
    if let Some((what, highest)) = before {
        check.repairable("deployments", what, "the counter of changes is put behind the last change");
        check.fix("UPDATE counter SET value = ?1 WHERE name = 'anchor' AND value < ?1", vec![highest.into()]);
    }
    // Only when nothing above explains it already.
    if let Err(error) = crate::decisions::load(check.db)
        && check.fixes.is_empty()
    {
        check.wrong("decisions", error.to_string(), "restore the data folder from a backup");
    }
    Ok(())
}

/// A change that has a higher number than the counter of changes; clients would not be told of later ones.
fn anchor_ahead(check: &Check<'_>) -> Result<Option<(String, i64)>, StoreError> {
    let anchor = i64::try_from(super::anchor(check.db)?.0).unwrap_or(i64::MAX);
    let highest: i64 = check
        .db
        .query_row(
            "SELECT max(coalesce((SELECT max(changed) FROM approval), 0), coalesce((SELECT max(arrived) FROM revision), 0),
                 coalesce((SELECT max(changed) FROM decline), 0), coalesce((SELECT max(changed) FROM withdrawn), 0))",
            [],
            |row| row.get(0),
        )
        .during("read the last change")?;
    Ok((highest > anchor).then(|| {
        (format!("change {highest} is there, and the counter of changes stands at {anchor}"), highest)
    }))
}
