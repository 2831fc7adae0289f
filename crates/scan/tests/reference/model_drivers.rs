//! The reference for drivers: MS-WUSP 3.1.5.7, "the following rules for driver matching", rule by rule,
//! each pair compared with each.

use crate::model::Model;
use sluicegate_catalog::DriverEntry;
use sluicegate_scan::{Device, PrinterQuery, SyncAnswer, SyncQuery};
use sluicegate_terms::{DeploymentAction, Guid, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::{BTreeMap, BTreeSet};

/// What the five rules look at. `None` is worse than anything.
#[derive(Clone, PartialEq, Debug)]
struct Fit {
    computer: Option<usize>,
    feature: u8,
    hardware: Option<usize>,
    date: Timestamp,
    version: u64,
}

/// Earlier in a list is better than later, and both are better than not at all.
fn earlier(a: Option<usize>, b: Option<usize>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a < b,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Whether `a` is a better match than `b`.
fn better(a: &Fit, b: &Fit) -> bool {
    if a.computer != b.computer {
        return earlier(a.computer, b.computer);
    }
    if a.feature != b.feature {
        return a.feature < b.feature;
    }
    if a.hardware != b.hardware {
        return earlier(a.hardware, b.hardware);
    }
    if a.date != b.date {
        return a.date > b.date;
    }
    a.version > b.version
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn ids<'a>(device: &Device<'a>) -> Vec<&'a str> {
    [device.hardware_ids.as_slice(), device.compatible_ids.as_slice()].concat()
}

fn is_class(class: &str, names: &[&str]) -> bool {
    names.iter().any(|name| same(class, name))
}

fn is_printer(class: &str) -> bool {
    is_class(class, &["Printer", "Printers", "{4D36E979-E325-11CE-BFC1-08002BE10318}"])
}

fn is_extension(class: &str) -> bool {
    is_class(class, &["Extension", "Extensions", "{E2F84CE7-8EFA-411C-AA69-97454CA4CB57}"])
}

/// The place of the best computer id, or `None` in the outer option when the driver is for others.
fn computer(entry: &DriverEntry, computers: &[Guid]) -> Option<Option<usize>> {
    let mut best = None;
    for list in [&entry.distribution_computer_ids, &entry.target_computer_ids] {
        if list.is_empty() {
            continue;
        }
        let place = computers.iter().position(|computer| list.contains(computer))?;
        best = Some(best.map_or(place, |other: usize| other.min(place)));
    }
    Some(best)
}

fn fit(entry: &DriverEntry, device: &Device<'_>, query: &SyncQuery<'_>) -> Option<Fit> {
    let score = entry
        .feature_scores
        .iter()
        .filter(|score| query.feature_score_key.is_some_and(|key| same(&score.operating_system, key)))
        .map(|score| score.score)
        .min();
    Some(Fit {
        computer: computer(entry, query.computer_hardware_ids)?,
        feature: score.unwrap_or(255),
        hardware: Some(ids(device).iter().position(|id| same(id, &entry.hardware_id))?),
        date: entry.ver_date,
        version: entry.ver_version,
    })
}

fn installed_fit(device: &Device<'_>, query: &SyncQuery<'_>) -> Option<Fit> {
    let driver = device.installed.as_ref()?;
    if driver.ver_date == Timestamp::MIN && driver.ver_version == 0 {
        return None;
    }
    Some(Fit {
        computer: driver
            .matching_computer_id
            .and_then(|id| query.computer_hardware_ids.iter().position(|computer| *computer == id)),
        feature: ((driver.rank >> 16) & 0xFF) as u8,
        hardware: driver
            .matching_id
            .and_then(|matching| ids(device).iter().position(|id| same(id, matching))),
        date: driver.ver_date,
        version: driver.ver_version,
    })
}

struct Found<'a> {
    revision: UpdateIdentity,
    entry: &'a DriverEntry,
    fit: Fit,
    order: (u32, u32),
    approved: bool,
}

fn best<'f, 'a>(found: &'f [Found<'a>]) -> Option<&'f Found<'a>> {
    found.iter().find(|one| {
        !found.iter().any(|other| {
            better(&other.fit, &one.fit) || (!better(&one.fit, &other.fit) && other.order > one.order)
        })
    })
}

impl<'a> Model<'a> {
    fn action(&self, revision: UpdateIdentity, query: &SyncQuery<'_>) -> DeploymentAction {
        self.deployed(revision, query.groups, query.protocol).action
    }

    fn reachable(&self, identity: UpdateIdentity, query: &SyncQuery<'_>) -> bool {
        self.scope.get(&identity).is_some_and(|revision| revision.record.kind == UpdateKind::Driver)
            && self.satisfied(identity, query.installed_non_leaf)
            && self.concerned(query).is_none_or(|concerned| concerned.contains(&identity))
    }

