//! Cli room: `filters list`, `filters add`, `filters remove` and `filters preview`.

use crate::admin_client::AdminClient;
use crate::output;
use crate::output::say;
use clap::Subcommand;
use serde_json::{Value, json};

/// `filters`
#[derive(Debug, Subcommand)]
pub(crate) enum Filters {
    /// List the filters
    List,
    /// Add a filter: architecture=arm64, edition=consumer, language=de-de, "title=*Silverlight*" or preview
    Add {
        /// The filter
        filter: String,
    },
    /// Remove a filter; what it declined stays declined
    Remove {
        /// The filter, as `filters list` shows it
        filter: String,
    },
    /// Show what a filter would decline
    Preview {
        /// The filter
        filter: String,
    },
}

pub(crate) async fn run(client: &AdminClient, args: Filters, json: bool) -> anyhow::Result<()> {
    let value = match args {
        Filters::List => client.get("filters", &[]).await?,
        Filters::Add { filter } => client.post("filters", &json!({ "add": filter })).await?,
        Filters::Remove { filter } => client.post("filters", &json!({ "remove": filter })).await?,
        Filters::Preview { filter } => {
            let found = client.post("filters/preview", &json!({ "filter": filter })).await?;
            output::show(json, &found, |found| {
                let updates = output::count(found["count"].as_u64().unwrap_or(0), "update");
                say!("It would decline {updates} that nobody decided about.");
                found["titles"].as_array().into_iter().flatten().for_each(|title| {
                    say!("  {}", output::text(Some(title)));
                });
            });
            return Ok(());
        }
    };
    output::show(json, &value, |value| {
        let filters = value["filters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if filters.is_empty() {
            say!("There are no filters.");
        }
        filters.iter().filter_map(Value::as_str).for_each(|filter| say!("{filter}"));
        if value["ignored"] == true && !filters.is_empty() {
            say!("They decline nothing while this server is a replica: its upstream decides.");
        }
    });
    Ok(())
}
