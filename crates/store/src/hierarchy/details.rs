//! Store: what a computer is, as servers tell it to each other, in the compact form it is kept in.

use crate::wire::{Malformed, Reader, put_bytes, put_u32};
use sluicegate_terms::{GroupId, Timestamp};

/// Longest text of a computer's details that is kept, in characters.
pub(super) const LONGEST_TEXT: usize = 256;

/// What a computer is (`ComputerRollupDetails`, MS-WSUSSS 3.1.4.15.3.3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // The names are the attributes'.
pub struct ComputerDetails {
    pub groups: Vec<GroupId>,
    pub requested_groups: Vec<String>,
    pub ip_address: String,
    pub full_domain_name: String,
    /// Major, minor, build, service pack major and minor.
    pub os_version: [i32; 5],
    pub os_locale: String,
    pub os_family: String,
    pub os_description: String,
    pub computer_make: String,
    pub computer_model: String,
    pub bios_version: String,
    pub bios_name: String,
    pub bios_release_date: Timestamp,
    pub processor_architecture: String,
    pub suite_mask: i16,
    pub old_product_type: u8,
    pub new_product_type: i32,
    pub system_metrics: i32,
    pub client_version: String,
}

impl ComputerDetails {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        put_u32(&mut out, u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        self.groups.iter().for_each(|g| out.extend_from_slice(g.0.as_bytes()));
        put_u32(&mut out, u32::try_from(self.requested_groups.len()).unwrap_or(u32::MAX));
        let mut put = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect();
            put_bytes(&mut out, text.as_bytes());
        };
        self.requested_groups.iter().for_each(|name| put(name));
        for text in [
            &self.ip_address,
            &self.full_domain_name,
            &self.os_locale,
            &self.os_family,
            &self.os_description,
            &self.computer_make,
            &self.computer_model,
            &self.bios_version,
            &self.bios_name,
            &self.processor_architecture,
            &self.client_version,
        ] {
            put(text);
        }
        self.os_version.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        out.extend_from_slice(&self.bios_release_date.ticks().to_le_bytes());
        out.extend_from_slice(&self.suite_mask.to_le_bytes());
        out.push(self.old_product_type);
        out.extend_from_slice(&self.new_product_type.to_le_bytes());
        out.extend_from_slice(&self.system_metrics.to_le_bytes());
        out
    }

    /// Bytes that hold the groups of any details that are kept, 256 at most.
    pub(super) const GROUPS_WITHIN: u32 = 4 + 256 * 16;

    /// The groups alone, of details or of their beginning.
    pub(super) fn groups_of(bytes: &[u8]) -> Result<Vec<GroupId>, Malformed> {
        let mut r = Reader(bytes);
        (0..r.count(16)?).map(|_| r.guid().map(GroupId)).collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(bytes);
        let groups = (0..r.count(16)?).map(|_| r.guid().map(GroupId)).collect::<Result<_, _>>()?;
        let requested_groups =
            (0..r.count(4)?).map(|_| r.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        let mut text = || r.text().map(str::to_owned);
        let mut details = Self {
            groups,
            requested_groups,
            ip_address: text()?,
            full_domain_name: text()?,
            os_locale: text()?,
            os_family: text()?,
            os_description: text()?,
            computer_make: text()?,
            computer_model: text()?,
            bios_version: text()?,
            bios_name: text()?,
            processor_architecture: text()?,
            client_version: text()?,
            ..Self::default()
        };
        for n in &mut details.os_version {
            *n = i32::from_le_bytes(r.array()?);
        }
        details.bios_release_date = Timestamp::from_ticks(i64::from_le_bytes(r.array()?));
        details.suite_mask = i16::from_le_bytes(r.array()?);
        details.old_product_type = r.u8()?;
        details.new_product_type = i32::from_le_bytes(r.array()?);
        details.system_metrics = i32::from_le_bytes(r.array()?);
        Ok(details)
    }

    /// Tells two details apart; see [`Told::details`].
    #[must_use]
    pub fn mark(&self) -> i64 {
        mark(&self.encode())
    }
}

/// A hash for telling values apart (FNV-1a).
pub(super) fn mark(bytes: &[u8]) -> i64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_le_bytes(hash.to_le_bytes())
}
