//! Browse: how many updates are decided how, kept up to date as updates come: what a server tells its upstream after
//! each synchronization costs what that brought.

use crate::categories::Branch;
use crate::shelf::{Entry, Shelf};
use crate::summary::Decided;
use crate::updates::ApprovalState;
use sluicegate_terms::UpdateId;

/// How an update counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// Not at all: lists do not show it, or it was not looked at yet.
    None,
    Approved,
    Declined,
    Undecided,
    /// Undecided, and under one of the categories that were asked for.
    UndecidedIn,
}

/// The counts.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// What was asked for.
    categories: Vec<UpdateId>,
    branches: Vec<Branch>,
    decided: Decided,
}

impl Ledger {
    fn line(&self, shelf: &Shelf, entry: &Entry) -> Line {
        if !entry.listed() {
            return Line::None;
        }
        match entry.approval {
            ApprovalState::Approved => Line::Approved,
            ApprovalState::Declined => Line::Declined,
            ApprovalState::Undecided => {
                let under = shelf.categories(entry);
                let within = self.branches.iter().any(|branch| branch.has_any(under));
                if within { Line::UndecidedIn } else { Line::Undecided }
            }
        }
    }

    /// An update counts in another way than before.
    pub(crate) fn change(&mut self, before: Line, now: Line) {
        self.count(before, |count| *count = count.saturating_sub(1));
        self.count(now, |count| *count += 1);
    }

    fn count(&mut self, line: Line, step: impl Fn(&mut u64)) {
        let decided = &mut self.decided;
        match line {
            Line::None => return,
            Line::Approved => step(&mut decided.approved),
            Line::Declined => step(&mut decided.declined),
            Line::Undecided => step(&mut decided.undecided),
            Line::UndecidedIn => {
                step(&mut decided.undecided);
                step(&mut decided.undecided_in);
            }
        }
        step(&mut decided.total);
    }
}

impl Shelf {
    /// What is decided, and how much under these categories is not; counted in full when something else was asked
    /// for last or decisions or categories changed since.
    pub(crate) fn decided(&mut self, categories: &[UpdateId]) -> Decided {
        if let Some(ledger) = self.ledger.as_ref().filter(|ledger| ledger.categories == categories) {
            return ledger.decided;
        }
        let mut ledger = Ledger {
            categories: categories.to_vec(),
            branches: categories.iter().map(|top| Branch::of(self, *top)).collect(),
            decided: Decided::default(),
        };
        let lines: Vec<Line> = self
            .entries
            .iter()
            .map(|slot| slot.as_ref().map_or(Line::None, |entry| ledger.line(self, entry)))
            .collect();
        for (slot, line) in self.entries.iter_mut().zip(lines) {
            let Some(entry) = slot else { continue };
            entry.line = line;
            ledger.change(Line::None, line);
        }
        let decided = ledger.decided;
        self.ledger = Some(ledger);
        decided
    }

    /// Counts what was settled at a place, if anybody asked for counts.
    pub(crate) fn enter_in_ledger(&mut self, place: u32) {
        let Some(mut ledger) = self.ledger.take() else { return };
        let Some(entry) = self.entry(place) else {
            self.ledger = Some(ledger);
            return;
        };
        if entry.category_kind.is_some() && entry.line == Line::None {
            // Other updates may stand under other categories now.
            return;
        }
        let line = ledger.line(self, entry);
        if let Some(Some(entry)) = self.entries.get_mut(place) {
            ledger.change(core::mem::replace(&mut entry.line, line), line);
        }
        self.ledger = Some(ledger);
    }
}
