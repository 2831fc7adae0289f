//! Doctor room: what comes out. A finding names one problem, how sure it is, the lines that show it,
//! and what a person should know and do.

use crate::rule::Sureness;
use serde::Serialize;

/// One line of a log that shows a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The file; a file within an archive is written `archive.zip/name`.
    pub file: String,
    /// Line number, from 1.
    pub line: u64,
    /// The line as text, at most 500 characters.
    pub text: String,
    /// The time the line carries, as it is written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// A problem that no log shows by itself, explained beside one that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Its id.
    pub problem: String,
    /// One line.
    pub title: String,
    /// Why it happens.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// One problem that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `P-30`, `R-07`, or an error code such as `0x8024400E`.
    pub problem: String,
    /// One line.
    pub title: String,
    /// How sure it is.
    pub confidence: Sureness,
    /// Why it is that sure.
    pub why: String,
    /// How often it shows.
    pub count: u64,
    /// The lines that show it; at most some two dozen.
    pub evidence: Vec<Evidence>,
    /// Why it happens.
    pub cause: String,
    /// What to do, as one text.
    pub remedy: String,
    /// The same, step by step.
    pub steps: Vec<String>,
    /// What Sluicegate does about this failure.
    pub sluicegate: String,
    /// Problems that often stand beside this one and leave no line of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// Sorts findings of the same sureness; see [`crate::Rule::weight`].
    pub weight: u8,
}

/// Surest first, then heaviest, then most frequent.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.confidence, b.weight, b.count)
            .cmp(&(a.confidence, a.weight, a.count))
            .then_with(|| a.problem.cmp(&b.problem))
    });
}

/// Steps as one text: a single one as it is, several numbered.
pub(crate) fn remedy_text(steps: &[String]) -> String {
    match steps {
        [only] => only.clone(),
        many => many.iter().zip(1..).map(|(step, n)| format!("{n}. {step}")).collect::<Vec<_>>().join("\n"),
    }
}
