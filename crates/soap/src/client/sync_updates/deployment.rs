//! SOAP: how a revision is deployed to a client (MS-WUSP 2.2.2.2.4, Deployment). `ClientBehaviors`
//! was never seen on the wire, has no defined meaning for an update server, and is passed over.

use crate::error::DecodeError;
use crate::field::{Field, message, read_scalar};
use crate::reader::XmlReader;
use crate::writer::XmlWriter;
use sluicegate_terms::{DeploymentAction, DeploymentId, TermError, Timestamp};

message! {
    /// How a revision is deployed to a client.
    pub struct Deployment {
        /// Which deployment.
        id: DeploymentId = "ID",
        /// What the client does.
        action: DeploymentAction = "Action",
        /// Until when it must be done.
        deadline: Option<Timestamp> = "Deadline",
        /// True to do it without asking; true for everything on real servers (observed).
        is_assigned: bool = "IsAssigned",
        /// When it was made.
        last_change: Day = "LastChangeTime",
        /// How urgent the download is.
        download_priority: Option<String> = "DownloadPriority",
        /// Hardware it is for; for drivers, protocol 1.6 and newer.
        hardware_ids: Vec<String> = "HardwareIds"["string"],
        /// 0; protocol 1.8 and newer.
        auto_select: Option<i32> = "AutoSelect",
        /// 0; protocol 1.8 and newer.
        auto_download: Option<i32> = "AutoDownload",
        /// 0; protocol 1.8 and newer.
        supersedence_behavior: Option<i32> = "SupersedenceBehavior",
        /// 0; protocol 1.8 and newer; never seen.
        flag_bitmask: Option<i32> = "FlagBitmask",
    }
}

impl Deployment {
    /// What real servers send to today's agents: assigned, no deadline, the three fields of
    /// protocol 1.8 at 0 (observed-behaviour 3.2).
    #[must_use]
    pub fn plain(id: DeploymentId, action: DeploymentAction, last_change: Timestamp) -> Self {
        Self {
            id,
            action,
            deadline: None,
            is_assigned: true,
            last_change: Day::of(last_change),
            download_priority: None,
            hardware_ids: Vec::new(),
            auto_select: Some(0),
            auto_download: Some(0),
            supersedence_behavior: Some(0),
            flag_bitmask: None,
        }
    }
}

/// A day in UTC; `LastChangeTime` is written as an `xs:date` (MS-WUSP 2.2.2.2.4 and observed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(Timestamp);

impl Day {
    /// The day of a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(Timestamp::from_unix_seconds(time.unix_seconds().div_euclid(86_400) * 86_400))
    }

    /// Its first moment.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.0
    }
}

impl<'a> Field<'a> for Day {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, |text| text.parse().map(Self::of).map_err(|e: TermError| e.to_string()))
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(&self.0.date()));
    }
}
