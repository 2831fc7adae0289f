//! Simulated: the computer itself: facts, devices, and a journal of what packages changed, so that they can
//! be removed again.

use super::device::SimulatedDevice;
use super::package::{Ending, Package, PackageError, Step};
use crate::cache::Verdict;
use crate::download::Contents;
use crate::fragments::{CoreFacts, ExtendedFacts, FileSpec};
use crate::hresult::HResult;
use crate::machine::{Machine, Outcome};
use sluicegate_catalog::Limits;
use sluicegate_catalog::applicability::{
    DriverStanding, Facts as _, RegistryPath, Rules, SimulatedFacts, evaluate,
};
use sluicegate_soap::client::sync_updates::Device;
use sluicegate_terms::{UpdateId, UpdateKind};
use std::collections::HashMap;

/// A computer made of facts.
#[derive(Clone, Debug)]
pub struct SimulatedMachine {
    facts: SimulatedFacts,
    devices: Vec<SimulatedDevice>,
    /// What each installed update changed, as steps that undo it.
    journal: HashMap<UpdateId, Vec<Step>>,
    /// What waits for a restart.
    pending: Vec<(UpdateId, Vec<Step>)>,
    /// Updates whose installer fails here, whatever the package says.
    failing: HashMap<UpdateId, HResult>,
}

/// What the machine made of a revision's rules; `None` when they cannot be read.
pub type SimulatedRules = Option<Rules>;

impl SimulatedMachine {
    /// A computer with these facts and devices.
    #[must_use]
    pub fn new(facts: SimulatedFacts, devices: Vec<SimulatedDevice>) -> Self {
        Self { facts, devices, journal: HashMap::new(), pending: Vec::new(), failing: HashMap::new() }
    }

    /// Lets the installer of one update fail on this computer.
    pub fn fail(&mut self, update: UpdateId, code: HResult) {
        self.failing.insert(update, code);
    }

    /// Puts an update's package there as if it had been installed before.
    pub fn preinstall(&mut self, update: UpdateId, package: &Package) {
        self.apply(update, &package.steps);
    }

    /// What is true of this computer.
    #[must_use]
    pub fn facts(&self) -> &SimulatedFacts {
        &self.facts
    }

    fn apply(&mut self, update: UpdateId, steps: &[Step]) {
        let mut undo = Vec::with_capacity(steps.len());
        for step in steps {
            let path = RegistryPath { path: step.key.clone(), view32: false };
            let before = self.facts.registry_value(&path, &step.name).flatten();
            undo.push(Step { data: before, ..step.clone() });
            self.set(step);
        }
        undo.reverse();
        self.journal.insert(update, undo);
    }

    fn set(&mut self, step: &Step) {
        match &step.data {
            Some(data) => self.facts.set_value(&step.key, &step.name, data.clone()),
            None => self.facts.remove_value(&step.key, &step.name),
        }
    }

    /// The package among an update's files: the program of its command, else the first file.
    fn package(extended: &ExtendedFacts, files: &[(FileSpec, Contents)]) -> Result<Package, PackageError> {
        let program = extended.command.as_ref().map(|command| command.program.as_str());
        let file =
            files.iter().find(|(file, _)| Some(file.name.as_str()) == program).or_else(|| files.first());
        match file {
            Some((_, Contents::Memory(bytes))) => Package::from_bytes(bytes),
            // Simulated packages are small: agents with a folder read theirs whole.
            Some((_, Contents::File(path))) => std::fs::read(path)
                .map_err(|_| PackageError::NoPackage)
                .and_then(|bytes| Package::from_bytes(&bytes)),
            None => Err(PackageError::NoPackage),
        }
    }

    fn standing(&self, rules: &Rules) -> DriverStanding {
        let entries = &rules.metadata.drivers;
        let standings = self.devices.iter().map(|device| device.standing(entries));
        // One device that wants the driver is enough to need it.
        standings
            .max_by_key(|standing| match standing {
                DriverStanding::NoDevice => 0,
                DriverStanding::Superseded => 1,
                DriverStanding::Installed => 2,
                DriverStanding::Installable => 3,
            })
            .unwrap_or(DriverStanding::NoDevice)
    }
}

impl Machine for SimulatedMachine {
    type Rules = SimulatedRules;

    fn learn(&self, core: &CoreFacts, xml: &str) -> Self::Rules {
        let rules = Rules::from_core(xml, &Limits::default());
        if let Err(error) = &rules {
            tracing::debug!(update = %core.identity, %error, "rules that cannot be read are not applicable");
        }
        rules.ok()
    }

    fn judge(&self, core: &CoreFacts, rules: &Self::Rules) -> Verdict {
        let Some(rules) = rules else { return Verdict::NotApplicable };
        if core.kind == UpdateKind::Driver {
            return match self.standing(rules) {
                DriverStanding::Installed => Verdict::Installed,
                DriverStanding::Installable => Verdict::Needed,
                DriverStanding::NoDevice | DriverStanding::Superseded => Verdict::NotApplicable,
            };
        }
        Verdict::from(&evaluate(rules, &self.facts))
    }

    fn devices(&self) -> Vec<Device> {
        self.devices.iter().map(SimulatedDevice::describe).collect()
    }

    fn install(
        &mut self,
        core: &CoreFacts,
        rules: &Self::Rules,
        extended: &ExtendedFacts,
        files: &[(FileSpec, Contents)],
    ) -> Outcome {
        let update = core.identity.update;
        if let Some(code) = self.failing.get(&update) {
            return Outcome::Failed(*code);
        }
        if let (UpdateKind::Driver, Some(rules)) = (core.kind, rules) {
            self.devices.iter_mut().for_each(|device| device.install(&rules.metadata.drivers));
            return Outcome::Succeeded;
        }
        match Self::package(extended, files) {
            Ok(Package { steps, ending: Ending::Succeeds }) => {
                self.apply(update, &steps);
                Outcome::Succeeded
            }
            Ok(Package { steps, ending: Ending::Restarts }) => {
                self.pending.push((update, steps));
                Outcome::RestartRequired
            }
            Ok(Package { ending: Ending::Fails(code), .. }) => Outcome::Failed(code),
            Err(error) => {
                tracing::debug!(%update, %error, "installer failed");
                Outcome::Failed(HResult::INSTALLER_FAILURE)
            }
        }
    }

    fn uninstall(&mut self, core: &CoreFacts) -> Outcome {
        let update = core.identity.update;
        let Some(undo) = self.journal.remove(&update) else {
            // ERROR_UNKNOWN_PRODUCT: it is there, and nobody knows how it got there.
            return Outcome::Failed(HResult(0x8007_0645));
        };
        undo.iter().for_each(|step| self.set(step));
        Outcome::Succeeded
    }

    fn restart(&mut self) {
        for (update, steps) in std::mem::take(&mut self.pending) {
            self.apply(update, &steps);
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
