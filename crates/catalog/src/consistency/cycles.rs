//! Catalog: prerequisites that lead in a circle. An update can be delivered when every clause has an alternative
//! that can be delivered without it; what no order of delivery reaches waits in a circle.

use super::set::Set;
use super::{Known, MAX_PATH, Problem};
use rustc_hash::FxHashMap;

/// One update (or older revision) in the graph of this check.
struct Node {
    /// Clauses that nothing reached yet.
    unsatisfied: u32,
    /// Alternatives of each clause, as slots.
    clauses: Vec<(Vec<u32>, bool)>,
    slot: u32,
    founded: bool,
}

/// Candidates come first, by their index; updates of the catalog follow.
struct Graph {
    nodes: Vec<Node>,
    candidates: usize,
    /// Who stands for a slot: the node of its highest revision.
    provider: FxHashMap<u32, u32>,
    /// Clauses (node, number) a slot is an alternative of.
    waiting: FxHashMap<u32, Vec<(u32, u32)>>,
}

/// Refuses candidates on prerequisite circles, or with `all` every candidate that no order of delivery
/// reaches. True when there were any.
pub(super) fn refuse_cycles<K: Known>(set: &mut Set<'_, K>, all: bool) -> bool {
    let mut graph = Graph::build(set);
    let start: Vec<u32> = (0..graph.nodes.len() as u32).filter(|node| graph.reached(*node)).collect();
    graph.spread(start);
    loop {
        let stuck = |node: u32| graph.nodes.get(node as usize).is_some_and(|node| !node.founded);
        let starts = (0..graph.candidates as u32).filter(|index| set.is_live(*index) && stuck(*index));
        if all {
            let path =
                |index| set.candidate(index).map(|one| one.record.identity.update).into_iter().collect();
            let stuck: Vec<_> =
                starts.map(|index| (index, Problem::PrerequisiteCycle { path: path(index) })).collect();
            let any = !stuck.is_empty();
            set.refuse(stuck);
            return any;
        }
        let circles = circles(starts, graph.nodes.len(), |node| graph.waits_for(node));
        let (ours, theirs): (Vec<_>, Vec<_>) = circles
            .into_iter()
            .partition(|circle| circle.iter().any(|node| (*node as usize) < graph.candidates));
        if !ours.is_empty() {
            let mut refused = Vec::new();
            for circle in ours {
                let nodes = circle.iter().take(MAX_PATH).filter_map(|node| graph.nodes.get(*node as usize));
                let path: Vec<_> =
                    nodes.filter_map(|node| set.slot_at(node.slot)).map(|slot| slot.update).collect();
                let candidates = circle.into_iter().filter(|node| (*node as usize) < graph.candidates);
                refused.extend(
                    candidates.map(|index| (index, Problem::PrerequisiteCycle { path: path.clone() })),
                );
            }
            set.refuse(refused);
            return true;
        }
        if theirs.is_empty() {
            return false;
        }
        // A circle wholly inside the catalog is no candidate's fault.
        let inside: Vec<u32> = theirs.into_iter().flatten().collect();
        graph.spread(inside);
    }
}

