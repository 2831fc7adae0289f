//! Policy: what a computer's reported events say about each update. A pure fold, one event at a time,
//! by the rules a real server was observed to follow (observed behaviour, section 6): event 156 names
//! what is needed and installed and replaces everything; 182 marks a failure; others change nothing.

use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::BTreeMap;

/// The state of one update on one computer. The numbers are the real server's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum UpdateState {
    /// The computer has not reported yet.
    Unknown = 0,
    /// The computer reported and did not name the update.
    NotApplicable = 1,
    /// Needed.
    NotInstalled = 2,
    /// Needed, and its files are there. Known to the protocol; no event leads to it (observed).
    Downloaded = 3,
    /// Installed.
    Installed = 4,
    /// An installation failed, and the update is still needed.
    Failed = 5,
    /// Installed once the computer restarts. Known to the protocol; no event leads to it (observed).
    InstalledPendingReboot = 6,
}

impl UpdateState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::NotApplicable,
        Self::NotInstalled,
        Self::Downloaded,
        Self::Installed,
        Self::Failed,
        Self::InstalledPendingReboot,
    ];

    /// The state with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotApplicable => "not-applicable",
            Self::NotInstalled => "needed",
            Self::Downloaded => "downloaded",
            Self::Installed => "installed",
            Self::Failed => "failed",
            Self::InstalledPendingReboot => "pending-reboot",
        }
    }
}

/// The parts of a reported event that status follows from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientEvent<'a> {
    /// `NamespaceID`; only 1 (agents) matters here.
    pub namespace: u8,
    /// `EventID`.
    pub id: u16,
    /// `TimeAtTarget`: the computer's clock, by which all status is ordered.
    pub at: Timestamp,
    /// `UpdateID`; the zero GUID means none.
    pub update: UpdateId,
    /// `Win32HResult`.
    pub result: i32,
    /// `ExtendedData/MiscData`, strings of the form `key=value`.
    pub misc: &'a [&'a str],
}

/// The lists of an event 156.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusLists {
    /// `U`: needed, sorted, each once.
    pub needed: Vec<UpdateId>,
    /// `V`: installed, sorted, each once; never also in `needed`.
    pub installed: Vec<UpdateId>,
}

impl StatusLists {
    /// Most ids taken from one event; more than any catalog offers one computer.
    pub const MAX_IDS: usize = 100_000;

    /// Reads the lists. Words that are not GUIDs are skipped: an agent newer than this server may say
    /// more than is known here. Repeated keys add up, should an agent split a long list.
    #[must_use]
    pub fn parse(misc: &[&str]) -> Self {
        let list = |key: &str| {
            let mut ids: Vec<UpdateId> = misc
                .iter()
                .filter_map(|entry| entry.split_once('=').filter(|(k, _)| *k == key))
                .flat_map(|(_, ids)| ids.split(';'))
                .filter_map(|id| id.trim().parse().ok())
                .take(Self::MAX_IDS)
                .collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let installed = list("V");
        let mut needed = list("U");
        needed.retain(|id| installed.binary_search(id).is_err());
        Self { needed, installed }
    }
}

/// One update's row in a computer's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateRow {
    /// The state; never Unknown or NotApplicable, which are the absence of a row.
    pub state: UpdateState,
    /// Since when, by the computer's clock.
    pub since: Timestamp,
    /// The error code of the failure; 0 in other states.
    pub error: i32,
}

/// What is known about the updates on one computer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputerStatus {
    /// When the computer made the newest event 156; `None` before the first.
    pub reported: Option<Timestamp>,
    /// The rows, by update.
    pub rows: BTreeMap<UpdateId, StateRow>,
}

impl ComputerStatus {
    /// The state of one update.
    #[must_use]
    pub fn state(&self, update: UpdateId) -> UpdateState {
        match (self.rows.get(&update), self.reported) {
            (Some(row), _) => row.state,
            (None, Some(_)) => UpdateState::NotApplicable,
            (None, None) => UpdateState::Unknown,
        }
    }

    /// Takes one event in. Events may come late and more than once; the outcome for a 156 depends on
    /// the computer's clock, not on the order of arrival. Returns whether anything changed.
    pub fn apply(&mut self, event: &ClientEvent<'_>) -> bool {
        match (event.namespace, event.id) {
            (1, 156) => self.apply_lists(event.at, &StatusLists::parse(event.misc)),
            (1, 182) => self.apply_failure(event),
            _ => false,
        }
    }

