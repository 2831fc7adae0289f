//! Agent: the events an agent reports (MS-WUSP 2.2.2.3.1, observed-behaviour 6): their numbers, and the
//! words and data that come with each.

use crate::clock::Clock;
use crate::hresult::HResult;
use crate::profile::{Profile, agent_version};
use crate::random::Random;
use sluicegate_soap::reporting::{
    BasicData, ComputerTargetIdentifier, DetailedVersion, ExtendedData, PrivateData, ProcessorArchitecture,
    ReportingEvent, UpdateRevisionIdentifier,
};
use sluicegate_terms::{UpdateId, UpdateIdentity};
use std::sync::Arc;

/// `NamespaceID` of client events.
const NAMESPACE: i32 = 1;
/// `SourceID` of the agent itself.
const SOURCE: i32 = 101;

/// What happened, as far as reporting goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// 147: the scan found this many updates to install.
    Detected(usize),
    /// 148: the scan failed.
    DetectionFailed(HResult),
    /// 156: what is needed and what is installed.
    Status {
        /// Needed top-level updates.
        needed: Vec<UpdateId>,
        /// Installed top-level updates.
        installed: Vec<UpdateId>,
    },
    /// 167: a download began.
    DownloadStarted,
    /// 162: a download is complete, this many bytes.
    Downloaded(u64),
    /// 161: a download failed.
    DownloadFailed(HResult),
    /// 181: an installation began.
    InstallStarted,
    /// 183: installed.
    Installed,
    /// 201: installed, a restart is pending. Not 184 (observed).
    RestartPending,
    /// 182: an installation failed.
    InstallFailed(HResult),
    /// 226: a removal began.
    UninstallStarted,
    /// 222: removed.
    Uninstalled,
    /// 224: removed, a restart is pending.
    UninstallRestart,
    /// 221: a removal failed.
    UninstallFailed(HResult),
}

impl Happening {
    /// The event's number.
    #[must_use]
    pub const fn event_id(&self) -> i32 {
        match self {
            Self::Detected(_) => 147,
            Self::DetectionFailed(_) => 148,
            Self::Status { .. } => 156,
            Self::DownloadFailed(_) => 161,
            Self::Downloaded(_) => 162,
            Self::DownloadStarted => 167,
            Self::InstallStarted => 181,
            Self::InstallFailed(_) => 182,
            Self::Installed => 183,
            Self::RestartPending => 201,
            Self::UninstallFailed(_) => 221,
            Self::Uninstalled => 222,
            Self::UninstallRestart => 224,
            Self::UninstallStarted => 226,
        }
    }

    fn hresult(&self) -> HResult {
        match self {
            Self::DetectionFailed(code)
            | Self::DownloadFailed(code)
            | Self::InstallFailed(code)
            | Self::UninstallFailed(code) => *code,
            Self::RestartPending | Self::UninstallRestart => HResult::REBOOT_REQUIRED,
            _ => HResult::OK,
        }
    }

    /// Words for the message of the event: for failures of an update the code comes before the title.
    fn replacements(&self, title: Option<&str>) -> Vec<String> {
        let code = match self {
            Self::Detected(count) => Some(count.to_string()),
            Self::DetectionFailed(code) | Self::InstallFailed(code) | Self::UninstallFailed(code) => {
                Some(code.to_string())
            }
            _ => None,
        };
        code.into_iter().chain(title.map(str::to_owned)).collect()
    }
}

/// Which update an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The revision.
    pub identity: UpdateIdentity,
    /// What people call it; only parents have one in events.
    pub title: Option<&'a str>,
    /// For a member of a bundle, the bundle.
    pub parent: Option<UpdateIdentity>,
    /// True for a bundle.
    pub is_bundle: bool,
}

/// Writes events in a computer's name.
#[derive(Clone, Debug)]
pub struct EventWriter {
    profile: Arc<Profile>,
    clock: Clock,
    random: Random,
}

impl EventWriter {
    /// For one computer.
    #[must_use]
    pub fn new(profile: Arc<Profile>, clock: Clock, random: Random) -> Self {
        Self { profile, clock, random }
    }

    /// The event for something that happened now.
    pub fn event(&mut self, happening: &Happening, subject: Option<Subject<'_>>) -> ReportingEvent {
        let profile = Arc::clone(&self.profile);
        let (major, minor, build) = profile.os_version;
        let architecture = profile.event_architecture();
        let architecture =
            ProcessorArchitecture::ALL.into_iter().find(|known| known.as_str() == architecture);
        let update =
            subject.map_or_else(UpdateRevisionIdentifier::default, |subject| UpdateRevisionIdentifier {
                update: subject.identity.update.0,
                // Bounded by RevisionNumber itself.
                revision: subject.identity.revision.get().cast_signed(),
            });
        ReportingEvent {
            basic: Some(BasicData {
                target: Some(ComputerTargetIdentifier { sid: Some(profile.id.to_string()) }),
                sequence_number: 0,
                time_at_target: self.clock.now(),
                event_instance_id: self.random.guid(),
                namespace_id: NAMESPACE,
                event_id: happening.event_id(),
                source_id: SOURCE,
                update: Some(update),
                win32_hresult: happening.hresult().as_i32(),
                app_name: Some(profile.caller.clone()),
            }),
            extended: Some(ExtendedData {
                replacement_strings: happening.replacements(subject.and_then(|subject| subject.title)),
                misc_data: misc_data(&profile, happening, subject),
                computer_brand: Some(profile.manufacturer.clone()),
                computer_model: Some(profile.model.clone()),
                bios_revision: Some(profile.bios_version.clone()),
                processor_architecture: architecture.unwrap_or_default(),
                os_version: DetailedVersion {
                    major,
                    minor,
                    build,
                    // What Windows 11 sends (observed).
                    revision: 65_792,
                    service_pack_major: 0,
                    service_pack_minor: 0,
                },
                os_locale_id: profile.locale_id,
                device_id: None,
            }),
            private: Some(PrivateData::default()),
        }
    }
}

