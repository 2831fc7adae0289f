//! Scan: which drivers a computer's devices need (MS-WUSP 3.1.5.7, driver synchronization).
//!
//! Where the specification is silent: every undecided driver is deployed here for detection, so the best
//! match is looked for twice, among approved drivers and among all. An approved driver is thus not hidden
//! by a newer one nobody has approved yet, and the newer one is still reported as needed.

use super::rank::Rank;
use super::{DriverClass, DriverRow};
use crate::filter::Filter;
use crate::overlay::Overlay;
use crate::query::{Device, InstalledDriver, SyncQuery};
use crate::scratch::Scratch;
use crate::snapshot::Snapshot;
use core::cmp::Reverse;
use sluicegate_terms::{DeploymentAction, RevisionId, UpdateId, UpdateKind};

/// A driver that is needed, and the number of the hardware id it is the best match by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BestMatch {
    pub(crate) revision: u32,
    /// `None` for a driver that is to be removed and matches no id of the device.
    pub(crate) hardware: Option<u32>,
}

/// What decides between drivers: the rules, then what makes the outcome certain (the newer submission,
/// the newer revision).
type Order = (Rank, Reverse<u32>, Reverse<RevisionId>);

/// Drivers of one slot replace each other; drivers of different slots live side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Base,
    /// Update documents carry no ExtensionId, so the extensions of one provider are taken as versions
    /// of one another.
    Extension(u32),
}

struct Candidate {
    slot: Slot,
    order: Order,
    found: BestMatch,
    approved: bool,
}

/// The needed drivers, sorted, each pair once. `scratch` says which clauses are satisfied.
pub(crate) fn best_matches(
    snapshot: &Snapshot,
    query: &SyncQuery<'_>,
    overlay: &Overlay,
    filter: Option<&Filter>,
    scratch: &mut Scratch,
) -> Vec<BestMatch> {
    let mut text = core::mem::take(&mut scratch.text);
    let texts = snapshot.layout.drivers.texts();
    let system = query.feature_score_key.and_then(|key| texts.find(key, &mut text));
    let mut best = Vec::new();
    for device in query.system_spec {
        let matching = Matching { snapshot, query, overlay, filter, scratch, device, system };
        let candidates = matching.candidates(&mut text);
        matching.recoveries(&mut best, &mut text);
        matching.choose(&candidates, &mut best);
    }
    scratch.text = text;
    best.sort_unstable();
    best.dedup();
    best
}

struct Matching<'a> {
    snapshot: &'a Snapshot,
    query: &'a SyncQuery<'a>,
    overlay: &'a Overlay,
    filter: Option<&'a Filter>,
    scratch: &'a Scratch,
    device: &'a Device<'a>,
    system: Option<u32>,
}

