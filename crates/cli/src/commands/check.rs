//! Cli room: `check`, everything that is kept, verified and repaired where there is one right answer.

use crate::admin_client::AdminClient;
use crate::args::Target;
use crate::endpoint::{self, Endpoint};
use crate::output::{self, say};
use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use sluicegate_server::checking;
use sluicegate_server::clock::{Clock as _, SystemClock};
use sluicegate_store::StoreError;

/// The exit code when all that was wrong has been repaired.
const REPAIRED: i32 = 3;

/// The exit code when something is wrong that is not repaired.
const UNSOUND: i32 = 4;

/// `check`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing is wrong; 1 it could not be checked; 2 wrong arguments; 3 what was wrong has been\n\
repaired; 4 something is wrong that is not repaired.")]
pub(crate) struct Check {
    /// Repair what has one right answer
    #[arg(long)]
    repair: bool,
    /// Read every content file and compare its digests
    #[arg(long)]
    content: bool,
}

/// Checks a folder, or the server that works on it.
pub(crate) async fn run(target: &Target, args: &Check) -> anyhow::Result<()> {
    let report = report(target, args).await?;
    output::show(target.json, &report, said);
    let findings = report["findings"].as_array().map_or(0, Vec::len);
    match (report["sound"] == true, findings) {
        (true, 0) => Ok(()),
        (true, _) => std::process::exit(REPAIRED),
        (false, _) => std::process::exit(UNSOUND),
    }
}

async fn report(target: &Target, args: &Check) -> anyhow::Result<Value> {
    if target.server.is_none() {
        let folder = endpoint::local_folder(target);
        let (content, repair) = (args.content, args.repair);
        let work = {
            let folder = folder.clone();
            move || checking::check_folder(&folder, content, repair, SystemClock.now())
        };
        match tokio::task::spawn_blocking(work).await? {
            Ok(report) => return Ok(checking::report_json(&report)),
            // A server works on it: it checks itself.
            Err(StoreError::Locked { .. }) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot check `{}`", folder.display())),
        }
    }
    let client = AdminClient::new(Endpoint::find(target)?);
    client.post("check", &json!({ "content": args.content, "repair": args.repair })).await
}

fn said(report: &Value) {
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |name: &str| report[name].as_u64().unwrap_or(0);
    say!(
        "Checked {}, {} and {} of the audit log.",
        output::count(number("revisions"), "revision"),
        output::count(number("files"), "content file"),
        output::entries(number("audit_entries"))
    );
    for finding in findings {
        let state = match (finding["repaired"] == true, finding["repairable"] == true) {
            (true, _) => "repaired",
            (_, true) => "can be repaired",
            _ => "WRONG",
        };
        say!("[{}] {state}: {}", output::text(finding.get("check")), output::text(finding.get("what")));
        say!("    {}", output::text(finding.get("remedy")));
    }
    if report["more"] != 0 {
        say!("… and {} more.", number("more"));
    }
    if findings.is_empty() {
        say!("Nothing is wrong.");
    } else if findings.iter().any(|f| f["repairable"] == true && f["repaired"] != true) {
        say!("`sluicegate check --repair` repairs what can be repaired.");
    }
}
