//! Store: which of the waiting revisions can enter the catalog. A revision enters when each of its
//! prerequisite clauses and bundle clauses has an alternative that is there or enters before it; what
//! is left waits for something missing, or for itself in a ring.

use crate::error::StoreError;
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{UpdateId, UpdateIdentity};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

/// Something a revision needs: any revision of an update, or one exact revision (bundles).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Need {
    Update(UpdateId),
    Revision(UpdateIdentity),
}

/// How many needs a reason spells out.
const NAMED_NEEDS: usize = 3;

/// What becomes of the candidates.
#[derive(Debug, Default)]
pub(crate) struct Resolution {
    /// Indexes of those that enter, each after what it needs.
    pub(crate) enter: Vec<usize>,
    /// Indexes of those that wait, with the reason.
    pub(crate) wait: Vec<(usize, String)>,
}

/// A clause of a candidate that nothing in the catalog satisfies yet.
struct Gate {
    candidate: usize,
    alternatives: Vec<Need>,
    open: bool,
}

/// Resolves `candidates`. `present` answers whether the catalog has any (`None`) or one exact revision of
/// an update.
pub(crate) fn resolve(
    candidates: &[ScanRecord],
    mut present: impl FnMut(UpdateId, Option<UpdateIdentity>) -> Result<bool, StoreError>,
) -> Result<Resolution, StoreError> {
    let mut known: HashMap<Need, bool> = HashMap::new();
    let mut has = |need: Need| -> Result<bool, StoreError> {
        if let Some(&answer) = known.get(&need) {
            return Ok(answer);
        }
        let answer = match need {
            Need::Update(update) => present(update, None)?,
            Need::Revision(identity) => present(identity.update, Some(identity))?,
        };
        known.insert(need, answer);
        Ok(answer)
    };

    let mut gates: Vec<Gate> = Vec::new();
    let mut watchers: HashMap<Need, Vec<usize>> = HashMap::new();
    let mut closed = vec![0_usize; candidates.len()];
    for (index, record) in candidates.iter().enumerate() {
        for alternatives in clauses(record) {
            let mut satisfied = false;
            for need in &alternatives {
                satisfied = satisfied || has(*need)?;
            }
            if !satisfied {
                alternatives.iter().for_each(|need| watchers.entry(*need).or_default().push(gates.len()));
                gates.push(Gate { candidate: index, alternatives, open: false });
                if let Some(count) = closed.get_mut(index) {
                    *count += 1;
                }
            }
        }
    }

    let mut result = Resolution::default();
    let mut ready: VecDeque<usize> =
        closed.iter().enumerate().filter(|(_, count)| **count == 0).map(|(index, _)| index).collect();
    while let Some(index) = ready.pop_front() {
        result.enter.push(index);
        let Some(record) = candidates.get(index) else { continue };
        for need in [Need::Update(record.identity.update), Need::Revision(record.identity)] {
            for gate in watchers.remove(&need).unwrap_or_default() {
                let Some(gate) = gates.get_mut(gate).filter(|g| !g.open) else { continue };
                gate.open = true;
                if let Some(count) = closed.get_mut(gate.candidate) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(gate.candidate);
                    }
                }
            }
        }
    }

    let mut unmet: HashMap<usize, Vec<&Gate>> = HashMap::new();
    for gate in gates.iter().filter(|g| !g.open) {
        unmet.entry(gate.candidate).or_default().push(gate);
    }
    // Watchers of needs that some waiting candidate would meet: those lie on a chain or ring.
    let offered: std::collections::HashSet<Need> = unmet
        .keys()
        .filter_map(|index| candidates.get(*index))
        .flat_map(|r| [Need::Update(r.identity.update), Need::Revision(r.identity)])
        .collect();
    let mut waiting: Vec<_> = unmet.into_iter().collect();
    waiting.sort_unstable_by_key(|(index, _)| *index);
    for (index, gates) in waiting {
        let reason = reason(&gates, |need| offered.contains(need));
        result.wait.push((index, reason));
    }
    Ok(result)
}

fn clauses(record: &ScanRecord) -> impl Iterator<Item = Vec<Need>> + '_ {
    let prerequisites =
        record.prerequisites.iter().map(|clause| clause.any_of.iter().copied().map(Need::Update).collect());
    let bundles = record.bundles.iter().map(|clause| clause.iter().copied().map(Need::Revision).collect());
    prerequisites.chain(bundles)
}

