//! Doctor room: the verdict. When every log is read, joins what belongs together across files, applies
//! the conditions between matches, and turns what holds into findings.

use super::found::{Group, Occurrences};
use super::plan::Plan;
use super::tally::Tally;
use crate::book::Book;
use crate::finding::{self, Evidence, Finding, Related};
use crate::rule::{Match, Rule, Sureness};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Lines of evidence in one finding.
const LINES: usize = 24;

/// A match that holds.
#[derive(Clone)]
struct Held {
    count: u64,
    groups: Vec<Group>,
    hosts: BTreeSet<Box<str>>,
    files: BTreeSet<usize>,
}

struct Verdict<'a> {
    book: &'a Book,
    plan: &'a Plan,
    occurrences: &'a [Occurrences],
    held: Vec<Option<Held>>,
}

/// Every finding, sorted.
pub(crate) fn findings(
    book: &Book,
    plan: &Plan,
    occurrences: &[Occurrences],
    codes: &FxHashMap<usize, Vec<Tally>>,
) -> Vec<Finding> {
    let mut verdict = Verdict { book, plan, occurrences, held: vec![None; occurrences.len()] };
    verdict.own_matches();
    // Conditions between findings: twice, so that one may rest on another that rests on lines.
    verdict.conditions();
    verdict.conditions();
    let mut result: Vec<Finding> = book.rules.iter().enumerate().filter_map(|r| verdict.problem(r)).collect();
    let found: BTreeSet<usize> = book
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| result.iter().any(|f| f.problem == rule.id))
        .map(|(number, _)| number)
        .collect();
    result.extend(codes.iter().filter_map(|(rule, tallies)| code(book.rules.get(*rule)?, tallies, &found)));
    for finding in &mut result {
        finding.related = related(book, &finding.problem, &found);
    }
    finding::sort(&mut result);
    result
}

