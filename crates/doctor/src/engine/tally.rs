//! Doctor room: error codes in one file. Lines close in time are one incident (an agent logs one failure
//! on several lines); a scan that works afterwards is remembered, because it makes a single incident noise.

use super::Line;
use crate::finding::Evidence;

/// Incidents of one code kept for one file; more are only counted.
const INCIDENTS: usize = 64;
/// Seconds without the code after which it is another incident.
const APART_SECONDS: i64 = 120;
/// The same in lines, for lines without a time.
const APART_LINES: u64 = 100;
/// Lines after an explained failure that still belong to it: the agent repeats the code as it gives up.
const AFTERMATH: u64 = 40;

/// One code in one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) incidents: Vec<Incident>,
    /// Incidents beyond those kept.
    pub(crate) more: u64,
    /// A scan worked after the last incident.
    pub(crate) recovered: bool,
    /// The last line it was seen on.
    pub(crate) latest: Option<(u64, Option<i64>)>,
}

/// Lines that tell of one failure.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) evidence: Evidence,
    /// The rule that explains it.
    pub(crate) claimed: Option<usize>,
}

impl Tally {
    pub(crate) fn seen(&mut self, line: Line<'_>) {
        let seconds = line.seconds();
        let same = self.latest.is_some_and(|(last_line, last)| match (last, seconds) {
            (Some(before), Some(now)) => (now - before).abs() <= APART_SECONDS,
            _ => line.number.saturating_sub(last_line) <= APART_LINES,
        });
        self.latest = Some((line.number, seconds));
        if same && !self.recovered {
            if let Some(incident) = self.incidents.last_mut().filter(|_| self.more == 0) {
                incident.last = line.number;
            }
            return;
        }
        self.recovered = false;
        if self.incidents.len() < INCIDENTS {
            self.incidents.push(Incident {
                first: line.number,
                last: line.number,
                evidence: line.evidence(),
                claimed: None,
            });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn recovered(&mut self) {
        self.recovered = true;
    }

    /// The lines from `first` to `last` are explained by `rule`.
    pub(crate) fn claim(&mut self, first: u64, last: u64, rule: usize) {
        for incident in self.incidents.iter_mut().rev() {
            if incident.last < first {
                break;
            }
            if incident.first <= last.saturating_add(AFTERMATH) {
                incident.claimed = Some(rule);
            }
        }
    }
}
