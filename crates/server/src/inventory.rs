//! What a computer says about itself when it registers (MS-WUSP 2.2.2.2.3), in the form it is kept and
//! shown to administrators.

use serde::{Deserialize, Serialize};
use sluicegate_soap::client::ComputerInfo;

/// First build of Windows 11; its own description still says "Windows 10" (observed-behaviour 2).
const WINDOWS_11: i32 = 22_000;

/// A computer's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inventory {
    /// For people: name and version.
    pub(crate) os: String,
    /// `major.minor.build`.
    pub(crate) os_version: String,
    pub(crate) os_description: String,
    pub(crate) os_locale: String,
    pub(crate) service_pack: String,
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    pub(crate) bios_version: String,
    pub(crate) bios_name: String,
    pub(crate) bios_release_date: String,
    pub(crate) processor: String,
    pub(crate) product_type: i32,
    pub(crate) old_product_type: u8,
    pub(crate) suite_mask: i32,
    pub(crate) client_version: String,
    pub(crate) firmware_version: String,
    pub(crate) device_type: String,
    pub(crate) oem: String,
}

impl Inventory {
    /// From the message.
    pub(crate) fn of(info: &ComputerInfo) -> Self {
        let text = |field: &Option<String>| {
            field
                .as_deref()
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .take(256)
                .collect::<String>()
        };
        Self {
            os: os_name(
                info.os_description.as_deref().unwrap_or_default(),
                [info.os_major_version, info.os_minor_version, info.os_build_number],
                info.old_product_type,
            ),
            os_version: format!(
                "{}.{}.{}",
                info.os_major_version, info.os_minor_version, info.os_build_number
            ),
            os_description: text(&info.os_description),
            os_locale: text(&info.os_locale),
            service_pack: format!(
                "{}.{}",
                info.os_service_pack_major_number, info.os_service_pack_minor_number
            ),
            manufacturer: text(&info.computer_manufacturer),
            model: text(&info.computer_model),
            bios_version: text(&info.bios_version),
            bios_name: text(&info.bios_name),
            bios_release_date: info.bios_release_date.iso(),
            processor: text(&info.processor_architecture),
            product_type: info.new_product_type,
            old_product_type: info.old_product_type,
            suite_mask: info.suite_mask,
            client_version: format!(
                "{}.{}.{}.{}",
                info.client_version_major_number,
                info.client_version_minor_number,
                info.client_version_build_number,
                info.client_version_qfe_number
            ),
            firmware_version: text(&info.firmware_version),
            device_type: text(&info.device_type),
            oem: text(&info.oem),
        }
    }

    /// As the store keeps it.
    pub(crate) fn to_text(&self) -> String {
        // Strings and numbers always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From the store; what cannot be read is empty.
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// A name that tells Windows 10 and 11 apart by the build number. `version` is major, minor and build.
pub(crate) fn os_name(description: &str, version: [i32; 3], old_product_type: u8) -> String {
    let described = description.trim();
    let workstation = old_product_type <= 1;
    let [major, minor, build] = version;
    let name = match (major, minor) {
        (10, 0) if workstation && build >= WINDOWS_11 => match described.strip_prefix("Windows 10") {
            Some(edition) => format!("Windows 11{edition}"),
            None if described.is_empty() => "Windows 11".to_owned(),
            None => described.to_owned(),
        },
        _ if !described.is_empty() => described.to_owned(),
        (10, 0) if workstation => "Windows 10".to_owned(),
        (10, 0) => "Windows Server".to_owned(),
        (6, 3) => "Windows 8.1".to_owned(),
        (6, 1) => "Windows 7".to_owned(),
        _ => "Windows".to_owned(),
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("{name} ({major}.{minor}.{build})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(build: i32, kind: u8, description: &str) -> ComputerInfo {
        ComputerInfo {
            os_major_version: 10,
            os_build_number: build,
            old_product_type: kind,
            os_description: Some(description.into()),
            ..ComputerInfo::default()
        }
    }

    #[test]
    fn windows_11_is_told_by_its_build() {
        assert_eq!(os_name("Windows 10 Pro", [10, 0, 26_200], 1), "Windows 11 Pro (10.0.26200)");
        assert_eq!(os_name("Windows 10 Pro", [10, 0, 19_045], 1), "Windows 10 Pro (10.0.19045)");
        assert_eq!(os_name("Windows Server 2025", [10, 0, 26_100], 3), "Windows Server 2025 (10.0.26100)");
        assert_eq!(os_name("", [10, 0, 26_200], 1), "Windows 11 (10.0.26200)");
    }

    #[test]
    fn an_inventory_survives_the_store() {
        let inventory = Inventory::of(&info(26_200, 1, "Windows 10 Pro\u{7}"));
        assert_eq!(Inventory::from_text(Some(&inventory.to_text())), inventory);
        assert_eq!(Inventory::from_text(Some("not JSON")), Inventory::default());
        assert_eq!(inventory.os_description, "Windows 10 Pro");
    }
}
