//! Cli room: `repair approvals`, the remedy of KB954960 over a whole tree of servers: top first, replica mode
//! lifted and restored, shown before it acts, with a journal so that a broken run is taken up again. And `repair identity`.

mod identity;
mod journal;
mod managed;
mod plan;
mod run;
mod sluicegate;
#[cfg(test)]
mod tests;
mod tree;

use crate::args::Target;
use crate::output::{self, say};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use journal::Journal;
use managed::ManagedServer;
use serde_json::json;
use sluicegate::Sluicegate;
use sluicegate_terms::UpdateId;
use std::path::PathBuf;

/// `repair`
#[derive(Debug, Subcommand)]
pub(crate) enum Repair {
    /// Reset the approvals of one update on every server of a tree (the workaround of KB954960)
    #[command(after_help = "\
TREE is a file with a table for each server:\n\n  \
[[server]]\n  name = \"head-office\"\n  url = \"http://updates.example.net:8530\"\n  token-file = \"/etc/sluicegate/head-office.token\"\n\n  \
[[server]]\n  name = \"branch\"\n  url = \"http://branch.example.net:8530\"\n  token-file = \"/etc/sluicegate/branch.token\"\n  parent = \"head-office\"\n\n\
A run that broke off is taken up again by the same command: its journal says what was done, and replica\n\
mode is restored for sure. Exit codes: 0 done; 1 it broke off, run it again; 2 wrong arguments.")]
    Approvals(Approvals),
    /// Give a server that is a copy of another one an id of its own; it must not run
    Identity(identity::Identity),
}

/// `repair approvals`
#[derive(Debug, Args)]
pub(crate) struct Approvals {
    /// UpdateID; titles are not unique, so none is taken
    #[arg(value_name = "UPDATEID")]
    update: String,
    /// The servers of the tree; without it, only the one that --server or --data names
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    tree: Option<PathBuf>,
    /// Show the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before acting
    #[arg(long)]
    yes: bool,
    /// Leave the update as it was before, instead of declined as KB954960 has it
    #[arg(long)]
    keep: bool,
    /// Where the journal is kept while it runs
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Runs `repair`.
pub(crate) async fn run(target: &Target, args: Repair) -> anyhow::Result<()> {
    let args = match args {
        Repair::Approvals(args) => args,
        Repair::Identity(args) => return identity::run(target, &args),
    };
    let update: UpdateId =
        args.update.parse().context("an update is named by its UpdateID, never by its title")?;
    let servers = match &args.tree {
        Some(file) => tree::read(file)?
            .into_iter()
            .map(|node| Ok(Box::new(Sluicegate::new(node)?) as Box<dyn ManagedServer>))
            .collect::<anyhow::Result<Vec<_>>>()?,
        None => vec![Box::new(Sluicegate::from_target(target)?) as Box<dyn ManagedServer>],
    };
    let path =
        args.journal.clone().unwrap_or_else(|| PathBuf::from(format!("sluicegate-repair-{update}.json")));
    let mut journal = Journal::open(&path, update, args.keep)?;
    let plan = plan::make(&servers, update, &journal, args.keep).await?;
    // For programs there is one document: the plan alone where nothing follows it.
    let planned = json!({ "update_id": update.to_string(), "plan": plan.lines() });
    let alone = args.dry_run || plan.is_empty() || (target.json && !args.yes);
    if alone || !target.json {
        output::show(target.json, &planned, |_| plan.lines().iter().for_each(|line| say!("{line}")));
    }
    if args.dry_run {
        return Ok(());
    }
    if plan.is_empty() {
        bail!("no server of the tree has update {update}; nothing was changed");
    }
    if !args.yes && (target.json || !output::agreed()?) {
        bail!("nothing was changed; --yes goes on without asking");
    }
    let outcome = run::carry_out(&servers, &plan, &mut journal).await;
    let log = path.with_extension("log");
    journal.write_log(&log)?;
    let mut done = journal.to_json();
    done["plan"] = json!(plan.lines());
    output::show(target.json, &done, |_| {
        journal.lines().for_each(|line| say!("{line}"));
        say!("This is also in {}.", log.display());
    });
    outcome.with_context(|| {
        format!("the repair broke off; run the same command again to go on ({} knows where)", path.display())
    })?;
    journal.finish()
}
