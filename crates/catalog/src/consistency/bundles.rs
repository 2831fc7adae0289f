//! Catalog: bundles that contain each other. Only candidates can: what is in the catalog had all its members when
//! it entered.

use super::set::Set;
use super::{Known, MAX_PATH, Problem};

/// Refuses the members of bundle circles (and with them whoever bundles one). True when there were any.
pub(super) fn refuse_cycles<K: Known>(set: &mut Set<'_, K>) -> bool {
    let count = set.candidates.len();
    // Kahn's algorithm from the innermost members outwards.
    let mut open = vec![0_u32; count];
    let mut bundled_by: Vec<Vec<u32>> = vec![Vec::new(); count];
    let mut ready = Vec::new();
    for index in 0..count as u32 {
        let Some(candidate) = set.candidate(index).filter(|_| set.is_live(index)) else { continue };
        let members = candidate.record.bundles.iter().flatten();
        for member in members.filter_map(|member| set.live_revision(*member)) {
            open.get_mut(index as usize).into_iter().for_each(|open| *open += 1);
            bundled_by.get_mut(member as usize).into_iter().for_each(|by| by.push(index));
        }
        if open.get(index as usize) == Some(&0) {
            ready.push(index);
        }
    }
    while let Some(index) = ready.pop() {
        for parent in bundled_by.get_mut(index as usize).map(core::mem::take).unwrap_or_default() {
            let Some(open) = open.get_mut(parent as usize) else { continue };
            *open -= 1;
            if *open == 0 {
                ready.push(parent);
            }
        }
    }
    let stuck = |index: u32| open.get(index as usize).is_some_and(|open| *open > 0);
    let next = |index: u32| {
        let members = set.candidate(index)?.record.bundles.iter().flatten();
        members.filter_map(|member| set.live_revision(*member)).find(|member| stuck(*member))
    };
    let cycles = super::cycles::circles((0..count as u32).filter(|index| stuck(*index)), count, next);
    let mut refused = Vec::new();
    for cycle in &cycles {
        let candidates = cycle.iter().take(MAX_PATH).filter_map(|index| set.candidate(*index));
        let path: Vec<_> = candidates.map(|candidate| candidate.record.identity).collect();
        refused.extend(cycle.iter().map(|index| (*index, Problem::BundleCycle { path: path.clone() })));
    }
    set.refuse(refused);
    !cycles.is_empty()
}