    fn apply_lists(&mut self, at: Timestamp, lists: &StatusLists) -> bool {
        if self.reported.is_some_and(|newest| at < newest) {
            return false;
        }
        let old = core::mem::take(&mut self.rows);
        let row = |update: &UpdateId, state| {
            let kept = old.get(update).filter(|row| {
                // Not exercised on a real server: a failed update that is still needed has still
                // failed, and saying so is what an administrator needs.
                row.state == state || (row.state == UpdateState::Failed && state == UpdateState::NotInstalled)
            });
            (*update, kept.copied().unwrap_or(StateRow { state, since: at, error: 0 }))
        };
        let needed = lists.needed.iter().map(|u| row(u, UpdateState::NotInstalled));
        let installed = lists.installed.iter().map(|u| row(u, UpdateState::Installed));
        let rows: BTreeMap<UpdateId, StateRow> = needed.chain(installed).collect();
        // A failure the computer reported after it made these lists is not undone by them.
        let later = old.iter().filter(|(_, row)| row.state == UpdateState::Failed && row.since > at);
        let rows = later.fold(rows, |mut rows, (update, row)| {
            rows.insert(*update, *row);
            rows
        });
        let changed = self.reported != Some(at) || rows != old;
        self.rows = rows;
        self.reported = Some(at);
        changed
    }

    fn apply_failure(&mut self, event: &ClientEvent<'_>) -> bool {
        // An event about a member of a bundle names the bundle too (`M=<bundle>;<revision>`), and it is
        // the bundle that event 156 lists.
        let bundle = event
            .misc
            .iter()
            .find_map(|entry| entry.strip_prefix("M="))
            .and_then(|value| value.split(';').next())
            .and_then(|id| id.trim().parse::<UpdateId>().ok());
        let named = Some(event.update).filter(|u| *u != UpdateId::default());
        let mut changed = false;
        for update in [named, bundle].into_iter().flatten() {
            changed |= self.fail(update, event);
        }
        changed
    }

