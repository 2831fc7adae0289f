//! Cli room: `cleanup run`, `cleanup status` and `cleanup settings`.

use crate::admin_client::AdminClient;
use crate::output;
use crate::output::say;
use clap::Subcommand;
use serde_json::{Map, Value, json};

/// `cleanup`
#[derive(Debug, Subcommand)]
pub(crate) enum Cleanup {
    /// Clean up now; it also runs by itself once a day
    Run {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Only this step (can be given several times); all that are switched on otherwise
        #[arg(long, value_name = "STEP")]
        step: Vec<String>,
    },
    /// Show the last runs and what they did
    Status,
    /// Show the settings, or change some: NAME=VALUE
    Settings {
        /// For example computer-days=90 or enabled=false
        #[arg(value_name = "NAME=VALUE")]
        set: Vec<String>,
    },
}

pub(crate) async fn run(client: &AdminClient, args: Cleanup, json: bool) -> anyhow::Result<()> {
    match args {
        Cleanup::Run { dry_run, step } => {
            let report = client.post("cleanup/run", &json!({ "dry_run": dry_run, "steps": step })).await?;
            output::show(json, &report, |report| {
                steps(report);
                if dry_run {
                    say!("Nothing was changed.");
                }
            });
        }
        Cleanup::Status => {
            let status = client.get("cleanup", &[]).await?;
            output::show(json, &status, |status| {
                if let Some(since) = status["running_since"].as_str() {
                    say!("A run is under way since {since}.");
                }
                output::rows(
                    &status["runs"],
                    &[("run", "/id"), ("started", "/started"), ("by", "/by"), ("outcome", "/outcome")],
                    "Cleanup has not run yet.",
                );
                if let Some(last) = status["runs"].get(0) {
                    say!("");
                    steps(last);
                }
            });
        }
        Cleanup::Settings { set } => {
            let value = if set.is_empty() {
                client.get("cleanup", &[]).await?
            } else {
                let mut changes = Map::new();
                for pair in &set {
                    let Some((name, value)) = pair.split_once('=') else {
                        anyhow::bail!("`{pair}` is not of the form NAME=VALUE, as in computer-days=90");
                    };
                    changes.insert(name.trim().to_owned(), Value::from(value.trim()));
                }
                client.put("cleanup", &Value::Object(changes)).await?
            };
            output::show(json, &value["settings"], |settings| {
                for (name, value) in settings.as_object().into_iter().flatten() {
                    say!("{name:<16}  {}", output::text(Some(value)));
                }
            });
        }
    }
    Ok(())
}

fn steps(report: &Value) {
    output::rows(
        &report["steps"],
        &[("step", "/step"), ("found", "/found"), ("done", "/done"), ("bytes", "/bytes"), ("note", "/note")],
        "No step ran.",
    );
}
