//! Agent: what a computer says about itself when it registers, scans and reports (MS-WUSP 2.2.2.2.3,
//! observed-behaviour 2, 3.1 and 6).

use sluicegate_terms::{ComputerId, Guid, TermError};

/// The agent version that is spoken for: the one whose traffic was observed.
pub const AGENT_VERSION: [i32; 4] = [1507, 2601, 30012, 0];

/// The client protocol version sent in GetConfig and GetCookie. The specification ends at 1.8; agents
/// send 2.90 (observed-behaviour 2).
pub const CLIENT_PROTOCOL: &str = "2.90";

/// A computer as it describes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The agent's own name for itself.
    pub id: ComputerId,
    /// Full DNS name.
    pub dns_name: String,
    /// Group the computer asks for, where groups are chosen by clients; several separated by `;`.
    pub target_group: Option<String>,
    /// Major, minor and build of Windows.
    pub os_version: (i32, i32, i32),
    /// What `OSDescription` says; Windows 11 still says `Windows 10 Pro` (observed).
    pub os_description: String,
    /// `NewProductType`: 48 is Professional, 7 is Server Standard.
    pub product_type: i32,
    /// `OldProductType`: 1 workstation, 2 domain controller, 3 server.
    pub old_product_type: i32,
    /// `ProcessorArchitecture` of RegisterComputer: `AMD64`, `x86` or `ARM64`.
    pub architecture: String,
    /// Who made the computer.
    pub manufacturer: String,
    /// Which model.
    pub model: String,
    /// Version of its firmware.
    pub bios_version: String,
    /// User interface language, and languages asked for first to last.
    pub locales: Vec<String>,
    /// Where in the world, as ISO 3166 alpha-3.
    pub geo_id: String,
    /// Windows' number of the language (1033 is English, 1031 German).
    pub locale_id: i32,
    /// Computer hardware ids, most specific first (driver pass).
    pub hardware_ids: Vec<Guid>,
    /// Random number between 0 and 999, chosen once per computer (`J` in events).
    pub sampling_value: u16,
    /// What made the agent scan (`CallerAttributes`, `AppName`).
    pub caller: String,
}

impl Profile {
    /// A virtual machine with Windows 11 25H2 in English.
    ///
    /// # Errors
    /// [`TermError`], when the id breaks its rule.
    pub fn windows_11(id: &str, dns_name: &str) -> Result<Self, TermError> {
        Ok(Self {
            id: id.parse()?,
            dns_name: dns_name.to_owned(),
            target_group: None,
            os_version: (10, 0, 26_200),
            os_description: "Windows 10 Pro".to_owned(),
            product_type: 48,
            old_product_type: 1,
            architecture: "AMD64".to_owned(),
            manufacturer: "QEMU".to_owned(),
            model: "Standard PC (Q35 + ICH9, 2009)".to_owned(),
            bios_version: "unknown".to_owned(),
            locales: vec!["en-US".to_owned(), "en".to_owned()],
            geo_id: "USA".to_owned(),
            locale_id: 1033,
            hardware_ids: Vec::new(),
            sampling_value: 0,
            caller: "AutomaticUpdates".to_owned(),
        })
    }

    /// `ProcessorArchitecture` of events, which has other words than RegisterComputer (observed).
    #[must_use]
    pub fn event_architecture(&self) -> &'static str {
        match self.architecture.as_str() {
            "AMD64" => "Amd64Compatible",
            "x86" => "X86Compatible",
            "IA64" => "IA64Compatible",
            // MS-WUSP 2.2.2.3.1 has no word for newer processors.
            _ => "Unknown",
        }
    }

    /// `FeatureScoreMatchingKey` of the driver pass, for example `AMD64.10.0`.
    #[must_use]
    pub fn feature_score_key(&self) -> String {
        let (major, minor, _) = self.os_version;
        format!("{}.{major}.{minor}", self.architecture.to_ascii_uppercase())
    }

    /// `DeviceAttributes`: a selection of what agents send, in their order.
    #[must_use]
    pub fn device_attributes(&self) -> String {
        let (major, minor, build) = self.os_version;
        let installation = if self.old_product_type == 1 { "Client" } else { "Server" };
        let product = if self.old_product_type == 1 { "WinNT" } else { "ServerNT" };
        let language = self.locales.first().map_or("en-US", String::as_str);
        format!(
            "App=WU_OS;AppVer={};DeviceFamily=Windows.Desktop;DL_OSVersion={major}.{minor}.{build}.0;\
             FirmwareVersion={};FlightRing=Retail;InstallationType={installation};InstallLanguage={language};\
             IsVirtualDevice=1;OEMModel={};OEMName_Uncleaned={};OSArchitecture={};OSSkuId={};\
             OSUILocale={language};OSVersion={major}.{minor}.{build}.0;ProductType={product};TelemetryLevel=1;",
            agent_version(),
            self.bios_version,
            self.model,
            self.manufacturer,
            self.architecture,
            self.product_type,
        )
    }

    /// `CallerAttributes`.
    #[must_use]
    pub fn caller_attributes(&self) -> String {
        format!("Interactive=0;SheddingAware=1;Id={};", self.caller)
    }
}

/// The agent version with dots, `G` in events.
#[must_use]
pub fn agent_version() -> String {
    let [major, minor, build, fix] = AGENT_VERSION;
    format!("{major}.{minor}.{build}.{fix}")
}

/// The `User-Agent` of every SOAP request (observed-behaviour 1.2).
#[must_use]
pub fn user_agent() -> String {
    format!("Windows-Update-Agent/{} Client-Protocol/{CLIENT_PROTOCOL}", agent_version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computer_describes_itself_in_the_words_of_each_message() {
        let mut profile = Profile::windows_11("e1da06a3-5601-43c9-bac3-52d5db701494", "pc.example").unwrap();
        assert_eq!(profile.event_architecture(), "Amd64Compatible");
        assert_eq!(profile.feature_score_key(), "AMD64.10.0");
        assert!(profile.device_attributes().contains("OSSkuId=48;"));
        assert!(profile.device_attributes().contains("ProductType=WinNT;"));
        assert_eq!(user_agent(), "Windows-Update-Agent/1507.2601.30012.0 Client-Protocol/2.90");
        profile.architecture = "ARM64".to_owned();
        assert_eq!(profile.event_architecture(), "Unknown");
        assert!(Profile::windows_11("", "pc").is_err());
    }
}
