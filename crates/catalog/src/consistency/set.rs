//! Catalog: the working state of one check: who is still in, what each waits for, and how a refusal spreads.

use super::{Candidate, Known, KnownUpdate, Problem, Verdict};
use rustc_hash::FxHashMap;
use sluicegate_terms::{CategoryKind, UpdateId, UpdateIdentity, UpdateKind};

/// Everything known about one update while checking.
pub(super) struct Slot {
    pub(super) update: UpdateId,
    pub(super) known: Option<KnownUpdate>,
    /// Candidates that are revisions of it.
    pub(super) candidates: Vec<u32>,
    /// How many of them are still in.
    live: u32,
    /// Clauses (candidate, place in `open`) it is an alternative of. Empty when `known`.
    waiting: Vec<(u32, u32)>,
}

pub(super) struct Set<'a, K> {
    pub(super) candidates: &'a [Candidate<'a>],
    pub(super) known: &'a K,
    pub(super) slots: Vec<Slot>,
    slot_of: FxHashMap<UpdateId, u32>,
    by_identity: FxHashMap<UpdateIdentity, u32>,
    verdicts: Vec<Option<Verdict>>,
    /// Alternatives still present, per clause of all candidates.
    open: Vec<u32>,
    /// Which of its prerequisites each place in `open` is.
    clause_at: Vec<u32>,
    /// Who bundles a candidate.
    bundled_by: Vec<Vec<u32>>,
}

