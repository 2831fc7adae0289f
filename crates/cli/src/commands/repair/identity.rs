//! Cli room: `repair identity`, an id of its own for a server that is a copy of another one.

use crate::args::Target;
use crate::endpoint;
use crate::output::{self, say};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use sluicegate_server::clock::{Clock as _, SystemClock};
use sluicegate_store::audit::Actor;
use sluicegate_store::{Store, StoreOptions};

/// `repair identity`
#[derive(Debug, Args)]
pub(crate) struct Identity {
    /// Do not ask before acting
    #[arg(long)]
    yes: bool,
}

/// Gives the server of a data folder another id.
pub(super) fn run(target: &Target, args: &Identity) -> anyhow::Result<()> {
    if target.server.is_some() {
        bail!("a server cannot be given another id while it runs; stop it, and name its folder with --data");
    }
    let folder = endpoint::local_folder(target);
    let failed = || format!("cannot give the server of `{}` another id", folder.display());
    if !folder.join("sluicegate.db").is_file() {
        bail!("{}: there is no database in it", failed());
    }
    let now = SystemClock.now();
    let store = Store::open(&folder, StoreOptions::new(now)).with_context(failed)?;
    let store = store.by(Actor::administrator("admin", "repair"));
    let before = store.server_id().to_string();
    if !args.yes {
        let shown = json!({ "done": false, "before": before });
        output::show(target.json, &shown, said);
        if target.json || !output::agreed()? {
            bail!("nothing was changed; --yes goes on without asking");
        }
    }
    let after = store.renew_identity(now).with_context(failed)?;
    output::show(target.json, &json!({ "done": true, "before": before, "after": after.to_string() }), said);
    Ok(())
}

fn said(shown: &Value) {
    let text = |name: &str| output::text(shown.get(name));
    if shown["done"] == true {
        say!("This server is {} now, and was {}.", text("after"), text("before"));
        say!(
            "Computers that ask it notice at their next call, and go on. What it knew of servers below is gone; they show by asking."
        );
    } else {
        say!(
            "This server is {}. Another id is for the copy of a server, not for the one it is a copy of.",
            text("before")
        );
    }
}
