//! Cli room: `rollback`, back to the database as it was before an upgrade, and what that costs.

use crate::args::Target;
use crate::endpoint;
use crate::output::{self, say};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use sluicegate_server::clock::{Clock as _, SystemClock};
use sluicegate_store::rollback;

/// `rollback`
#[derive(Debug, Args)]
#[command(after_help = "\
The server must not run. The present database stays beside the old one. Install the program of that time before the\n\
next start: the present one would take the same step forward again.")]
pub(crate) struct Rollback {
    /// Say what it comes to and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before acting
    #[arg(long)]
    yes: bool,
}

/// Goes back, after saying what that comes to.
pub(crate) fn run(target: &Target, args: &Rollback) -> anyhow::Result<()> {
    if target.server.is_some() {
        bail!("a server cannot go back while it runs; stop it, and name its folder with --data");
    }
    let folder = endpoint::local_folder(target);
    let failed = || format!("cannot go back in `{}`", folder.display());
    let plan = rollback(&folder, true, SystemClock.now()).with_context(failed)?;
    let done = |done: bool| {
        json!({
            "done": done,
            "from_schema": plan.from,
            "to_schema": plan.to,
            "copy": plan.copy.display().to_string(),
            "kept_as": plan.kept.display().to_string(),
            "newer_revisions": plan.newer_revisions,
            "newer_decisions": plan.newer_entries,
            "lost_revisions": plan.lost_revisions,
        })
    };
    if args.dry_run {
        output::show(target.json, &done(false), said);
        return Ok(());
    }
    if !args.yes {
        output::show(target.json, &done(false), said);
        if target.json || !output::agreed()? {
            bail!("nothing was changed; --yes goes on without asking");
        }
    }
    rollback(&folder, false, SystemClock.now()).with_context(failed)?;
    output::show(target.json, &done(true), said);
    Ok(())
}

fn said(shown: &Value) {
    let text = |name: &str| output::text(shown.get(name));
    let verb = if shown["done"] == true { "Went" } else { "Goes" };
    say!("{verb} from schema {} to {}, from {}.", text("from_schema"), text("to_schema"), text("copy"));
    say!("The database of now is kept as {}.", text("kept_as"));
    let number = |name: &str| shown[name].as_u64().unwrap_or(0);
    let revisions = output::count(number("newer_revisions"), "revision");
    say!("Lost: {revisions} that came since; synchronization brings what came that way again.");
    let entries = output::entries(number("newer_decisions"));
    say!("Lost: {entries} of the audit log since, with what was decided.");
    if shown["lost_revisions"] != 0 {
        say!(
            "Without bytes by now: {} of then; `sluicegate check` names what is damaged.",
            output::count(number("lost_revisions"), "revision")
        );
    }
}
