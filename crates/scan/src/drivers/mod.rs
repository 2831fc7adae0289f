//! Scan: drivers, indexed by hardware id so that the cost of a driver pass follows the devices of the
//! computer. Text is kept once, in lower case: letter case does not distinguish ids, classes or names.

mod matching;
mod rank;

pub(crate) use matching::{BestMatch, best_matches};

use crate::pool::{Pool, Ragged, count};
use rustc_hash::FxHashMap;
use sluicegate_catalog::DriverEntry;
use sluicegate_terms::{Guid, Timestamp};

/// The classes that have rules of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DriverClass {
    Ordinary,
    /// Printers, which keep their provider (MS-WUSP 3.1.5.7).
    Printer,
    /// Extends the driver of a device instead of replacing it (MS-WUSP 2.2.2.2.4, extensionDriver).
    Extension,
}

impl DriverClass {
    /// From a class name or the GUID of a device setup class; agents send both (observed in recorded
    /// driver passes: `Printer` for queues, GUIDs for plug-and-play devices).
    pub(crate) fn of(class: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|name| class.trim().eq_ignore_ascii_case(name));
        if is(&["Printer", "Printers", "{4d36e979-e325-11ce-bfc1-08002be10318}"]) {
            Self::Printer
        } else if is(&["Extension", "Extensions", "{e2f84ce7-8efa-411c-aa69-97454ca4cb57}"]) {
            Self::Extension
        } else {
            Self::Ordinary
        }
    }
}

/// One entry of the driver table (MS-WUSP 3.1.1), its texts and lists by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverRow {
    pub(crate) hardware: u32,
    pub(crate) provider: u32,
    pub(crate) manufacturer: u32,
    pub(crate) compatible: u32,
    pub(crate) scores: u32,
    pub(crate) distribution: u32,
    pub(crate) target: u32,
    pub(crate) whql: u32,
    pub(crate) date: Timestamp,
    pub(crate) version: u64,
    pub(crate) class: DriverClass,
    /// Index of its revision; known once compiled.
    pub(crate) revision: u32,
}

/// Texts and lists that driver entries share.
#[derive(Debug, Default)]
pub(crate) struct DriverTexts {
    texts: Pool<u8>,
    compatible: Pool<u32>,
    scores: Pool<(u32, u8)>,
    computers: Pool<Guid>,
}

/// Replaces `buffer` by `text` in lower case.
pub(crate) fn fold_case(buffer: &mut String, text: &str) {
    buffer.clear();
    buffer.extend(text.trim().chars().flat_map(char::to_lowercase));
}

impl DriverTexts {
    fn add(&mut self, text: &str) -> u32 {
        let mut folded = String::new();
        fold_case(&mut folded, text);
        self.texts.intern(folded.as_bytes())
    }

    /// The number of a text given in any letter case.
    pub(crate) fn find(&self, text: &str, buffer: &mut String) -> Option<u32> {
        fold_case(buffer, text);
        self.texts.find(buffer.as_bytes())
    }

    pub(crate) fn text(&self, number: u32) -> String {
        String::from_utf8_lossy(self.texts.get(number)).into_owned()
    }

    pub(crate) fn computers(&self, number: u32) -> &[Guid] {
        self.computers.get(number)
    }

    /// The feature score for an operating system; the worst when the driver names none.
    pub(crate) fn score(&self, row: &DriverRow, system: Option<u32>) -> u8 {
        let scores = self.scores.get(row.scores).iter();
        scores.filter(|(s, _)| Some(*s) == system).map(|(_, score)| *score).min().unwrap_or(u8::MAX)
    }

    /// Whether the driver is from this provider or says it can take the place of its drivers.
    pub(crate) fn is_from(&self, row: &DriverRow, provider: u32) -> bool {
        row.provider == provider || self.compatible.get(row.compatible).contains(&provider)
    }
}

/// Not the index of any revision.
const NO_REVISION: u32 = u32::MAX;

/// Driver entries on their way into a snapshot.
#[derive(Debug, Default)]
pub(crate) struct DriverRows {
    rows: Vec<DriverRow>,
    texts: DriverTexts,
}