    fn printer_rules(&self, drivers: &[DriverEntry], device: &Device<'_>) -> bool {
        let Some(installed) = device.installed.as_ref() else { return true };
        if !installed.class.is_some_and(is_printer) {
            return true;
        }
        let provided = |entry: &DriverEntry| {
            installed.provider.is_some_and(|provider| {
                same(&entry.provider, provider)
                    || entry.compatible_providers.iter().any(|other| same(other, provider))
            })
        };
        let made = |entry: &DriverEntry| installed.manufacturer.is_some_and(|m| same(&entry.manufacturer, m));
        let kept =
            installed.skip_provider_filtering || drivers.iter().any(|entry| provided(entry) && made(entry));
        kept && (device.flags.is_multiple_of(2) || drivers.iter().any(|entry| is_printer(&entry.class)))
    }

    /// The needed drivers, each with the hardware ids it is the best match by.
    pub(crate) fn needed_drivers(
        &self,
        query: &SyncQuery<'_>,
    ) -> BTreeMap<UpdateIdentity, BTreeSet<Box<str>>> {
        let mut needed: BTreeMap<UpdateIdentity, BTreeSet<Box<str>>> = BTreeMap::new();
        for device in query.system_spec {
            // Base drivers compete with each other; so do the extensions of each provider.
            let mut slots: BTreeMap<Option<String>, Vec<Found<'_>>> = BTreeMap::new();
            for (identity, revision) in &self.scope {
                let drivers = &revision.record.drivers;
                let action = self.action(*identity, query);
                let offered = self.reachable(*identity, query)
                    && !matches!(action, DeploymentAction::Evaluate | DeploymentAction::Uninstall)
                    && self.printer_rules(drivers, device);
                if !offered {
                    continue;
                }
                for entry in drivers {
                    let Some(fit) = fit(entry, device, query) else { continue };
                    let has = |e: &sluicegate_scan::ExtensionDriver<'_>| {
                        e.ver_date == entry.ver_date && e.ver_version == entry.ver_version
                    };
                    if is_extension(&entry.class) && device.extensions.iter().any(has) {
                        continue;
                    }
                    let slot = is_extension(&entry.class).then(|| entry.provider.to_lowercase());
                    let order = (entry.whql_driver_id, revision.id.get());
                    let approved = action == DeploymentAction::Install;
                    slots.entry(slot).or_default().push(Found {
                        revision: *identity,
                        entry,
                        fit,
                        order,
                        approved,
                    });
                }
            }
            for (slot, mut found) in slots {
                let installed = installed_fit(device, query).filter(|_| slot.is_none());
                let mut take = |found: &[Found<'_>]| {
                    if let Some(one) = best(found)
                        && installed.as_ref().is_none_or(|installed| better(&one.fit, installed))
                    {
                        needed
                            .entry(one.revision)
                            .or_default()
                            .insert(one.entry.hardware_id.to_lowercase().into());
                    }
                };
                take(&found);
                found.retain(|one| one.approved);
                take(&found);
            }
            for id in &device.recovery_ids {
                let Ok(update) = id.parse::<UpdateId>() else { continue };
                let Some(revision) = self.serving(update) else { continue };
                let identity = revision.record.identity;
                if self.reachable(identity, query)
                    && self.action(identity, query) == DeploymentAction::Uninstall
                {
                    let fitting =
                        revision.record.drivers.iter().map(|entry| entry.hardware_id.to_lowercase());
                    let fitting = fitting.filter(|hardware| ids(device).iter().any(|id| same(id, hardware)));
                    needed.entry(identity).or_default().extend(fitting.map(Box::from));
                }
            }
        }
        needed
    }

    /// SyncPrinterCatalog (MS-WUSP 3.1.5.12).
    pub(crate) fn printers(&self, query: &PrinterQuery<'_>) -> SyncAnswer {
        let drivers = || self.scope.iter().filter(|(_, revision)| revision.record.kind == UpdateKind::Driver);
        let mut needed: BTreeMap<UpdateIdentity, BTreeSet<Box<str>>> = BTreeMap::new();
        for (identity, revision) in drivers() {
            let action = self.deployed(*identity, query.groups, query.protocol).action;
            let printers = revision.record.drivers.iter().filter(|entry| is_printer(&entry.class));
            let hardware: BTreeSet<Box<str>> =
                printers.map(|entry| entry.hardware_id.to_lowercase().into()).collect();
            let wanted = !matches!(action, DeploymentAction::Evaluate | DeploymentAction::Uninstall)
                && self.satisfied(*identity, query.installed_non_leaf);
            if wanted && !hardware.is_empty() {
                needed.insert(*identity, hardware);
            }
        }
        let (seen, protocol, budget) = (query.seen, query.protocol, query.budget);
        let mut answer = self.compose(&needed, query.printer_updates, query.groups, seen, protocol, budget);
        if protocol >= (sluicegate_scan::ProtocolVersion { major: 1, minor: 7 }) {
            answer.driver_sync_not_needed = Some(drivers().next().is_none());
        }
        answer
    }
}
