//! Applicability: a computer made of maps, for simulated agents and tests. What is not in a map is not on the
//! computer: every question is answered, except operators nobody knows.

use super::facts::{
    CbsState, DriverStanding, Facts, FileFacts, MsiProductFacts, OsVersion, Processor, RegistryPath,
    RegistryValue,
};
use crate::{DriverEntry, Version};
use std::collections::BTreeMap;

/// A simulated computer. Paths, value names, codes and identities are kept in lower case; use the methods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimulatedFacts {
    /// The operating system.
    pub os: OsVersion,
    /// The processor.
    pub processor: Processor,
    /// How many processors.
    pub processor_count: u32,
    /// The system's language.
    pub language: String,
    /// Interface languages, when the multilanguage interface is installed.
    pub mui_languages: Option<Vec<String>>,
    /// System metrics; absent ones are 0, as Windows answers.
    pub metrics: BTreeMap<i32, i32>,
    /// Special folders by CSIDL number.
    pub folders: BTreeMap<u32, String>,
    /// Licensing numbers.
    pub licenses: BTreeMap<String, u32>,
    /// WMI queries that return rows.
    pub wmi: Vec<String>,
    /// Device attributes.
    pub attributes: BTreeMap<String, String>,
    /// How the driver for a hardware id stands.
    pub drivers: BTreeMap<String, DriverStanding>,
    registry: BTreeMap<String, BTreeMap<String, RegistryValue>>,
    files: BTreeMap<String, FileFacts>,
    products: BTreeMap<String, MsiProductFacts>,
    packages: BTreeMap<String, CbsState>,
}

impl SimulatedFacts {
    /// A 64-bit Windows workstation of this build (26100 is Windows 11 24H2) with nothing on it.
    #[must_use]
    pub fn workstation(build: u32) -> Self {
        let os = OsVersion { major: 10, build, product_type: 1, suite_mask: 256, ..OsVersion::default() };
        let folders = [
            (0x24, "C:\\Windows"),
            (0x25, "C:\\Windows\\System32"),
            (0x26, "C:\\Program Files"),
            (0x29, "C:\\Windows\\SysWOW64"),
            (0x2a, "C:\\Program Files (x86)"),
            (0x2b, "C:\\Program Files\\Common Files"),
        ];
        Self {
            os,
            processor: Processor { architecture: 9, level: 6, revision: 0 },
            processor_count: 4,
            language: "en-US".to_owned(),
            mui_languages: None,
            metrics: BTreeMap::new(),
            folders: folders.into_iter().map(|(csidl, path)| (csidl, path.to_owned())).collect(),
            licenses: BTreeMap::new(),
            wmi: Vec::new(),
            attributes: BTreeMap::new(),
            drivers: BTreeMap::new(),
            registry: BTreeMap::new(),
            files: BTreeMap::new(),
            products: BTreeMap::new(),
            packages: BTreeMap::new(),
        }
    }

    /// The same as a server.
    #[must_use]
    pub fn server(build: u32) -> Self {
        let mut computer = Self::workstation(build);
        computer.os.product_type = 3;
        computer
    }

    /// Makes a key, `HKEY_LOCAL_MACHINE\…` in full, and the keys above it.
    pub fn set_key(&mut self, path: &str) {
        let path = path.to_lowercase();
        for (at, _) in path.match_indices('\\') {
            if let Some(above) = path.get(..at) {
                self.registry.entry(above.to_owned()).or_default();
            }
        }
        self.registry.entry(path).or_default();
    }

    /// Sets a value and makes its key.
    pub fn set_value(&mut self, path: &str, name: &str, value: RegistryValue) {
        self.set_key(path);
        self.registry.entry(path.to_lowercase()).or_default().insert(name.to_lowercase(), value);
    }

    /// Removes a value.
    pub fn remove_value(&mut self, path: &str, name: &str) {
        if let Some(values) = self.registry.get_mut(&path.to_lowercase()) {
            values.remove(&name.to_lowercase());
        }
    }

    /// Puts a file of this version there.
    pub fn set_file(&mut self, path: &str, version: Version) {
        self.set_file_facts(path, FileFacts { version: Some(version), ..FileFacts::default() });
    }