impl DriverRows {
    /// Adds the entries of one revision and gives their range.
    pub(crate) fn add(&mut self, entries: &[DriverEntry]) -> (u32, u32) {
        let first = count(self.rows.len());
        for entry in entries {
            let texts = &mut self.texts;
            let compatible: Vec<u32> = entry.compatible_providers.iter().map(|p| texts.add(p)).collect();
            let scores: Vec<(u32, u8)> =
                entry.feature_scores.iter().map(|s| (texts.add(&s.operating_system), s.score)).collect();
            let row = DriverRow {
                hardware: texts.add(&entry.hardware_id),
                provider: texts.add(&entry.provider),
                manufacturer: texts.add(&entry.manufacturer),
                compatible: texts.compatible.intern(&compatible),
                scores: texts.scores.intern(&scores),
                distribution: texts.computers.intern(&entry.distribution_computer_ids),
                target: texts.computers.intern(&entry.target_computer_ids),
                whql: entry.whql_driver_id,
                date: entry.ver_date,
                version: entry.ver_version,
                class: DriverClass::of(&entry.class),
                revision: 0,
            };
            self.rows.push(row);
        }
        (first, count(self.rows.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Keeps the entries of revisions in scope, given as (index, range of rows) by index. They stay in the order in
    /// which they came, so that no other list of them has to be made.
    pub(crate) fn compile(mut self, in_scope: &[(u32, (u32, u32))]) -> DriverIndex {
        for row in &mut self.rows {
            row.revision = NO_REVISION;
        }
        for (revision, (start, end)) in in_scope {
            let rows = self.rows.get_mut(*start as usize..*end as usize).unwrap_or_default();
            rows.iter_mut().for_each(|row| row.revision = *revision);
        }
        self.rows.retain(|row| row.revision != NO_REVISION);
        self.rows.shrink_to_fit();
        let mut index = DriverIndex { rows: self.rows, ..DriverIndex::default() };
        index.revisions = in_scope.iter().map(|(revision, _)| *revision).collect();
        index.of_revision = in_scope.iter().map(|(revision, _)| (*revision, (0, 0))).collect();
        let mut first = 0;
        for same in index.rows.chunk_by(|one, other| one.revision == other.revision) {
            let end = first + count(same.len());
            if let Some(range) = same.first().and_then(|row| index.of_revision.get_mut(&row.revision)) {
                *range = (first, end);
            }
            first = end;
        }
        let pairs = index.rows.iter().zip(0_u32..).map(|(row, number)| (row.hardware, number));
        index.by_hardware = Ragged::group(self.texts.texts.lists().len(), pairs);
        index.texts = self.texts;
        index
    }
}

/// The drivers of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct DriverIndex {
    rows: Vec<DriverRow>,
    /// Entries by number of the hardware id's text.
    by_hardware: Ragged<u32>,
    of_revision: FxHashMap<u32, (u32, u32)>,
    /// Every driver in scope, by index.
    revisions: Vec<u32>,
    texts: DriverTexts,
}

impl DriverIndex {
    pub(crate) fn texts(&self) -> &DriverTexts {
        &self.texts
    }

    pub(crate) fn revisions(&self) -> &[u32] {
        &self.revisions
    }

    /// The entries of one revision.
    pub(crate) fn rows_of(&self, revision: u32) -> &[DriverRow] {
        let (start, end) = self.of_revision.get(&revision).copied().unwrap_or_default();
        self.rows.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The entries for a hardware id given in any letter case.
    pub(crate) fn rows_for(
        &self,
        hardware_id: &str,
        buffer: &mut String,
    ) -> impl Iterator<Item = &DriverRow> {
        let numbers = self.texts.find(hardware_id, buffer).map_or(&[][..], |text| self.by_hardware.get(text));
        numbers.iter().filter_map(|number| self.rows.get(*number as usize))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = &self.texts;
        self.rows.capacity() * size_of::<DriverRow>()
            + self.by_hardware.heap_bytes()
            + self.of_revision.capacity() * 13
            + self.revisions.capacity() * 4
            + texts.texts.heap_bytes()
            + texts.compatible.heap_bytes()
            + texts.scores.heap_bytes()
            + texts.computers.heap_bytes()
    }
}
