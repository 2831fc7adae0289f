//! Policy: groups that are carried to another server become there what they are here.

use super::{TakenIn, built_in};
use crate::approvals::Change;
use crate::decisions::Decisions;
use crate::groups::{Group, GroupError, GroupTree};
use sluicegate_terms::GroupId;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a carried group.
#[derive(PartialEq)]
pub(super) enum Became {
    AsItWas,
    New,
    /// It was here with another name or in another place; the sentence says so.
    Different(String),
}

impl Decisions {
    /// Makes the carried groups, parents first, with the name and place they have there. Answers which group each
    /// of them is here: one of the same name is taken for the same group.
    pub(super) fn take_groups(
        &mut self,
        groups: &[Group],
        change: Change,
        taken: &mut TakenIn,
    ) -> BTreeMap<GroupId, GroupId> {
        let mut here: BTreeMap<GroupId, GroupId> =
            [GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS].map(|id| (id, id)).into();
        let carried: BTreeSet<GroupId> = groups.iter().map(|group| group.id).collect();
        let mut waiting: Vec<&Group> = groups.iter().filter(|group| !built_in(group.id)).collect();
        loop {
            let (mut ready, later): (Vec<&Group>, Vec<&Group>) = waiting
                .into_iter()
                .partition(|group| here.contains_key(&group.parent.unwrap_or(GroupId::ALL_COMPUTERS)));
            waiting = later;
            if ready.is_empty() {
                break;
            }
            // What is here under its own id gets its name first: the old one may be another's there.
            ready.sort_by_key(|group| self.groups.get(group.id).is_none());
            for group in ready {
                let parent = group.parent.and_then(|parent| here.get(&parent)).copied();
                let place = (parent.unwrap_or(GroupId::ALL_COMPUTERS), change);
                match take_group(&mut self.groups, group, &carried, place) {
                    Ok((id, became)) => {
                        here.insert(group.id, id);
                        taken.regroup(became);
                    }
                    Err(error) => taken.skip(|| format!("the group `{}`: {error}", group.name)),
                }
            }
        }
        for group in waiting {
            taken.skip(|| format!("the group `{}`: the group it is nested in is missing", group.name));
        }
        let listed: BTreeSet<GroupId> = here.values().copied().chain(carried).collect();
        let unlisted = self.groups.iter().filter(|own| !built_in(own.id) && !listed.contains(&own.id));
        taken.unlisted = unlisted.map(|own| own.name.to_string()).collect();
        taken.unlisted.sort();
        here
    }
}

/// Makes one group, or makes the one of its id or name as it is there; answers its id here and what became of it.
fn take_group(
    tree: &mut GroupTree,
    group: &Group,
    carried: &BTreeSet<GroupId>,
    (parent, change): (GroupId, Change),
) -> Result<(GroupId, Became), GroupError> {
    // One of the same name that is carried itself is another group there too.
    let namesake = || tree.find(group.name.as_str()).ok().filter(|own| !carried.contains(&own.id));
    let Some(own) = tree.get(group.id).or_else(namesake).cloned() else {
        tree.create(group.id, group.name.clone(), Some(parent))?;
        return Ok((group.id, Became::New));
    };
    if built_in(own.id) {
        return Ok((own.id, Became::AsItWas));
    }
    let (renamed, moved) = (own.name != group.name, own.parent != Some(parent));
    if renamed {
        tree.rename(own.id, group.name.clone())?;
    }
    if moved && let Err(error) = tree.move_below(own.id, parent, change.anchor) {
        // What is said to be left out is not half taken in.
        tree.rename(own.id, own.name)?;
        return Err(error);
    }
    let name_of = |id: GroupId| tree.get(id).map_or_else(|| id.to_string(), |group| group.name.to_string());
    let was = || own.parent.map_or_else(String::new, name_of);
    let (old, new) = (&own.name, &group.name);
    let became = match (renamed, moved) {
        (false, false) => Became::AsItWas,
        (true, false) => Became::Different(format!("the group `{old}` is called `{new}` now")),
        (false, true) => Became::Different(format!(
            "the group `{new}` is in `{}` now, no longer in `{}`",
            name_of(parent),
            was()
        )),
        (true, true) => Became::Different(format!(
            "the group `{old}` is called `{new}` now and is in `{}`, no longer in `{}`",
            name_of(parent),
            was()
        )),
    };
    Ok((own.id, became))
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
