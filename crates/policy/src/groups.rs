//! Policy: target groups. One tree under All Computers, with Unassigned Computers directly below the
//! root and an administrator's groups nested as they like. Names are unique in the whole tree without
//! regard to letter case, since commands and agents name groups by name.

use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{Anchor, GroupId};
use std::collections::BTreeMap;

/// How deep groups may nest, All Computers counted as 1. Keeps every walk to the root short.
pub const MAX_GROUP_DEPTH: usize = 32;

/// The name of a group: 1 to 256 characters without control characters, spaces at the ends removed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupName(Box<str>);

impl GroupName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 256;

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes two names the same.
    fn key(&self) -> String {
        self.0.to_lowercase()
    }

    fn builtin(name: &str) -> Self {
        Self(name.into())
    }
}

impl FromStr for GroupName {
    type Err = GroupError;
    fn from_str(text: &str) -> Result<Self, GroupError> {
        let text = text.trim();
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.chars().count() > Self::MAX_CHARS {
            "it is longer than 256 characters"
        } else if text.chars().any(char::is_control) {
            "it has control characters"
        } else {
            return Ok(Self(text.into()));
        };
        Err(GroupError::Name { name: text.chars().take(60).collect(), reason })
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One target group (MS-WUSP 3.1.1, TargetGroup table; the id and the nesting are WSUS's).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
    /// The group it is nested in; `None` only for All Computers.
    pub parent: Option<GroupId>,
}

/// Why a change to the group tree is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// A name that breaks the rules of [`GroupName`].
    #[error("`{name}` cannot be a group name: {reason}")]
    Name {
        /// The beginning of what was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name in use.
    #[error(
        "there is already a group named `{0}` (names do not distinguish letter case); choose another name"
    )]
    NameTaken(GroupName),
    /// An id in use.
    #[error("there is already a group with the id {0}")]
    IdTaken(GroupId),
    /// No group has this id.
    #[error("there is no group with the id {0}; list the groups to see the ids")]
    UnknownId(GroupId),
    /// No group has this name.
    #[error("there is no group named `{0}`; list the groups to see the names")]
    UnknownName(String),
    /// A built-in group cannot be renamed, moved or removed, and Unassigned Computers has no subgroups.
    #[error("`{name}` is built in: it cannot be {what}")]
    BuiltIn {
        /// Which built-in group.
        name: GroupName,
        /// What was tried.
        what: &'static str,
    },
    /// The group has others nested in it, and nobody said that these go too.
    #[error(
        "`{group}` has groups nested in it ({}), so nothing was deleted; delete these first, or say that they go with it \
         (`--nested`, in the admin API `?nested=true`)",
        first_names(.nested)
    )]
    HasSubgroups {
        /// Which group.
        group: GroupName,
        /// All that are below it.
        nested: Vec<GroupName>,
    },
    /// A group would be nested in itself.
    #[error("`{group}` cannot be moved below `{parent}`, which is the group itself or nested in it")]
    Cycle {
        /// The group to move.
        group: GroupName,
        /// Where to.
        parent: GroupName,
    },
    /// Too deep.
    #[error("groups nest at most {MAX_GROUP_DEPTH} deep; `{0}` would be deeper")]
    TooDeep(GroupName),
    /// Stored groups that do not form one tree.
    #[error("the stored group `{0}` does not hang on All Computers: its parents are missing or form a ring")]
    Detached(GroupName),
}

/// So many names, and how many more there are.
fn first_names(names: &[GroupName]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// All groups of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupTree {
    groups: BTreeMap<GroupId, Group>,
    by_name: BTreeMap<String, GroupId>,
    reshaped: Anchor,
}

/// Each group of a computer with its ancestors, from the group up to All Computers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths(Vec<Vec<GroupId>>);

