//! Applicability: what rules ask about a computer. Every question may be left unanswered (`None`): the rule is
//! then unknown, not false. A definite "there is none" is `Some(None)`: missing values are false
//! (observed-behaviour 9, rules guard with `Not`).

use crate::{DriverEntry, Version};
use sluicegate_terms::Timestamp;
use std::collections::BTreeMap;

/// The operating system, as `OSVERSIONINFOEX` has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OsVersion {
    /// Major version; 10 on Windows 10 and 11 alike.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Build, which tells Windows 11 (22000 and up) from 10.
    pub build: u32,
    /// Service pack.
    pub service_pack_major: u16,
    /// Service pack, second part.
    pub service_pack_minor: u16,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u16,
    /// Suite bits.
    pub suite_mask: u16,
}

/// The native processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Processor {
    /// 0 x86, 5 ARM, 6 Itanium, 9 x64, 12 ARM64.
    pub architecture: u16,
    /// Architecture-dependent level.
    pub level: u16,
    /// Architecture-dependent revision.
    pub revision: u16,
}

/// A registry key in full, `HKEY_LOCAL_MACHINE\…`; letter case does not distinguish keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RegistryPath {
    /// The path with its root.
    pub path: String,
    /// Look in the 32-bit view (`RegType32`).
    pub view32: bool,
}

/// The data of a registry value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryValue {
    /// `REG_SZ`.
    Text(String),
    /// `REG_EXPAND_SZ`, with its variables already expanded.
    ExpandText(String),
    /// `REG_MULTI_SZ`.
    MultiText(Vec<String>),
    /// `REG_DWORD`.
    Dword(u32),
    /// `REG_QWORD`.
    Qword(u64),
    /// `REG_BINARY`.
    Binary(Vec<u8>),
}

impl RegistryValue {
    /// The type's name in rules.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "REG_SZ",
            Self::ExpandText(_) => "REG_EXPAND_SZ",
            Self::MultiText(_) => "REG_MULTI_SZ",
            Self::Dword(_) => "REG_DWORD",
            Self::Qword(_) => "REG_QWORD",
            Self::Binary(_) => "REG_BINARY",
        }
    }

    /// The text, when it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::ExpandText(text) => Some(text),
            _ => None,
        }
    }
}

/// What is known of a file that exists.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileFacts {
    /// The version resource, if it has one.
    pub version: Option<Version>,
    /// Bytes.
    pub size: u64,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last written.
    pub modified: Option<Timestamp>,
    /// The language of its version resource.
    pub language: Option<u16>,
}

/// How a patch stands on a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MsiPatchState {
    /// In force.
    Applied,
    /// Installed, but another patch replaced it.
    Superseded,
}

/// A product installed by Windows Installer. Codes are upper case with braces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MsiProductFacts {
    /// Its version.
    pub version: Version,
    /// Its language number.
    pub language: i32,
    /// Installed features.
    pub features: Vec<String>,
    /// Installed components, by code.
    pub components: Vec<String>,
    /// Patches, by code.
    pub patches: BTreeMap<String, MsiPatchState>,
}

/// How a component-based servicing package stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CbsState {
    /// Installed (state 0x70; that no other counts is unverified).
    Installed,
    /// Absent, and could be installed.
    Installable,
}

/// How a driver stands against the devices of the computer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriverStanding {
    /// No device matches it.
    NoDevice,
    /// An equal match is installed.
    Installed,
    /// A better match is installed.
    Superseded,
    /// It is a better match than what is installed.
    Installable,
}

/// Everything rules can ask. The default of every question is "cannot tell".
pub trait Facts {
    /// The operating system.
    fn os(&self) -> Option<OsVersion> {
        None
    }
    /// The platform number; 2 on every Windows since NT.
    fn platform(&self) -> Option<u32> {
        Some(2)
    }
    /// The native processor.
    fn processor(&self) -> Option<Processor> {
        None
    }
    /// How many processors.
    fn processor_count(&self) -> Option<u32> {
        None
    }
    /// The language the system is localized to, as a tag.
    fn system_language(&self) -> Option<String> {
        None
    }
    /// The user interface languages when the multilanguage interface is installed, else `Some(None)`.
    fn mui_languages(&self) -> Option<Option<Vec<String>>> {
        None
    }
    /// `GetSystemMetrics`.
    fn system_metric(&self, index: i32) -> Option<i32> {
        let _ = index;
        None
    }
    /// Whether a registry key exists.
    fn registry_key(&self, key: &RegistryPath) -> Option<bool> {
        let _ = key;
        None
    }
    /// A registry value; the empty name is the key's default value.
    fn registry_value(&self, key: &RegistryPath, name: &str) -> Option<Option<RegistryValue>> {
        let _ = (key, name);
        None
    }
    /// The names of a key's subkeys; `Some(None)` when the key is absent.
    fn registry_subkeys(&self, key: &RegistryPath) -> Option<Option<Vec<String>>> {
        let _ = key;
        None
    }
    /// The path of a special folder, by its CSIDL number.
    fn known_folder(&self, csidl: u32) -> Option<Option<String>> {
        let _ = csidl;
        None
    }
    /// A file, by full path; letter case does not distinguish paths.
    fn file(&self, path: &str) -> Option<Option<FileFacts>> {
        let _ = path;
        None
    }
    /// A software licensing value, by name.
    fn license_dword(&self, name: &str) -> Option<Option<u32>> {
        let _ = name;
        None
    }
    /// Whether a WMI query returns any row.
    fn wmi_any(&self, namespace: &str, query: &str) -> Option<bool> {
        let _ = (namespace, query);
        None
    }
    /// A product installed by Windows Installer, by its code (upper case, with braces).
    fn msi_product(&self, code: &str) -> Option<Option<MsiProductFacts>> {
        let _ = code;
        None
    }
    /// A servicing package, `name~token~architecture~language~version` with an empty language for neutral.
    /// `Some(None)` is a package that is neither installed nor installable here.
    fn cbs_package(&self, identity: &str) -> Option<Option<CbsState>> {
        let _ = identity;
        None
    }
    /// A device attribute, the same keys as `DeviceAttributes` of a scan.
    fn device_attribute(&self, name: &str) -> Option<Option<String>> {
        let _ = name;
        None
    }
    /// How a driver stands.
    fn driver(&self, entries: &[DriverEntry]) -> Option<DriverStanding> {
        let _ = entries;
        None
    }
    /// Any operator this room does not know, with its attributes in order: hardware capabilities, product
    /// releases, whatever comes next.
    fn other(&self, operator: &str, attributes: &[(String, String)]) -> Option<bool> {
        let _ = (operator, attributes);
        None
    }
}
