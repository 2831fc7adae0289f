//! Policy: the events agents report, as data. Ids, state groups and severities are those of a real
//! server's own table (observed behaviour, section 6); the sentences are ours. Namespace 1 only;
//! namespace 2 holds a server's own events.

/// Which part of an agent's work an event belongs to. The numbers are the real server's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum StateGroup {
    /// Unspecified.
    General = 1,
    /// Log entries of released agents.
    Log = 2,
    /// Debug log entries.
    Debug = 3,
    /// Without a documented meaning.
    Other = 4,
    /// The computer's status as a whole.
    Status = 5,
    /// Looking for updates.
    Detection = 6,
    /// Fetching files.
    Download = 7,
    /// Installing.
    Installation = 8,
    /// Removing.
    Uninstallation = 9,
    /// Fetching inventory rules.
    InventoryDownload = 10,
    /// Collecting inventory.
    InventoryCollection = 11,
    /// Sending inventory.
    InventoryUpload = 12,
    /// Without a documented meaning.
    Reserved13 = 13,
    /// Without a documented meaning.
    Reserved14 = 14,
    /// Going back to the state before an update.
    Revert = 15,
    /// Finishing an installation.
    Commit = 16,
}

/// How bad an event is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Something failed.
    Error,
    /// For information.
    Information,
}

/// What is known about one event id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventKind {
    /// The id, as `BasicData/EventID` carries it.
    pub id: u16,
    /// Part of the work.
    pub group: StateGroup,
    /// How bad.
    pub severity: Severity,
    /// One sentence for people; empty for ids without a documented meaning.
    pub text: &'static str,
}

/// The event with this id, if a real server knows it.
#[must_use]
pub fn event_kind(id: u16) -> Option<&'static EventKind> {
    EVENTS.binary_search_by_key(&id, |kind| kind.id).ok().and_then(|at| EVENTS.get(at))
}

const fn ok(id: u16, group: StateGroup, text: &'static str) -> EventKind {
    EventKind { id, group, severity: Severity::Information, text }
}

const fn bad(id: u16, group: StateGroup, text: &'static str) -> EventKind {
    EventKind { id, group, severity: Severity::Error, text }
}

use StateGroup::{
    Commit, Debug as DebugLog, Detection, Download, General, Installation, InventoryCollection,
    InventoryDownload, InventoryUpload, Log, Other, Reserved13, Reserved14, Revert, Status, Uninstallation,
};

