//! Cli room: `audit list` and `audit verify`, the log of decisions, and `alerts`.

use super::catalog::entries;
use crate::admin_client::AdminClient;
use crate::args::Target;
use crate::endpoint::Endpoint;
use crate::output::{self, say};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluicegate_server::checking;

/// The exit code when the log is not whole.
const BROKEN: i32 = 3;

/// `audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List what was decided: who, when, from where, and what was before and after
    List(List),
    /// Verify that no entry was changed, removed, reordered or cut off
    #[command(after_help = "\
With --data the folder is verified directly, whether or not a server runs there.\n\n\
Exit codes: 0 the log is whole; 1 it could not be read; 2 wrong arguments; 3 it is not whole.")]
    Verify,
}

/// `audit list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only decisions about this update
    #[arg(long, value_name = "UPDATEID")]
    update: Option<String>,
    /// Only from this time on, for example 2026-11-01T00:00:00Z
    #[arg(long, value_name = "ISO8601")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "ISO8601")]
    until: Option<String>,
    /// Only this kind: approve, unapprove, decline, import, set-config, …
    #[arg(long)]
    action: Option<String>,
    /// How many to list at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Only entries with a lower number: the next page
    #[arg(long, value_name = "NUMBER")]
    below: Option<u32>,
}

/// `alerts`
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// List what an administrator should look at
    List,
    /// Say that an alert was seen
    Acknowledge {
        /// Its number, as `alerts list` shows it
        alert: u64,
    },
}

/// Runs `audit`.
pub(crate) async fn run(target: &Target, args: Audit) -> anyhow::Result<()> {
    match args {
        Audit::List(args) => list(target, &args).await,
        Audit::Verify => verify(target).await,
    }
}

async fn list(target: &Target, args: &List) -> anyhow::Result<()> {
    let client = AdminClient::new(Endpoint::find(target)?);
    let query = [
        ("update", args.update.clone()),
        ("since", args.since.clone()),
        ("until", args.until.clone()),
        ("action", args.action.clone()),
        ("below", args.below.map(|number| number.to_string())),
        ("limit", Some(args.limit.to_string())),
    ];
    let page = client.get("audit", &query).await?;
    output::show(target.json, &page, |page| {
        output::rows(
            entries(page, "entries"),
            &[
                ("No", "/seq"),
                ("When", "/at"),
                ("Who", "/who"),
                ("From", "/from"),
                ("What", "/action"),
                ("About", "/subject"),
                ("Before", "/before"),
                ("After", "/after"),
            ],
            "No entries.",
        );
        if page["more"] == true {
            say!("There are more; go on with --below and the last number.");
        }
    });
    Ok(())
}

async fn verify(target: &Target) -> anyhow::Result<()> {
    let verdict = match &target.server {
        Some(_) => AdminClient::new(Endpoint::find(target)?).get("audit/verify", &[]).await?,
        None => {
            let folder = crate::endpoint::local_folder(target);
            let verdict = sluicegate_store::audit::verify_folder(&folder)
                .with_context(|| format!("cannot verify the audit log of `{}`", folder.display()))?;
            checking::verdict_json(&verdict)
        }
    };
    output::show(target.json, &verdict, said);
    if verdict["whole"] != true {
        std::process::exit(BROKEN);
    }
    Ok(())
}

fn said(verdict: &Value) {
    let head = output::text(verdict.pointer("/head/hash"));
    let count = output::text(verdict.pointer("/head/entries"));
    match verdict["breaks"].as_array().filter(|breaks| !breaks.is_empty()) {
        None => say!("The audit log is whole: {count} entries, the last has the hash {head}."),
        Some(breaks) => {
            say!(
                "The audit log is NOT whole; {} entries were verified.",
                output::text(verdict.get("verified"))
            );
            for one in breaks {
                say!("  {}", output::text(Some(one)));
            }
            say!(
                "Compare with a backup, and with the numbers and hashes in the server's log (`audit log grew`)."
            );
        }
    }
}

/// Runs `alerts`.
pub(crate) async fn alerts(client: &AdminClient, args: Alerts, json: bool) -> anyhow::Result<()> {
    match args {
        Alerts::List => {
            let list = client.get("alerts", &[]).await?;
            output::show(json, &list, |list| {
                let columns = [
                    ("No", "/id"),
                    ("When", "/at"),
                    ("Kind", "/kind"),
                    ("Updates", "/count"),
                    ("What", "/text"),
                ];
                output::rows(entries(list, "alerts"), &columns, "No alerts.");
            });
        }
        Alerts::Acknowledge { alert } => {
            let done = client.post(&format!("alerts/{alert}/acknowledge"), &json!({})).await?;
            output::show(json, &done, |_| say!("Alert {alert} is noted as seen."));
        }
    }
    Ok(())
}
