//! Cli room: `doctor` reads logs and says which known problems they show. Needs no server.

use crate::args::Target;
use crate::output::{self, say};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sluicegate_doctor::{Doctor as Rules, Finding, Limits, Report, Sureness};
use std::path::PathBuf;

/// The exit code when `--fail-on` was given and something at least that sure was found.
const FOUND: i32 = 3;

/// `doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads WindowsUpdate.log, SoftwareDistribution.log, wsyncmgr.log, WCM.log, WSUSCtrl.log, IIS logs, status\n\
messages and Sluicegate's own logs; any encoding, any display language.\n\n\
Exit codes: 0 the logs were read; 1 none could be read; 2 wrong arguments; 3 see --fail-on.")]
pub(crate) struct Doctor {
    /// Logs, folders of logs, zip and gzip files of logs
    #[arg(required_unless_present = "rules", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show at most this many findings, the surest first
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Show at most this many lines of evidence for each finding
    #[arg(long, default_value_t = 8, value_name = "N")]
    evidence: usize,
    /// End with exit code 3 when a finding is at least this sure
    #[arg(long, value_enum, value_name = "SURENESS")]
    fail_on: Option<FailOn>,
    /// List what is known instead of reading logs
    #[arg(long)]
    rules: bool,
}

/// How sure a finding must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Any finding
    Possible,
    /// Likely or certain ones
    Likely,
    /// Certain ones
    Certain,
}

impl FailOn {
    fn least(self) -> Sureness {
        match self {
            Self::Possible => Sureness::Possible,
            Self::Likely => Sureness::Likely,
            Self::Certain => Sureness::Certain,
        }
    }
}

/// Reads, and prints what was found.
pub(crate) fn run(target: &Target, args: &Doctor) -> anyhow::Result<()> {
    let rules = Rules::builtin().context("the built-in rules cannot be used")?;
    if args.rules {
        list_rules(&rules, target.json);
        return Ok(());
    }
    let bar = progress_bar();
    let mut report = rules.examine(&args.paths, &Limits::default(), &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done.min(progress.total));
    })?;
    bar.finish_and_clear();
    let none = "no log could be read; give me log files, folders of them, or zip files";
    match (target.json, report.files.is_empty()) {
        (true, true) => {
            let notes: Vec<String> =
                report.notes.iter().map(|note| format!("{} {}", note.file, note.what)).collect();
            anyhow::bail!("{none} ({})", notes.join("; "));
        }
        (true, false) if !report.notes.is_empty() => {
            let notes = report.notes.iter().map(|note| json!({ "file": note.file, "what": note.what }));
            eprintln!("{}", json!({ "notes": notes.collect::<Vec<_>>() }));
        }
        (true, false) => {}
        (false, nothing) => {
            for note in &report.notes {
                eprintln!("sluicegate: {} {}", note.file, note.what);
            }
            anyhow::ensure!(!nothing, none);
        }
    }
    let fail =
        args.fail_on.is_some_and(|fail_on| report.findings.iter().any(|f| f.confidence >= fail_on.least()));
    let all = report.findings.len();
    report.findings.truncate(args.limit.unwrap_or(usize::MAX));
    if target.json {
        for finding in &mut report.findings {
            finding.evidence.truncate(args.evidence.max(1));
        }
        say!(
            "{:#}",
            serde_json::to_value(&report.findings).context("the findings cannot be written as JSON")?
        );
    } else {
        print(&report, all, args.evidence);
    }
    if fail {
        std::process::exit(FOUND);
    }
    Ok(())
}

fn progress_bar() -> ProgressBar {
    // Hidden by itself when standard error is no terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn list_rules(rules: &Rules, json: bool) {
    let list: Vec<_> = rules
        .book()
        .rules()
        .iter()
        .map(|rule| {
            json!({
                "problem": rule.id, "title": rule.title, "name": rule.name, "logs": rule.logs,
                "cause": rule.cause, "remedy": rule.remedy, "sluicegate": rule.sluicegate,
            })
        })
        .collect();
    output::show(json, &serde_json::Value::Array(list), |list| {
        output::rows(list, &[("problem", "/problem"), ("title", "/title")], "no rules");
    });
}

fn print(report: &Report, all: usize, evidence: usize) {
    let lines: u64 = report.files.iter().map(|file| file.lines).sum();
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    let logs = if report.files.len() == 1 { "log" } else { "logs" };
    say!("{} {logs}, {lines} lines, {}", report.files.len(), output::size(bytes));
    if all == 0 {
        say!("No known problem shows in them.");
        return;
    }
    say!("");
    let summary = json!(
        report
            .findings
            .iter()
            .map(|f| json!({
                "problem": f.problem, "sure": f.confidence.word(), "times": f.count, "title": f.title
            }))
            .collect::<Vec<_>>()
    );
    let columns = [("problem", "/problem"), ("sure", "/sure"), ("times", "/times"), ("what", "/title")];
    output::rows(&summary, &columns, "");
    if all > report.findings.len() {
        say!("and {} more; raise --limit to see them", all - report.findings.len());
    }
    for finding in &report.findings {
        say!("");
        print_finding(finding, evidence);
    }
}

fn print_finding(finding: &Finding, evidence: usize) {
    say!("{}  {}", finding.problem, finding.title);
    paragraph(&format!("{}: ", finding.confidence.word()), &finding.why);
    say!("  evidence:");
    for line in finding.evidence.iter().take(evidence) {
        say!("    {}:{}", line.file, line.line);
        say!("      {}", line.text);
    }
    if finding.evidence.len() > evidence {
        say!("    and {} more lines", finding.evidence.len() - evidence);
    }
    paragraph("cause: ", &finding.cause);
    for (step, number) in finding.steps.iter().zip(1..) {
        let label = if number == 1 { "remedy: " } else { "        " };
        match finding.steps.len() {
            1 => paragraph(label, step),
            _ => paragraph(&format!("{label}{number}. "), step),
        }
    }
    paragraph("Sluicegate: ", &finding.sluicegate);
    for related in &finding.related {
        paragraph("see also: ", &format!("{} {}", related.problem, related.title));
    }
}

/// Text with a label, indented and broken at 100 columns; what follows the first line stands below its text.
fn paragraph(label: &str, text: &str) {
    const WIDTH: usize = 100;
    let indent = 2 + label.chars().count();
    let mut line = format!("  {label}");
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            say!("{line}");
            line = " ".repeat(indent);
            column = indent;
        }
        if column > indent {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
    }
    say!("{line}");
}