/// Says what is missing, for people.
fn reason(gates: &[&Gate], offered: impl Fn(&Need) -> bool) -> String {
    let mut text = String::from("it needs ");
    for (at, gate) in gates.iter().take(NAMED_NEEDS).enumerate() {
        if at > 0 {
            text.push_str("; ");
        }
        for (at, need) in gate.alternatives.iter().take(NAMED_NEEDS).enumerate() {
            if at > 0 {
                text.push_str(" or ");
            }
            // Writing to a String cannot fail.
            let _ = match need {
                Need::Update(update) => write!(text, "update {update}"),
                Need::Revision(identity) => write!(text, "the bundled {identity}"),
            };
            text.push_str(if offered(need) { " (which waits too)" } else { " (not in the catalog)" });
        }
        if gate.alternatives.len() > NAMED_NEEDS {
            let _ = write!(text, " or one of {} others", gate.alternatives.len() - NAMED_NEEDS);
        }
    }
    if gates.len() > NAMED_NEEDS {
        let _ = write!(text, "; and {} more", gates.len() - NAMED_NEEDS);
    }
    text.push_str(if gates.iter().all(|g| g.alternatives.iter().any(&offered)) {
        ". If nothing else is missing, these documents need each other in a ring and cannot be used"
    } else {
        ". It enters by itself once they are imported"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_catalog::Clause;
    use sluicegate_terms::{Guid, RevisionNumber, UpdateKind};

    fn uid(n: u128) -> UpdateId {
        UpdateId(Guid::from_u128(n))
    }

    fn identity(n: u128, revision: i64) -> UpdateIdentity {
        UpdateIdentity { update: uid(n), revision: RevisionNumber::new(revision).unwrap() }
    }

    fn needs(n: u128, prerequisites: &[&[u128]]) -> ScanRecord {
        let mut record = ScanRecord::new(identity(n, 1), UpdateKind::Software);
        record.prerequisites = prerequisites
            .iter()
            .map(|c| Clause { any_of: c.iter().map(|n| uid(*n)).collect(), is_category: false })
            .collect();
        record
    }

    fn run(candidates: &[ScanRecord], there: &[u128]) -> Resolution {
        resolve(candidates, |update, _| Ok(there.iter().any(|n| uid(*n) == update))).unwrap()
    }

    #[test]
    fn a_chain_enters_whatever_its_order_and_what_is_needed_comes_first() {
        let result = run(&[needs(3, &[&[2]]), needs(2, &[&[1]]), needs(1, &[])], &[]);
        assert_eq!(result.enter, [2, 1, 0]);
        assert!(result.wait.is_empty());
    }

    #[test]
    fn one_alternative_of_each_clause_is_enough() {
        let result = run(&[needs(5, &[&[8, 1], &[2, 9]])], &[1, 2]);
        assert_eq!(result.enter, [0]);
    }

    #[test]
    fn what_misses_something_waits_and_says_for_what() {
        let result = run(&[needs(2, &[&[7], &[1]]), needs(3, &[&[2]])], &[1]);
        assert!(result.enter.is_empty());
        assert!(result.wait[0].1.contains(&uid(7).to_string()));
        assert!(result.wait[0].1.contains("not in the catalog"));
        assert!(!result.wait[0].1.contains(&uid(1).to_string()));
        assert!(result.wait[1].1.contains("waits too"));
    }

    #[test]
    fn a_ring_never_enters() {
        let result = run(&[needs(1, &[&[2]]), needs(2, &[&[1]]), needs(3, &[&[3]])], &[]);
        assert!(result.enter.is_empty());
        assert_eq!(result.wait.len(), 3);
        assert!(result.wait[0].1.contains("ring"));
    }

    #[test]
    fn a_bundle_needs_the_exact_revision() {
        let mut bundle = needs(9, &[]);
        bundle.bundles = vec![vec![identity(4, 7)]];
        let mut member = needs(4, &[]);
        member.identity = identity(4, 6);
        let result = run(&[bundle.clone(), member.clone()], &[]);
        assert_eq!(result.enter, [1]);
        member.identity = identity(4, 7);
        assert_eq!(run(&[bundle, member], &[]).enter, [1, 0]);
    }
}