impl Paths {
    /// One path per group; never empty.
    pub fn iter(&self) -> impl Iterator<Item = &[GroupId]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl Default for GroupTree {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupTree {
    /// A tree of the two built-in groups.
    #[must_use]
    pub fn new() -> Self {
        let builtin = |id, name, parent| Group { id, name: GroupName::builtin(name), parent };
        let mut tree = Self { groups: BTreeMap::new(), by_name: BTreeMap::new(), reshaped: Anchor::START };
        for group in [
            builtin(GroupId::ALL_COMPUTERS, "All Computers", None),
            builtin(GroupId::UNASSIGNED_COMPUTERS, "Unassigned Computers", Some(GroupId::ALL_COMPUTERS)),
        ] {
            tree.insert(group);
        }
        tree
    }

    /// The tree of stored groups, in any order; the built-in ones may be among them and are there
    /// in any case. `reshaped` is the anchor of the last move, as [`GroupTree::reshaped`] gave it.
    ///
    /// # Errors
    /// When two share a name or an id, or when they do not form one tree of bounded depth.
    pub fn restore(stored: impl IntoIterator<Item = Group>, reshaped: Anchor) -> Result<Self, GroupError> {
        let mut tree = Self { reshaped, ..Self::new() };
        let own = |id| id == GroupId::ALL_COMPUTERS || id == GroupId::UNASSIGNED_COMPUTERS;
        for group in stored.into_iter().filter(|g| !own(g.id)) {
            tree.check_free(&group.name, None)?;
            if tree.groups.contains_key(&group.id) {
                return Err(GroupError::IdTaken(group.id));
            }
            tree.insert(group);
        }
        for group in tree.groups.values() {
            if group.parent == Some(GroupId::UNASSIGNED_COMPUTERS)
                || tree.path(group.id).last() != Some(GroupId::ALL_COMPUTERS)
            {
                return Err(GroupError::Detached(group.name.clone()));
            }
        }
        Ok(tree)
    }

    fn insert(&mut self, group: Group) {
        self.by_name.insert(group.name.key(), group.id);
        self.groups.insert(group.id, group);
    }

    fn check_free(&self, name: &GroupName, except: Option<GroupId>) -> Result<(), GroupError> {
        match self.by_name.get(&name.key()) {
            Some(id) if Some(*id) != except => Err(GroupError::NameTaken(name.clone())),
            _ => Ok(()),
        }
    }

    /// Adds a group below `parent` (All Computers when `None`).
    ///
    /// # Errors
    /// When the name or id is taken, the parent is unknown or Unassigned Computers, or the nesting too deep.
    pub fn create(
        &mut self,
        id: GroupId,
        name: GroupName,
        parent: Option<GroupId>,
    ) -> Result<&Group, GroupError> {
        let parent = parent.unwrap_or(GroupId::ALL_COMPUTERS);
        self.check_free(&name, None)?;
        if self.groups.contains_key(&id) {
            return Err(GroupError::IdTaken(id));
        }
        self.check_parent(parent)?;
        if self.path(parent).count() >= MAX_GROUP_DEPTH {
            return Err(GroupError::TooDeep(name));
        }
        self.insert(Group { id, name, parent: Some(parent) });
        self.require(id)
    }

    fn check_parent(&self, parent: GroupId) -> Result<(), GroupError> {
        let group = self.require(parent)?;
        if parent == GroupId::UNASSIGNED_COMPUTERS {
            return Err(GroupError::BuiltIn { name: group.name.clone(), what: "given subgroups" });
        }
        Ok(())
    }

    pub(crate) fn require_own(&self, id: GroupId, what: &'static str) -> Result<&Group, GroupError> {
        let group = self.require(id)?;
        if id == GroupId::ALL_COMPUTERS || id == GroupId::UNASSIGNED_COMPUTERS {
            return Err(GroupError::BuiltIn { name: group.name.clone(), what });
        }
        Ok(group)
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// When the group is unknown or built in, or the name taken by another.
    pub fn rename(&mut self, id: GroupId, name: GroupName) -> Result<(), GroupError> {
        let old = self.require_own(id, "renamed")?.clone();
        self.check_free(&name, Some(id))?;
        self.by_name.remove(&old.name.key());
        self.insert(Group { name, ..old });
        Ok(())
    }

    /// Nests a group in another one, with everything below it. `anchor` is the change's, since what
    /// the group inherits may differ from now on.
    ///
    /// # Errors
    /// When one of them is unknown or built in (All Computers may be the new parent), when the new
    /// parent lies inside the group, or when the nesting gets too deep.
    pub fn move_below(&mut self, id: GroupId, parent: GroupId, anchor: Anchor) -> Result<(), GroupError> {
        let group = self.require_own(id, "moved")?.clone();
        self.check_parent(parent)?;
        if self.path(parent).any(|g| g == id) {
            let parent = self.require(parent)?.name.clone();
            return Err(GroupError::Cycle { group: group.name, parent });
        }
        if self.path(parent).count() + self.height(id) > MAX_GROUP_DEPTH {
            return Err(GroupError::TooDeep(group.name));
        }
        self.groups.insert(id, Group { parent: Some(parent), ..group });
        self.reshaped = self.reshaped.max(anchor);
        Ok(())
    }

    /// Takes a group away. Its computers belong to Unassigned Computers from then on (whoever keeps
    /// computers sees to that), and its approvals go with it ([`crate::Decisions::remove_group`]).
    ///
    /// # Errors
    /// When the group is unknown, built in, or has subgroups.
    pub(crate) fn remove(&mut self, id: GroupId) -> Result<Group, GroupError> {
        let group = self.require_own(id, "deleted")?.clone();
        if self.children(id).next().is_some() {
            let nested = self.below(id).iter().map(|group| group.name.clone()).collect();
            return Err(GroupError::HasSubgroups { group: group.name, nested });
        }
        self.by_name.remove(&group.name.key());
        self.groups.remove(&id);
        Ok(group)
    }

    /// The group with this id.
    #[must_use]
    pub fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// The group with this id.
    ///
    /// # Errors
    /// [`GroupError::UnknownId`].
    pub fn require(&self, id: GroupId) -> Result<&Group, GroupError> {
        self.groups.get(&id).ok_or(GroupError::UnknownId(id))
    }

    /// The group of this name in any letter case, or of this id in GUID form.
    ///
    /// # Errors
    /// [`GroupError::UnknownName`] or [`GroupError::UnknownId`].
    pub fn find(&self, name_or_id: &str) -> Result<&Group, GroupError> {
        let text = name_or_id.trim();
        if let Some(group) = self.by_name.get(&text.to_lowercase()).and_then(|id| self.groups.get(id)) {
            return Ok(group);
        }
        match text.parse::<GroupId>() {
            Ok(id) => self.require(id),
            Err(_) => Err(GroupError::UnknownName(text.chars().take(GroupName::MAX_CHARS).collect())),
        }
    }

    /// Every group, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The groups directly below one.
    pub fn children(&self, id: GroupId) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(move |g| g.parent == Some(id))
    }

    /// The groups nested in one, at any depth, each after the one it is nested in.
    #[must_use]
    pub fn below(&self, id: GroupId) -> Vec<&Group> {
        let mut found: Vec<&Group> = self.children(id).collect();
        let mut next = 0;
        while let Some(group) = found.get(next) {
            found.extend(self.children(group.id));
            next += 1;
        }
        found
    }

    /// The group and its ancestors, nearest first, ending with All Computers. Empty when unknown.
    pub fn path(&self, id: GroupId) -> impl Iterator<Item = GroupId> + '_ {
        // The bound makes a ring in stored data end too; `restore` then refuses it.
        core::iter::successors(self.groups.get(&id), |g| g.parent.and_then(|p| self.groups.get(&p)))
            .take(MAX_GROUP_DEPTH)
            .map(|g| g.id)
    }

    /// The paths of a computer's groups. Unknown groups are left out; a computer whose groups are
    /// all unknown is in Unassigned Computers.
    #[must_use]
    pub fn paths(&self, groups: &[GroupId]) -> Paths {
        let mut paths: Vec<Vec<GroupId>> =
            groups.iter().map(|g| self.path(*g).collect::<Vec<_>>()).filter(|p| !p.is_empty()).collect();
        if paths.is_empty() {
            paths.push(self.path(GroupId::UNASSIGNED_COMPUTERS).collect());
        }
        Paths(paths)
    }

    /// The anchor of the last change that moved a group to another place.
    #[must_use]
    pub fn reshaped(&self) -> Anchor {
        self.reshaped
    }

    fn height(&self, id: GroupId) -> usize {
        1 + self.children(id).map(|child| self.height(child.id)).max().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
