//! Server: what a check of the store found, and what to do about it.

use super::Check;
use sluicegate_store::check::CheckReport;

pub(super) fn decisions(report: &CheckReport) -> Check {
    let (name, expected) = ("decisions", "the store holds nothing that contradicts itself");
    let Some(first) = report.findings.iter().find(|finding| !finding.repaired) else {
        return Check::passed(name, expected, format!("{} revisions are sound", report.revisions));
    };
    let more = u64::try_from(report.findings.len()).unwrap_or(u64::MAX).saturating_add(report.more) - 1;
    let found = match more {
        0 => format!("[{}] {}", first.check, first.what),
        more => format!("[{}] {}, and {more} more", first.check, first.what),
    };
    // Nothing was done about it here.
    let remedy = if first.repairable {
        format!("`sluicegate check --repair` ({}); without --repair it lists everything", first.remedy)
    } else {
        format!("{}; `sluicegate check` lists everything", first.remedy)
    };
    Check::failed(name, expected, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_store::check::Finding;

    #[test]
    fn what_a_repair_mends_is_advised_as_one() {
        let mut report = CheckReport::default();
        let (what, remedy) = ("content file AB is gone from the disk", "it is fetched again");
        let finding = |repairable| Finding {
            check: "content",
            what: what.to_owned(),
            remedy: remedy.to_owned(),
            repairable,
            repaired: false,
        };
        for (repairable, advice) in [(true, "check --repair` (it is"), (false, "it is fetched again; `slui")]
        {
            report.findings = vec![finding(repairable)];
            let check = decisions(&report);
            assert!(check.found.contains(what) && check.remedy.unwrap().contains(advice), "{advice}");
        }
    }
}
