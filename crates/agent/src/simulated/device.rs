//! Simulated: a device, and how a driver stands against the one it has (MS-WUSP 3.1.5.7).

use sluicegate_catalog::DriverEntry;
use sluicegate_catalog::applicability::DriverStanding;
use sluicegate_soap::client::sync_updates::{Device, DriverVersion, InstalledDriver};
use sluicegate_terms::Timestamp;

/// A device of a simulated computer.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedDevice {
    /// Hardware ids, most specific first.
    pub hardware_ids: Vec<String>,
    /// Compatible ids, most specific first.
    pub compatible_ids: Vec<String>,
    /// The driver it has.
    pub driver: Option<DriverEntry>,
}

impl SimulatedDevice {
    /// A device without driver.
    #[must_use]
    pub fn new(hardware_ids: &[&str]) -> Self {
        let hardware_ids = hardware_ids.iter().map(|id| (*id).to_owned()).collect();
        Self { hardware_ids, compatible_ids: Vec::new(), driver: None }
    }

    /// As the driver pass describes it. "No driver" is the year 1, version 0, rank -1 (observed).
    #[must_use]
    pub fn describe(&self) -> Device {
        let installed = match &self.driver {
            Some(driver) => InstalledDriver {
                matching_id: Some(driver.hardware_id.clone()),
                driver_ver_date: driver.ver_date,
                driver_ver_version: DriverVersion(driver.ver_version),
                class: Some(driver.class.clone()),
                manufacturer: Some(driver.manufacturer.clone()),
                provider: Some(driver.provider.clone()),
                model: Some(driver.model.clone()),
                driver_rank: 0,
                ..InstalledDriver::default()
            },
            None => InstalledDriver {
                driver_ver_date: Timestamp::MIN,
                driver_rank: -1,
                ..InstalledDriver::default()
            },
        };
        Device {
            hardware_ids: self.hardware_ids.clone(),
            compatible_ids: self.compatible_ids.clone(),
            installed_driver: Some(installed),
            ..Device::default()
        }
    }

    /// The entry that fits best: the one whose id comes first among the device's.
    fn fitting<'a>(&self, entries: &'a [DriverEntry]) -> Option<&'a DriverEntry> {
        self.hardware_ids
            .iter()
            .chain(&self.compatible_ids)
            .find_map(|id| entries.iter().find(|entry| entry.hardware_id.eq_ignore_ascii_case(id)))
    }

    /// How a driver stands against this device: by date, then version. The server has compared the rest.
    #[must_use]
    pub fn standing(&self, entries: &[DriverEntry]) -> DriverStanding {
        let Some(entry) = self.fitting(entries) else { return DriverStanding::NoDevice };
        let Some(driver) = &self.driver else { return DriverStanding::Installable };
        let age = |driver: &DriverEntry| (driver.ver_date, driver.ver_version);
        match age(driver).cmp(&age(entry)) {
            std::cmp::Ordering::Less => DriverStanding::Installable,
            std::cmp::Ordering::Equal => DriverStanding::Installed,
            std::cmp::Ordering::Greater => DriverStanding::Superseded,
        }
    }

    /// Gets the driver, if it fits and is better.
    pub fn install(&mut self, entries: &[DriverEntry]) {
        if self.standing(entries) == DriverStanding::Installable {
            self.driver = self.fitting(entries).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(date: &str, version: u64) -> DriverEntry {
        DriverEntry {
            hardware_id: "usb\\vid_1209&pid_0001".to_owned(),
            ver_date: date.parse().unwrap(),
            ver_version: version,
            ..DriverEntry::default()
        }
    }

    #[test]
    fn a_newer_driver_is_installable_and_then_installed() {
        let mut device = SimulatedDevice::new(&["USB\\VID_1209&PID_0001&REV_1", "USB\\VID_1209&PID_0001"]);
        let (old, new) = ([entry("2025-01-01", 1)], [entry("2025-01-01", 2)]);
        assert_eq!(device.standing(&[]), DriverStanding::NoDevice);
        assert_eq!(device.standing(&new), DriverStanding::Installable);
        device.install(&new);
        assert_eq!(device.standing(&new), DriverStanding::Installed);
        assert_eq!(device.standing(&old), DriverStanding::Superseded);
        device.install(&old);
        assert_eq!(device.driver, Some(new[0].clone()));
    }

    #[test]
    fn a_device_without_driver_says_so_as_agents_do() {
        let described = SimulatedDevice::new(&["ROOT\\X"]).describe();
        let installed = described.installed_driver.unwrap();
        assert_eq!((installed.driver_ver_date, installed.driver_rank), (Timestamp::MIN, -1));
    }
}
