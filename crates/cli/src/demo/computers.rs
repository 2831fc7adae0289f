//! Demo: its computers. Eight of them, with what each has at the start.

use super::ids::{DESK_412, DIAGNOSTICS, RUNTIME_STATION, SYNC_AGENT, VIEWER};
use super::rules;
use super::updates::{GAUGE, package};
use sluicegate_agent::simulated::{SimulatedDevice, SimulatedMachine};
use sluicegate_agent::{HResult, Profile};
use sluicegate_catalog::applicability::{RegistryValue, SimulatedFacts};
use sluicegate_terms::{Guid, TermError, UpdateId};

/// One computer.
pub(super) struct Computer {
    /// Name without domain.
    pub(super) name: &'static str,
    /// The group an administrator puts it in; the driver's computer stays unassigned.
    pub(super) group: Option<&'static str>,
    /// Version of the workbench or, on servers, of the server; empty for none.
    version: &'static str,
    /// Build of Windows.
    build: u32,
    /// Updates it has from the start.
    has: &'static [UpdateId],
    german: bool,
}

/// All of them.
pub(super) const COMPUTERS: [Computer; 8] = [
    Computer {
        name: "pilot-anvil",
        group: Some("Pilot"),
        version: "4.0.3.0",
        build: 26_200,
        has: &[],
        german: false,
    },
    Computer {
        name: "pilot-birch",
        group: Some("Pilot"),
        version: "4.1.2.0",
        build: 26_100,
        has: &[DESK_412],
        german: true,
    },
    Computer {
        name: "desk-cedar",
        group: Some("Workstations"),
        version: "4.0.3.0",
        build: 22_631,
        has: &[],
        german: false,
    },
    Computer {
        name: "desk-drift",
        group: Some("Workstations"),
        version: "4.1.2.0",
        build: 19_045,
        has: &[SYNC_AGENT],
        german: true,
    },
    Computer {
        name: "desk-ember",
        group: Some("Workstations"),
        version: "",
        build: 26_200,
        has: &[VIEWER],
        german: false,
    },
    Computer {
        name: "station-fjord",
        group: Some("Servers"),
        version: "7.0.1.0",
        build: 26_100,
        has: &[],
        german: false,
    },
    Computer {
        name: "station-grove",
        group: Some("Servers"),
        version: "7.0.4.0",
        build: 20_348,
        has: &[RUNTIME_STATION],
        german: true,
    },
    Computer { name: "bench-heath", group: None, version: "4.1.2.0", build: 26_200, has: &[], german: false },
];

impl Computer {
    fn number(&self) -> u128 {
        COMPUTERS.iter().position(|computer| computer.name == self.name).unwrap_or(0) as u128
    }

    fn is_server(&self) -> bool {
        self.group == Some("Servers")
    }

    /// Its own name for itself, the same in every run.
    pub(super) fn id(&self) -> String {
        Guid::from_u128(0x5106_a7e0_0001_4000_8000_0000_0000_0000 | self.number()).to_string()
    }

    /// How it describes itself.
    pub(super) fn profile(&self) -> Result<Profile, TermError> {
        let mut profile = Profile::windows_11(&self.id(), &format!("{}.demo.example", self.name))?;
        profile.os_version.2 = i32::try_from(self.build).unwrap_or(26_200);
        profile.sampling_value = 100 + self.number() as u16;
        profile.manufacturer = "Heron Works".to_owned();
        profile.model = if self.is_server() { "Rack 2" } else { "Bench 5" }.to_owned();
        if self.is_server() {
            profile.os_description = "Windows Server Standard".to_owned();
            profile.product_type = 7;
            profile.old_product_type = 3;
        }
        if self.german {
            profile.locales = ["de-DE", "de", "en"].map(str::to_owned).to_vec();
            profile.locale_id = 1031;
            profile.geo_id = "DEU".to_owned();
        }
        Ok(profile)
    }

    /// The computer as it is when new.
    pub(super) fn machine(&self) -> SimulatedMachine {
        let server = self.is_server();
        let mut facts =
            if server { SimulatedFacts::server(self.build) } else { SimulatedFacts::workstation(self.build) };
        if !self.version.is_empty() {
            let key = rules::full(if server { rules::STATION } else { rules::DESK });
            facts.set_value(&key, "Version", RegistryValue::Text(self.version.to_owned()));
        }
        let gauge = self.group.is_none().then(|| SimulatedDevice::new(&[GAUGE]));
        let mut machine = SimulatedMachine::new(facts, gauge.into_iter().collect());
        for update in self.has {
            machine.preinstall(*update, &package(*update));
        }
        if self.name == "desk-drift" {
            // ERROR_INSTALL_FAILURE: there is always one computer where it does not work.
            machine.fail(DIAGNOSTICS, HResult(0x8007_0643));
        }
        machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn computers_have_identities_of_their_own_that_stay() {
        let ids: HashSet<String> = COMPUTERS.iter().map(Computer::id).collect();
        assert_eq!(ids.len(), COMPUTERS.len());
        assert_eq!(
            COMPUTERS[7].id(),
            "00000000-0000-0000-0000-000000000007".replacen(
                "00000000-0000-0000-0000",
                "5106a7e0-0001-4000-8000",
                1
            )
        );
        assert!(COMPUTERS.iter().all(|computer| computer.profile().is_ok()));
    }
}
