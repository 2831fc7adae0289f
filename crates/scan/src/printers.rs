//! Scan: the answer to SyncPrinterCatalog (MS-WUSP 3.1.5.12): every printer driver whose prerequisites
//! are satisfied. The call names no device, so the rules about an installed driver have nothing to
//! compare with.

use crate::drivers::{BestMatch, DriverClass};
use crate::outcome::SyncAnswer;
use crate::query::{PageBudget, ProtocolVersion};
use crate::scratch::Scratch;
use crate::snapshot::Snapshot;
use crate::sync::Pass;
use sluicegate_terms::{Anchor, DeploymentAction, GroupId};

/// The parameters of one SyncPrinterCatalog call (MS-WUSP 2.2.2.2.9) and what the cookie knows.
#[derive(Clone, Copy, Debug)]
pub struct PrinterQuery<'a> {
    /// `installedNonLeafUpdateIDs`.
    pub installed_non_leaf: &'a [i32],
    /// `printerUpdateIDs`: the printer drivers the client holds.
    pub printer_updates: &'a [i32],
    /// The computer's groups, as in [`crate::SyncQuery::groups`].
    pub groups: &'a [GroupId],
    /// The anchor in the client's cookie, as in [`crate::SyncQuery::seen`].
    pub seen: Anchor,
    /// The client's protocol version.
    pub protocol: ProtocolVersion,
    /// How large the page may grow.
    pub budget: PageBudget,
}

impl Snapshot {
    /// Answers one SyncPrinterCatalog call.
    #[must_use]
    pub fn sync_printer_catalog(&self, query: &PrinterQuery<'_>, scratch: &mut Scratch) -> SyncAnswer {
        scratch.begin(self);
        scratch.set_groups(query.groups);
        let overlay = self.overlay(&scratch.groups);
        let pass = Pass {
            snapshot: self,
            overlay: &overlay,
            filter: None,
            seen: query.seen,
            protocol: query.protocol,
            budget: query.budget,
            two_groups: false,
            without: &[],
        };
        self.satisfy(query.installed_non_leaf, scratch);
        let mut needed = Vec::new();
        for &revision in self.layout.drivers.revisions() {
            let Some(entry) = self.entry(revision) else { continue };
            // Whoever adds a printer has no use for a driver that is to be removed or was declined.
            let action = self.action(entry, revision, &overlay);
            let wanted = !matches!(action, DeploymentAction::Evaluate | DeploymentAction::Uninstall)
                && scratch.all_satisfied(self.layout.gates.get(entry.gate));
            if wanted {
                let printers = self
                    .layout
                    .drivers
                    .rows_of(revision)
                    .iter()
                    .filter(|row| row.class == DriverClass::Printer);
                needed.extend(printers.map(|row| BestMatch { revision, hardware: Some(row.hardware) }));
            }
        }
        needed.sort_unstable();
        needed.dedup();
        let mut answer = pass.drivers(&needed, query.printer_updates, scratch);
        answer.driver_sync_not_needed = (query.protocol >= ProtocolVersion::CATEGORY_SCAN)
            .then_some(self.layout.drivers.revisions().is_empty());
        answer
    }
}
