//! Doctor room: the matches of all rules in one list, and which signals feed which of them.

use crate::book::Book;
use crate::compile::{CompileError, Condition, Matcher};
use crate::rule::{RunCondition, Sureness};
use rustc_hash::FxHashMap;

/// One match of one rule.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) rule: usize,
    pub(crate) number: usize,
    /// Rules of the codes that need no finding of their own where this match holds.
    pub(crate) explains: Vec<usize>,
}

/// A signal's part in a match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    /// Number of the match in the plan.
    pub(crate) found: usize,
    /// Which of the signals of `near` it is.
    pub(crate) position: usize,
}

/// A match that is about a whole synchronization run.
#[derive(Debug)]
pub(crate) struct PlannedRun {
    /// Number of the match in the plan.
    pub(crate) found: usize,
    pub(crate) condition: RunCondition,
    /// What the run's failure says.
    pub(crate) text: Option<Condition>,
    /// A run like this needs no other explanation.
    pub(crate) explains_it: bool,
}

/// All matches.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) matches: Vec<Planned>,
    uses: Vec<Vec<Use>>,
    /// Those that hold only for what nothing else explains come last.
    pub(crate) runs: Vec<PlannedRun>,
    /// `P-30.client` to the number of the match.
    pub(crate) names: FxHashMap<String, usize>,
}

impl Plan {
    pub(crate) fn new(book: &Book, matcher: &Matcher) -> Result<Self, CompileError> {
        let mut plan = Self {
            matches: Vec::new(),
            uses: vec![Vec::new(); matcher.signals.len()],
            runs: Vec::new(),
            names: FxHashMap::default(),
        };
        for (index, rule) in book.rules.iter().enumerate() {
            let explains: Vec<usize> = rule
                .explains
                .iter()
                .filter_map(|code| book.rules.iter().position(|other| other.id == *code))
                .collect();
            for (number, description) in rule.matches.iter().enumerate() {
                let found = plan.matches.len();
                let signals = description.line.iter().chain(&description.near);
                for (position, name) in signals.enumerate() {
                    if let Some(signal) = matcher.names.get(&(index, name.clone()))
                        && let Some(uses) = plan.uses.get_mut(*signal)
                    {
                        uses.push(Use { found, position });
                    }
                }
                if let Some(condition) = &description.run {
                    plan.runs.push(PlannedRun {
                        found,
                        condition: condition.clone(),
                        text: matcher.run_texts.get(&(index, number)).cloned(),
                        explains_it: description.sure.is_some_and(|sure| sure >= Sureness::Likely),
                    });
                }
                if let Some(name) = &description.name {
                    plan.names.insert(format!("{}.{name}", rule.id), found);
                }
                // A match that only helps, or whose meaning another cause can take away, explains too:
                // the verdict counts it only when the rule has a finding.
                plan.matches.push(Planned { rule: index, number, explains: explains.clone() });
            }
        }
        plan.runs.sort_by_key(|run| run.condition.unexplained);
        Ok(plan)
    }

    pub(crate) fn uses(&self, signal: usize) -> &[Use] {
        self.uses.get(signal).map_or(&[], Vec::as_slice)
    }
}