    fn fail(&mut self, update: UpdateId, event: &ClientEvent<'_>) -> bool {
        let outdated = match self.rows.get(&update) {
            // Still needed: the failure counts whenever it happened, unless a later one is known.
            Some(row) if row.state == UpdateState::NotInstalled => false,
            Some(row) => event.at < row.since,
            // A later report no longer names the update.
            None => self.reported.is_some_and(|reported| event.at < reported),
        };
        if outdated {
            return false;
        }
        let row = StateRow { state: UpdateState::Failed, since: event.at, error: event.result };
        self.rows.insert(update, row) != Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    fn uid(n: u128) -> UpdateId {
        UpdateId(Guid::from_u128(n))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn report(status: &mut ComputerStatus, seconds: i64, needed: &[u128], installed: &[u128]) -> bool {
        let join = |key: &str, ids: &[u128]| {
            let ids: Vec<_> = ids.iter().map(|n| uid(*n).to_string().to_uppercase()).collect();
            (!ids.is_empty()).then(|| format!("{key}={}", ids.join(";")))
        };
        let misc: Vec<String> =
            ["G=1".to_owned()].into_iter().chain(join("U", needed)).chain(join("V", installed)).collect();
        let misc: Vec<&str> = misc.iter().map(String::as_str).collect();
        let event =
            ClientEvent { namespace: 1, id: 156, at: at(seconds), update: uid(0), result: 0, misc: &misc };
        status.apply(&event)
    }

    fn event(id: u16, seconds: i64, update: u128, result: i32) -> ClientEvent<'static> {
        ClientEvent { namespace: 1, id, at: at(seconds), update: uid(update), result, misc: &[] }
    }

    #[test]
    fn of_two_reports_of_one_moment_the_one_that_came_last_counts() {
        let mut status = ComputerStatus::default();
        assert!(report(&mut status, 100, &[1], &[]));
        assert!(report(&mut status, 100, &[], &[1]));
        assert_eq!(status.state(uid(1)), UpdateState::Installed);
        assert!(!report(&mut status, 99, &[1], &[]), "an earlier one does not");
    }

    fn failed(status: &mut ComputerStatus, seconds: i64, update: u128) -> bool {
        let (at, update) = (at(seconds), uid(update));
        status.apply(&ClientEvent { namespace: 1, id: 182, at, update, result: -5, misc: &[] })
    }

    #[test]
    fn a_report_undoes_a_failure_of_its_own_moment_and_a_failure_an_installation_of_its_own() {
        let mut status = ComputerStatus::default();
        assert!(failed(&mut status, 100, 1));
        report(&mut status, 100, &[], &[1]);
        assert_eq!(status.state(uid(1)), UpdateState::Installed);
        assert!(failed(&mut status, 100, 1));
        assert_eq!(status.state(uid(1)), UpdateState::Failed);
    }

    #[test]
    fn a_failure_from_before_the_report_counts_while_the_update_is_still_needed() {
        let mut status = ComputerStatus::default();
        report(&mut status, 100, &[1], &[2]);
        assert!(failed(&mut status, 50, 1));
        assert_eq!(status.state(uid(1)), UpdateState::Failed);
        assert!(!failed(&mut status, 99, 2), "it was installed after that");
        assert!(!failed(&mut status, 99, 3), "the report no longer names it");
        assert!(failed(&mut status, 100, 3));
    }

    #[test]
    fn a_later_report_of_the_same_is_a_change_of_its_time() {
        let mut status = ComputerStatus::default();
        assert!(report(&mut status, 100, &[1], &[]));
        assert!(!report(&mut status, 100, &[1], &[]), "the same report again");
        assert!(report(&mut status, 200, &[1], &[]));
        assert_eq!(status.reported, Some(at(200)));
    }

    #[test]
    fn states_are_written_as_commands_take_them() {
        let words = UpdateState::ALL.map(UpdateState::as_str);
        let wanted =
            ["unknown", "not-applicable", "needed", "downloaded", "installed", "failed", "pending-reboot"];
        assert_eq!(words, wanted);
    }

    #[test]
    fn before_the_first_report_everything_is_unknown() {
        assert_eq!(ComputerStatus::default().state(uid(1)), UpdateState::Unknown);
    }

    #[test]
    fn a_report_replaces_all_rows_and_unchanged_rows_keep_their_time() {
        let mut status = ComputerStatus::default();
        assert!(report(&mut status, 10, &[1, 2], &[3]));
        assert!(report(&mut status, 20, &[2], &[1]));
        assert_eq!(status.rows[&uid(2)].since, at(10));
        assert_eq!(status.rows[&uid(1)], StateRow { state: UpdateState::Installed, since: at(20), error: 0 });
        assert_eq!(status.state(uid(3)), UpdateState::NotApplicable);
    }

    #[test]
    fn a_late_report_changes_nothing() {
        let mut status = ComputerStatus::default();
        report(&mut status, 20, &[1], &[]);
        let before = status.clone();
        assert!(!report(&mut status, 10, &[], &[1]));
        assert!(!report(&mut status, 20, &[1], &[]));
        assert_eq!(status, before);
    }

    #[test]
    fn a_failure_shows_until_the_update_is_no_longer_needed() {
        let mut status = ComputerStatus::default();
        report(&mut status, 10, &[1, 2], &[]);
        assert!(status.apply(&event(182, 15, 1, -2_145_099_769)));
        assert_eq!(status.rows[&uid(1)].error, -2_145_099_769);
        report(&mut status, 20, &[1, 2], &[]);
        assert_eq!(status.state(uid(1)), UpdateState::Failed);
        report(&mut status, 30, &[2], &[1]);
        assert_eq!(status.state(uid(1)), UpdateState::Installed);
    }

    #[test]
    fn a_late_failure_does_not_undo_a_later_success() {
        let mut status = ComputerStatus::default();
        report(&mut status, 20, &[], &[1]);
        assert!(!status.apply(&event(182, 15, 1, -1)));
        assert!(!status.apply(&event(182, 15, 9, -1)));
        assert_eq!(status.state(uid(1)), UpdateState::Installed);
        assert_eq!(status.state(uid(9)), UpdateState::NotApplicable);
    }

    #[test]
    fn a_failure_after_the_lists_were_made_survives_them() {
        let mut status = ComputerStatus::default();
        status.apply(&event(182, 50, 1, -1));
        report(&mut status, 40, &[2], &[1]);
        assert_eq!(status.state(uid(1)), UpdateState::Failed);
        assert_eq!(status.state(uid(2)), UpdateState::NotInstalled);
    }

    #[test]
    fn a_failed_member_fails_its_bundle() {
        let mut status = ComputerStatus::default();
        report(&mut status, 10, &[1], &[]);
        let misc = format!("M={};201", uid(1).to_string().to_uppercase());
        let misc = [misc.as_str()];
        status.apply(&ClientEvent { misc: &misc, ..event(182, 12, 7, -5) });
        assert_eq!(status.state(uid(1)), UpdateState::Failed);
        assert_eq!(status.state(uid(7)), UpdateState::Failed);
        report(&mut status, 20, &[1], &[]);
        assert_eq!(status.state(uid(7)), UpdateState::NotApplicable);
    }

    #[test]
    fn other_events_change_nothing() {
        let mut status = ComputerStatus::default();
        report(&mut status, 10, &[1], &[]);
        for id in [147, 153, 161, 162, 167, 181, 183, 184, 201, 203, 222] {
            assert!(!status.apply(&event(id, 20, 1, 0)), "{id}");
        }
        assert!(!status.apply(&ClientEvent { namespace: 2, ..event(182, 20, 1, -1) }));
        assert_eq!(status.state(uid(1)), UpdateState::NotInstalled);
    }

    #[test]
    fn nonsense_in_the_lists_is_skipped() {
        let good = format!("U={};not-a-guid;;{}", uid(2), uid(1));
        let lists = StatusLists::parse(&["U", "=", "V=;", &good, "UU=x"]);
        assert_eq!(lists, StatusLists { needed: vec![uid(1), uid(2)], installed: vec![] });
        let both = format!("V={}", uid(2));
        assert_eq!(StatusLists::parse(&[&good, &both]).needed, [uid(1)]);
    }

    #[test]
    fn states_keep_the_real_servers_numbers() {
        for state in UpdateState::ALL {
            assert_eq!(UpdateState::from_number(state as u8), Some(state));
        }
        assert_eq!(UpdateState::from_number(7), None);
    }
}