/// `MiscData`: the tags of MS-WUSP 2.2.2.3.1 that an agent has something to say for, in its order.
fn misc_data(profile: &Profile, happening: &Happening, subject: Option<Subject<'_>>) -> Vec<String> {
    let mut data = Vec::new();
    if let Happening::Downloaded(bytes) = happening {
        data.push(format!("B={bytes}"));
    }
    if matches!(happening, Happening::Installed | Happening::RestartPending | Happening::UninstallRestart) {
        // Observed on 183 and 201.
        data.push("D=1".to_owned());
    }
    let parent = subject.and_then(|subject| subject.parent);
    if let (Happening::InstallFailed(code), Some(_)) = (happening, parent) {
        data.push(format!("F={}", code.as_i32()));
    }
    data.push(format!("G={}", agent_version()));
    data.push(format!("J={}", profile.sampling_value));
    data.push("K=unknown".to_owned());
    data.push("L=2022-02-02T00:00:00".to_owned());
    if let Some(parent) = parent {
        data.push(format!("M={};{}", parent.update.to_string().to_ascii_uppercase(), parent.revision));
    }
    let kind = if subject.is_some_and(|subject| subject.is_bundle) { 2 } else { 1 };
    data.push(format!("Q={kind}"));
    if let Happening::Status { needed, installed } = happening {
        data.extend(list("U", needed));
        data.extend(list("V", installed));
    }
    data.push(format!("AppName={}", profile.caller));
    data.push(format!("c={}", profile.product_type));
    data
}

/// Upper-case ids, sorted, and no entry at all without any (observed).
fn list(key: &str, ids: &[UpdateId]) -> Option<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| id.to_string().to_ascii_uppercase()).collect();
    ids.sort_unstable();
    (!ids.is_empty()).then(|| format!("{key}={}", ids.join(";")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::{Guid, RevisionNumber, Timestamp};

    fn writer() -> EventWriter {
        let profile =
            Arc::new(Profile::windows_11("e1da06a3-5601-43c9-bac3-52d5db701494", "pc.example").unwrap());
        EventWriter::new(profile, Clock::from_fn(|| Timestamp::UNIX_EPOCH), Random::seeded(1))
    }

    fn identity(n: u128) -> UpdateIdentity {
        UpdateIdentity { update: UpdateId(Guid::from_u128(n)), revision: RevisionNumber::new(200).unwrap() }
    }

    fn misc(event: &ReportingEvent) -> Vec<&str> {
        event.extended.as_ref().unwrap().misc_data.iter().map(String::as_str).collect()
    }

    #[test]
    fn status_lists_are_upper_case_sorted_and_absent_when_empty() {
        let needed = vec![identity(0xb).update, identity(0xa).update];
        let event = writer().event(&Happening::Status { needed, installed: Vec::new() }, None);
        let list = "U=00000000-0000-0000-0000-00000000000A;00000000-0000-0000-0000-00000000000B";
        assert!(misc(&event).contains(&list), "{event:?}");
        assert!(!misc(&event).iter().any(|entry| entry.starts_with("V=")));
        let basic = event.basic.unwrap();
        assert_eq!((basic.event_id, basic.update.unwrap().update), (156, Guid::ZERO));
    }

    #[test]
    fn a_failure_names_its_code_and_the_bundle_it_belongs_to() {
        let child =
            Subject { identity: identity(1), title: None, parent: Some(identity(0xabc)), is_bundle: false };
        let event = writer().event(&Happening::InstallFailed(HResult::NOT_DOWNLOADED), Some(child));
        assert!(misc(&event).contains(&"M=00000000-0000-0000-0000-000000000ABC;200"));
        assert!(misc(&event).contains(&"F=-2145099769"));
        assert_eq!(event.basic.unwrap().win32_hresult, -2_145_099_769);
        let parent = Subject { identity: identity(2), title: Some("Tool"), parent: None, is_bundle: true };
        let event = writer().event(&Happening::InstallFailed(HResult::NOT_DOWNLOADED), Some(parent));
        assert_eq!(event.extended.as_ref().unwrap().replacement_strings, ["0x80246007", "Tool"]);
        assert!(misc(&event).contains(&"Q=2"));
    }

    #[test]
    fn a_pending_restart_is_201_with_its_success_code() {
        let event = writer().event(&Happening::RestartPending, None);
        assert!(misc(&event).contains(&"D=1"));
        let basic = event.basic.unwrap();
        assert_eq!((basic.event_id, basic.win32_hresult, basic.source_id), (201, 2_359_301, 101));
    }

    #[test]
    fn every_event_has_an_instance_of_its_own() {
        let mut writer = writer();
        let mut instance = || writer.event(&Happening::InstallStarted, None).basic.unwrap().event_instance_id;
        assert_ne!(instance(), instance());
    }
}