impl Verdict<'_> {
    fn description(&self, found: usize) -> Option<(&Rule, &Match)> {
        let planned = self.plan.matches.get(found)?;
        let rule = self.book.rules.get(planned.rule)?;
        Some((rule, rule.matches.get(planned.number)?))
    }

    /// Matches that rest on lines: close together, in a run, or joined by a key.
    fn own_matches(&mut self) {
        for found in 0..self.occurrences.len() {
            let held = self.lines_of(found);
            if let Some(slot) = self.held.get_mut(found) {
                *slot = held;
            }
        }
        for found in 0..self.occurrences.len() {
            let held = self.joined(found);
            if held.is_some()
                && let Some(slot) = self.held.get_mut(found)
            {
                *slot = held;
            }
        }
    }

    fn lines_of(&self, found: usize) -> Option<Held> {
        let occurrences = self.occurrences.get(found).filter(|o| o.count > 0)?;
        let (rule, description) = self.description(found)?;
        let mut held = Held {
            count: occurrences.count,
            groups: occurrences.shown().cloned().collect(),
            hosts: occurrences.hosts.clone(),
            files: occurrences.files.clone(),
        };
        if let Some(other) = &description.unless_joined {
            let others = self.occurrences.get(*self.plan.names.get(&rule.full_name(other))?)?;
            let partners = self.partners(rule, description);
            let proven_other = |key: &str| {
                others.keys.contains_key(key) && !partners.iter().any(|p| p.keys.contains_key(key))
            };
            let vetoed = occurrences.keys.keys().filter(|key| proven_other(key)).count() as u64;
            held.count = held.count.saturating_sub(vetoed);
            held.groups = occurrences
                .groups
                .iter()
                .filter(|group| !group.key.as_deref().is_some_and(proven_other))
                .take(4)
                .cloned()
                .collect();
        }
        (held.count >= description.count.unwrap_or(1)).then_some(held)
    }

    /// What a match is joined with in the other matches of its rule.
    fn partners(&self, rule: &Rule, description: &Match) -> Vec<&Occurrences> {
        let name = description.name.as_deref().unwrap_or_default();
        rule.matches
            .iter()
            .filter_map(|m| m.join.as_ref())
            .filter(|join| join.iter().any(|side| side == name))
            .flat_map(|join| join.iter().filter(|side| *side != name))
            .filter_map(|side| self.occurrences.get(*self.plan.names.get(&rule.full_name(side))?))
            .collect()
    }

    fn joined(&self, found: usize) -> Option<Held> {
        let (rule, description) = self.description(found)?;
        let [left, right] = description.join.as_ref()?;
        let side = |name: &str| self.occurrences.get(*self.plan.names.get(&rule.full_name(name))?);
        let (left, right) = (side(left)?, side(right)?);
        let mut keys: Vec<_> = left.keys.iter().filter(|(key, _)| right.keys.contains_key(*key)).collect();
        keys.sort_by_key(|(_, number)| **number);
        let mut held = Held {
            count: keys.len() as u64,
            groups: Vec::new(),
            hosts: left.hosts.union(&right.hosts).cloned().collect(),
            files: left.files.union(&right.files).copied().collect(),
        };
        for (key, number) in keys.into_iter().take(4) {
            let mut group = left.groups.get(*number)?.clone();
            let other = right.keys.get(key).and_then(|n| right.groups.get(*n))?;
            group.evidence.extend(other.evidence.iter().cloned());
            held.groups.push(group);
        }
        (held.count >= description.count.unwrap_or(1)).then_some(held)
    }

    /// Matches that rest on other findings.
    fn conditions(&mut self) {
        for found in 0..self.occurrences.len() {
            let held = self.resting(found);
            let rests = self
                .description(found)
                .is_some_and(|(_, m)| !m.needs.is_empty() || !m.needs_any.is_empty() || !m.lacks.is_empty());
            if rests && let Some(slot) = self.held.get_mut(found) {
                *slot = held;
            }
        }
    }

    fn resting(&self, found: usize) -> Option<Held> {
        let (rule, description) = self.description(found)?;
        if description.lacks.iter().any(|name| self.reference(&rule.full_name(name)).is_some()) {
            return None;
        }
        if description.needs.is_empty() && description.needs_any.is_empty() {
            return self.joined(found).or_else(|| self.lines_of(found));
        }
        let mut parts = Vec::new();
        for name in &description.needs {
            parts.push(self.reference(&rule.full_name(name))?);
        }
        let any: Vec<Held> =
            description.needs_any.iter().filter_map(|name| self.reference(&rule.full_name(name))).collect();
        if !description.needs_any.is_empty() && any.is_empty() {
            return None;
        }
        parts.extend(any);
        let mut held = Held { count: 0, groups: Vec::new(), hosts: BTreeSet::new(), files: BTreeSet::new() };
        for part in parts {
            held.count = held.count.max(part.count);
            held.groups.extend(part.groups.into_iter().take(2));
            held.hosts.extend(part.hosts);
            held.files.extend(part.files);
        }
        let distinct = if held.hosts.is_empty() { held.files.len() } else { held.hosts.len() };
        (held.count >= description.count.unwrap_or(1) && distinct >= description.distinct.unwrap_or(0))
            .then_some(held)
    }

    /// What `P-30` (any match that makes the finding) or `P-30.client` stands for.
    fn reference(&self, name: &str) -> Option<Held> {
        if let Some(found) = self.plan.names.get(name) {
            return self.held.get(*found)?.clone();
        }
        let best = |(_, m): (&Rule, &Match)| m.sure;
        self.held
            .iter()
            .enumerate()
            .filter(|(found, _)| self.description(*found).is_some_and(|(rule, _)| rule.id == name))
            .filter_map(|(found, held)| {
                Some((self.description(found).and_then(best)?, held.as_ref()?.clone()))
            })
            .max_by_key(|(sure, _)| *sure)
            .map(|(_, held)| held)
    }

    /// The finding of one rule, when any match that makes one holds.
    fn problem(&self, (number, rule): (usize, &Rule)) -> Option<Finding> {
        let mut holding: Vec<(Sureness, &Match, &Held)> = self
            .held
            .iter()
            .enumerate()
            .filter(|(found, _)| self.plan.matches.get(*found).is_some_and(|p| p.rule == number))
            .filter_map(|(found, held)| {
                let (_, description) = self.description(found)?;
                Some((description.sure?, description, held.as_ref()?))
            })
            .collect();
        holding.sort_by_key(|(sure, ..)| std::cmp::Reverse(*sure));
        let (sure, best, _) = holding.first()?;
        let mut evidence: Vec<Evidence> = Vec::new();
        for (_, _, held) in &holding {
            for line in held.groups.iter().flat_map(|group| &group.evidence) {
                let known = evidence.iter().any(|e| e.line == line.line && e.file == line.file);
                if !known && evidence.len() < LINES {
                    evidence.push(line.clone());
                }
            }
        }
        let count = holding.iter().map(|(_, _, held)| held.count).max().unwrap_or(1);
        Some(finding_of(rule, *sure, best.why.clone(), count, evidence))
    }
}