impl<'a, K: Known> Set<'a, K> {
    pub(super) fn new(candidates: &'a [Candidate<'a>], known: &'a K) -> Self {
        let mut set = Self {
            candidates,
            known,
            slots: Vec::with_capacity(candidates.len()),
            slot_of: FxHashMap::default(),
            by_identity: FxHashMap::default(),
            verdicts: vec![None; candidates.len()],
            open: Vec::new(),
            clause_at: Vec::new(),
            bundled_by: vec![Vec::new(); candidates.len()],
        };
        for (index, candidate) in (0_u32..).zip(candidates) {
            let slot = set.slot(candidate.record.identity.update);
            if let Some(slot) = set.slots.get_mut(slot as usize) {
                slot.candidates.push(index);
            }
        }
        set
    }

    /// The slot of an update, made when it is new.
    pub(super) fn slot(&mut self, update: UpdateId) -> u32 {
        *self.slot_of.entry(update).or_insert_with(|| {
            let known = self.known.update(update);
            self.slots.push(Slot { update, known, candidates: Vec::new(), live: 0, waiting: Vec::new() });
            self.slots.len() as u32 - 1
        })
    }

    pub(super) fn slot_at(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index as usize)
    }

    pub(super) fn is_live(&self, candidate: u32) -> bool {
        matches!(self.verdicts.get(candidate as usize), Some(None))
    }

    pub(super) fn candidate(&self, index: u32) -> Option<&'a Candidate<'a>> {
        self.candidates.get(index as usize)
    }

    /// The live candidate that is this revision.
    pub(super) fn live_revision(&self, identity: UpdateIdentity) -> Option<u32> {
        self.by_identity.get(&identity).copied().filter(|index| self.is_live(*index))
    }

    fn decide(&mut self, candidate: u32, verdict: Verdict) {
        if let Some(place) = self.verdicts.get_mut(candidate as usize) {
            *place = Some(verdict);
        }
    }

    /// Duplicates, contradictions, changes of kind.
    pub(super) fn check_identities(&mut self) {
        let mut contradicted: Vec<(u32, u32)> = Vec::new();
        for (index, candidate) in (0_u32..).zip(self.candidates) {
            let identity = candidate.record.identity;
            match self.known.content(identity) {
                Some(content) if content == candidate.content => self.decide(index, Verdict::Unchanged),
                Some(_) => {
                    let other = "the catalog has it already".to_owned();
                    self.decide(index, Verdict::Refused(Problem::Contradiction { other }));
                }
                None => {
                    let first = *self.by_identity.entry(identity).or_insert(index);
                    if first != index {
                        let same =
                            self.candidate(first).is_some_and(|first| first.content == candidate.content);
                        self.decide(index, Verdict::Unchanged);
                        if !same {
                            contradicted.push((index, first));
                        }
                    }
                }
            }
        }
        // Nobody can say which of two contradicting documents is genuine: both stay out.
        for (later, first) in contradicted {
            for (this, other) in [(later, first), (first, later)] {
                let other = self.candidate(other).map(|other| other.source.to_owned()).unwrap_or_default();
                self.decide(this, Verdict::Refused(Problem::Contradiction { other }));
            }
        }
        for slot in 0..self.slots.len() {
            let Some(slot) = self.slots.get(slot) else { continue };
            let kind_of = |index: u32| self.candidate(index).map(|candidate| candidate.record.kind);
            let first = slot.candidates.iter().copied().find(|index| self.is_live(*index)).and_then(kind_of);
            let Some(was) = slot.known.map(|known| known.kind).or(first) else { continue };
            let changed: Vec<(u32, UpdateKind)> = slot
                .candidates
                .iter()
                .filter(|index| self.is_live(**index))
                .filter_map(|index| kind_of(*index).filter(|is| *is != was).map(|is| (*index, is)))
                .collect();
            for (index, is) in changed {
                self.decide(index, Verdict::Refused(Problem::KindChanged { was, is }));
            }
        }
    }

    /// What an update is, from the catalog or from a candidate still in.
    fn nature(&self, slot: u32) -> Option<(UpdateKind, Option<CategoryKind>)> {
        let slot = self.slot_at(slot)?;
        let from_set = || {
            let live = slot.candidates.iter().copied().find(|index| self.is_live(*index));
            live.and_then(|index| self.candidate(index))
                .map(|one| (one.record.kind, one.record.category_kind))
        };
        slot.known.map(|known| (known.kind, known.category_kind)).or_else(from_set)
    }

    /// What `IsCategory` clauses may name.
    pub(super) fn check_categories(&mut self) {
        for (index, candidate) in (0_u32..).zip(self.candidates) {
            if !self.is_live(index) {
                continue;
            }
            let clauses = candidate.record.prerequisites.iter().filter(|clause| clause.is_category);
            for &category in clauses.flat_map(|clause| &clause.any_of) {
                let slot = self.slot(category);
                let problem = match (self.nature(slot), candidate.record.category_kind) {
                    (None, _) => None,
                    (Some((UpdateKind::Category, Some(parent_kind))), Some(kind))
                        if !may_stand_under(kind, parent_kind) =>
                    {
                        Some(Problem::CategoryOrder { parent: category, parent_kind, kind })
                    }
                    (Some((UpdateKind::Category, _)), _) => None,
                    (Some((kind, _)), _) => Some(Problem::NotACategory { category, kind }),
                };
                if let Some(problem) = problem {
                    self.decide(index, Verdict::Refused(problem));
                    break;
                }
            }
        }
    }

    /// Counts what each candidate waits for, then refuses those that wait in vain, and those that wait for them.
    pub(super) fn check_presence(&mut self) {
        for index in 0..self.candidates.len() as u32 {
            if self.is_live(index)
                && let Some(identity) = self.candidate(index).map(|candidate| candidate.record.identity)
            {
                let slot = self.slot(identity.update);
                self.slots.get_mut(slot as usize).into_iter().for_each(|slot| slot.live += 1);
                // After a contradiction or a change of kind another candidate may hold the identity.
                self.by_identity.insert(identity, index);
            }
        }
        let mut hopeless = Vec::new();
        for (index, candidate) in (0_u32..).zip(self.candidates) {
            if !self.is_live(index) {
                continue;
            }
            for (number, clause) in (0_u32..).zip(&candidate.record.prerequisites) {
                let place = self.open.len() as u32;
                let mut present = 0;
                for &update in &clause.any_of {
                    let slot = self.slot(update);
                    if let Some(slot) = self.slots.get_mut(slot as usize) {
                        if slot.known.is_some() {
                            present += 1;
                        } else if slot.live > 0 {
                            present += 1;
                            slot.waiting.push((index, place));
                        }
                    }
                }
                self.open.push(present);
                self.clause_at.push(number);
                if present == 0 {
                    let refused = self.any_refused(&clause.any_of);
                    hopeless.push((
                        index,
                        Problem::MissingPrerequisite { any_of: clause.any_of.clone(), refused },
                    ));
                }
            }
            for &member in candidate.record.bundles.iter().flatten() {
                if self.known.content(member).is_some() {
                    continue;
                }
                match self.live_revision(member) {
                    Some(bundled) => {
                        self.bundled_by.get_mut(bundled as usize).into_iter().for_each(|by| by.push(index))
                    }
                    None => {
                        let refused = self.by_identity.contains_key(&member);
                        hopeless.push((index, Problem::MissingBundled { member, refused }));
                    }
                }
            }
        }
        self.refuse(hopeless);
    }

    fn any_refused(&self, updates: &[UpdateId]) -> bool {
        let slots = updates.iter().filter_map(|update| self.slot_of.get(update));
        slots.filter_map(|slot| self.slot_at(*slot)).any(|slot| !slot.candidates.is_empty())
    }

    /// Refuses candidates, each for its reason, and everything that cannot be without them.
    pub(super) fn refuse(&mut self, refused: Vec<(u32, Problem)>) {
        let mut spreading = Vec::with_capacity(refused.len());
        self.refuse_if_live(refused, &mut spreading);
        while let Some(index) = spreading.pop() {
            let Some(identity) = self.candidate(index).map(|candidate| candidate.record.identity) else {
                continue;
            };
            let mut next = Vec::new();
            for parent in self.bundled_by.get_mut(index as usize).map(core::mem::take).unwrap_or_default() {
                next.push((parent, Problem::MissingBundled { member: identity, refused: true }));
            }
            for (waiting, place) in self.left_waiting(identity.update) {
                let any_of = self.clause(waiting, place);
                next.push((waiting, Problem::MissingPrerequisite { any_of, refused: true }));
            }
            self.refuse_if_live(next, &mut spreading);
        }
    }

    fn refuse_if_live(&mut self, refused: Vec<(u32, Problem)>, newly: &mut Vec<u32>) {
        for (index, problem) in refused {
            if self.is_live(index) {
                self.decide(index, Verdict::Refused(problem));
                newly.push(index);
            }
        }
    }

    /// Takes one revision of an update away; answers the clauses that have no alternative now.
    fn left_waiting(&mut self, update: UpdateId) -> Vec<(u32, u32)> {
        let slot = self.slot(update);
        let Some(slot) = self.slots.get_mut(slot as usize) else { return Vec::new() };
        slot.live = slot.live.saturating_sub(1);
        if slot.live > 0 || slot.known.is_some() {
            return Vec::new();
        }
        let mut waiting = core::mem::take(&mut slot.waiting);
        waiting.retain(|(_, place)| {
            self.open.get_mut(*place as usize).is_some_and(|open| {
                *open = open.saturating_sub(1);
                *open == 0
            })
        });
        waiting
    }

    fn clause(&self, candidate: u32, place: u32) -> Vec<UpdateId> {
        let number = self.clause_at.get(place as usize).copied().unwrap_or_default();
        let record = self.candidate(candidate).map(|candidate| candidate.record);
        let clause = record.and_then(|record| record.prerequisites.get(number as usize));
        clause.map(|clause| clause.any_of.clone()).unwrap_or_default()
    }

    pub(super) fn verdicts(self) -> Vec<Verdict> {
        let mut seen: FxHashMap<UpdateId, ()> = FxHashMap::default();
        let slots = &self.slots;
        let slot_of = &self.slot_of;
        let decided = self.verdicts.into_iter().zip(self.candidates);
        decided
            .map(|(verdict, candidate)| {
                let update = candidate.record.identity.update;
                verdict.unwrap_or_else(|| {
                    let slot = slot_of.get(&update).and_then(|slot| slots.get(*slot as usize));
                    let again = seen.insert(update, ()).is_some();
                    let known = slot.is_some_and(|slot| slot.known.is_some());
                    if again || known { Verdict::Revised } else { Verdict::Added }
                })
            })
            .collect()
    }
}

fn may_stand_under(kind: CategoryKind, parent: CategoryKind) -> bool {
    let depth = |kind| match kind {
        CategoryKind::Company => 0,
        CategoryKind::ProductFamily => 1,
        CategoryKind::Product => 2,
        CategoryKind::UpdateClassification => 3,
    };
    // A product may hold products, a family families; nothing stands under a classification.
    parent != CategoryKind::UpdateClassification && depth(parent) <= depth(kind)
}