    /// Puts a file there.
    pub fn set_file_facts(&mut self, path: &str, facts: FileFacts) {
        self.files.insert(path.to_lowercase(), facts);
    }

    /// Installs a product.
    pub fn set_product(&mut self, code: &str, product: MsiProductFacts) {
        self.products.insert(code.to_lowercase(), product);
    }

    /// Sets how a servicing package stands.
    pub fn set_package(&mut self, identity: &str, state: CbsState) {
        self.packages.insert(identity.to_lowercase(), state);
    }

    fn key(path: &RegistryPath) -> String {
        // Where 32-bit programs look; rules only ask about software keys there.
        let lower = path.path.to_lowercase();
        let rest = lower.strip_prefix("hkey_local_machine\\software\\").filter(|_| path.view32);
        rest.map_or_else(
            || lower.clone(),
            |rest| format!("hkey_local_machine\\software\\wow6432node\\{rest}"),
        )
    }
}

impl Facts for SimulatedFacts {
    fn os(&self) -> Option<OsVersion> {
        Some(self.os)
    }
    fn processor(&self) -> Option<Processor> {
        Some(self.processor)
    }
    fn processor_count(&self) -> Option<u32> {
        Some(self.processor_count)
    }
    fn system_language(&self) -> Option<String> {
        Some(self.language.clone())
    }
    fn mui_languages(&self) -> Option<Option<Vec<String>>> {
        Some(self.mui_languages.clone())
    }
    fn system_metric(&self, index: i32) -> Option<i32> {
        Some(self.metrics.get(&index).copied().unwrap_or_default())
    }
    fn registry_key(&self, key: &RegistryPath) -> Option<bool> {
        Some(self.registry.contains_key(&Self::key(key)))
    }
    fn registry_value(&self, key: &RegistryPath, name: &str) -> Option<Option<RegistryValue>> {
        let values = self.registry.get(&Self::key(key));
        Some(values.and_then(|values| values.get(&name.to_lowercase())).cloned())
    }
    fn registry_subkeys(&self, key: &RegistryPath) -> Option<Option<Vec<String>>> {
        let key = Self::key(key);
        if !self.registry.contains_key(&key) {
            return Some(None);
        }
        let inside = format!("{key}\\");
        let below = self.registry.range(inside.clone()..).map_while(|(path, _)| path.strip_prefix(&inside));
        Some(Some(below.filter(|name| !name.contains('\\')).map(str::to_owned).collect()))
    }
    fn known_folder(&self, csidl: u32) -> Option<Option<String>> {
        Some(self.folders.get(&csidl).cloned())
    }
    fn file(&self, path: &str) -> Option<Option<FileFacts>> {
        Some(self.files.get(&path.to_lowercase()).cloned())
    }
    fn license_dword(&self, name: &str) -> Option<Option<u32>> {
        Some(self.licenses.get(name).copied())
    }
    fn wmi_any(&self, _: &str, query: &str) -> Option<bool> {
        Some(self.wmi.iter().any(|known| known == query))
    }
    fn msi_product(&self, code: &str) -> Option<Option<MsiProductFacts>> {
        Some(self.products.get(&code.to_lowercase()).cloned())
    }
    fn cbs_package(&self, identity: &str) -> Option<Option<CbsState>> {
        Some(self.packages.get(&identity.to_lowercase()).copied())
    }
    fn device_attribute(&self, name: &str) -> Option<Option<String>> {
        Some(self.attributes.get(name).cloned())
    }
    fn driver(&self, entries: &[DriverEntry]) -> Option<DriverStanding> {
        let standings = entries.iter().filter_map(|entry| self.drivers.get(&entry.hardware_id));
        // One device that wants the driver is enough to need it.
        let rank = |standing: &&DriverStanding| match standing {
            DriverStanding::NoDevice => 0,
            DriverStanding::Superseded => 1,
            DriverStanding::Installed => 2,
            DriverStanding::Installable => 3,
        };
        Some(standings.max_by_key(rank).copied().unwrap_or(DriverStanding::NoDevice))
    }
}
