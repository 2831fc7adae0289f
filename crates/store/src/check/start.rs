//! Check: the cheap part, for every start of a server: decisions that contradict each other or belong to nothing.
//! What has one right answer gets it before the first computer is told anything.

use super::repair::{self, By};
use super::{Check, CheckReport, decisions, references};
use crate::audit::{Actor, HeadFile, last};
use crate::catalog::Segments;
use crate::content::ContentStore;
use crate::database::Database;
use crate::error::{During, StoreError};
use sluicegate_terms::Timestamp;

/// Looks at decisions and repairs them; each repair is in the audit log and the server's log.
pub(crate) fn mend(
    database: &Database,
    segments: &Segments,
    content: &ContentStore,
    head: &mut HeadFile,
    now: Timestamp,
) -> Result<CheckReport, StoreError> {
    let (mut report, plan) = database.read(|db| {
        let db = db.transaction().during("begin a check")?;
        let mut check = Check::new(&db, segments, content, None);
        references::of_decisions(&mut check)?;
        decisions::check(&mut check)?;
        Ok(check.into_plan())
    })?;
    if !plan.is_empty() {
        let actor = Actor::server("start");
        let end = database.write_alone(
            |tx| {
                let by = By { actor: &actor, now, prepare: None };
                repair::carry_out(tx, segments, &plan, &report, &by)?;
                last(tx)
            },
            |_| {},
        )?;
        head.write(end)?;
        repair::done(&mut report);
    }
    for finding in &report.findings {
        let (check, what, remedy) = (finding.check, &finding.what, &finding.remedy);
        if finding.repaired {
            tracing::warn!(check, what, remedy, "repaired at the start");
        } else {
            tracing::error!(check, what, remedy, "wrong, and not repaired");
        }
    }
    Ok(report)
}
