//! Check: the audit log, and revisions that no import in it brought.

use super::{Check, CheckReport, Finding};
use crate::audit::AuditVerdict;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};

/// How many foreign revisions are named.
const NAMED: usize = 20;

/// Takes over what verifying the log found.
pub(super) fn verified(report: &mut CheckReport, verdict: &AuditVerdict) {
    report.audit_entries = verdict.verified;
    for one in &verdict.breaks {
        report.push(Finding {
            check: "audit",
            what: one.to_string(),
            remedy:
                "compare with a backup of the data folder and with the numbers and hashes in the server's log"
                    .to_owned(),
            repairable: false,
            repaired: false,
        });
    }
}

/// Looks for revisions that came in behind the server's back.
pub(super) fn foreign(check: &mut Check<'_>) -> Result<(), StoreError> {
    let mut brought: Vec<(i64, i64)> = Vec::new();
    {
        let mut statement = check
            .db
            .prepare(
                "SELECT CASE action WHEN 'begin' THEN 1 ELSE json_extract(after, '$.first_revision') END,
                     json_extract(after, '$.last_revision') FROM audit WHERE action IN ('begin', 'import')
                     AND json_valid(after)",
            )
            .during("read the audit log")?;
        let mut rows = statement.query([]).during("read the audit log")?;
        for_rows(&mut rows, |row| {
            brought.push((row.int(0)?, row.int(1)?));
            Ok(())
        })?;
    }
    brought.sort_unstable();
    let mut foreign = Vec::new();
    let mut more = 0_u64;
    {
        let mut ranges = brought.iter().peekable();
        let mut reached = 0;
        let mut statement = check
            .db
            .prepare("SELECT id, update_id, source FROM revision ORDER BY id")
            .during("read the revisions")?;
        let mut rows = statement.query([]).during("read the revisions")?;
        for_rows(&mut rows, |row| {
            let id = row.int(0)?;
            while let Some((_, last)) = ranges.next_if(|(first, _)| *first <= id) {
                reached = reached.max(*last);
            }
            if id > reached {
                if foreign.len() < NAMED {
                    foreign.push(format!("revision {id} of {} (from {})", row.update(1)?, row.text(2)?));
                } else {
                    more += 1;
                }
            }
            Ok(())
        })?;
    }
    for what in foreign {
        let what =
            format!("{what} is in no import of the audit log: it was brought in behind the server's back");
        check.wrong(
            "foreign-updates",
            what,
            "find out how it came here, and decline the update when nobody can say",
        );
    }
    if more > 0 {
        check.wrong("foreign-updates", format!("{more} more such revisions"), "as above");
    }
    Ok(())
}