impl Matching<'_> {
    fn candidates(&self, text: &mut String) -> Vec<Candidate> {
        let device = self.device;
        let mut candidates = Vec::new();
        for (id, place) in device.hardware_ids.iter().chain(&device.compatible_ids).zip(0_u32..) {
            for row in self.snapshot.layout.drivers.rows_for(id, text) {
                candidates.extend(self.candidate(row, place));
            }
        }
        // Texts cannot be looked up while rows are borrowed from the same buffer, so printers are
        // judged afterwards, still before ranking: a device must not go without a driver of its own
        // provider because another provider's ranks higher.
        if let Some(rule) = self.printer_rule(text) {
            candidates.retain(|candidate| rule.admits(self.snapshot, candidate.found.revision));
        }
        candidates
    }

    fn candidate(&self, row: &DriverRow, place: u32) -> Option<Candidate> {
        let entry = self.snapshot.entry(row.revision)?;
        let action = self.snapshot.action(entry, row.revision, self.overlay);
        let open = !matches!(action, DeploymentAction::Evaluate | DeploymentAction::Uninstall)
            && self.filter.is_none_or(|filter| filter.allows(row.revision))
            && self.scratch.all_satisfied(self.snapshot.layout.gates.get(entry.gate));
        if !open {
            return None;
        }
        let texts = self.snapshot.layout.drivers.texts();
        let rank = Rank::of_entry(row, texts, place, self.query.computer_hardware_ids, self.system)?;
        let slot = match row.class {
            DriverClass::Extension => Slot::Extension(row.provider),
            DriverClass::Ordinary | DriverClass::Printer => Slot::Base,
        };
        if slot != Slot::Base && self.has_extension(row) {
            return None;
        }
        Some(Candidate {
            slot,
            order: (rank, Reverse(row.whql), Reverse(entry.id)),
            found: BestMatch { revision: row.revision, hardware: Some(row.hardware) },
            approved: action == DeploymentAction::Install,
        })
    }

    fn has_extension(&self, row: &DriverRow) -> bool {
        self.device.extensions.iter().any(|e| e.ver_date == row.date && e.ver_version == row.version)
    }

    fn choose(&self, candidates: &[Candidate], best: &mut Vec<BestMatch>) {
        let installed = Rank::of_installed(self.device, self.query.computer_hardware_ids);
        let mut done: Vec<Slot> = Vec::new();
        for slot in candidates.iter().map(|candidate| candidate.slot) {
            if done.contains(&slot) {
                continue;
            }
            done.push(slot);
            let of_slot = || candidates.iter().filter(|candidate| candidate.slot == slot);
            let overall = of_slot().min_by_key(|candidate| candidate.order);
            let approved =
                of_slot().filter(|candidate| candidate.approved).min_by_key(|candidate| candidate.order);
            let better = |candidate: &&Candidate| match (slot, installed) {
                (Slot::Base, Some(installed)) => candidate.order.0 < installed,
                _ => true,
            };
            best.extend(
                [overall, approved].into_iter().flatten().filter(better).map(|candidate| candidate.found),
            );
        }
    }

    /// Drivers that an agent installed here and that are now to be removed (MS-WUSP 2.2.2.2.4,
    /// DriverRecoveryID). No other driver is ever sent with the action Uninstall.
    fn recoveries(&self, best: &mut Vec<BestMatch>, text: &mut String) {
        for id in &self.device.recovery_ids {
            let Some((revision, entry)) = id
                .trim()
                .parse::<UpdateId>()
                .ok()
                .and_then(|update| self.snapshot.index_of_update(update))
                .and_then(|revision| Some((revision, self.snapshot.entry(revision)?)))
            else {
                continue;
            };
            let wanted = entry.kind == UpdateKind::Driver
                && self.snapshot.action(entry, revision, self.overlay) == DeploymentAction::Uninstall
                && self.filter.is_none_or(|filter| filter.allows(revision))
                && self.scratch.all_satisfied(self.snapshot.layout.gates.get(entry.gate));
            if !wanted {
                continue;
            }
            let before = best.len();
            let rows = self.snapshot.layout.drivers.rows_of(revision);
            for id in self.device.hardware_ids.iter().chain(&self.device.compatible_ids) {
                if let Some(number) = self.snapshot.layout.drivers.texts().find(id, text)
                    && rows.iter().any(|row| row.hardware == number)
                {
                    best.push(BestMatch { revision, hardware: Some(number) });
                }
            }
            if best.len() == before {
                best.push(BestMatch { revision, hardware: None });
            }
        }
    }

    fn printer_rule(&self, text: &mut String) -> Option<PrinterRule> {
        let is_printer = |driver: &&InstalledDriver<'_>| {
            driver.class.is_some_and(|class| DriverClass::of(class) == DriverClass::Printer)
        };
        let driver = self.device.installed.as_ref().filter(is_printer)?;
        let texts = self.snapshot.layout.drivers.texts();
        let mut number = |name: Option<&str>| name.and_then(|name| texts.find(name, text));
        Some(PrinterRule {
            provider: number(driver.provider),
            manufacturer: number(driver.manufacturer),
            any_provider: driver.skip_provider_filtering,
            // Not found by plug and play: a print queue, for which other classes make no sense.
            printers_only: self.device.flags & 1 != 0,
        })
    }
}

/// "If the installed driver is a printer, the revision must have an entry which matches its Provider and
/// Manufacturer" (MS-WUSP 3.1.5.7); a compatible provider counts as the provider (MS-WUSP, schema of
/// WindowsDriverMetaData).
struct PrinterRule {
    provider: Option<u32>,
    manufacturer: Option<u32>,
    any_provider: bool,
    printers_only: bool,
}

impl PrinterRule {
    fn admits(&self, snapshot: &Snapshot, revision: u32) -> bool {
        let rows = snapshot.layout.drivers.rows_of(revision);
        let texts = snapshot.layout.drivers.texts();
        let known = |row: &DriverRow| {
            self.provider.is_some_and(|provider| texts.is_from(row, provider))
                && self.manufacturer == Some(row.manufacturer)
        };
        (self.any_provider || rows.iter().any(known))
            && (!self.printers_only || rows.iter().any(|row| row.class == DriverClass::Printer))
    }
}
