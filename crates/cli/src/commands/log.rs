//! Cli room: `log find`, from the id in a client's log or a fault to the request, the computer and the cause.

use crate::args::Target;
use crate::endpoint;
use crate::output::{self, say};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluicegate_server::logging::{self, Found, LogFile, LogLine};
use std::path::PathBuf;

/// The exit code when no line has the id.
const NOTHING: i32 = 3;

/// `log`
#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Show the request, the client and the cause that belong to a fault's ID
    #[command(after_help = "\
The ID stands in the client's WindowsUpdate.log (`ID:…`) and in every answer that is a fault.\n\
Exit codes: 0 found; 1 the logs could not be read; 2 wrong arguments; 3 no line has this ID.")]
    Find(Find),
}

/// `log find`
#[derive(Debug, Args)]
pub(crate) struct Find {
    /// The ID, for example c0a7445f-b989-43fa-ac20-11f8ca65fa8c
    id: String,
    /// Logs to search, oldest first: SoftwareDistribution.log of this server or of WSUS, or JSON logs
    #[arg(long, value_name = "FILE", num_args = 1..)]
    log: Vec<PathBuf>,
}

/// Runs `log`.
pub(crate) fn run(target: &Target, args: Log) -> anyhow::Result<()> {
    let Log::Find(args) = args;
    let logs = if args.log.is_empty() {
        let folder = endpoint::local_folder(target);
        let logs = LogFile::all_parts(&folder);
        if logs.is_empty() {
            bail!("there is no {} in `{}`; name logs with --log", logging::NAME, folder.display());
        }
        logs
    } else {
        args.log
    };
    if args.id.trim().len() < 8 {
        bail!("`{}` is too short for an ID; give at least 8 characters of it", args.id);
    }
    let found = logging::find(&logs, &args.id).context("cannot read the logs")?;
    output::show(target.json, &shown(&found), |_| said(&found, &args.id));
    if found.request.is_empty() {
        std::process::exit(NOTHING);
    }
    Ok(())
}

fn shown(found: &Found) -> Value {
    let lines = |lines: &[LogLine]| -> Vec<Value> {
        lines
            .iter()
            .map(|line| json!({ "file": line.file.display().to_string(), "line": line.number, "text": line.text }))
            .collect()
    };
    let meaning = found.code.as_deref().and_then(logging::explain);
    json!({
        "request": lines(&found.request),
        "around": lines(&found.around),
        "client": found.client,
        "peer": found.peer,
        "error_code": found.code,
        "cause": found.cause,
        "meaning": meaning.map(|meaning| meaning.what),
        "remedy": meaning.map(|meaning| meaning.remedy),
    })
}

fn said(found: &Found, id: &str) {
    if found.request.is_empty() {
        say!("No line has the ID {id}. It may be of another server, or of a part of the log that is gone.");
        return;
    }
    let unknown = || "not said".to_owned();
    say!("Client      {}", found.client.clone().or_else(|| found.peer.clone()).unwrap_or_else(unknown));
    say!("Cause       {}", found.cause.clone().unwrap_or_else(unknown));
    say!("ErrorCode   {}", found.code.clone().unwrap_or_else(unknown));
    if let Some(meaning) = found.code.as_deref().and_then(logging::explain) {
        say!("Meaning     {}", meaning.what);
        say!("What to do  {}", meaning.remedy);
    }
    for (title, lines) in [("The request", &found.request), ("The same computer around then", &found.around)]
    {
        if !lines.is_empty() {
            say!("\n{title}:");
        }
        for line in lines {
            say!("{}:{}: {}", line.file.display(), line.number, line.text.replace('\t', "  "));
        }
    }
}
