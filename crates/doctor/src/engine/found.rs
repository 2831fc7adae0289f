//! Doctor room: what a match has found so far, within fixed bounds however much there is.

use crate::finding::Evidence;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Groups of evidence kept for a match without keys: the first ones, and the last.
const GROUPS: usize = 4;
/// Groups with keys kept for a match, so that other files can join them.
const KEYED: usize = 8_192;
/// Distinct servers and files remembered.
const DISTINCT: usize = 256;

/// Lines that together are one occurrence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) key: Option<Box<str>>,
    pub(crate) host: Option<Box<str>>,
    /// First and last line.
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// All occurrences of one match.
#[derive(Debug, Clone, Default)]
pub(crate) struct Occurrences {
    pub(crate) count: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) last: Option<Group>,
    /// Key to its group.
    pub(crate) keys: FxHashMap<Box<str>, usize>,
    pub(crate) hosts: BTreeSet<Box<str>>,
    pub(crate) files: BTreeSet<usize>,
}

impl Occurrences {
    /// Whether the lines of the next occurrence, of this key, would be kept.
    pub(crate) fn wants_evidence(&self, key: Option<&str>) -> bool {
        match key {
            Some(key) => self.groups.len() < KEYED && !self.keys.contains_key(key),
            None => self.count < 1_000 || self.count.is_multiple_of(64),
        }
    }

    pub(crate) fn add(&mut self, group: Group, file: usize) {
        self.count += 1;
        if self.files.len() < DISTINCT {
            self.files.insert(file);
        }
        if let Some(host) = &group.host
            && self.hosts.len() < DISTINCT
            && !self.hosts.contains(host)
        {
            self.hosts.insert(host.clone());
        }
        match &group.key {
            Some(key) if self.groups.len() < KEYED && !self.keys.contains_key(key) => {
                self.keys.insert(key.clone(), self.groups.len());
                self.groups.push(group);
            }
            Some(_) => {}
            None if self.groups.len() < GROUPS => self.groups.push(group),
            None if !group.evidence.is_empty() => self.last = Some(group),
            None => {}
        }
    }

    /// The groups to show: a few from the beginning, and the last.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().take(GROUPS).chain(&self.last)
    }
}
