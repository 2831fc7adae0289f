//! Scan: how well a driver fits a device, as one value that compares in the order of the rules of
//! MS-WUSP 3.1.5.7. Smaller is better.

use super::{DriverRow, DriverTexts};
use crate::query::{Device, InstalledDriver};
use core::cmp::Reverse;
use sluicegate_terms::{Guid, Timestamp};

/// Worse than any position in a list.
const NOWHERE: u32 = u32::MAX;

/// The five rules, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rank {
    /// Position of the matching computer hardware id.
    computer: u32,
    /// Feature score.
    feature: u8,
    /// Position of the matching hardware or compatible id.
    hardware: u32,
    date: Reverse<Timestamp>,
    version: Reverse<u64>,
}

fn position(list: &[Guid], wanted: Guid) -> u32 {
    list.iter().position(|id| *id == wanted).map_or(NOWHERE, crate::pool::count)
}

/// Where a driver's computer ids match; `None` when it is meant for other computers only.
fn computer_position(row: &DriverRow, texts: &DriverTexts, computers: &[Guid]) -> Option<u32> {
    let mut best = NOWHERE;
    for list in [texts.computers(row.distribution), texts.computers(row.target)] {
        let matching = list.iter().map(|id| position(computers, *id)).min();
        match matching {
            None => {}
            Some(NOWHERE) => return None,
            Some(place) => best = best.min(place),
        }
    }
    Some(best)
}

impl Rank {
    /// Of a driver entry that matches a device by its id number `hardware`; `None` when the entry is
    /// targeted at other computers. `system` is the text of the feature score matching key.
    pub(crate) fn of_entry(
        row: &DriverRow,
        texts: &DriverTexts,
        hardware: u32,
        computers: &[Guid],
        system: Option<u32>,
    ) -> Option<Self> {
        Some(Self {
            computer: computer_position(row, texts, computers)?,
            feature: texts.score(row, system),
            hardware,
            date: Reverse(row.date),
            version: Reverse(row.version),
        })
    }

    /// Of the driver a device has; `None` when it has none.
    pub(crate) fn of_installed(device: &Device<'_>, computers: &[Guid]) -> Option<Self> {
        let driver = device.installed.as_ref().filter(|driver| !is_absent(driver))?;
        let hardware = driver.matching_id.and_then(|matching| {
            let mut ids = device.hardware_ids.iter().chain(&device.compatible_ids);
            ids.position(|id| id.trim().to_lowercase() == matching.trim().to_lowercase())
        });
        Some(Self {
            computer: driver.matching_computer_id.map_or(NOWHERE, |id| position(computers, id)),
            feature: feature_of_rank(driver.rank),
            hardware: hardware.map_or(NOWHERE, crate::pool::count),
            date: Reverse(driver.ver_date),
            version: Reverse(driver.ver_version),
        })
    }
}

/// A driver of the year 1 with version 0 is how agents say "none" (observed behaviour 3.1).
fn is_absent(driver: &InstalledDriver<'_>) -> bool {
    driver.ver_date <= Timestamp::MIN && driver.ver_version == 0
}

/// The feature score is the second byte of a Windows driver rank; an unknown rank, -1, has the worst one.
fn feature_of_rank(rank: i32) -> u8 {
    rank.to_be_bytes().get(1).copied().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_score_is_read_from_the_rank() {
        assert_eq!(feature_of_rank(0x00FF_0002), 0xFF);
        assert_eq!(feature_of_rank(0x0012_1003), 0x12);
        assert_eq!(feature_of_rank(-1), 0xFF);
        assert_eq!(feature_of_rank(0), 0);
    }

    #[test]
    fn earlier_rules_outweigh_later_ones() {
        let rank = Rank {
            computer: 1,
            feature: 2,
            hardware: 3,
            date: Reverse(Timestamp::UNIX_EPOCH),
            version: Reverse(4),
        };
        assert!(Rank { computer: 0, feature: 255, hardware: 9, version: Reverse(0), ..rank } < rank);
        assert!(Rank { feature: 1, hardware: 9, ..rank } < rank);
        assert!(Rank { hardware: 2, version: Reverse(0), ..rank } < rank);
        assert!(Rank { date: Reverse(Timestamp::from_unix_seconds(1)), version: Reverse(0), ..rank } < rank);
        assert!(Rank { version: Reverse(5), ..rank } < rank);
    }
}