impl Graph {
    fn build<K: Known>(set: &mut Set<'_, K>) -> Self {
        let count = set.candidates.len();
        let mut graph = Self {
            nodes: Vec::with_capacity(count),
            candidates: count,
            provider: FxHashMap::default(),
            waiting: FxHashMap::default(),
        };
        let mut revises = false;
        for index in 0..count as u32 {
            let live = set.is_live(index);
            let record = set.candidate(index).map(|candidate| candidate.record);
            let slot = record.map_or(0, |record| set.slot(record.identity.update));
            let mut clauses = Vec::new();
            for clause in record.filter(|_| live).into_iter().flat_map(|record| &record.prerequisites) {
                clauses.push((clause.any_of.iter().map(|update| set.slot(*update)).collect(), false));
            }
            graph.push(Node { unsatisfied: 0, clauses, slot, founded: false });
            if let Some(record) = record.filter(|_| live) {
                let known = set.slot_at(slot).and_then(|slot| slot.known);
                let number = record.identity.revision;
                let holder = graph.provider.get(&slot).and_then(|holder| set.candidate(*holder));
                let higher = holder.is_none_or(|holder| holder.record.identity.revision < number);
                if higher && known.is_none_or(|known| known.revision < number) {
                    graph.provider.insert(slot, index);
                    revises |= known.is_some();
                }
            }
        }
        // The catalog matters only when its updates may now depend on a revised one.
        let mut at = 0;
        while at < graph.nodes.len() {
            let named: Vec<u32> = graph
                .nodes
                .get(at)
                .into_iter()
                .flat_map(|node| &node.clauses)
                .flat_map(|(any, _)| any)
                .copied()
                .collect();
            for slot in named {
                let known = set.slot_at(slot).is_some_and(|slot| slot.known.is_some());
                if known && !graph.provider.contains_key(&slot) {
                    let mut clauses = Vec::new();
                    if revises {
                        let update = set.slot_at(slot).map(|slot| slot.update).unwrap_or_default();
                        for clause in set.known.prerequisites(update) {
                            clauses.push((
                                clause.any_of.iter().map(|update| set.slot(*update)).collect(),
                                false,
                            ));
                        }
                    }
                    let node = graph.nodes.len() as u32;
                    graph.provider.insert(slot, node);
                    graph.push(Node { unsatisfied: 0, clauses, slot, founded: false });
                }
            }
            at += 1;
        }
        graph.link();
        graph
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// Counts the clauses that must be reached. One whose alternatives are all absent is not looked at:
    /// candidates with such clauses are refused elsewhere, the catalog's are taken as they are.
    fn link(&mut self) {
        for (index, node) in (0_u32..).zip(&mut self.nodes) {
            for (number, (any_of, satisfied)) in (0_u32..).zip(&mut node.clauses) {
                if any_of.iter().any(|slot| self.provider.contains_key(slot)) {
                    node.unsatisfied += 1;
                    for slot in any_of.iter() {
                        self.waiting.entry(*slot).or_default().push((index, number));
                    }
                } else {
                    *satisfied = true;
                }
            }
        }
    }

    fn reached(&self, node: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(|node| node.unsatisfied == 0)
    }

    /// Marks nodes as deliverable, and what becomes deliverable by them.
    fn spread(&mut self, mut ready: Vec<u32>) {
        while let Some(index) = ready.pop() {
            let Some(node) = self.nodes.get_mut(index as usize).filter(|node| !node.founded) else {
                continue;
            };
            node.founded = true;
            let slot = node.slot;
            if self.provider.get(&slot) != Some(&index) {
                continue;
            }
            for (waiting, number) in self.waiting.remove(&slot).unwrap_or_default() {
                let Some(node) = self.nodes.get_mut(waiting as usize) else { continue };
                let Some((_, satisfied)) = node.clauses.get_mut(number as usize) else { continue };
                if !core::mem::replace(satisfied, true) {
                    node.unsatisfied -= 1;
                    if node.unsatisfied == 0 {
                        ready.push(waiting);
                    }
                }
            }
        }
    }

    /// A node that keeps this one from being delivered.
    fn waits_for(&self, node: u32) -> Option<u32> {
        let node = self.nodes.get(node as usize)?;
        let (any_of, _) = node.clauses.iter().find(|(_, satisfied)| !satisfied)?;
        any_of.iter().find_map(|slot| self.provider.get(slot).copied())
    }
}

/// The circles that following `next` from each start leads into.
pub(super) fn circles(
    starts: impl Iterator<Item = u32>,
    count: usize,
    next: impl Fn(u32) -> Option<u32>,
) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    // Which walk came by, 0 for none.
    let mut walk_of = vec![0_u32; count];
    for (walk, start) in (1_u32..).zip(starts) {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(node) = at {
            let Some(mark) = walk_of.get_mut(node as usize) else { break };
            if *mark == walk {
                let from = path.iter().position(|earlier| *earlier == node).unwrap_or_default();
                found.push(path.split_off(from));
            }
            if *mark != 0 {
                break;
            }
            *mark = walk;
            path.push(node);
            at = next(node);
        }
    }
    found
}