#[rustfmt::skip]
const EVENTS: &[EventKind] = &[
    ok(1, General, "Unspecified event"),
    ok(2, Log, "Log entry"),
    ok(3, DebugLog, "Debug log entry"),
    bad(121, InventoryDownload, "The inventory rules could not be fetched"),
    bad(122, InventoryCollection, "The inventory rules could not be read"),
    bad(123, InventoryCollection, "The inventory could not be collected"),
    bad(124, InventoryUpload, "The inventory could not be sent"),
    bad(125, InventoryCollection, "The inventory failed"),
    ok(126, InventoryCollection, "The inventory was collected"),
    ok(147, Detection, "The scan found updates"),
    bad(148, Detection, "The scan failed"),
    bad(149, Detection, "The update service could not be reached"),
    ok(153, Status, "The computer reported its status"),
    bad(154, Detection, "The agent's product id is not valid"),
    ok(155, Detection, ""),
    ok(156, Status, "The computer reported which updates it needs and which it has"),
    bad(161, Download, "The download failed"),
    ok(162, Download, "The download is complete"),
    ok(163, Download, "The download was cancelled"),
    ok(164, Download, "The download is complete; part of it came from a peer"),
    ok(167, Download, "The download started"),
    ok(168, Download, "The download is queued"),
    ok(181, Installation, "The installation started"),
    bad(182, Installation, "The installation failed"),
    ok(183, Installation, "The installation succeeded"),
    ok(184, Installation, "The installation succeeded; a restart is required"),
    ok(185, Installation, "Somebody hid the update"),
    ok(186, Installation, "Somebody cancelled the installation"),
    bad(187, Installation, "The agent ended the installation"),
    ok(188, Installation, "The update is downloaded; its installation is scheduled"),
    ok(189, Installation, "The update is downloaded; it waits for somebody to install it"),
    ok(190, Installation, "The installation succeeded"),
    ok(191, Installation, "The installation succeeded; a restart is required"),
    bad(192, Installation, "The agent ended the installation"),
    ok(193, Installation, "A restart is required before more updates can be found"),
    ok(194, Installation, "A restart is required and will happen soon"),
    bad(195, Installation, "The installation failed"),
    ok(196, Installation, "Somebody showed a hidden update again"),
    ok(197, Installation, "The installation succeeded"),
    bad(198, Installation, "The installation failed"),
    ok(199, Installation, "The installation succeeded; a restart is required"),
    bad(200, Installation, "The agent ended the installation"),
    ok(201, Installation, "The installation waits for a restart"),
    ok(202, Installation, "The restart is done"),
    ok(203, Installation, "The installation succeeded after the restart"),
    bad(204, Installation, "The installation failed after the restart"),
    bad(221, Uninstallation, "The removal failed"),
    ok(222, Uninstallation, "The removal succeeded"),
    ok(223, Uninstallation, "Somebody cancelled the removal"),
    ok(224, Uninstallation, "The removal succeeded; a restart is required"),
    bad(225, Uninstallation, "The agent ended the removal"),
    // The real table marks this start as an error.
    bad(226, Uninstallation, "The removal started"),
    ok(241, Reserved13, ""), ok(242, Reserved13, ""), ok(243, Reserved14, ""), ok(244, Reserved14, ""),
    ok(245, Reserved13, ""), ok(251, Reserved14, ""), ok(252, Reserved14, ""), ok(253, Reserved14, ""),
    ok(254, Reserved14, ""), ok(271, Other, ""), ok(272, Other, ""), ok(273, Other, ""), ok(274, Other, ""),
    ok(281, Detection, ""), ok(282, Detection, ""), ok(283, Detection, ""), ok(284, Detection, ""),
    ok(285, Detection, ""), ok(286, Detection, ""), ok(287, Detection, ""), ok(288, Detection, ""),
    ok(289, Detection, ""), ok(290, Detection, ""), ok(291, Detection, ""), ok(292, Detection, ""),
    ok(293, Detection, ""), ok(294, Detection, ""), ok(295, Detection, ""), ok(296, Detection, ""),
    ok(298, Detection, ""), ok(299, Detection, ""), ok(501, Detection, ""), ok(502, Detection, ""),
    ok(503, Detection, ""), ok(504, Detection, ""), ok(505, Detection, ""), ok(506, Detection, ""),
    ok(507, Detection, ""), ok(508, Detection, ""), ok(509, Detection, ""), ok(510, Detection, ""),
    ok(511, Detection, ""), ok(512, Detection, ""),
    ok(521, Commit, "Finishing the installation started"),
    bad(522, Commit, "Finishing the installation failed"),
    ok(523, Commit, "The installation is finished"),
    ok(524, Commit, "The agent cancelled finishing the installation"),
    bad(525, Commit, "The agent ended finishing the installation"),
    bad(541, Revert, "Going back failed"),
    ok(542, Revert, "Going back succeeded"),
    ok(543, Revert, "Somebody cancelled going back"),
    ok(544, Revert, "Going back succeeded; a restart is required"),
    bad(545, Revert, "The agent ended going back"),
    ok(546, Revert, "Going back started"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_id_is_found() {
        assert!(EVENTS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for kind in EVENTS {
            assert_eq!(event_kind(kind.id), Some(kind));
        }
        assert_eq!(event_kind(297), None);
    }

    #[test]
    fn the_table_agrees_with_the_recorded_one_of_a_real_server() {
        let root = std::env::var_os("SLUICEGATE_SHARED").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            std::path::PathBuf::from,
        );
        let path = root.join("captures/client-reports/susdb-client-event-table.csv");
        let Ok(table) = std::fs::read_to_string(&path) else {
            println!("skipped: {} is not there", path.display());
            return;
        };
        let rows: Vec<(u16, u8, bool)> = table
            .lines()
            .skip(1)
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                let cells: Vec<&str> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
                assert_eq!(cells[0], "1");
                (cells[1].parse().unwrap(), cells[2].parse().unwrap(), cells[3] == "1")
            })
            .collect();
        let ours: Vec<_> =
            EVENTS.iter().map(|k| (k.id, k.group as u8, k.severity == Severity::Error)).collect();
        assert_eq!(ours, rows);
    }
}