/// The finding of one error code, unless it is explained by another or is noise.
fn code(rule: &Rule, tallies: &[Tally], found: &BTreeSet<usize>) -> Option<Finding> {
    let needed = u64::from(rule.incidents.unwrap_or(1));
    let mut incidents = 0;
    let mut evidence = Vec::new();
    let mut recovered = true;
    for tally in tallies {
        let explained = |claimed: Option<usize>| claimed.is_some_and(|by| found.contains(&by));
        let open: Vec<_> = tally.incidents.iter().filter(|i| !explained(i.claimed)).collect();
        if open.is_empty() {
            continue;
        }
        incidents += open.len() as u64 + tally.more;
        recovered &= tally.recovered;
        evidence.extend(open.iter().take(6).map(|incident| incident.evidence.clone()));
        if let Some(last) = open.last().filter(|_| open.len() > 6) {
            evidence.push(last.evidence.clone());
        }
    }
    if incidents == 0 || (incidents < needed && recovered) {
        return None;
    }
    evidence.truncate(LINES);
    let times = if incidents == 1 { "once".to_owned() } else { format!("{incidents} times") };
    let (sure, why) = if incidents < needed {
        (
            Sureness::Possible,
            format!("Logged {times}; it is a pattern from {needed} times on, so look whether it comes back."),
        )
    } else if recovered {
        (Sureness::Possible, format!("Logged {times}, but a scan worked after the last time."))
    } else {
        (Sureness::Likely, format!("Logged {times}, and no scan that works is logged after the last time."))
    };
    Some(finding_of(rule, sure, why, incidents, evidence))
}

fn finding_of(rule: &Rule, sure: Sureness, why: String, count: u64, evidence: Vec<Evidence>) -> Finding {
    let title = match &rule.name {
        Some(name) => format!("{} ({name})", rule.title),
        None => rule.title.clone(),
    };
    Finding {
        problem: rule.id.clone(),
        title,
        confidence: sure,
        why,
        count,
        evidence,
        cause: rule.cause.trim().to_owned(),
        remedy: finding::remedy_text(&rule.remedy),
        steps: rule.remedy.clone(),
        sluicegate: rule.sluicegate.trim().to_owned(),
        related: Vec::new(),
        weight: rule.weight,
    }
}

/// Problems without a line of their own that are explained beside this one.
fn related(book: &Book, problem: &str, found: &BTreeSet<usize>) -> Vec<Related> {
    book.rules
        .iter()
        .enumerate()
        .filter(|(number, rule)| {
            !found.contains(number) && rule.explained_with.iter().any(|with| with == problem)
        })
        .map(|(_, rule)| Related {
            problem: rule.id.clone(),
            title: rule.title.clone(),
            cause: rule.cause.trim().to_owned(),
            remedy: finding::remedy_text(&rule.remedy),
        })
        .collect()
}
