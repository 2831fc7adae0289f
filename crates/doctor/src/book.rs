//! Doctor room: the book of rules. Reads the rule files that are built in, and says which one is wrong
//! and why when one is.

use crate::rule::{Rule, Signal};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// All rule files, as (path, text); `build.rs` lists them.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
const SHARED: &str = include_str!("../rules/shared.toml");

/// A rule file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Not TOML, or not a rule.
    #[error("rule file {file} cannot be read: {cause}")]
    Syntax {
        /// The file.
        file: String,
        /// Where and why.
        cause: String,
    },
    /// Reads well, but cannot work.
    #[error("rule {rule}: {what}")]
    Rule {
        /// Its id.
        rule: String,
        /// What is wrong and what would do.
        what: String,
    },
}

/// The rules, in the order of their files.
#[derive(Debug, Clone)]
pub struct Book {
    pub(crate) rules: Vec<Rule>,
    pub(crate) shared: BTreeMap<String, Signal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    signal: BTreeMap<String, Signal>,
}

impl Book {
    /// The rules that are built in.
    ///
    /// # Errors
    /// A rule file is wrong; a test keeps this from happening to the ones we ship.
    pub fn builtin() -> Result<Self, BookError> {
        Self::read(FILES.iter().copied())
    }

    /// Rules from (file name, TOML text).
    ///
    /// # Errors
    /// The first file that is wrong, and why.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BookError> {
        let shared: Shared = parse("rules/shared.toml", SHARED)?;
        let mut rules = Vec::new();
        for (file, text) in files {
            rules.push(parse::<Rule>(file, text)?);
        }
        let book = Self { rules, shared: shared.signal };
        book.check()?;
        Ok(book)
    }

    /// Every rule.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn check(&self) -> Result<(), BookError> {
        let mut names = BTreeSet::new();
        for rule in &self.rules {
            let wrong = |what: String| Err(BookError::Rule { rule: rule.id.clone(), what });
            if !names.insert(rule.id.clone()) {
                return wrong("two rules have this id; give one of them another".to_owned());
            }
            if rule.cause.trim().is_empty() || rule.remedy.is_empty() || rule.sluicegate.trim().is_empty() {
                return wrong("`cause`, `remedy` and `sluicegate` must say something".to_owned());
            }
            if rule.code.is_none() && rule.matches.is_empty() && rule.explained_with.is_empty() {
                return wrong(
                    "it can never be found: give it `code`, `match` or `explained_with`".to_owned(),
                );
            }
            names.extend(
                rule.matches.iter().filter_map(|m| m.name.as_ref()).map(|name| format!("{}.{name}", rule.id)),
            );
        }
        for rule in &self.rules {
            let wrong = |what: String| Err(BookError::Rule { rule: rule.id.clone(), what });
            for found in &rule.matches {
                let ways = usize::from(found.line.is_some())
                    + usize::from(!found.near.is_empty())
                    + usize::from(found.run.is_some())
                    + usize::from(found.join.is_some())
                    + usize::from(!found.needs.is_empty() || !found.needs_any.is_empty());
                if ways != 1 {
                    return wrong(
                        "each match takes exactly one of `line`, `near`, `run`, `join`, `needs`".to_owned(),
                    );
                }
                for signal in found.line.iter().chain(&found.near) {
                    if !rule.signals.contains_key(signal) && !self.shared.contains_key(signal) {
                        return wrong(format!("a match uses the signal `{signal}`, which is not described"));
                    }
                }
                let references = found
                    .needs
                    .iter()
                    .chain(&found.needs_any)
                    .chain(&found.lacks)
                    .chain(&found.unless_joined)
                    .chain(found.join.iter().flatten());
                for reference in references {
                    if !names.contains(&rule.full_name(reference)) {
                        return wrong(format!("a match refers to `{reference}`, which does not exist"));
                    }
                }
            }
            for reference in rule.explains.iter().chain(&rule.explained_with) {
                if !names.contains(reference) {
                    return wrong(format!("it refers to `{reference}`, which does not exist"));
                }
            }
        }
        Ok(())
    }
}

impl Rule {
    /// `name` of this rule's match as others write it; other references are left as they are.
    pub(crate) fn full_name(&self, reference: &str) -> String {
        if self.matches.iter().any(|m| m.name.as_deref() == Some(reference)) {
            format!("{}.{reference}", self.id)
        } else {
            reference.to_owned()
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, BookError> {
    toml::from_str(text)
        .map_err(|cause| BookError::Syntax { file: file.to_owned(), cause: cause.to_string() })
}
