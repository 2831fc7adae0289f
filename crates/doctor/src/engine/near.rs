//! Doctor room: signals close together. Remembers the latest line of each signal of a match, and says
//! when all of them stand within a few lines of each other.

use super::found::Group;
use super::{KEPT, Line};
use crate::finding::Evidence;
use crate::scan::Hit;

/// The latest lines of one match in one file.
#[derive(Debug)]
pub(crate) struct Near {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    /// 0: none yet.
    line: u64,
    bytes: Vec<u8>,
    /// The signal that holds there.
    signal: usize,
    /// What is shown of a line too long to be kept.
    ready: Option<Evidence>,
    key: Option<Box<str>>,
    host: Option<Box<str>>,
}

impl Near {
    pub(crate) fn new(signals: usize) -> Self {
        Self { slots: vec![Slot::default(); signals] }
    }

    pub(crate) fn set(&mut self, position: usize, hit: &Hit, line: Line<'_>) {
        let Some(slot) = self.slots.get_mut(position) else { return };
        slot.line = line.number;
        slot.bytes.clear();
        slot.bytes.extend_from_slice(line.bytes.get(..KEPT).unwrap_or(line.bytes));
        slot.signal = hit.signal;
        slot.ready = (line.bytes.len() > KEPT).then(|| line.evidence());
        slot.key.clone_from(&hit.captured.key);
        slot.host.clone_from(&hit.captured.host);
    }

    /// The group, when `line` makes it whole; the next one begins afresh. `keep` says, by its key, whether
    /// the lines that show it are wanted.
    pub(crate) fn complete(
        &mut self,
        line: Line<'_>,
        within: u32,
        ordered: bool,
        keep: impl FnOnce(Option<&str>) -> bool,
    ) -> Option<Group> {
        let first = self.slots.iter().map(|slot| slot.line).min()?;
        if first == 0 || line.number.saturating_sub(first) > u64::from(within) {
            return None;
        }
        if ordered && !self.slots.is_sorted_by_key(|slot| slot.line) {
            return None;
        }
        let mut group = Group { first, last: line.number, ..Group::default() };
        let mut slots: Vec<&mut Slot> = self.slots.iter_mut().collect();
        slots.sort_by_key(|slot| slot.line);
        for slot in &mut slots {
            group.key = group.key.or_else(|| slot.key.take());
            group.host = group.host.or_else(|| slot.host.take());
        }
        if keep(group.key.as_deref()) {
            // A line that has several of the signals is shown once.
            slots.dedup_by_key(|slot| slot.line);
            let shown = |slot: &mut &mut Slot| {
                let signal = line.signal.map(|(matcher, _)| (matcher, slot.signal));
                let kept = Line { bytes: &slot.bytes, number: slot.line, signal, ..line };
                slot.ready.take().unwrap_or_else(|| kept.evidence())
            };
            group.evidence = slots.iter_mut().map(shown).collect();
        }
        self.slots.iter_mut().for_each(|slot| slot.line = 0);
        Some(group)
    }
}
