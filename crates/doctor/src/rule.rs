//! Doctor room: what a rule file says. One file describes one problem: the signals that show it, how
//! they must come together, and what a person should know and do. Unknown keys are refused.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How sure a finding is. Ordered: the surest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sureness {
    /// The evidence fits, and fits other problems as well.
    Possible,
    /// The evidence fits this problem better than any other we know.
    Likely,
    /// The evidence has no other known explanation.
    Certain,
}

impl Sureness {
    /// The word used in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// One rule file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `P-30` for a row of the known problems, `R-07` for a related failure, or an error code.
    pub id: String,
    /// One line for a list.
    pub title: String,
    /// 1 to 100: sorts findings of the same sureness; how much of the fleet the problem stops.
    pub weight: u8,
    /// The logs in which it shows, for people.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Makes this a rule about one error code: found in hexadecimal and in both decimal forms.
    #[serde(default)]
    pub code: Option<String>,
    /// The code's symbolic name.
    #[serde(default)]
    pub name: Option<String>,
    /// For codes: fewer separate occurrences than this, followed by a scan that worked, are noise;
    /// fewer without such a scan are `possible`.
    #[serde(default)]
    pub incidents: Option<u32>,
    /// Why it happens.
    pub cause: String,
    /// What to do, step by step.
    pub remedy: Vec<String>,
    /// What Sluicegate does about this failure.
    pub sluicegate: String,
    /// Codes that need no finding of their own where this rule matched.
    #[serde(default)]
    pub explains: Vec<String>,
    /// For problems no log shows: the findings beside which they are explained.
    #[serde(default)]
    pub explained_with: Vec<String>,
    /// Conditions on one line, by name.
    #[serde(default, rename = "signal")]
    pub signals: BTreeMap<String, Signal>,
    /// How signals come together; each one that holds adds to the finding.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
}

/// A condition on the text of one line. Letter case never matters. Only invariant text belongs here:
/// numbers, type and method names, ids, and the words of logs that are never translated.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Each of these occurs.
    #[serde(default)]
    pub all: Vec<String>,
    /// At least one of these occurs (when any are given).
    #[serde(default)]
    pub any: Vec<String>,
    /// None of these occurs.
    #[serde(default)]
    pub none: Vec<String>,
    /// A regular expression over the line's bytes; its group `key` joins with other files, its group
    /// `host` counts distinct servers.
    #[serde(default)]
    pub pattern: Option<String>,
    /// The line is a request in an IIS log with one of these statuses, to one of these folders.
    #[serde(default)]
    pub iis: Option<IisCondition>,
}

/// A condition on one request of an IIS log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IisCondition {
    /// `sc-status` is one of these.
    pub status: Vec<u16>,
    /// `cs-uri-stem` begins with one of these.
    pub path: Vec<String>,
}

/// One way in which the problem shows itself. Exactly one of `line`, `near`, `run`, `join`, `needs` or
/// `needs_any` says what is looked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Lets other matches refer to this one, as `name` or `P-30.name`.
    #[serde(default)]
    pub name: Option<String>,
    /// How sure this match makes the finding; without it the match only helps others.
    #[serde(default)]
    pub sure: Option<Sureness>,
    /// Why it is that sure, in words.
    #[serde(default)]
    pub why: String,
    /// One line with this signal.
    #[serde(default)]
    pub line: Option<String>,
    /// Lines with all of these signals, close together in one file.
    #[serde(default)]
    pub near: Vec<String>,
    /// How many lines `near` may span.
    #[serde(default = "default_within")]
    pub within: u32,
    /// The signals of `near` come in the order given.
    #[serde(default)]
    pub ordered: bool,
    /// A synchronization run like this.
    #[serde(default)]
    pub run: Option<RunCondition>,
    /// Two matches of this rule share a `key` (a fault id that client and server both logged).
    #[serde(default)]
    pub join: Option<[String; 2]>,
    /// All of these findings or matches are there; their evidence is shown.
    #[serde(default)]
    pub needs: Vec<String>,
    /// At least one of these findings or matches is there.
    #[serde(default)]
    pub needs_any: Vec<String>,
    /// None of these findings or matches is there.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Occurrences whose key this other match shares do not count (another cause is proven).
    #[serde(default)]
    pub unless_joined: Option<String>,
    /// At least this many occurrences.
    #[serde(default)]
    pub count: Option<u64>,
    /// At least this many distinct `host`s (or files, where no host is captured) among those needed.
    #[serde(default)]
    pub distinct: Option<usize>,
}

fn default_within() -> u32 {
    12
}

/// How far a synchronization run got; each is shown by lines that `rules/shared.toml` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Status message 6701: the site's own gate.
    Started,
    /// Status message 6704: the gate is passed.
    Inprogress,
    /// The first `Synchronizing WSUS server`: about to connect.
    Contacting,
    /// The second one, with the full name: connected.
    Connected,
    /// The update server began its own synchronization with its upstream.
    Syncing,
    /// It has reported progress.
    Progress,
    /// The site database is being filled.
    Database,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It said so, or sent status message 6703.
    Failed,
    /// It said so, or sent 6702.
    Succeeded,
    /// The log ends without either.
    Unfinished,
}

/// A condition on one synchronization run of a site server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCondition {
    /// How it ended.
    pub outcome: Outcome,
    /// Stages it reached.
    #[serde(default)]
    pub reached: Vec<Stage>,
    /// Stages it did not reach; holds only when its beginning is in the log.
    #[serde(default)]
    pub not_reached: Vec<Stage>,
    /// How long it took, in minutes, from and up to.
    #[serde(default)]
    pub minutes: Option<[u32; 2]>,
    /// What its failure says (source and message of the status message, and the `Sync failed` line).
    #[serde(default)]
    pub text: Option<Signal>,
    /// No run before it in this log succeeded.
    #[serde(default)]
    pub first: bool,
    /// Holds only for runs that no other rule explains at least as `likely`.
    #[serde(default)]
    pub unexplained: bool,
}
